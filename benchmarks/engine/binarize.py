"""Compare the pages per second of `binarize` with other programs, from file to file, on all CPUs.

    python -m benchmarks.engine.binarize [--pages 24] [--rounds 5] [--kind gray] [--only NAME ...]
        [--save]

The pages are A4 at 300 dpi with the noise of a scanner: gray PNG, or colour JPEG. Each program
makes them black and white with as many processes or threads as there are CPUs, including their
start. A program that takes seconds per page gets a quarter of the pages. Every round runs every
program once; the table has the medians of the rounds, and `--save` keeps it for docs/benchmarks.md.
The output names each program that is not installed:

    apt-get install imagemagick unpaper ocrmypdf
"""

from __future__ import annotations

import argparse
import io
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Final

from PIL import Image

from app.settings import usable_cpus
from benchmarks.engine.text_pages import page
from benchmarks.report.rows import rows
from benchmarks.report.saved import save
from testkit.root import ROOT

#: A4 at 300 dpi.
MEGAPIXELS: Final = 8.7
KINDS: Final = {"gray": "png", "color": "jpg"}
TITLES: Final = {"gray": "gray PNG", "color": "colour JPEG"}
HEAD: Final = ("pages/s", "CPU ms a page", "KB a page")
#: Otherwise two processes would have four threads.
_ONE_THREAD: Final = {"MAGICK_THREAD_LIMIT": "1", "OMP_THREAD_LIMIT": "1"}
_SLOW_SHARE: Final = 4
ONE_JOB: Final = ("--jobs", "1")
Command = Callable[[Path, Path], list[str]]


@dataclass(frozen=True)
class Program:
    """A program that makes a file black and white; *command* takes the file and the result."""

    name: str
    #: The names of its executable, one of which must exist, and the Debian package of it.
    needs: tuple[str, ...]
    package: str
    command: Command
    end: str = "png"
    #: Whether one process takes all files.
    takes_all: bool = False
    is_slow: bool = False
    kinds: tuple[str, ...] = ("gray", "color")

    @property
    def executable(self) -> str | None:
        return next((path for name in self.needs if (path := shutil.which(name))), None)


@dataclass(frozen=True)
class Figures:
    """The costs of one run of a program, per page."""

    pages_a_second: float
    cpu_ms: float
    kilobytes: float


def ours(method: str, *options: str) -> Program:
    def command(folder: Path, target: Path) -> list[str]:
        given = [sys.executable, "-m", "app", "binarize", str(folder), "-o", str(target)]
        return [*given, "--method", method, *options]

    told = [f"`{' '.join(options)}`"] if options else []
    name = ", ".join(["`./alvura binarize`", f"`{method}`", *told])
    return Program(name, (sys.executable,), "", command, takes_all=True)


def magick(name: str, *how: str, is_slow: bool = False) -> Program:
    needs = ("magick", "convert-im6.q16", "convert")

    def command(file: Path, target: Path) -> list[str]:
        # For a gray PNG it would only cost time.
        gray = ["-colorspace", "Gray"] if file.suffix == ".jpg" else []
        return [_found(needs), str(file), *gray, *how, str(target)]

    return Program(name, needs, "imagemagick", command, is_slow=is_slow)


def pillow() -> Program:
    """Pillow with a threshold of half of white, because Pillow cannot choose a threshold."""
    program = (
        "import sys; from PIL import Image; "
        "Image.open(sys.argv[1]).convert('L').point(lambda v: 255 * (v > 127), '1')"
        ".save(sys.argv[2], optimize=False)"
    )
    return Program(
        "Pillow, `point`",
        (sys.executable,),
        "",
        lambda file, target: [sys.executable, "-c", program, str(file), str(target)],
    )


def unpaper() -> Program:
    return Program(
        "unpaper",
        ("unpaper",),
        "unpaper",
        lambda file, target: ["unpaper", "-q", "--type", "pbm", str(file), str(target)],
        end="pbm",
        is_slow=True,
        kinds=("gray",),  # its decoder refuses the JPEG
    )


def ocrmypdf() -> Program:
    """OCRmyPDF without OCR: cleans with unpaper and keeps the grays."""
    how = ["--image-dpi", "300", "--clean-final", "--tesseract-timeout", "0"]
    more = ["--output-type", "pdf", "--optimize", "0", "--jobs", "1", "--quiet"]
    return Program(
        "`ocrmypdf --clean-final`, no OCR",
        ("ocrmypdf",),
        "ocrmypdf unpaper",
        lambda file, target: ["ocrmypdf", *how, *more, str(file), str(target)],
        end="pdf",
        is_slow=True,
    )


