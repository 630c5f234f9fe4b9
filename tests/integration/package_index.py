"""A package index on loopback with small wheels, some of them damaged or never delivered."""

from __future__ import annotations

import hashlib
import io
import re
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event

from testkit.network.http_servers import serving

_WHEEL = "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n"


def wheel_of(name: str, *, version: str = "1.0", answer: int = 42, size: int = 0) -> bytes:
    """A wheel of the package *name* with a module of that name and *size* bytes of data."""
    folder = f"{name}-{version}.dist-info"
    files = {
        f"{name}.py": f"ANSWER = {answer}\n".encode(),
        f"{name}.bin": bytes(size),
        f"{folder}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n".encode(),
        f"{folder}/WHEEL": _WHEEL.encode(),
    }
    record = "".join(f"{path},,\n" for path in (*files, f"{folder}/RECORD"))
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for path, content in (files | {f"{folder}/RECORD": record.encode()}).items():
            archive.writestr(path, content)
    return packed.getvalue()


def _file_name(name: str, wheel: bytes) -> str:
    with zipfile.ZipFile(io.BytesIO(wheel)) as archive:
        (version,) = re.findall(r"-([\d.]+)\.dist-info/WHEEL", " ".join(archive.namelist()))
    return f"{name}-{version}-py3-none-any.whl"


def locked(name: str, wheel: bytes, *, version: str = "1.0") -> str:
    """The lines of a lock file for *wheel*."""
    return f"{name}=={version} \\\n    --hash=sha256:{hashlib.sha256(wheel).hexdigest()}\n"


@dataclass
class Index:
    """The state of the index; *held* names the packages whose wheels are not delivered."""

    wheels: dict[str, bytes] = field(default_factory=dict)
    held: set[str] = field(default_factory=set)
    asked_for: list[str] = field(default_factory=list)
    url: str = ""


@contextmanager
def package_index(**wheels: bytes) -> Iterator[Index]:
    """A block with an index that serves *wheels* by the simple API."""
    index, over = Index(dict(wheels)), Event()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            index.asked_for.append(self.path)
            name = self.path.strip("/").split("/")[-1].partition("-")[0]
            if name not in index.wheels:
                self.send_error(404)
            elif not self.path.endswith(".whl"):
                file = _file_name(name, index.wheels[name])
                link = f'<a href="/files/{file}">{file}</a>'
                self._answer(
                    f"<!DOCTYPE html><html><body>{link}</body></html>".encode(), "text/html"
                )
            elif name in index.held:
                over.wait()
            else:
                self._answer(index.wheels[name], "application/zip")

        def _answer(self, body: bytes, kind: str) -> None:
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    with serving(server) as url:
        index.url = f"{url}/simple"
        try:
            yield index
        finally:
            over.set()
