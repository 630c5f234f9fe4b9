"""What the contracts of import-linter in pyproject.toml cannot say of the architecture."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from scripts.generate.draw_architecture import PICTURE, picture
from testkit.root import ROOT

APP = ROOT / "app"
#: Modules of a package, with its `__init__.py`.
MAX_FILES = 13
MODULES = {
    ".".join(path.relative_to(APP).with_suffix("").parts): path.read_text()
    for path in sorted(APP.rglob("*.py"))
}


@pytest.mark.parametrize(
    ("module", "strangers"),
    [
        ("app", {"flask", "boto3", "cv2"}),
        ("app.worker", {"flask", "boto3", "cv2"}),
        ("app.consumer.consumer", {"flask", "boto3", "cv2"}),
        ("app.consumer.sandbox", {"flask", "boto3", "cv2"}),
        ("app.routes", {"boto3", "cv2"}),
        ("app.cli.upload_client", {"flask", "boto3", "cv2"}),
        ("app.binarize.methods", {"flask", "boto3"}),
        ("app.cli.doctor_options", {"boto3", "pydantic", "structlog", "urllib3"}),
        ("app.doctor.endpoint", {"boto3", "pydantic", "structlog", "urllib3"}),
        ("app.domain.methods", {"flask", "boto3", "cv2", "numpy", "numba", "pydantic"}),
    ],
)
def test_importing_a_module_loads_no_other_library_and_starts_no_thread(
    module: str, strangers: set[str]
) -> None:
    program = (
        f"import sys, threading, {module}\n"
        f"print(sorted({strangers!r} & set(sys.modules)), threading.active_count())"
    )
    answer = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )

    assert answer.stdout.strip() == "[] 1"


def test_only_pydantic_reads_the_environment() -> None:
    assert [m for m, text in MODULES.items() if re.search(r"os\.environ|getenv", text)] == []


def test_one_module_keeps_the_context_of_a_request() -> None:
    """Hooks and views share nothing through names in `flask.g`."""
    uses_g = re.compile(r"from flask import[^)]*\bg\b|flask\.g\b")

    users = [m.split(".")[-1] for m, text in MODULES.items() if uses_g.search(text)]

    assert users == ["request_context"]


@pytest.mark.parametrize("folder", ["app", "benchmarks", "scripts", "testkit"])
def test_each_package_says_what_it_is_for(folder: str) -> None:
    files = sorted((ROOT / folder).rglob("__init__.py"))

    assert files
    assert [file for file in files if not file.read_text().startswith('"""')] == []


@pytest.mark.parametrize("folder", ["app", "testkit"])
def test_each_package_is_small_enough_to_be_read_at_once(folder: str) -> None:
    packages = sorted(path.parent for path in (ROOT / folder).glob("*/**/__init__.py"))

    assert len(packages) > 10
    assert [path for path in packages if len(list(path.glob("*.py"))) > MAX_FILES] == []


def test_the_picture_of_the_layers_is_drawn_from_the_real_imports() -> None:
    """After a change: python -m scripts.generate.draw_architecture."""
    assert PICTURE.read_text() == picture()
