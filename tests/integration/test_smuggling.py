"""Request smuggling: ambiguous requests are refused, unambiguous ones are answered."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from testkit.corpora.smuggling import HIDDEN, MUST_ACCEPT, MUST_REFUSE, MUST_REFUSE_WHEN_CUT
from testkit.in_memory.served import serving
from testkit.network.raw_http import exchange

CLOSE = b"Connection: close\r\n\r\n"


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with serving(50_000) as served:
        yield served.port


def statuses(answer: bytes) -> list[int]:
    return [int(status) for status in re.findall(rb"HTTP/1\.[01] (\d{3}) ", answer)]


def is_refused_once(answer: bytes) -> bool:
    """Whether there is one refusal and then the end: `exchange` reads until the server closes."""
    return len(found := statuses(answer)) == 1 and found[0] >= 400 and b'"code"' in answer


@pytest.mark.parametrize("name", MUST_REFUSE)
@pytest.mark.parametrize("is_ended", [True, False], ids=["ended", "open"])
def test_an_ambiguous_request_is_refused_once_and_ends_the_connection(
    port: int, name: str, is_ended: bool
) -> None:
    answer = exchange(port, MUST_REFUSE[name] + HIDDEN, is_ended=is_ended)

    assert is_refused_once(answer), answer


@pytest.mark.parametrize("name", MUST_REFUSE_WHEN_CUT)
def test_a_request_that_breaks_off_is_refused_once(port: int, name: str) -> None:
    answer = exchange(port, MUST_REFUSE_WHEN_CUT[name])

    assert is_refused_once(answer), answer


@pytest.mark.parametrize("name", MUST_ACCEPT)
def test_an_unambiguous_request_is_answered(port: int, name: str) -> None:
    request, expected = MUST_ACCEPT[name]

    answer = exchange(port, request + CLOSE, is_ended=False)

    assert statuses(answer) == expected


@pytest.mark.parametrize("name", MUST_ACCEPT)
def test_the_pieces_in_which_a_request_arrives_make_no_difference(port: int, name: str) -> None:
    request, expected = MUST_ACCEPT[name]

    answer = exchange(port, request + CLOSE, is_ended=False, piece_bytes=7)

    assert statuses(answer) == expected
