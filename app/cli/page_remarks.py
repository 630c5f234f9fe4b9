"""Describe the unusual properties of a page in a few words, for summaries in English."""

from __future__ import annotations

from collections.abc import Iterator


def remarks(kind: str, *, is_inverted: bool, turned: int) -> Iterator[str]:
    """One remark per unusual property; none for upright writing that is dark on light."""
    if kind != "writing":
        yield kind
    if is_inverted:
        yield "light on dark"
    if turned:
        yield f"turned {turned} degrees"
