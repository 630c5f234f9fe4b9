"""The parts of a form: whatever bytes come, and at what cost."""

from __future__ import annotations

import io
import time
from contextlib import suppress

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from app.errors import MalformedMultipartError
from app.web.upload_form import Part, read_parts
from testkit.in_memory.costs import assert_cpu_within
from testkit.timing.waiting import assert_within

HEAD = b'--B\r\nContent-Disposition: form-data; name="image"; filename="'
END = b"\r\n--B--\r\n"
EIGHT_MB = 8 * 1024 * 1024


def read(body: bytes) -> list[Part]:
    return read_parts(io.BytesIO(body), "B")


@given(st.binary(max_size=300_000))
@example(b"")
@example(b"\r\n--B")
@example(b"\n--B\n\n")
@example(b"x\r--B--")
@example(b"\r\n--C\r\n" * 20_000)
def test_the_bytes_of_a_part_arrive_exactly(data: bytes) -> None:
    if b"--B" in data:
        data = data.replace(b"--B", b"--b")

    (part,) = read(HEAD + b'a.png"\r\nContent-Type: image/png\r\n\r\n' + data + END)

    assert part == Part("image", "a.png", "image/png", data)


_MARKS = (b"--B", b"--", b"\r\n", b"\n", b"\r", b" ", b":", b";", b'"', b"=", b"\\", b"\xff", b"\0")
_WORDS = (b"Content-Disposition", b"form-data", b"name", b"filename*", b"UTF-8''", b"%ff", b"image")


@given(st.lists(st.sampled_from(_MARKS + _WORDS), max_size=60).map(b"".join))
def test_any_body_is_parsed_or_malformed_and_never_an_internal_error(body: bytes) -> None:
    try:
        parts = read(body)
    except MalformedMultipartError:
        return
    assert all(isinstance(part, Part) for part in parts)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"--B",
        b"--C\r\n\r\n--C--\r\n",
        HEAD + b'a"\r\n\r\ndata',
        HEAD + b'a"\r\n\r\ndata\r\n--B',
        HEAD + b'a"\r\n\r\ndata\r\n--B\r\n',
        HEAD + b"x" * EIGHT_MB,
        b"x" * EIGHT_MB,
        (HEAD + b'"\r\n\r\n\r\n') * 1001 + END,
        (HEAD + b"x" * 30_000 + b'"\r\n\r\n\r\n') * 10 + END,
    ],
    ids=range(10),
)
def test_broken_framing_is_malformed(body: bytes) -> None:
    with pytest.raises(MalformedMultipartError):
        read(body)


@pytest.mark.parametrize("boundary", ["", "é"])
def test_an_invalid_boundary_is_malformed(boundary: str) -> None:
    with pytest.raises(MalformedMultipartError):
        read_parts(io.BytesIO(END), boundary)


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (b"Content-Type: image/png", ("", None, "image/png")),
        (b"Content-Disposition: form-data", ("", None, "")),
        (b"X-Broken \xff\r\nContent-Disposition: form-data; name=a", ("a", None, "")),
        (b"Content-Disposition: form-data; name=a; filename", ("a", None, "")),
        (b"Content-Disposition: form-data; name=a\r\nContent-Type: \xff/;;=", ("a", None, "ÿ/")),
        (b'content-disposition: form-data;name="a";filename="b"', ("a", "b", "")),
    ],
)
def test_a_part_whose_headers_are_odd_is_still_a_part(
    head: bytes, expected: tuple[str, str | None, str]
) -> None:
    (part,) = read(b"--B\r\n" + head + b"\r\n\r\ndata" + END)

    assert (part.name, part.filename, part.content_type) == expected
    assert part.data == b"data"


HOSTILE = {
    "quotes in one head": HEAD + b'\\"' * 120_000 + b'"\r\n\r\n' + END,
    "a head for ever": HEAD + b'\\"' * (EIGHT_MB // 2),
    "many long heads": (HEAD + b"x" * 8_000 + b'"\r\n\r\n\r\n') * 900 + END,
    "continuations": b"--B\r\nContent-Disposition: form-data"
    + b"".join(b";filename*%d*=x" % n for n in range(14_000))
    + b"\r\n\r\n"
    + END,
    "semicolons": b"--B\r\nContent-Disposition: form-data" + b";" * 250_000 + b"\r\n\r\n" + END,
    "folded lines": b"--B\r\nContent-Disposition: a;" + b"\r\n " * 80_000 + b"\r\n\r\n" + END,
    "a preamble for ever": b"\r\n--" * (EIGHT_MB // 4),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_headers_cost_a_fifth_of_a_second_at_most(name: str) -> None:
    began_at = time.thread_time()
    with suppress(MalformedMultipartError):
        read(HOSTILE[name])

    assert_cpu_within(time.thread_time() - began_at, 0.2)


@pytest.mark.parametrize(
    "piece",
    [
        b"\r\n--Bx",
        b"\r\n--B-",
        b"\r\n--B" + b" " * 20_000 + b"x",
        b"--Bx" + b"\r\n" * 16_000,
        b"\r\n",
    ],
)
def test_data_that_looks_like_a_boundary_costs_no_more_than_in_proportion(piece: bytes) -> None:
    def cost(size: int) -> float:
        body = HEAD + b'"\r\n\r\n' + piece * (size // len(piece)) + END
        began_at = time.thread_time()
        read(body)
        return time.thread_time() - began_at

    small = min(cost(EIGHT_MB // 4) for _ in range(3))

    assert_within(min(cost(EIGHT_MB) for _ in range(3)), 4 * 2.5 * max(small, 0.005))
