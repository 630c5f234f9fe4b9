"""What the libraries must be, whatever the locks say."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib

import cv2
import pytest

from app.observability.version import NAME, VERSION
from scripts.generate.fetch_libraries import CHECKSUMS, checksums
from scripts.install.environment import WEIGHTS
from testkit.root import ROOT


def test_the_png_library_inside_opencv_has_the_fixes_of_2026() -> None:
    """libpng 1.6.58 closes CVE-2026-33636 and its relatives without the regression of 1.6.57."""
    found = re.search(r"PNG:.*ver (\d+)\.(\d+)\.(\d+)", cv2.getBuildInformation())

    assert found is not None
    assert tuple(map(int, found.groups())) >= (1, 6, 58)


def test_project_image_changelog_and_command_line_tell_one_name_and_version() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    labels = dict(
        re.findall(r'org.opencontainers.image.(\w+)="([^"]*)"', (ROOT / "Dockerfile").read_text())
    )
    releases = re.findall(
        r"^## \[(\d[^\]]*)\] - \d{4}-\d\d-\d\d$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE
    )
    answer = subprocess.run(
        [sys.executable, "-m", "app", "--version"], cwd=ROOT, capture_output=True, text=True
    )

    assert (project["name"], project["version"]) == (NAME.lower(), VERSION)
    assert (labels["title"], labels["version"]) == (NAME, VERSION)
    assert releases[0] == VERSION
    assert answer.stdout == f"{NAME} {VERSION}\n"


def test_every_locked_package_has_hashes() -> None:
    for lock in (ROOT / "requirements.txt", *ROOT.glob("requirements/*.txt")):
        pins = re.findall(r"^\S+==\S+(.*)$", lock.read_text(), re.MULTILINE)

        assert pins
        assert [pin for pin in pins if not pin.endswith("\\")] == []


def test_tests_run_on_the_versions_that_the_application_is_locked_to() -> None:
    application, tests = (
        set(re.findall(r"^(\S+==\S+)", (ROOT / name).read_text(), re.MULTILINE))
        for name in ("requirements.txt", "requirements/dev.txt")
    )

    assert application <= tests


def test_benchmarks_and_tests_pin_the_same_versions() -> None:
    """Both go into the same virtual environment."""
    tests, benchmarks = (
        dict(re.findall(r"^([^\s=]+)==([^\s;]+)", (ROOT / name).read_text(), re.MULTILINE))
        for name in ("requirements/dev.txt", "requirements/benchmarks.txt")
    )

    assert "matplotlib" in benchmarks
    assert {n for n, version in benchmarks.items() if tests.get(n, version) != version} == set()


def test_the_libraries_in_static_are_the_fetched_ones() -> None:
    """After a change of the table: python -m scripts.generate.fetch_libraries."""
    assert checksums() == CHECKSUMS.read_text()
    for folder in ("pdfjs", "pdfjs/decoders", "pdfjs/fonts", "utif"):
        assert list((ROOT / "static" / folder).glob("LICENSE*")), folder


@pytest.mark.parametrize("readme", ["README.md", "README.pt-BR.md"])
def test_the_readme_says_what_a_first_start_takes(readme: str) -> None:
    weights = [WEIGHTS[name] for name in ("requirements.txt", "localstack.txt")]
    text = (ROOT / readme).read_text().replace("\n", " ")

    assert f" {sum(weight.download_mb for weight in weights)} MB" in text
    assert f" {sum(weight.disk_mb for weight in weights)} MB" in text
