"""The command `binarize` as a process: memory, many files, signals, a full disk."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from app.numeric import compiled
from testkit.images.photographs import noisy, sheet
from testkit.root import ROOT
from testkit.timing.waiting import wait_until

#: ISO A3 at 600 dpi is 7016 x 9921 pixels; this is an eighth of each side.
EIGHTH = (877, 1240)
MOST_BYTES_A_PIXEL = 6
_PROGRAM = """
import re, sys
from pathlib import Path
from app.file_processor import FileProcessor

def peak_bytes():
    status = Path("/proc/self/status").read_text()
    return int(re.search(r"VmHWM:\\s+(\\d+) kB", status)[1]) * 1024

processor = FileProcessor(method=sys.argv[2])
processor.page(Path(sys.argv[1]).with_name("small" + Path(sys.argv[1]).suffix))
before = peak_bytes()
page = processor.page(Path(sys.argv[1]))
print((peak_bytes() - before) / (page.width * page.height))
"""


@pytest.mark.parametrize("is_first", [True, False])
def test_the_first_run_says_that_it_compiles_the_engine(tmp_path: Path, is_first: bool) -> None:
    sheet().save(tmp_path / "a.png")
    cache = tmp_path / "cache"
    if not is_first:
        (cache / Path(compiled.numba.config.CACHE_DIR).name).mkdir(parents=True)  # type: ignore[attr-defined]
    # Without the compilation the test is a minute shorter.
    variables = {"PYTHONPATH": str(ROOT), "NUMBA_DISABLE_JIT": "1", "NUMBA_CACHE_DIR": str(cache)}
    done = subprocess.run(
        [sys.executable, "-m", "app", "binarize", "--dry-run", "a.png"],
        cwd=tmp_path,
        env=os.environ | variables,
        capture_output=True,
        text=True,
        check=True,
    )

    assert ("Compiling the engine for this machine, once" in done.stderr) is is_first


def start(*arguments: str, cwd: Path, **more: Any) -> subprocess.Popen[bytes]:
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | more
    return subprocess.Popen(
        [sys.executable, "-m", "app", "binarize", *arguments],
        cwd=cwd,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        **pipes,
    )


def results(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*-bw.*"))


def are_whole(paths: list[Path]) -> bool:
    for path in paths:
        with Image.open(path) as image:
            image.load()
    return True


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a noisy A3 page and a small one, in each format."""
    folder = tmp_path_factory.mktemp("large")
    page = Image.fromarray(np.tile(np.asarray(noisy(*EIGHTH)), (8, 8)))
    for end in ("png", "jpg", "tif"):
        how: dict[str, Any] = {"png": {"compress_level": 1}}.get(end, {})
        page.save(folder / f"large.{end}", dpi=(600, 600), **how)
        sheet().save(folder / f"small.{end}")
    return folder


@pytest.mark.parametrize("method", ["auto", "otsu"])
@pytest.mark.parametrize("end", ["png", "jpg", "tif"])
def test_a_page_of_a3_at_600_dpi_takes_at_most_6_bytes_a_pixel(
    large: Path, end: str, method: str
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM, str(large / f"large.{end}"), method],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )

    assert 1 < float(done.stdout) <= MOST_BYTES_A_PIXEL


@pytest.fixture
def many(tmp_path: Path) -> Path:
    """200 pages of A5 at 150 dpi."""
    page = noisy(874, 1240)
    page.save(tmp_path / "000.jpg", dpi=(150, 150))
    for number in range(1, 200):
        os.link(tmp_path / "000.jpg", tmp_path / f"{number:03}.jpg")
    return tmp_path


def test_200_files_become_200_pages(many: Path) -> None:
    with start(".", "-o", "out", cwd=many) as process:
        out, err = process.communicate()

    assert process.returncode == 0
    assert out.decode().startswith("200 pages in ")
    assert len({path.read_bytes() for path in results(many)}) == 1
    assert len(results(many)) == 200
    # Without a terminal the progress is a line now and then.
    assert len(err.decode().splitlines()) < 5


@pytest.mark.parametrize(
    ("signum", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 130), (signal.SIGKILL, -9)]
)
def test_an_interrupted_command_leaves_whole_files_and_can_be_run_again(
    many: Path, signum: int, code: int
) -> None:
    with start(".", "-o", "out", "--jobs", "1", cwd=many) as process:
        wait_until(partial(lambda: len(results(many)) > 5))
        process.send_signal(signum)
        _, err = process.communicate()

    assert process.returncode == code
    assert 5 < len(results(many)) < 200
    assert are_whole(results(many))
    assert b"Traceback" not in err
    if code == 130:
        assert err.decode().splitlines() == ["binarize: stopped; run it again for the rest"]
        assert [*many.rglob(".*")] == []

    with start(".", "-o", "out", "--jobs", "1", cwd=many) as process:
        process.communicate()

    assert process.returncode == 1  # some files existed already
    assert len(results(many)) == 200
    assert are_whole(results(many))


@pytest.fixture
def dots(tmp_path: Path) -> Path:
    """A page whose result is over 8 KiB."""
    noise = np.random.default_rng(1).integers(0, 256, (500, 500)).astype(np.uint8)
    Image.fromarray(noise).save(tmp_path / "dots.png")
    return tmp_path


def forbid_files_over_8_kib() -> None:
    """Simulate a full disk; a real one needs root."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (8192, 8192))


def test_a_full_disk_ends_the_command_in_one_line(dots: Path) -> None:
    arguments = ("dots.png", "--method", "otsu")

    with start(*arguments, cwd=dots, preexec_fn=forbid_files_over_8_kib) as process:
        out, err = process.communicate()

    assert process.returncode == 1
    assert err.decode() == "binarize: stopped: dots-bw.png: File too large\n"
    assert out.decode().splitlines()[0].endswith("; 0 files written")
    assert {path.name for path in dots.iterdir()} == {"dots.png"}


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_writing_a_pipe_to_a_full_disk_is_a_failure(
    dots: Path, unbuffered: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a buffer, Python writes the part that fits, and raises nothing."""
    monkeypatch.setenv("PYTHONUNBUFFERED", unbuffered)
    arguments = ("dots.png", "-o", "-", "--method", "otsu")

    with (dots / "out.png").open("wb") as target:
        how = {"stdout": target, "preexec_fn": forbid_files_over_8_kib}
        with start(*arguments, cwd=dots, **how) as process:
            _, err = process.communicate()

    assert process.returncode == 1
    assert err.decode().startswith("binarize: stopped: standard output: File too large\n")


_STUCK = """
import sys, time
from pathlib import Path
from app.file_processor import FileProcessor
from app.main import main

def page(*_):
    Path("begun").touch()
    time.sleep(600)

FileProcessor.page = page
sys.exit(main(["binarize", "dots.png"]))
"""


def test_ctrl_c_does_not_wait_for_a_page_that_never_ends(dots: Path) -> None:
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    with subprocess.Popen([sys.executable, "-c", _STUCK], cwd=dots, env=environment) as process:
        wait_until((dots / "begun").exists)
        process.send_signal(signal.SIGINT)

        assert process.wait(60) == 130
