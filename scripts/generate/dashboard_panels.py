"""Panels of the Grafana dashboard, and the PromQL of their queries."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

#: The selection of the variables at the top of the dashboard.
HERE: Final = 'job=~"$job", instance=~"$instance"'
_PIPELINE: Final = "image_pipeline_"


@dataclass(frozen=True)
class Panel:
    """One panel. *queries* are pairs of an expression and its legend; *warn_at* draws a line."""

    title: str
    description: str
    unit: str
    queries: tuple[tuple[str, str], ...]
    kind: str = "timeseries"
    width: int = 8
    warn_at: float | None = None
    is_stacked: bool = False


def rate(name: str, labels: str = "", by: str = "") -> str:
    """A query for the increase per second of the counter *name*, summed *by* those labels."""
    chosen = ", ".join(filter(None, (labels, HERE)))
    return f"{_sum(by)} (rate({_PIPELINE}{name}{{{chosen}}}[$__rate_interval]))"


def quantile(share: float, name: str, labels: str = "", by: str = "") -> str:
    """A query for the quantile *share* of the histogram *name*."""
    buckets = rate(f"{name}_bucket", labels, ", ".join(filter(None, ("le", by))))
    return f"histogram_quantile({share}, {buckets})"


def quantiles(name: str, labels: str = "") -> tuple[tuple[str, str], ...]:
    return tuple((quantile(q, name, labels), f"p{q * 100:g}") for q in (0.5, 0.95, 0.99))


def gauge(name: str, by: str = "instance", labels: str = "") -> str:
    chosen = ", ".join(filter(None, (labels, HERE)))
    return f"{_sum(by)} ({name}{{{chosen}}})"


def _sum(by: str) -> str:
    return f"sum by ({by})" if by else "sum"
