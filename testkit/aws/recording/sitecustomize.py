"""Record the AWS calls of the application in the processes that tests start.

Python imports a module of this name at its start when it finds one, and tests/conftest.py puts this
folder on PYTHONPATH. It does nothing until `app.aws.clients` is loaded.
https://docs.python.org/3/library/site.html#module-sitecustomize
"""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import FrameType, ModuleType
from typing import Any, Final

#: The file to which each process appends its new calls, one `service:Operation` per line.
VARIABLE: Final = "AWS_CALLS_FILE"
#: Packages between a call and its caller; this module too, if it is installed twice in a process.
_LIBRARIES: Final = frozenset(("botocore", "boto3", "contextlib", "functools", "sitecustomize"))


def watch(note: Callable[[str], object]) -> None:
    """Call *note* with each call to AWS that a module of the application makes from now on.

    A call of botocore counts if the nearest caller outside the libraries is a module of the
    application. Calls of obstore are noted where `S3Bucket` counts them.
    """
    from botocore.client import BaseClient

    from app.observability.metrics import AwsMetrics

    call, timed = BaseClient._make_api_call, AwsMetrics.timed  # type: ignore[attr-defined]

    def noted_call(self: BaseClient, operation: str, parameters: Any) -> Any:
        if _is_ours(sys._getframe(1)):
            note(f"{self.meta.service_model.service_name}:{operation}")
        return call(self, operation, parameters)

    def noted_timing(
        self: AwsMetrics, service: str, operation: str
    ) -> AbstractContextManager[None]:
        note(f"{service}:{operation}")
        return timed(self, service, operation)

    BaseClient._make_api_call = noted_call  # type: ignore[attr-defined]
    AwsMetrics.timed = noted_timing  # type: ignore[method-assign]


def note(call: str, seen: set[str], path: str) -> None:
    """Add *call* to what this process has *seen* and, the first time, to the file of all."""
    if call not in seen:
        seen.add(call)
        with open(path, "a") as calls:
            calls.write(f"{call}\n")


def _is_ours(caller: FrameType) -> bool:
    frame: FrameType | None = caller
    while frame and _package(frame) in _LIBRARIES:
        frame = frame.f_back
    # A program run by `python -m app.NAME` is called __main__, and belongs to its package.
    return frame is not None and _package(frame) == "app"


def _package(frame: FrameType) -> str:
    name: str = frame.f_globals.get("__package__") or frame.f_globals.get("__name__", "")
    return name.partition(".")[0]


class _WhenLoaded(MetaPathFinder):
    """Call `watch` when `app.aws.clients` is loaded, so that other programs load no part of it."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._seen: set[str] = set()

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name != "app.aws.clients":
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        if spec and spec.loader:
            load = spec.loader.exec_module

            def load_and_watch(module: ModuleType) -> None:
                load(module)
                watch(lambda call: note(call, self._seen, self._path))

            spec.loader.exec_module = load_and_watch  # type: ignore[method-assign]
        return spec


if __name__ == "sitecustomize" and VARIABLE in os.environ:
    sys.meta_path.insert(0, _WhenLoaded(os.environ[VARIABLE]))
