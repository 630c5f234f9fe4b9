"""Evaluate the CloudWatch alarms of the template on what tasks and queue have counted."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, Final

from app.observability.cloudwatch import NAMESPACE, since, totals
from testkit.promtool_cases import Series, families
from testkit.templates import template

STACK: Final = "${AWS::StackName}-"
#: SQS's own counts, by the series of a `web` or a worker that says the same.
_QUEUE: Final = {
    "ApproximateNumberOfMessagesVisible": ("image_pipeline_queue_messages", {"queue": "input"}),
    "ApproximateNumberOfGroupsWithInflightMessages": (
        "image_pipeline_worker_images_in_flight",
        {},
    ),
}
_STATISTICS: Final[dict[str, Callable[[list[float]], float]]] = {
    "Maximum": max,
    "Minimum": min,
    "Average": lambda values: sum(values) / len(values),
}


@cache
def alarms() -> dict[str, dict[str, Any]]:
    """The properties of every alarm, by its name after the stack's."""
    return {
        said["AlarmName"]["Fn::Sub"].removeprefix(STACK): said
        for each in template()["Resources"].values()
        if each["Type"] in ("AWS::CloudWatch::Alarm", "AWS::CloudWatch::CompositeAlarm")
        and "AlarmName" in (said := each["Properties"])
    }


class Fleet:
    """One stack, whose tasks have counted *series*."""

    def __init__(self, series: list[Series]) -> None:
        self._series = series

    def rings(self, name: str, minute: int) -> bool:
        """Whether the alarm *name* is in ALARM at *minute*."""
        alarm = alarms()[name]
        if "AlarmRule" in alarm:
            return self._follows(alarm["AlarmRule"]["Fn::Sub"], minute)
        if name == "no-workers":
            return not any("_worker_" in each.name for each in self._series)
        if not self._is_known(alarm):
            return False
        every_min = _period_s(alarm) // 60
        points = [minute - n * every_min for n in range(alarm["EvaluationPeriods"])]
        breaching = sum(self._breaches(alarm, point) for point in points)
        return breaching >= alarm.get("DatapointsToAlarm", alarm["EvaluationPeriods"])

    def tells(self, name: str, minute: int) -> bool:
        """Whether *name* tells somebody at *minute*: it rings, and no suppressor has lately."""
        suppressor = alarms()[name].get("ActionsSuppressor")
        if suppressor is None or not self.rings(name, minute):
            return self.rings(name, minute)
        silencing = _name_of(suppressor["Fn::GetAtt"][0])
        after_min = alarms()[name]["ActionsSuppressorExtensionPeriod"] // 60
        looks = range(minute, minute - after_min - 1, -1)
        return not any(self.rings(silencing, look) for look in looks)

    def _follows(self, rule: str, minute: int) -> bool:
        """The rule of a composite alarm, which refers to others by their names."""
        names = re.findall(r'ALARM\("([^"]+)"\)', rule)
        text = re.sub(r'ALARM\("([^"]+)"\)', r'on["\1"]', rule.replace("\n", " "))
        on = {name: self.rings(name.removeprefix(STACK), minute) for name in names}
        return bool(_evaluated(text, {"on": on}))

    def _is_known(self, alarm: Mapping[str, Any]) -> bool:
        """Not what only the load balancer or ECS counts: that is well here."""
        spaces = {each["Namespace"] for each in _metrics(alarm)}
        return spaces <= {NAMESPACE, "AWS/SQS"} and "QueueName" not in str(alarm.get("Dimensions"))

    def _breaches(self, alarm: Mapping[str, Any], minute: int) -> bool:
        value = self._value(alarm, minute)
        assert alarm["TreatMissingData"] == "notBreaching"
        assert alarm["ComparisonOperator"] == "GreaterThanThreshold"
        return value is not None and value > alarm["Threshold"]

    def _value(self, alarm: Mapping[str, Any], minute: int) -> float | None:
        if "Metrics" not in alarm:
            return self._statistic(alarm, alarm["Statistic"], alarm["Period"], minute)
        values: dict[str, Any] = {}
        for query in alarm["Metrics"]:
            if "MetricStat" in query:
                stat = query["MetricStat"]
                values[query["Id"]] = self._statistic(
                    stat["Metric"], stat["Stat"], stat["Period"], minute
                )
        (shown,) = (each for each in alarm["Metrics"] if each["ReturnData"])
        return _math(shown["Expression"], values)

    def _statistic(
        self, metric: Mapping[str, Any], statistic: str, period_s: int, minute: int
    ) -> float | None:
        first = minute - period_s // 60
        if metric["Namespace"] == "AWS/SQS":
            name, labels = _QUEUE[metric["MetricName"]]
            return self._gauge(name, labels, statistic, range(first + 1, minute + 1))
        if statistic != "Sum":
            name = "image_pipeline_worker_breaker_open"
            assert metric["MetricName"] == "OpenBreaker"
            return self._gauge(name, {}, statistic, range(first + 1, minute + 1))
        counted = since(
            totals(families(self._series, first)), totals(families(self._series, minute))
        )
        return counted.get(metric["MetricName"])

    def _gauge(
        self, name: str, labels: Mapping[str, str], statistic: str, minutes: range
    ) -> float | None:
        values = [
            each.at(minute)
            for each in self._series
            if each.name == name and labels.items() <= each.labels.items()
            for minute in minutes
            if minute > 0
        ]
        return _STATISTICS[statistic](values) if values else None


def _metrics(alarm: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    queries = [
        each["MetricStat"]["Metric"] for each in alarm.get("Metrics", []) if "MetricStat" in each
    ]
    return queries or [alarm]


def _period_s(alarm: Mapping[str, Any]) -> int:
    periods = {
        each["MetricStat"]["Period"] for each in alarm.get("Metrics", []) if "MetricStat" in each
    }
    (period,) = periods or {alarm["Period"]}
    return int(period)


def _name_of(resource: str) -> str:
    name: str = template()["Resources"][resource]["Properties"]["AlarmName"]["Fn::Sub"]
    return name.removeprefix(STACK)


def _math(expression: str, values: Mapping[str, float | None]) -> float | None:
    """CloudWatch's metric math, as far as the template uses it; None where data is missing."""
    names = {
        **values,
        "FILL": lambda value, other: other if value is None else value,
        "IF": lambda condition, yes, no: yes() if condition else no(),
    }
    lazy = re.sub(r"IF\((.+), (.+), (.+)\)$", r"IF(\1, lambda: \2, lambda: \3)", expression)
    try:
        found: float | None = _evaluated(lazy, names)
    except TypeError:  # an operation on None: there was no data
        return None
    return found


def _evaluated(text: str, names: Mapping[str, Any]) -> Any:
    words = {"AND": "and", "OR": "or", "NOT": "not"}
    return eval(re.sub(r"\b(AND|OR|NOT)\b", lambda m: words[m[0]], text), dict(names))
