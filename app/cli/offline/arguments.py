"""Define the arguments of `binarize`, and those that it shares with other commands."""

from __future__ import annotations

import argparse
from pathlib import Path

from ...formats.kinds import FILE_LIMITS
from ...settings import usable_cpus


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add all arguments of `binarize`."""
    _add_files(parser)
    add_method(parser, "auto")
    parser.add_argument(
        "--max-pixels",
        type=positive,
        default=FILE_LIMITS.max_pixels,
        metavar="N",
        help="refuse pages with more pixels (default: %(default)s)",
    )
    parser.add_argument(
        "--jobs",
        type=positive,
        default=usable_cpus(),
        metavar="N",
        help="pages at the same time (default: one for each CPU, here %(default)s)",
    )
    parser.add_argument("--dry-run", action="store_true", help="print what would be written")
    parser.add_argument("--force", action="store_true", help="overwrite files that are there")


def _add_files(parser: argparse.ArgumentParser) -> None:
    """Add the arguments for the inputs and outputs of `binarize`."""
    parser.add_argument(
        "inputs", nargs="+", metavar="IN", help="images, folders, glob patterns; - for a pipe"
    )
    parser.add_argument(
        "-o",
        "--out",
        metavar="OUT",
        help=(
            "a folder; or one file, by its end .png, .tif or .pdf; or - for standard output "
            "(default: NAME-bw.png beside each file; for a pipe, standard output)"
        ),
    )
    parser.add_argument(
        "--pdf", type=Path, metavar="FILE", help="all pages as one PDF, in the order of the files"
    )
    parser.add_argument(
        "--format",
        choices=("png", "tiff", "pdf"),
        help="png: a file a page; tiff (CCITT Group 4), pdf: a file for each input (default: png)",
    )


def add_method(parser: argparse.ArgumentParser, default: str) -> None:
    """Add the options that choose the method and its parameters."""
    parser.add_argument("--method", help=f"the binarization method (default: {default})")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        type=_assignment,
        metavar="NAME=VALUE",
        help="a parameter of the method, such as threshold=100; can be repeated",
    )


def _assignment(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not (name and equals):
        raise argparse.ArgumentTypeError(f"{text} is not NAME=VALUE")
    return name, value


def positive(text: str) -> int:
    """*text* as a whole number from 1 on."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is not 1 or more")
    return number
