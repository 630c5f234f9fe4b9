"""Turn whatever a client calls its file into a name that can be kept, shown and saved under."""

from __future__ import annotations

import re
from typing import Final

#: S3 takes 2 KB of metadata an object; a file name is at most 255 bytes (NAME_MAX), which is 765
#: characters when every byte is percent-encoded.
#: https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingMetadata.html
MAX_FILENAME_BYTES: Final = 255
#: Browsers and tools send names without directories (RFC 7578, section 4.2); what comes from a
#: script can be a path, of Windows as well.
_SEPARATOR: Final = re.compile(r"[/\\]")
#: Control characters, line separators, halves of surrogate pairs, and what turns the direction of
#: writing round, with which `gnp.exe` is made to look like a picture (Unicode TR 36, section 3.1).
_UNSHOWABLE: Final = re.compile(
    "[\0-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufeff\ufffe\uffff]"
)
_REPLACEMENT: Final = "_"
_PNG: Final = ".png"
_OF_RESULT: Final = "-bw.png"


def clean_filename(name: str) -> str | None:
    """The last part of the path *name*, showable and at most MAX_FILENAME_BYTES; None for none."""
    last = _SEPARATOR.split(name.rstrip("/\\"))[-1]
    shown = _UNSHOWABLE.sub(_REPLACEMENT, last).strip()
    return None if shown in ("", ".", "..") else shorten_filename(shown)


def original_filename(name: str) -> str:
    """What the PNG that came as *name* is saved as; browsers make PNGs of photographs."""
    return name if name.lower().endswith(_PNG) else shorten_filename(_stem(name) + _PNG)


def result_filename(name: str) -> str:
    """What the page made of the file *name* is saved as."""
    return _cut(_stem(name), MAX_FILENAME_BYTES - len(_OF_RESULT)) + _OF_RESULT


def shorten_filename(name: str) -> str:
    """Cut *name* to MAX_FILENAME_BYTES of UTF-8, never inside a character, and keep its suffix."""
    stem, dot, suffix = name.rpartition(".")
    if not dot or len(suffix.encode()) > MAX_FILENAME_BYTES // 2:
        stem, dot, suffix = name, "", ""
    end = dot + suffix
    return _cut(stem, MAX_FILENAME_BYTES - len(end.encode())) + end


def _stem(name: str) -> str:
    return name.rpartition(".")[0] or name


def _cut(text: str, size_bytes: int) -> str:
    return text.encode()[:size_bytes].decode(errors="ignore")
