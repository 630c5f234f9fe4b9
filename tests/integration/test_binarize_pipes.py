"""The command `binarize` in a pipe."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from testkit.images.image_files import tiff_of
from testkit.images.photographs import jpeg, sheet, shows_sheet
from testkit.png.scans import page_png
from testkit.root import ROOT


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with a page of each format."""
    (tmp_path / "a.png").write_bytes(page_png(200, 100))
    jpeg(tmp_path / "photo.jpg", orientation=6)
    (tmp_path / "two.tif").write_bytes(tiff_of(sheet(), sheet().rotate(180)))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*arguments: str, stdin: bytes) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-m", "app", "binarize", "--method", "otsu", *arguments],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        input=stdin,
    )


def test_a_page_goes_through_a_pipe(folder: Path) -> None:
    done = run("-", stdin=(folder / "photo.jpg").read_bytes())

    assert done.returncode == 0
    assert shows_sheet(Image.open(io.BytesIO(done.stdout)))
    assert "1 page in " in done.stderr.decode()


def test_all_pages_of_a_tiff_go_through_a_pipe_as_a_pdf(folder: Path) -> None:
    done = run("-", "--format", "pdf", stdin=(folder / "two.tif").read_bytes())

    assert done.returncode == 0
    assert done.stdout.startswith(b"%PDF-")
    assert b"/Count 2" in done.stdout


def test_an_empty_pipe_is_an_error_and_writes_nothing(folder: Path) -> None:
    done = run("-", stdin=b"")

    assert (done.returncode, done.stdout) == (1, b"")
    assert b"standard input: The file is empty." in done.stderr


def test_a_reader_that_closes_the_pipe_ends_the_command_in_one_line(folder: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [sys.executable, "-m", "app", "binarize", "a.png", "-o", "-"],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=writing,
        stderr=subprocess.PIPE,
        text=True,
    )
    os.close(writing)

    assert done.returncode == 1
    assert "binarize: standard output was closed" in done.stderr
    assert "Traceback" not in done.stderr


def in_shell(command: str) -> subprocess.CompletedProcess[str]:
    """Run `binarize` with the rest of the line *command* in a shell."""
    script = f'"$0" -m app binarize --method otsu {command}'
    return subprocess.run(
        ["bash", "-c", script, sys.executable],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_results_do_not_depend_on_the_streams_that_are_closed(folder: Path, closed: str) -> None:
    done = in_shell(f"a.png two.tif {closed}")

    assert (done.returncode, "Traceback" in done.stderr) == (0, False)
    for name in ("a-bw.png", "two-p01-bw.png", "two-p02-bw.png"):
        Image.open(folder / name).load()


def test_a_closed_standard_input_is_an_empty_file(folder: Path) -> None:
    done = in_shell("- -o out.png <&-")

    assert done.returncode == 1
    assert done.stderr == "binarize: standard input: The file is empty.\n"


def test_a_result_for_a_closed_standard_output_is_wrong_usage(folder: Path) -> None:
    done = in_shell("a.png -o - >&-")

    assert done.returncode == 2
    assert done.stderr.endswith(": standard output is closed; name a file with -o\n")


def test_a_reader_that_ignores_the_summary_changes_no_exit_code(folder: Path) -> None:
    done = in_shell("a.png | true; exit ${PIPESTATUS[0]}")

    assert (done.returncode, done.stderr) == (0, "")
    assert (folder / "a-bw.png").exists()
