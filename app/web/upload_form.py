"""Read multipart/form-data into its parts, whole and in memory (RFC 7578).

Werkzeug's decoder finds the parts. Werkzeug's form parser is not used: it treats a part without
`filename` as text, refuses a file name that is not UTF-8, and takes seconds for 32 MB of headers.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from typing import IO, Final

from werkzeug.datastructures import Headers
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.http import parse_options_header
from werkzeug.sansio.multipart import (
    Data,
    Epilogue,
    Event,
    Field,
    File,
    MultipartDecoder,
    NeedData,
    State,
)

from ..errors import MalformedMultipartError

#: Bytes per read. 64 KiB would take three times the CPU: malloc serves such copies by mmap, and the
#: decoder searches the last piece with a regular expression.
_CHUNK_BYTES: Final = 32 * 1024
#: Flask's limit; the upload page sends about 30 parts.
_MAX_PARTS: Final = 1000
#: Limit for the headers of all parts together, and for the preamble. Parsing quoted strings takes
#: 0.2 us per byte; a file name of 10,000 characters takes up to 120,000 bytes.
_MAX_HEAD_BYTES: Final = 256 * 1024
_DISPOSITION: Final = "Content-Disposition"
_BACKSLASH: Final = re.compile(rb'\\[\\"]?')


@dataclass(frozen=True)
class Part:
    """One part of a form. *filename* is None if it is absent, "" if the user chose no file."""

    name: str
    filename: str | None
    content_type: str
    data: bytes

    @property
    def text(self) -> str:
        return self.data.decode(errors="replace")


def read_parts(stream: IO[bytes], boundary: str) -> list[Part]:
    """All parts of the body in *stream*, in order.

    Raises:
        MalformedMultipartError: the framing is broken, or there are too many parts.
    """
    if not boundary or not boundary.isascii():
        raise MalformedMultipartError("The Content-Type names no boundary of ASCII characters.")
    try:
        return list(_parts(_Decoder(boundary.encode(), max_parts=_MAX_PARTS), stream))
    except RequestEntityTooLarge:
        raise MalformedMultipartError(f"The form has more than {_MAX_PARTS} parts.") from None
    except ValueError:  # the decoder raises it if the closing boundary is missing
        raise MalformedMultipartError(
            "The body is not valid multipart: it ends before its closing boundary."
        ) from None


def _parts(decoder: _Decoder, stream: IO[bytes]) -> Iterator[Part]:
    head: Field | File | None = None
    pieces = BytesIO()
    for event in _events(decoder, stream):
        if isinstance(event, Field | File):
            head, pieces = event, BytesIO()
        elif isinstance(event, Data) and head is not None:
            pieces.write(event.data)
            if not event.more_data:
                yield _part(head, pieces.getvalue())


def _events(decoder: _Decoder, stream: IO[bytes]) -> Iterator[Event]:
    is_open = True
    while is_open:
        data = stream.read(_CHUNK_BYTES)
        is_open = bool(data)
        decoder.receive_data(data or None)
        while not isinstance(event := decoder.next_event(), Epilogue | NeedData):
            yield event
        decoder.check_head()


def _part(head: Field | File, data: bytes) -> Part:
    kind, _ = parse_options_header(head.headers.get("Content-Type"))
    filename = head.filename if isinstance(head, File) else None
    # The name can be None, although the decoder's type annotation excludes it.
    return Part(head.name or "", filename, kind.lower(), data)


class _Decoder(MultipartDecoder):
    """A decoder that accepts headers in any encoding and limits their size."""

    _head_bytes = 0

    def check_head(self) -> None:
        """Refuse an unfinished head or preamble over the limit. Raises MalformedMultipartError."""
        if self.state in (State.PREAMBLE, State.PART):
            self._check(len(self.buffer))

    def _parse_headers(self, data: bytes | bytearray) -> Headers:
        self._head_bytes += len(data)
        self._check(self._head_bytes)
        headers = super()._parse_headers(_BACKSLASH.sub(_as_pair, _as_utf8(data)))
        headers.setdefault(_DISPOSITION, "form-data")  # the decoder refuses the form without it
        return headers

    @staticmethod
    def _check(size_bytes: int) -> None:
        if size_bytes > _MAX_HEAD_BYTES:
            raise MalformedMultipartError(
                f"The headers of the parts have more than {_MAX_HEAD_BYTES} bytes."
            )


def _as_utf8(head: bytes | bytearray) -> bytes | bytearray:
    """*head* in UTF-8; old pages and scripts send file names in Windows-1252."""
    try:
        head.decode()
    except UnicodeDecodeError:
        # Browsers mean cp1252 by ISO 8859-1: https://encoding.spec.whatwg.org/#names-and-labels
        return head.decode("cp1252", errors="replace").encode()
    return head


def _as_pair(found: re.Match[bytes]) -> bytes:
    """The escaped form of a lone backslash: browsers send Windows paths without escaping them."""
    return found[0] if len(found[0]) > 1 else b"\\\\"
