"""Turn a client's file name into one that is safe to store, display and save under."""

from __future__ import annotations

import re
from typing import Final

#: S3 limits the metadata of an object to 2 KB. A file name has at most 255 bytes (NAME_MAX), which
#: are 765 characters when every byte is percent-encoded.
#: https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingMetadata.html
MAX_FILENAME_BYTES: Final = 255
#: Browsers and tools send names without directories (RFC 7578, section 4.2); a script can send a
#: path, with Windows separators too.
_SEPARATOR: Final = re.compile(r"[/\\]")
#: Control characters, line separators, lone surrogates and bidi controls. A bidi control can make
#: `gnp.exe` look like a picture (Unicode TR 36, section 3.1).
_UNSHOWABLE: Final = re.compile(
    "[\0-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufeff\ufffe\uffff]"
)
_REPLACEMENT: Final = "_"
_PNG: Final = ".png"
_OF_RESULT: Final = "-bw.png"


def clean_filename(name: str) -> str | None:
    """The last part of the path *name*, printable, at most MAX_FILENAME_BYTES; None if empty."""
    last = _SEPARATOR.split(name.rstrip("/\\"))[-1]
    shown = _UNSHOWABLE.sub(_REPLACEMENT, last).strip()
    return None if shown in ("", ".", "..") else shorten_filename(shown)


def original_filename(name: str) -> str:
    """The file name of the original: *name*, with `.png` because browsers convert photographs."""
    return name if name.lower().endswith(_PNG) else shorten_filename(_stem(name) + _PNG)


def result_filename(name: str) -> str:
    """The file name of the result of the file *name*: `-bw.png` replaces its suffix."""
    return _first_bytes(_stem(name), MAX_FILENAME_BYTES - len(_OF_RESULT)) + _OF_RESULT


def shorten_filename(name: str) -> str:
    """*name* cut to MAX_FILENAME_BYTES of UTF-8, never inside a character, with its suffix."""
    stem, dot, suffix = name.rpartition(".")
    if not dot or len(suffix.encode()) > MAX_FILENAME_BYTES // 2:
        stem, dot, suffix = name, "", ""
    end = dot + suffix
    return _first_bytes(stem, MAX_FILENAME_BYTES - len(end.encode())) + end


def _stem(name: str) -> str:
    return name.rpartition(".")[0] or name


def _first_bytes(text: str, size_bytes: int) -> str:
    return text.encode()[:size_bytes].decode(errors="ignore")
