"""The JavaScript modules of the page."""

from __future__ import annotations

from pathlib import Path

from testkit.root import ROOT


def page_scripts() -> list[Path]:
    """Our own modules in static/, without the libraries, whose names end in .min.js."""
    found = (ROOT / "static").glob("*/*.js")
    return sorted(path for path in found if not path.name.endswith(".min.js"))