def programs() -> list[Program]:
    return [
        ours("auto"),
        ours("auto", *ONE_JOB),
        ours("otsu"),
        magick("ImageMagick, `-threshold 50%`", "-threshold", "50%"),
        magick("ImageMagick, `-lat 25x25-5%`", "-lat", "25x25-5%", is_slow=True),
        unpaper(),
        ocrmypdf(),
        pillow(),
    ]


def _found(names: Sequence[str]) -> str:
    return next(path for name in names if (path := shutil.which(name)))


def drawn(folder: Path, kind: str, count: int) -> list[Path]:
    """*count* files with one page."""
    png = page(MEGAPIXELS, is_noisy=True, is_rgb=kind == "color")
    paths = [folder / f"{number:03}.{KINDS[kind]}" for number in range(count)]
    folder.mkdir()
    if kind == "gray":
        paths[0].write_bytes(png)
    else:
        Image.open(io.BytesIO(png)).save(paths[0], quality=90, dpi=(300, 300))
    for path in paths[1:]:
        shutil.copy(paths[0], path)
    return paths


def measured(program: Program, files: Sequence[Path]) -> Figures:
    """Run *program* once on *files*, the only files in their folder."""
    with tempfile.TemporaryDirectory() as place:
        target = Path(place)
        jobs = [(files[0].parent, target)]
        if not program.takes_all:
            jobs = [(file, target / f"{file.stem}.{program.end}") for file in files]
        before, began_at = _cpu_s(), time.perf_counter()
        with ThreadPoolExecutor(usable_cpus()) as pool:
            list(pool.map(lambda job: _run(program.command(*job)), jobs))
        wall_s, cpu_s = time.perf_counter() - began_at, _cpu_s() - before
        results = [path for path in target.rglob("*") if path.is_file()]
        if len(results) != len(files):
            raise RuntimeError(f"{program.name}: {len(results)} results of {len(files)} files")
        size = sum(path.stat().st_size for path in results)
    count = len(files)
    return Figures(count / wall_s, 1000 * cpu_s / count, size / 1000 / count)


def _run(command: list[str]) -> None:
    environment = os.environ | _ONE_THREAD | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, env=environment, capture_output=True)
    if done.returncode:
        raise RuntimeError(f"{command} failed: {done.stderr.decode(errors='replace')}")


def _cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def rounds(found: Sequence[Program], kind: str, pages: int, count: int) -> dict[str, list[Figures]]:
    """The figures of each program in each round."""
    figures: dict[str, list[Figures]] = {program.name: [] for program in found}
    with tempfile.TemporaryDirectory() as place:
        all_files = drawn(Path(place, "all"), kind, pages)
        few_files = drawn(Path(place, "few"), kind, max(1, pages // _SLOW_SHARE))
        for _ in range(count):
            for program in found:
                files = few_files if program.is_slow else all_files
                figures[program.name].append(measured(program, files))
                print(".", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    return figures


def table(figures: dict[str, list[Figures]]) -> Iterator[list[str]]:
    """The medians of each program."""
    for name, runs in figures.items():
        yield [
            name,
            f"{median(run.pages_a_second for run in runs):.2f}",
            f"{median(run.cpu_ms for run in runs):.0f}",
            f"{median(run.kilobytes for run in runs):.0f}",
        ]


def scaling(figures: dict[str, list[Figures]]) -> str | None:
    """A sentence with the speed-up of all CPUs over one job, the median of the rounds."""
    together, alone = (figures.get(each.name) for each in (ours("auto"), ours("auto", *ONE_JOB)))
    if not together or not alone:
        return None
    ratios = [
        many.pages_a_second / one.pages_a_second for many, one in zip(together, alone, strict=True)
    ]
    return f"`auto` makes {median(ratios):.2f} times the pages a second of `--jobs 1`"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--pages", type=int, default=24)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--kind", choices=[*KINDS], nargs="+", default=[*KINDS])
    parser.add_argument("--only", nargs="+", metavar="WORD", help="programs with it in their name")
    parser.add_argument("--save", action="store_true", help="keep the tables for the documents")
    options = parser.parse_args()
    wanted = [p for p in programs() if not options.only or any(w in p.name for w in options.only)]
    for program in wanted:
        if not program.executable:
            print(f"{program.name} is left out: apt-get install {program.package}", file=sys.stderr)
    for kind in options.kind:
        found = [p for p in wanted if p.executable and kind in p.kinds]
        print(f"\n{options.pages} pages, {kind}, {usable_cpus()} CPUs, {options.rounds} rounds\n")
        head = (TITLES[kind], *HEAD)
        figures = rounds(found, kind, options.pages, options.rounds)
        body = [*table(figures)]
        print(*rows(head, body), sep="\n")
        if said := scaling(figures):
            print(f"\n{said}")
        if options.save:
            save(f"binarize-{kind}", head, body)


if __name__ == "__main__":
    main()
