"""Read the head of an HTTP request: strictly, and in time linear in its length.

A head that two servers could read as two different requests is refused (RFC 9112, section 11.2).
The parser uses only splitting, stripping, counting and character tables: a regular expression with
two adjacent repetitions can take quadratic time.
"""

from __future__ import annotations

from dataclasses import dataclass
from string import ascii_letters, digits
from typing import Final
from urllib.parse import unquote_to_bytes

#: Browsers and proxies send 1 to 2 KiB.
MAX_HEAD_BYTES: Final = 32 * 1024
#: RFC 9110, section 4.1, recommends 8,000; the API's longest target has 120 bytes.
MAX_TARGET_BYTES: Final = 8_000
MAX_FIELDS: Final = 100
#: A field longer than this is ignored: the libraries that parse it need up to 1 ms per KiB, and a
#: truncated list would change its meaning. All of these only adjust a response, except
#: Content-Type; an upload without it is refused.
_MAX_ADJUSTING_BYTES: Final = {
    b"ACCEPT": 2048,
    b"ACCEPT_ENCODING": 1024,
    b"ACCEPT_LANGUAGE": 1024,
    b"CONTENT_TYPE": 1024,  # a boundary has up to 70 characters (RFC 2046, section 5.1.1)
    b"COOKIE": 8192,
    b"IF_NONE_MATCH": 4096,
    b"PREFER": 1024,
}

_END: Final = b"\r\n\r\n"
_TOKEN: Final = (ascii_letters + digits + "!#$%&'*+-.^_`|~").encode()  # RFC 9110, section 5.6.2
_VISIBLE: Final = bytes(range(0x21, 0x7F))
#: RFC 3986, section 3.2.2, without the sub-delimiters, which no DNS name contains.
_REG_NAME: Final = (ascii_letters + digits + "-._~").encode()
_IP_LITERAL: Final = (ascii_letters + digits + "-._~%:").encode()
_DIGITS: Final = digits.encode()
#: All control characters but tab, CR and LF. CR and LF are checked when lines are split.
_CONTROLS: Final = bytes({*range(0x20), 0x7F} - set(b"\t\r\n"))
_MAX_LENGTH_DIGITS: Final = 18
#: Fields refused when spelled with `_`: WSGI cannot tell `Content_Length` from `Content-Length`.
_FRAMING: Final = frozenset((b"CONTENT_LENGTH", b"HOST", b"TRANSFER_ENCODING"))


class HeadError(Exception):
    """The head is not valid; the response has *status*."""

    def __init__(self, reason: str, status: int = 400) -> None:
        super().__init__(reason)
        self.status = status


@dataclass(frozen=True)
class RequestHead:
    """A valid head. *headers* have their WSGI names without the prefix HTTP_."""

    method: str
    target: str
    #: Percent-decoded; each byte is one Latin-1 character, as WSGI requires.
    path: str
    query: str
    version: str
    headers: dict[str, str]
    #: The size of the body in bytes; None if it is chunked.
    content_length: int | None


