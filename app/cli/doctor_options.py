"""The options of `doctor`, which runs with and without the packages.

Standard library only.
"""

from __future__ import annotations

import argparse


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add all options of `doctor`."""
    parser.add_argument(
        "--role",
        choices=("all", "web", "worker", "operator"),
        default="all",
        help=(
            "the role whose rights are tried; operator: reconcile, redrive, announce-again, watch "
            "(default: all)"
        ),
    )
    parser.add_argument("--failing", action="store_true", help="print the failing lines only")
