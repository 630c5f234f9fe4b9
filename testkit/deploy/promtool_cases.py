"""The cases of tests/alerts, and their series minute by minute."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml
from prometheus_client import Metric

from testkit.root import ROOT

CASES: Final = ROOT / "tests" / "alerts"
_MINUTES: Final = {"m": 1, "h": 60, "d": 1440}


@dataclass(frozen=True)
class Series:
    """The values of one series, *step_min* minutes apart."""

    name: str
    labels: dict[str, str]
    values: list[float | None]
    step_min: int

    def at(self, minute: int) -> float:
        """The value at *minute*, 0 before the series began and where it has none."""
        return (self._at(minute) or 0.0) if minute > 0 else 0.0

    def is_there(self, minute: int) -> bool:
        """Whether the series has a value at *minute*; before it began, as at its begin."""
        return self._at(max(0, minute)) is not None

    def _at(self, minute: int) -> float | None:
        return self.values[min(minute // self.step_min, len(self.values) - 1)]


@dataclass(frozen=True)
class Case:
    """One case: its series, the minute of the check, and the expected alerts."""

    name: str
    series: list[Series]
    at_min: int
    expression: str
    fires: bool

    def cells(self) -> list[str]:
        return sorted({each.labels.get("cell", "") for each in self.series})

    def of(self, cell: str) -> list[Series]:
        return [each for each in self.series if each.labels.get("cell", "") == cell]


def cases(*names: str) -> list[Case]:
    """The cases of the files *names* in tests/alerts."""
    return [case for name in names for case in _cases(CASES / name)]


def _cases(path: Path) -> Iterator[Case]:
    for said in yaml.safe_load(path.read_text())["tests"]:
        (test,) = said["promql_expr_test"]
        step_min = minutes(said["interval"])
        series = [series_of(each, step_min) for each in said["input_series"]]
        fires = bool(test["exp_samples"])
        yield Case(said["name"], series, minutes(test["eval_time"]), test["expr"], fires)


def series_of(said: dict[str, Any], step_min: int) -> Series:
    name, _, labels = said["series"].partition("{")
    found = dict(re.findall(r'(\w+)="([^"]*)"', labels))
    values = [value for token in said["values"].split() for value in _expanded(token)]
    return Series(name, found, values, step_min)


def _expanded(token: str) -> list[float | None]:
    """`1+2x3` is 1, 3, 5, 7, `1x3` is 1 four times, and `_x3` three times nothing."""
    if token.startswith("_"):
        return [None] * int(token.partition("x")[2] or 1)
    parts = re.fullmatch(r"(-?[\d.e]+)(?:([+-][\d.e]+))?(?:x(\d+))?", token)
    assert parts, token
    start, step, times = float(parts[1]), float(parts[2] or 0), int(parts[3] or 0)
    return [start + step * number for number in range(times + 1)]


def minutes(said: str) -> int:
    """`1h40m` is 100."""
    return sum(int(n) * _MINUTES[unit] for n, unit in re.findall(r"(\d+)([mhd])", said))


def families(series: list[Series], minute: int) -> list[Metric]:
    """The metrics of a process that has counted the *series*, at *minute*."""
    found = []
    for each in series:
        base = re.sub(r"_(total|bucket|count|sum)$", "", each.name)
        metric = Metric(base, "", "unknown")
        metric.add_sample(each.name, each.labels, each.at(minute))
        found.append(metric)
    return found
