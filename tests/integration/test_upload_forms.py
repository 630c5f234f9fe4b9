"""Uploads as raw bytes over a socket: odd but harmless forms are accepted."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import quote

import pytest

from app.domain.methods import METHODS
from app.web.uploads import DECORATIONS
from testkit.in_memory.served import serving
from testkit.network.raw_http import exchange
from testkit.png.scans import page_png

PAGE: Final = page_png()
PNG_TYPE: Final = b"Content-Type: image/png\r\n"
OCTETS: Final = b"Content-Type: application/octet-stream\r\n"
IMAGE: Final = b'Content-Disposition: form-data; name="image"'


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with serving(20_000_000) as served:
        yield served.port


def part(disposition: bytes, data: bytes, headers: bytes = b"") -> bytes:
    return b"--BOUNDARY\r\n" + disposition + b"\r\n" + headers + b"\r\n" + data + b"\r\n"


def field(name: str, value: str) -> bytes:
    return part(f'Content-Disposition: form-data; name="{name}"'.encode(), value.encode())


def file(filename: bytes, data: bytes = PAGE, name: bytes = b"image") -> bytes:
    disposition = b'Content-Disposition: form-data; name="' + name + b'"; filename=' + filename
    return part(disposition, data, PNG_TYPE)


CHOSEN: Final = file(b'"a.png"')


def send(port: int, *parts: bytes, query: str = "") -> tuple[int, dict[str, Any]]:
    body = b"".join(parts) + b"--BOUNDARY--\r\n"
    head = (
        f"POST /upload{query} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n"
        "Content-Type: multipart/form-data; boundary=BOUNDARY\r\nConnection: close\r\n\r\n"
    )
    answer_head, _, answer = exchange(port, head.encode() + body).partition(b"\r\n\r\n")
    return int(answer_head.split()[1]), json.loads(answer)


def taken(port: int, *parts: bytes, query: str = "", data: bytes = PAGE) -> dict[str, Any]:
    """The `original` of an accepted upload, whose stored bytes are those that were sent."""
    status, image = send(port, *parts, query=query)
    assert status == 202, image
    original: dict[str, Any] = image["original"]
    assert original["sha256"] == hashlib.sha256(data).hexdigest()
    return original


def refusal(port: int, *parts: bytes, query: str = "") -> tuple[int, str]:
    status, problem = send(port, *parts, query=query)
    return status, problem["code"]


# --- the name of the file ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("filename", "kept"),
    [
        (b'"a.png"', "a.png"),
        (rb'"C:\scans\a.png"', "a.png"),
        (b'"/tmp/a.png"', "a.png"),
        (b'"../../a.png"', "a.png"),
        ('"página.png"'.encode(), "página.png"),
        ('"página.png"'.encode("latin-1"), "página.png"),
        (b'"\xc3(\xff.png"', "Ã(ÿ.png"),
        ('"領収書.png"'.encode("shift-jis"), "\u2014\xcc\u017d\xfb\ufffd\u2018.png"),
        (b'"a\0b.png"', "a_b.png"),
        (b'"a\x01\x1f\x7fb.png"', "a___b.png"),
        ('"\u202egnp.exe"'.encode(), "_gnp.exe"),
        (b'"a%22b.png"', 'a"b.png'),
        (rb'"a\"b.png"', 'a"b.png'),
        (b'"a"b.png"', "a"),
        (b'"never closed', None),
        (rb'"C:\scans\"', None),
        (b'"a\rb.png"', None),
        (b'"' + b"x" * 10_000 + b'.png"', "x" * 251 + ".png"),
        (b"a.png", "a.png"),
        (b"", None),
        (b'""', None),
        (b'".."', None),
        (b"a.png; filename*=UTF-8''p%C3%A1gina.png", "página.png"),
        (b"a.png; filename*=UTF-8''%ff%fe.png", "\ufffd\ufffd.png"),
        (b"a.png; filename*=ISO-8859-1''p%E1gina.png", "página.png"),
        (b"a.png; filename*=''", "''"),
        (rb'"C:\\scans\\a.png"', "a.png"),
        (rb'"\\server\scans\a.png"', "a.png"),
    ],
)
def test_a_file_name_of_any_bytes_is_shown_as_far_as_possible(
    port: int, filename: bytes, kept: str | None
) -> None:
    assert taken(port, file(filename))["filename"] == kept


def test_a_long_name_in_percent_signs_is_shortened(port: int) -> None:
    name = quote("😀" * 5000 + ".png").encode()

    assert taken(port, file(b"x; filename*=UTF-8''" + name))["filename"] == "😀" * 62 + ".png"


# --- a part without a name -----------------------------------------------------------------------


@pytest.mark.parametrize("headers", [PNG_TYPE, OCTETS, b"", b"Content-Type: text/plain\r\n"])
def test_the_part_image_needs_no_file_name(port: int, headers: bytes) -> None:
    assert taken(port, part(IMAGE, PAGE, headers))["filename"] is None


def test_a_large_file_without_a_name_is_not_read_as_a_text_field(port: int) -> None:
    page = page_png(height=2000) + b""
    large = page_png(width=15_000, height=600)

    assert len(large) > len(page)
    assert taken(port, part(IMAGE, large, PNG_TYPE), data=large)["bytes"] == len(large)


def test_bytes_that_are_not_valid_text_arrive_unchanged(port: int) -> None:
    """If they were decoded as text, bytes over 127 and line ends would change."""
    assert any(byte > 127 for byte in PAGE)
    assert b"\r\n" in PAGE

    taken(port, part(IMAGE, PAGE, PNG_TYPE))


@pytest.mark.parametrize("headers", [b"", b"Content-Type: text/plain; charset=utf-8\r\n"])
def test_text_in_the_part_image_is_not_a_file(port: int, headers: bytes) -> None:
    """As `curl -F image=scan.png` sends it, without the @."""
    status, problem = send(port, part(IMAGE, b"scan.png", headers))

    assert (status, problem["code"]) == (400, "missing-image")
    assert "image=@FILE" in problem["detail"]


# --- empty and repeated parts --------------------------------------------------------------------

UNFILLED: Final = part(IMAGE + b'; filename=""', b"", OCTETS)


@pytest.mark.parametrize("parts", [(CHOSEN, UNFILLED), (UNFILLED, CHOSEN)])
def test_a_second_empty_file_input_is_not_a_second_image(
    port: int, parts: tuple[bytes, ...]
) -> None:
    taken(port, *parts)


@pytest.mark.parametrize("name", [b"photo", b"file[]", b""])
def test_an_empty_file_input_of_another_name_is_ignored(port: int, name: bytes) -> None:
    taken(port, CHOSEN, file(b'""', b"", name))


@pytest.mark.parametrize(
    ("parts", "code"),
    [
        ((), "missing-image"),
        ((UNFILLED,), "missing-image"),
        ((UNFILLED, UNFILLED), "missing-image"),
        ((part(IMAGE, b""),), "missing-image"),
        ((file(b'"a.png"', b""),), "empty-image"),
        ((part(IMAGE, b"", PNG_TYPE),), "empty-image"),
        ((file(b'"a.png"', name=b"photo"),), "missing-image"),
        ((file(b'"a.png"', name=b"photo"), UNFILLED), "missing-image"),
        ((CHOSEN, CHOSEN), "multiple-images"),
        ((CHOSEN, part(IMAGE, PAGE, PNG_TYPE)), "multiple-images"),
        ((CHOSEN, file(b'""')), "multiple-images"),
        ((CHOSEN, file(b'"b.png"', name=b"photo")), "multiple-images"),
        ((CHOSEN, file(b'"b.txt"', b"x", name=b"photo")), "multiple-images"),
    ],
)
def test_every_other_number_of_images_is_refused(
    port: int, parts: tuple[bytes, ...], code: str
) -> None:
    assert refusal(port, *parts) == (400, code)


def test_the_refusal_of_a_file_of_another_name_quotes_the_name(port: int) -> None:
    _, problem = send(port, file(b'"a.png"', name=b"photo"))

    assert "'photo'" in problem["detail"]


# --- fields --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(DECORATIONS | {"__RequestVerificationToken", "SUBMIT"}))
def test_fields_of_browsers_and_frameworks_are_ignored(port: int, name: str) -> None:
    taken(port, field(name, "UTF-8"), CHOSEN, field(name, "again"))


def test_no_field_of_the_api_is_ignored_as_a_framework_field() -> None:
    ours = {p.name for method in METHODS.values() for p in method.parameters}

    assert (ours | {"image", "method", "group"}) & DECORATIONS == set()


@pytest.mark.parametrize("name", ["treshold", "", "metod", "page"])
def test_a_field_that_could_be_mistyped_is_refused_by_name(port: int, name: str) -> None:
    status, problem = send(port, field(name, "90"), CHOSEN)

    assert (status, problem["code"], problem["parameter"]) == (422, "invalid-parameter", name)


def test_an_empty_field_of_any_name_is_ignored(port: int) -> None:
    taken(port, field("treshold", ""), field("submit", ""), CHOSEN)


def test_a_field_with_a_filename_is_read_as_a_field(port: int) -> None:
    """As `requests.post(files={"method": "niblack"})` sends the field."""
    named = part(b'Content-Disposition: form-data; name="method"; filename="method"', b"niblack")

    status, image = send(port, named, CHOSEN)

    assert (status, image["method"]) == (202, "niblack")


def test_a_field_that_is_too_long_is_refused_by_name(port: int) -> None:
    status, problem = send(port, field("group", "g" * 100_000), CHOSEN)

    assert (status, problem["parameter"]) == (422, "group")
    assert (problem["actual"], problem["limit"]) == (100_000, 4096)


def test_an_empty_part_without_a_disposition_is_ignored(port: int) -> None:
    taken(port, part(b"X-Odd: 1", b""), CHOSEN)


# --- the query string ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ("?method=otsu", "method"),
        ("?utm_source=mail&k=0.3", "k"),
        ("?k@sauvola=0.3", "k@sauvola"),
        ("?group=g", "group"),
        ("?image=a.png", "image"),
    ],
)
def test_a_field_in_the_query_string_is_refused_by_name(port: int, query: str, name: str) -> None:
    status, problem = send(port, CHOSEN, query=query)

    assert (status, problem["code"], problem["parameter"]) == (422, "invalid-parameter", name)


@pytest.mark.parametrize("query", ["?utm_source=mail", "?method=", "?", "?%ff=%ff&&=", "?Method=x"])
def test_other_query_parameters_are_ignored(port: int, query: str) -> None:
    taken(port, CHOSEN, query=query)


# --- framing -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [b"--BOUNDARY\r\nContent-Dispo", CHOSEN, CHOSEN + b"--BOUNDARY\r\n", b"--OTHER--\r\n", b""],
)
def test_a_body_that_breaks_off_is_malformed(port: int, body: bytes) -> None:
    head = (
        f"POST /upload HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n"
        "Content-Type: multipart/form-data; boundary=BOUNDARY\r\nConnection: close\r\n\r\n"
    )
    answer = exchange(port, head.encode() + body)

    assert json.loads(answer.partition(b"\r\n\r\n")[2])["code"] == "malformed-multipart"
