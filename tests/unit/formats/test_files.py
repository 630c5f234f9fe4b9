"""Saving a file: it is complete under its name, or not there."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from app.formats.files import save


@pytest.mark.parametrize("overwrite", [True, False])
def test_the_bytes_are_on_the_disk_before_the_file_has_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, overwrite: bool
) -> None:
    target, synced = tmp_path / "result.png", list[int]()

    def fsync(file: int) -> None:
        assert not target.exists()
        synced.append(os.fstat(file).st_size)

    monkeypatch.setattr(os, "fsync", fsync)

    save(b"all of it", target, overwrite=overwrite)

    assert synced == [len(b"all of it")]
    assert target.read_bytes() == b"all of it"
    assert [path.name for path in tmp_path.iterdir()] == ["result.png"]


def test_a_disk_that_fails_leaves_nothing_and_the_earlier_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "result.png"
    target.write_bytes(b"earlier")

    def fsync(_: int) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "fsync", fsync)

    with pytest.raises(OSError, match="Input/output error") as failure:
        save(b"later", target)

    assert failure.value.filename == str(target)
    assert target.read_bytes() == b"earlier"
    assert [path.name for path in tmp_path.iterdir()] == ["result.png"]
