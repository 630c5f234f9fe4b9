"""Libraries without their symbol table: smaller, and they do what they did."""

from __future__ import annotations

import ctypes
import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.install import symbols

CODE = b"what the loader maps"


def library(*, symbols_bytes: int) -> bytes:
    """A 64-bit ELF file with one program header, its contents, and a symbol table after them."""
    start = symbols.HEADER.size
    length = start + symbols.PROGRAM_HEADER.size + len(CODE)
    end = length + symbols_bytes
    ident = symbols.MAGIC.ljust(16, b"\0")
    header = (ident, 3, 62, 1, 0, start, end, 0, start, symbols.PROGRAM_HEADER.size, 1, 64, 9, 8)
    program = (1, 5, 0, 0, 0, length, length, 4096)
    contents = symbols.HEADER.pack(*header) + symbols.PROGRAM_HEADER.pack(*program) + CODE
    return contents + bytes(symbols_bytes)


def test_data_after_the_contents_is_removed_with_the_section_table(tmp_path: Path) -> None:
    path = tmp_path / "a.so"
    path.write_bytes(library(symbols_bytes=500))
    path.chmod(0o755)

    symbols.strip(path)

    data = path.read_bytes()
    header = symbols.HEADER.unpack_from(data)
    assert data.endswith(CODE)
    assert (header[6], header[12], header[13]) == (0, 0, 0)
    assert path.stat().st_mode & 0o777 == 0o755
    assert list(tmp_path.iterdir()) == [path]


def test_the_file_in_a_cache_that_shares_it_keeps_its_contents(tmp_path: Path) -> None:
    cached, path = tmp_path / "cached.so", tmp_path / "a.so"
    cached.write_bytes(library(symbols_bytes=500))
    os.link(cached, path)

    symbols.strip(path)

    assert cached.read_bytes() == library(symbols_bytes=500)
    assert path.stat().st_size < cached.stat().st_size


@pytest.mark.parametrize(
    "data", [library(symbols_bytes=10), b"", b"\x7fELF", b"\xcf\xfa\xed\xfe" + bytes(500)]
)
def test_libraries_with_a_small_symbol_table_and_other_formats_are_left_alone(
    data: bytes, tmp_path: Path
) -> None:
    path = tmp_path / "a.so"
    path.write_bytes(data)

    symbols.strip(path)

    assert path.read_bytes() == data


@pytest.mark.skipif(platform.system() != "Linux", reason="ELF is the format of Linux")
def test_a_real_library_still_loads_and_works(tmp_path: Path) -> None:
    from isal import _isal

    path = tmp_path / Path(_isal.__file__).name
    path.write_bytes(Path(_isal.__file__).read_bytes())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(symbols, "LEAST_SHARE", 0.0)
        symbols.strip(path)
    assert path.stat().st_size < Path(_isal.__file__).stat().st_size

    ctypes.CDLL(str(path))
    program = "import _isal; print(_isal.ISAL_MAJOR_VERSION)"
    answer = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True)
    assert answer.stdout.split() == [str(_isal.ISAL_MAJOR_VERSION).encode()]
