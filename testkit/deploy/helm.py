"""Run helm and kubectl, from PATH or from the folder of scripts/check/fetch_helm.py."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from testkit.root import ROOT

CHART: Final = ROOT / "deploy" / "helm" / "alvura"
Objects = dict[tuple[str, str], dict[str, Any]]


def helm(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return _run("helm", *arguments)


def kustomized(folder: Path) -> Objects:
    """The objects that kustomize builds from *folder*, by kind and name."""
    built = _run("kubectl", "kustomize", folder)
    assert built.returncode == 0, built.stderr
    return _objects(built.stdout)


def charted(values: Path, *, namespace: str = "image-pipeline") -> Objects:
    """The objects that the chart makes with the file *values*, by kind and name."""
    built = helm("template", "pipeline", CHART, "--namespace", namespace, "--values", values)
    assert built.returncode == 0, built.stderr
    return _objects(built.stdout)


def _objects(text: str) -> Objects:
    found = [each for each in yaml.safe_load_all(text) if each]
    named = {(each["kind"], each["metadata"]["name"]): each for each in found}
    assert len(named) == len(found)
    return named


def _run(program: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [_find(program), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


def _find(program: str) -> str:
    """The path of *program*; outside CI the test is skipped if it is missing."""
    places = map(str, (ROOT / ".local" / "helm").glob("*"))
    found = shutil.which(program, path=os.pathsep.join([*places, os.environ["PATH"]]))
    if not found and "CI" not in os.environ:
        pytest.skip(f"{program} is not here: python scripts/check/fetch_helm.py")
    assert found, f"{program} is not here"
    return found
