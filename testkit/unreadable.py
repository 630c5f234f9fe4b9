"""Folders that cannot be read, also by root, whom no permission stops."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest


def refuse_folder(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Let listing any folder of this *name* fail for lack of permission."""
    scandir = os.scandir

    def refuse(place: str) -> object:
        if Path(place).name == name:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), place)
        return scandir(place)

    monkeypatch.setattr(os, "scandir", refuse)
