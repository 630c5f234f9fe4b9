"""Evaluate the CloudWatch alarms of the template on the metrics of tasks and queues."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from typing import Any, Final

from app.observability.cloudwatch import NAMESPACE, since, totals
from testkit.deploy import alarm_points
from testkit.deploy.promtool_cases import Series, families
from testkit.deploy.templates import template

STACK: Final = "${AWS::StackName}-"
#: SQS's own counts, by the series of a `web` or a worker that says the same.
_QUEUE: Final = {
    "ApproximateNumberOfMessagesVisible": "image_pipeline_queue_messages",
    "ApproximateNumberOfGroupsWithInflightMessages": "image_pipeline_worker_images_in_flight",
}
_QUEUES: Final = {"InputQueue": "input", "InputDeadLetterQueue": "dead-letter"}
#: Tasks that run, by what their series begin with. There is no data while there is none: Container
#: Insights may then be silent, and a load balancer is without targets.
_TASKS: Final = {
    "RunningTaskCount": "image_pipeline_worker_",
    "HealthyHostCount": "image_pipeline_uploads_",
}
_COMPARISONS: Final[dict[str, Callable[[float, float], bool]]] = {
    "GreaterThanThreshold": operator.gt,
    "LessThanThreshold": operator.lt,
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
        if not all(map(_is_known, _metrics(alarm))):
            return False
        periods, every_min = alarm["EvaluationPeriods"], _period_s(alarm) // 60
        looks = [
            minute - n * every_min for n in reversed(range(periods + alarm_points.SPARE_POINTS))
        ]
        return alarm_points.rings(
            [self._breaches(alarm, look) for look in looks],
            periods=periods,
            needed=alarm.get("DatapointsToAlarm", periods),
            missing=alarm["TreatMissingData"],
        )

    def tells(self, name: str, minute: int) -> bool:
        """Whether *name* notifies operators at *minute*: it rings, and no suppressor did lately."""
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

    def _breaches(self, alarm: Mapping[str, Any], minute: int) -> bool | None:
        value = self._value(alarm, minute)
        compare = _COMPARISONS[alarm["ComparisonOperator"]]
        return None if value is None else compare(value, alarm["Threshold"])

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
        looks = range(first + 1, minute + 1)
        if metric["MetricName"] in _TASKS:
            return self._tasks(_TASKS[metric["MetricName"]], statistic, looks)
        if metric["Namespace"] == "AWS/SQS":
            name = _QUEUE[metric["MetricName"]]
            labels = {"queue": _queue(metric)} if name == "image_pipeline_queue_messages" else {}
            return self._gauge(name, labels, statistic, looks)
        if statistic != "Sum":
            name = "image_pipeline_worker_breaker_open"
            assert metric["MetricName"] == "OpenBreaker"
            return self._gauge(name, {}, statistic, looks)
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
            if minute > 0 and each.is_there(minute)
        ]
        return _STATISTICS[statistic](values) if values else None

    def _tasks(self, begin: str, statistic: str, minutes: Iterable[int]) -> float | None:
        counts = [
            len({e.labels.get("instance") for e in self._series_of(begin) if e.is_there(minute)})
            for minute in minutes
        ]
        return _STATISTICS[statistic](counts) if any(counts) else None

    def _series_of(self, begin: str) -> list[Series]:
        return [each for each in self._series if each.name.startswith(begin)]


def _is_known(metric: Mapping[str, Any]) -> bool:
    """Whether the series tell it. All is well in what only ECS or the load balancer counts."""
    if metric["Namespace"] == "AWS/SQS":
        return metric["MetricName"] in _QUEUE and bool(_queue(metric))
    return metric["Namespace"] == NAMESPACE or metric["MetricName"] in _TASKS


def _queue(metric: Mapping[str, Any]) -> str | None:
    (dimension,) = metric["Dimensions"]
    resource: str = dimension["Value"]["Fn::GetAtt"][0]
    return _QUEUES.get(resource)


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
