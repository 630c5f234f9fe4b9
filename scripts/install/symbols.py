"""Remove the symbol table of a shared library, which only debuggers read.

Standard library only, because `strip` belongs to a compiler that the machine may not have.
"""

from __future__ import annotations

import os
import shutil
import struct
from pathlib import Path
from typing import BinaryIO

#: The first bytes of a 64-bit little-endian ELF file; other formats are left alone.
MAGIC = b"\x7fELF\x02\x01"
HEADER = struct.Struct("<16sHHIQQQIHHHHHH")
#: The dynamic loader reads the contents of program headers; sections and symbols follow these.
PROGRAM_HEADER = struct.Struct("<IIQQQQQQ")
#: A smaller gain is not worth the copy: uv shares the whole file with its cache.
LEAST_SHARE = 0.25


def strip(library: Path) -> None:
    """Replace *library* by a copy without its symbol table, if that is a quarter of the file."""
    size = library.stat().st_size
    with library.open("rb") as file:
        end = end_of_contents(file)
        if not end or size - end < LEAST_SHARE * size:
            return
        file.seek(0)
        data = file.read(end)
    copy = library.with_name(f"{library.name}.stripped")
    copy.write_bytes(without_sections(data))
    shutil.copymode(library, copy)
    os.replace(copy, library)  # the file in uv's cache keeps its contents


def end_of_contents(file: BinaryIO) -> int | None:
    """The size in bytes of the part that the dynamic loader reads; None if *file* is not ELF."""
    header = file.read(HEADER.size)
    if not header.startswith(MAGIC) or len(header) < HEADER.size:
        return None
    fields = HEADER.unpack(header)
    start, count = int(fields[5]), int(fields[10])
    file.seek(start)
    table = file.read(PROGRAM_HEADER.size * count)
    ends: list[int] = [entry[2] + entry[5] for entry in PROGRAM_HEADER.iter_unpack(table)]
    return max(start + len(table), max(ends, default=0))


def without_sections(data: bytes) -> bytes:
    fields = list(HEADER.unpack_from(data))
    fields[6] = fields[12] = fields[13] = 0  # place, number and names of the sections
    return HEADER.pack(*fields) + data[HEADER.size :]
