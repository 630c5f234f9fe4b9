"""Evaluate a CloudWatch alarm on its newest data points, some of which may be missing.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

#: CloudWatch looks at more points than the evaluation periods. AWS says how many by example: five
#: for three periods.
SPARE_POINTS: Final = 2
#: A missing point counts as this where too few exist.
_MISSING: Final = {"breaching": True, "notBreaching": False}


def rings(points: Sequence[bool | None], *, periods: int, needed: int, missing: str) -> bool:
    """Whether *needed* of *periods* points breach; *points* are oldest first, None is missing.

    Existing points take precedence over missing ones, even if they are older than the periods.
    """
    existing = [point for point in points[-periods - SPARE_POINTS :] if point is not None]
    filled = [_MISSING[missing]] * max(0, periods - len(existing))
    return sum(existing[-periods:] + filled) >= needed
