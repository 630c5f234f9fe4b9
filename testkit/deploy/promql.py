"""The queries of alerts, rules and dashboard, and the series that exist."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import promql_parser as promql
import yaml

from app.observability.metrics import Metrics
from testkit.root import ROOT

PROMETHEUS = ROOT / "deploy" / "prometheus"
DASHBOARD = ROOT / "deploy" / "grafana" / "dashboards" / "pipeline.json"
#: Labels that a scrape adds to each series; deploy/prometheus/prometheus.yml sets `role`.
TARGET_LABELS = {"job", "instance", "role", "cell"}
#: Series that Prometheus creates itself.
SYNTHETIC = {"up": set[str](), "ALERTS": {"alertname", "alertstate", "severity"}}
#: Values that Grafana substitutes.
VARIABLES = {"$__rate_interval": "1m", "$job": "image-pipeline", "$instance": ".*"}


@cache
def rules(name: str, kind: str) -> list[dict[str, Any]]:
    """The rules of *kind*, `alert` or `record`, in a file of deploy/prometheus."""
    groups = yaml.safe_load((PROMETHEUS / name).read_text())["groups"]
    return [rule for group in groups for rule in group["rules"] if kind in rule]


@cache
def alerts() -> dict[str, dict[str, Any]]:
    found = rules("goals.yml", "alert") + rules("alerts.yml", "alert")
    return {rule["alert"]: rule for rule in found}


def records() -> dict[str, str]:
    found = rules("goals.yml", "record") + rules("rules.yml", "record")
    return {rule["record"]: rule["expr"] for rule in found}


def panels() -> list[dict[str, Any]]:
    """Every panel of the dashboard that has a query."""
    found = json.loads(DASHBOARD.read_text())["panels"]
    return [panel for panel in found if panel["type"] != "row"]


def filled_in(expression: str, variables: Mapping[str, str] = VARIABLES) -> str:
    """A dashboard query with Grafana's variables substituted."""
    for name, value in variables.items():
        expression = expression.replace(name, value)
    return expression


def dashboard_queries() -> dict[str, str]:
    return {
        f"{panel['title']} {target['refId']}": target["expr"]
        for panel in panels()
        for target in panel["targets"]
    }


@cache
def all_queries() -> dict[str, str]:
    """Every expression in `deploy/`, by its location."""
    found = {f"alert {name}": alert["expr"] for name, alert in alerts().items()}
    found |= {f"rule {name}": expression for name, expression in records().items()}
    return found | {f"panel {n}": filled_in(q) for n, q in dashboard_queries().items()}


@cache
def series() -> dict[str, set[str]]:
    """The labels of every possible series, by name."""
    metrics = Metrics()
    groups = (metrics.http, metrics.worker, metrics.aws, metrics.queues)
    assert all(groups)
    found = dict(SYNTHETIC) | {name: set() for name in records()}
    for collector in set(metrics.registry._collector_to_names):
        labels = set(getattr(collector, "_labelnames", ()))
        for family in collector.collect():
            found |= _series_of(family.name, family.type, labels)
    return found


def _series_of(name: str, kind: str, labels: set[str]) -> dict[str, set[str]]:
    if kind == "counter":
        return {f"{name}_total": labels}
    if kind == "histogram":
        return {f"{name}_bucket": labels | {"le"}, f"{name}_sum": labels, f"{name}_count": labels}
    return {name: labels}


@dataclass(frozen=True)
class Selector:
    """A selector of series; *values* are the values in its matchers, by label."""

    name: str
    values: dict[str, list[str]]


def selectors(expression: str) -> list[Selector]:
    return list(_selectors(promql.parse(expression)))


def _selectors(node: Any) -> Iterator[Selector]:
    if isinstance(node, promql.MatrixSelector):
        node = node.vector_selector
    if isinstance(node, promql.VectorSelector):
        yield Selector(node.name, {m.name: _values_of(m) for m in node.matchers.matchers})
    for child in _children(node):
        yield from _selectors(child)


def _values_of(matcher: Any) -> list[str]:
    """The alternatives of a regular expression; ours contain nothing else."""
    is_plain = re.fullmatch(r"[\w./-]+(\|[\w./-]+)*", matcher.value)
    return matcher.value.split("|") if is_plain else []


def _children(node: Any) -> list[Any]:
    if isinstance(node, promql.BinaryExpr):
        return [node.lhs, node.rhs]
    if isinstance(node, promql.Call):
        return list(node.args)
    if isinstance(node, promql.VectorSelector | promql.NumberLiteral | promql.StringLiteral):
        return []
    return [node.expr]


def labels_asked(expression: str) -> set[str]:
    """The labels that the expression groups by or joins on."""
    return set(_labels_asked(promql.parse(expression)))


def _labels_asked(node: Any) -> Iterator[str]:
    if isinstance(node, promql.MatrixSelector):
        node = node.vector_selector
    if isinstance(node, promql.AggregateExpr) and node.modifier:
        yield from node.modifier.labels
    if isinstance(node, promql.BinaryExpr) and node.modifier and node.modifier.matching:
        yield from node.modifier.matching.labels
    for child in _children(node):
        yield from _labels_asked(child)
