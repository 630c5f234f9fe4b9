"""Make folders unreadable, for root too, whom permissions do not stop."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest


def refuse_folder(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Make listing any folder called *name* raise PermissionError."""
    scandir = os.scandir

    def refuse(place: str) -> object:
        if Path(place).name == name:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), place)
        return scandir(place)

    monkeypatch.setattr(os, "scandir", refuse)
