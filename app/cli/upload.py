"""Run the command `upload`: parse its options, send the files, save the results."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from ..formats.files import check_target, save
from ..settings import ClientSettings
from . import upload_client
from .pdf_pages import write_pdf
from .upload_files import Source, find_sources, left_out
from .upload_report import Order

_EXIT_FAILED: Final = 1
_EXIT_USAGE: Final = 2
_EXIT_INTERRUPTED: Final = 130


def run(options: argparse.Namespace, complain: Callable[[str], None]) -> int:
    """Send the files of *options* and save their results; returns the exit code."""
    pages: dict[Source, bytes] = {}
    try:
        if options.pdf:
            check_target(options.pdf)
        sources = find_sources(options.files, options.out)
        if others := left_out(options.files, sources):
            complain(others)
        order = _order(options, pages, complain)
    except (OSError, ValueError) as exc:
        complain(str(exc))
        return _EXIT_USAGE
    except KeyboardInterrupt:  # listing a large folder takes a while
        return _EXIT_INTERRUPTED
    try:
        code = upload_client.upload(sources, order, as_json=options.json)
        if not options.pdf:
            return code
        pdf_code = _save_pdf([pages.get(source) for source in sources], options.pdf, complain)
        return max(code, pdf_code)
    except KeyboardInterrupt:
        complain("stopped; run it again to send the rest")
        return _EXIT_INTERRUPTED


def _order(
    options: argparse.Namespace, pages: dict[Source, bytes], complain: Callable[[str], None]
) -> Order:
    defaults = ClientSettings()
    if defaults.old_name and not options.url:
        complain(f"{defaults.old_name} is an old name; it is ALVURA_URL now")
    asked = {"method": options.method, "group": options.group, **dict(options.set)}
    return Order(
        url=options.url or defaults.url,
        token=options.token or defaults.token,
        fields={name: value for name, value in asked.items() if value is not None},
        is_waiting=options.wait or bool(options.out or options.pdf),
        timeout_s=options.timeout,
        parallel=options.parallel,
        on_result=pages.__setitem__ if options.pdf else None,
    )


def _save_pdf(pages: Sequence[bytes | None], path: Path, complain: Callable[[str], None]) -> int:
    """Save all *pages* or nothing: a reader would not notice one missing page among fifty."""
    present = [page for page in pages if page is not None]
    if missing := len(pages) - len(present):
        complain(f"{path} is not written: {missing} of {len(pages)} pages are missing")
        return _EXIT_FAILED
    try:
        save(write_pdf(present), path)
    except (OSError, ValueError) as exc:
        complain(f"{path} is not written: {exc}")
        return _EXIT_FAILED
    return 0
