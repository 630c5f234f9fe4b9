"""What `upload` sends of files that are no PNG."""

from __future__ import annotations

import re
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from app.cli.upload_client import FAILED, upload
from app.cli.upload_files import find_sources
from app.cli.upload_report import Order
from app.formats.as_png import as_png
from app.formats.kinds import FILE_LIMITS
from app.png.format import SIGNATURE
from testkit.images.image_files import colored, encoded, tiff_of
from testkit.images.photographs import jpeg, sheet
from testkit.network.http_servers import serving
from testkit.png.scans import page_png


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    jpeg(tmp_path / "photo.jpg")
    (tmp_path / "scan.png").write_bytes(page_png())
    (tmp_path / "two.tif").write_bytes(tiff_of(sheet(), sheet()))
    (tmp_path / "cut.webp").write_bytes(encoded(colored(), "WEBP")[:300])
    (tmp_path / "._scan.png").touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_each_page_has_a_name_and_a_target_of_its_own(folder: Path) -> None:
    sources = find_sources(["."], Path("out"))

    assert [(str(source.shown), str(source.target)) for source in sources] == [
        (str(folder / name), target)
        for name, target in [
            ("cut.webp", "out/cut-bw.png"),
            ("photo.jpg", "out/photo-bw.png"),
            ("scan.png", "out/scan-bw.png"),
            ("two-p01.png", "out/two-p01-bw.png"),
            ("two-p02.png", "out/two-p02-bw.png"),
        ]
    ]


def test_results_whose_names_differ_only_in_case_do_not_overwrite_each_other(
    tmp_path: Path,
) -> None:
    for name in ("one/scan.png", "two/Scan.png"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_bytes(page_png())

    sources = find_sources([str(tmp_path / "one"), str(tmp_path / "two")], Path("out"))

    assert [str(source.target) for source in sources] == ["out/scan-bw.png", "out/Scan-bw-2.png"]


def test_every_page_is_sent_as_png_under_a_key_of_its_own(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sent: dict[str, bytes] = {}
    keys = set()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            name = re.search(rb'filename="([^"]+)"', body)
            assert name
            sent[name[1].decode()] = body
            keys.add(self.headers["Idempotency-Key"])
            self.send_error(418)

        def log_message(self, *_: object) -> None:
            pass

    with serving(ThreadingHTTPServer(("127.0.0.1", 0), Handler)) as url:
        code = upload(find_sources(["."], None), Order(url))

    assert code == FAILED
    assert sent.keys() == {"photo.jpg", "scan.png", "two-p01.png", "two-p02.png"}
    assert as_png(folder / "photo.jpg", 1, FILE_LIMITS) in sent["photo.jpg"]
    assert [name for name, body in sent.items() if SIGNATURE not in body] == []
    assert len(keys) == 4  # though the pages of the TIFF are the same
    assert re.search(r"cut\.webp +not sent +The WebP is damaged", capsys.readouterr().out)


def test_a_file_that_is_not_an_image_is_sent_unchanged(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("notes")

    (source,) = find_sources([str(path)], None)

    assert source.png() == b"notes"
