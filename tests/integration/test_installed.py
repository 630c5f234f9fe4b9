"""Missing packages are reported in one line, without a traceback."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest

from app import installed
from scripts.install import role_lock
from testkit.root import ROOT

MODULES = ["app.main", "app.setup_aws_resources", "app"]


def test_every_required_package_is_checked() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = {line.partition(">")[0] for line in project["dependencies"]} - {"isal", "zlib-ng"}
    owners = metadata.packages_distributions()

    assert {
        owner.lower().replace("_", "-") for name in installed.PACKAGES for owner in owners[name]
    } >= wanted


@pytest.mark.parametrize("command", installed.UNUSED)
def test_the_image_of_a_role_may_lack_packages_that_its_commands_never_load(command: str) -> None:
    image = role_lock.UNUSED["web" if command == "web" else "worker"]
    owners = metadata.packages_distributions()
    lacked = {owner.lower() for name in installed.UNUSED[command] for owner in owners[name]}

    assert {name.replace("_", "-") for name in lacked} == image


def test_nothing_is_reported_if_all_packages_are_installed() -> None:
    assert installed.fault("x") is None


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "v"], check=True)
    return tmp_path / "v"


def only_line(venv: Path, module: str) -> str:
    done = subprocess.run(
        [venv / "bin" / "python", "-m", module, "web"], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    return line


@pytest.mark.parametrize("module", MODULES)
def test_a_python_without_packages_is_told_the_command_to_run(bare: Path, module: str) -> None:
    line = only_line(bare, module)

    assert line.endswith(": the packages are not installed here; type ./alvura start")


def test_a_python_that_lacks_some_packages_names_them(bare: Path) -> None:
    (site,) = bare.glob("lib/python*/site-packages")
    for name in set(installed.PACKAGES) - {"waitress"}:
        (site / name).mkdir()

    assert "are not installed here (waitress); type ./alvura start" in only_line(bare, "app.main")


def test_an_interrupted_installation_counts_as_missing(bare: Path) -> None:
    (site,) = bare.glob("lib/python*/site-packages")
    for name in installed.PACKAGES:
        (site / name).mkdir()
    (bare / ".unfinished").touch()

    assert "the packages are not installed here; type" in only_line(bare, "app.main")
