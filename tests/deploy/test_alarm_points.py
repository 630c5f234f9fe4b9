"""The evaluation of alarms is CloudWatch's: the examples are those of its documentation."""

from __future__ import annotations

import pytest

from testkit.deploy.alarm_points import rings

POINTS = {"0": False, "X": True, "-": None}


@pytest.mark.parametrize(
    ("points", "breaching", "not_breaching"),
    [
        ("0 - X - X", False, False),
        ("0 - - - -", False, False),
        ("- - - - -", True, False),
        ("0 X X - X", True, True),
        ("- - X - -", True, False),
        # Not an example, but a sentence of the same page: what is not needed is ignored.
        ("X X 0 0 X", False, False),
    ],
)
def test_three_points_of_three(points: str, breaching: bool, not_breaching: bool) -> None:
    assert verdicts(points, needed=3) == (breaching, not_breaching)


@pytest.mark.parametrize(
    ("points", "breaching", "not_breaching"),
    [
        ("0 - X - X", True, True),
        ("0 0 X 0 X", True, True),
        ("0 - X - -", True, False),
        ("- - - - 0", True, False),
    ],
)
def test_two_points_of_three(points: str, breaching: bool, not_breaching: bool) -> None:
    assert verdicts(points, needed=2) == (breaching, not_breaching)


def verdicts(points: str, needed: int) -> tuple[bool, ...]:
    """With missing points treated as breaching, and as not breaching."""
    seen = [POINTS[each] for each in points.split()]
    return tuple(
        rings(seen, periods=3, needed=needed, missing=missing)
        for missing in ("breaching", "notBreaching")
    )
