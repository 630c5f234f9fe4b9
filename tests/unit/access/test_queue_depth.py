"""The number of images that may wait."""

from __future__ import annotations

import pytest

from app.access.queue_depth import QueueLimit
from app.domain.ports import Depth
from app.errors import QueueFullError


def test_a_depth_at_the_limit_is_accepted() -> None:
    QueueLimit(3).check(Depth(waiting=3, held=9))


def test_a_depth_over_the_limit_is_refused_with_both_numbers_and_a_time() -> None:
    with pytest.raises(QueueFullError, match="4 images wait; at most 3 may") as caught:
        QueueLimit(3).check(Depth(waiting=4, held=0))

    assert caught.value.facts == {"limit": 3, "actual": 4, "retry_after_s": 30}


@pytest.mark.parametrize(
    ("max_waiting", "depth"), [(0, Depth(waiting=10**6, held=0)), (3, None), (0, None)]
)
def test_nothing_is_refused_without_a_limit_or_without_a_known_depth(
    max_waiting: int, depth: Depth | None
) -> None:
    limit = QueueLimit(max_waiting)

    limit.check(depth)
    assert not limit.is_exceeded_by(depth)
