"""Complete HTTP/1.1 messages between AWS clients and LocalStack, with the operation they call."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from typing import Final

_NO_BODY: Final = (204, 304)
_S3_OPERATIONS: Final = {
    ("GET", True): "GetObject",
    ("PUT", True): "PutObject",
    ("HEAD", True): "HeadObject",
    ("DELETE", True): "DeleteObject",
    ("POST", False): "DeleteObjects",
    ("GET", False): "ListObjectsV2",
    ("HEAD", False): "HeadBucket",
    ("PUT", False): "CreateBucket",
}


@dataclass
class HttpMessage:
    """A complete request or response."""

    head: bytes
    body: bytes
    is_last: bool = False

    @property
    def method(self) -> str:
        return self.head.split(b" ", 1)[0].decode()

    @property
    def path(self) -> str:
        return self.head.split(b" ", 2)[1].decode()

    @property
    def status(self) -> int:
        return int(self.head.split(b" ", 2)[1])

    @property
    def is_sqs(self) -> bool:
        return _header(self.head, b"x-amz-target") is not None

    @property
    def operation(self) -> str:
        target = _header(self.head, b"x-amz-target")
        if target:
            return target.rpartition(b".")[2].decode()
        _, _, key = self.path.partition("?")[0].lstrip("/").partition("/")
        return _S3_OPERATIONS.get((self.method, bool(key)), self.method)


class HttpConnection:
    """Reads and writes complete messages of HTTP/1.1."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def read_request(self) -> HttpMessage | None:
        try:
            head = await self.reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError:
            return None
        if (_header(head, b"expect") or b"").lower() == b"100-continue":
            await self.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            head = re.sub(rb"(?i)\r\nexpect:[^\r]*", b"", head)
        return HttpMessage(head, await self._read_body(head))

    async def read_answer(self, *, has_body: bool) -> HttpMessage:
        head = await self.reader.readuntil(b"\r\n\r\n")
        if HttpMessage(head, b"").status == 100:
            return await self.read_answer(has_body=has_body)
        is_last = (_header(head, b"connection") or b"").lower() == b"close"
        if not has_body or HttpMessage(head, b"").status in _NO_BODY:
            return HttpMessage(head, b"", is_last)
        if _header(head, b"content-length") is None and _header(head, b"transfer-encoding") is None:
            return HttpMessage(head, await self.reader.read(), is_last=True)
        return HttpMessage(head, await self._read_body(head), is_last)

    async def _read_body(self, head: bytes) -> bytes:
        if b"chunked" in (_header(head, b"transfer-encoding") or b"").lower():
            return await self._read_chunks()
        return await self.reader.readexactly(int(_header(head, b"content-length") or 0))

    async def _read_chunks(self) -> bytes:
        raw = b""
        while True:
            line = await self.reader.readuntil(b"\r\n")
            size = int(line.partition(b";")[0], 16)
            raw += line + await self.reader.readexactly(size + 2)
            if size == 0:
                return raw

    async def write(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()


def _header(head: bytes, name: bytes) -> bytes | None:
    found = re.search(rb"(?i)\r\n" + name + rb":[ \t]*([^\r\n]*)", head)
    return found[1].strip() if found else None
