"""A rate as it is written in the settings."""

from __future__ import annotations

import pytest

from app.domain.rates import Rate


@pytest.mark.parametrize(
    ("text", "limit", "window_s"),
    [("1/second", 1, 1), ("60/minute", 60, 60), ("9/hour", 9, 3600), ("7/day", 7, 86_400)],
)
def test_a_rate_is_parsed(text: str, limit: int, window_s: int) -> None:
    assert Rate.parse(text) == Rate(limit, window_s)


def test_a_rate_is_formatted() -> None:
    assert str(Rate.parse("60/minute")) == "60 per minute"