class HeadBuffer:
    """Collects a head piece by piece and examines each byte once, however small the pieces are."""

    def __init__(self) -> None:
        self._bytes = bytearray()
        self._received_bytes = 0
        self._looked_at = 0
        self._has_line = False

    @property
    def is_begun(self) -> bool:
        """Whether any byte beyond empty lines has arrived."""
        return bytes(self._bytes[:2]) not in (b"", b"\r")

    def add(self, data: bytes) -> int | None:
        """The number of bytes of *data* that belong to the head; None while it is incomplete.

        Raises:
            HeadError: no further byte can make this a valid request.
        """
        self._bytes += data
        self._received_bytes += len(data)
        if not self._looked_at:
            self._skip_empty_lines()
        end = self._bytes.find(_END, self._looked_at)
        rest_bytes = 0 if end < 0 else len(self._bytes) - end - len(_END)
        if self._received_bytes - rest_bytes > MAX_HEAD_BYTES:
            raise HeadError("The head is too long", 431)
        self._look(len(self._bytes) if end < 0 else end)
        return None if end < 0 else len(data) - rest_bytes

    def head(self) -> RequestHead:
        """The parsed head, once `add` has returned a number. Raises HeadError."""
        return parse_head(bytes(self._bytes[: self._bytes.find(_END, self._looked_at)]))

    def _skip_empty_lines(self) -> None:
        """Drop the empty lines that may precede a request (RFC 9112, section 2.2)."""
        blanks = len(self._bytes) - len(self._bytes.lstrip(b"\r\n"))
        if blanks == len(self._bytes) and self._bytes.endswith(b"\r"):
            blanks -= 1  # the LF of this CR has not arrived yet
        if self._bytes[:blanks] != b"\r\n" * (blanks // 2):
            raise HeadError("Bare CR or LF")
        del self._bytes[:blanks]

    def _look(self, end: int) -> None:
        """Refuse an invalid head before its end arrives, so that the client need not wait."""
        new = self._bytes[self._looked_at : end]
        lines = new.count(b"\r\n")
        if new.count(b"\n") != lines or new.count(b"\r") - new.endswith(b"\r") != lines:
            raise HeadError("Bare CR or LF")
        if not self._has_line:
            self._look_at_line()
        # The last bytes may begin the terminating CRLF CRLF, so examine them again next time.
        self._looked_at = max(self._looked_at, end - len(_END) + 1)
        if self._bytes[self._looked_at - 1 : self._looked_at] == b"\r":
            self._looked_at -= 1

    def _look_at_line(self) -> None:
        line_end = self._bytes.find(b"\r\n", self._looked_at)
        if line_end >= 0:
            _split_request_line(bytes(self._bytes[:line_end]))
            self._has_line = True
        elif self._bytes[:1] != b"\r" and not _consists_of(self._bytes[:1] or b"G", _TOKEN):
            raise HeadError("The method is not a token")  # for example a TLS handshake


def parse_head(head: bytes) -> RequestHead:
    """The request in *head*, given without its final empty line. Raises HeadError."""
    if head.translate(None, _CONTROLS) != head:
        raise HeadError("A control character")
    request_line, *lines = head.split(b"\r\n")
    if len(lines) > MAX_FIELDS:
        raise HeadError("Too many fields", 431)
    method, target, version = _split_request_line(request_line)
    fields = _fields(lines)
    _check_hosts(fields.get(b"HOST", []), is_needed=version == b"1.1")
    path, query, authority = _split_target(method, target)
    if authority is not None:
        fields[b"HOST"] = [authority]  # RFC 9112, section 3.2.2
    content_length = _content_length(fields, version)
    fields.pop(b"TRANSFER_ENCODING", None)
    return RequestHead(
        method=method.decode(),
        target=target.decode(),
        path=unquote_to_bytes(path).decode("latin-1"),
        query=query.decode(),
        version=version.decode(),
        headers=_joined(fields),
        content_length=content_length,
    )


def is_field(line: bytes) -> bool:
    """Whether *line* is a valid field, so that it may be a trailer of a chunked body."""
    try:
        _fields([line])
    except HeadError:
        return False
    return line.translate(None, _CONTROLS) == line


def _consists_of(text: bytes | bytearray, characters: bytes) -> bool:
    return bool(text) and not text.translate(None, characters)


# --- the request line ----------------------------------------------------------------------------


def _split_request_line(line: bytes) -> tuple[bytes, bytes, bytes]:
    """Method, target and version."""
    parts = line.split(b" ")
    if len(parts) != 3:
        raise HeadError("The request line does not have three parts")
    method, target, protocol = parts
    # Methods are case-sensitive, and all registered ones are upper-case.
    if not _consists_of(method, _TOKEN) or method != method.upper():
        raise HeadError("The method is not a token")
    if not _consists_of(target, _VISIBLE) or b"#" in target:
        raise HeadError("The target is not a URI")
    if protocol not in (b"HTTP/1.0", b"HTTP/1.1"):
        raise HeadError("The version is neither HTTP/1.0 nor HTTP/1.1")
    if len(target) > MAX_TARGET_BYTES:
        raise HeadError("The target is too long", 414)
    return method, target, protocol[len(b"HTTP/") :]


def _split_target(method: bytes, target: bytes) -> tuple[bytes, bytes, bytes | None]:
    """Path, query, and authority if the target has one (RFC 9112, section 3.2)."""
    if target == b"*" and method == b"OPTIONS":
        return b"/", b"", None  # `OPTIONS *` asks about the server as a whole
    authority = None
    if not target.startswith(b"/"):
        scheme, separator, rest = target.partition(b"://")
        if not separator or scheme.lower() not in (b"http", b"https"):
            raise HeadError("The target is neither a path nor a http URI")
        authority, target = _split_authority(rest)
    path, _, query = target.partition(b"?")
    return path or b"/", query, authority


def _split_authority(rest: bytes) -> tuple[bytes, bytes]:
    end = min(at for at in (rest.find(b"/"), rest.find(b"?"), len(rest)) if at >= 0)
    if not rest[:end] or not _is_authority(rest[:end]):
        raise HeadError("The target names no host")
    return rest[:end], rest[end:]


def _is_authority(text: bytes) -> bool:
    """Whether *text* is empty, or a host with or without a port (RFC 9110, section 7.2)."""
    if text.startswith(b"["):
        literal, bracket, port = text[1:].partition(b"]")
        is_host = bool(bracket) and b":" in literal and _consists_of(literal, _IP_LITERAL)
        has_port = port.startswith(b":")
        return is_host and (not port or (has_port and _is_port(port[1:])))
    host, _, port = text.partition(b":")
    return (
        (not host or _consists_of(host, _REG_NAME)) and _is_port(port) and not (port and not host)
    )


def _is_port(text: bytes) -> bool:
    # A port may be empty (RFC 3986, section 3.2.3).
    return not text or (_consists_of(text, _DIGITS) and len(text) <= 5 and int(text) <= 65535)


# --- the fields ----------------------------------------------------------------------------------


def _fields(lines: list[bytes]) -> dict[bytes, list[bytes]]:
    """The values of each field in order of arrival, by WSGI name."""
    fields: dict[bytes, list[bytes]] = {}
    for line in lines:
        name, colon, value = line.partition(b":")
        # The token check also refuses folded lines, which begin with a blank (RFC 9112, 5.2).
        if not colon or not _consists_of(name, _TOKEN) or b"\r" in value:
            raise HeadError("A line is not a field")
        key = name.upper().replace(b"-", b"_")
        if b"_" not in name:
            fields.setdefault(key, []).append(value.strip(b" \t"))
        elif key in _FRAMING:
            raise HeadError("A field that other servers could take for one of the framing")
    return fields


def _check_hosts(hosts: list[bytes], *, is_needed: bool) -> None:
    if len(hosts) > 1 or (is_needed and not hosts):
        raise HeadError("Not exactly one Host")
    if hosts and (not _is_authority(hosts[0]) or (is_needed and not hosts[0])):
        raise HeadError("Host is not a host")


def _content_length(fields: dict[bytes, list[bytes]], version: bytes) -> int | None:
    """The size of the body in bytes; None if it is chunked (RFC 9112, section 6.3)."""
    lengths, codings = fields.get(b"CONTENT_LENGTH", []), fields.get(b"TRANSFER_ENCODING", [])
    if len(lengths) > 1 or (codings and (lengths or len(codings) > 1 or version != b"1.1")):
        raise HeadError("The length of the body is given twice")
    if codings:
        _check_coding(codings[0])
        return None
    length = lengths[0] if lengths else b"0"
    if not _consists_of(length, _DIGITS) or len(length) > _MAX_LENGTH_DIGITS:
        raise HeadError("Content-Length is not a number")
    return int(length)


def _check_coding(coding: bytes) -> None:
    if not _consists_of(coding, _TOKEN):  # this also refuses a list of codings
        raise HeadError("Transfer-Encoding is not exactly one")
    if coding.lower() != b"chunked":
        raise HeadError("Transfer-Encoding is not chunked", 501)


def _joined(fields: dict[bytes, list[bytes]]) -> dict[str, str]:
    headers = {}
    for key, values in fields.items():
        value = (b"; " if key == b"COOKIE" else b", ").join(values)
        if len(value) <= _MAX_ADJUSTING_BYTES.get(key, MAX_HEAD_BYTES):
            headers[key.decode()] = value.decode("latin-1")
    return headers
