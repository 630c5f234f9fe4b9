"""Say in a few words what is not plain about a page, for summaries in English."""

from __future__ import annotations

from collections.abc import Iterator


def remarks(kind: str, *, is_inverted: bool, turned: int) -> Iterator[str]:
    """Nothing for writing, dark on light, that was stored upright."""
    if kind != "writing":
        yield kind
    if is_inverted:
        yield "light on dark"
    if turned:
        yield f"turned {turned} degrees"
