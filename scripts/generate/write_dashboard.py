"""Write the Grafana dashboard to deploy/grafana/dashboards/pipeline.json.

./.venv/bin/python -m scripts.generate.write_dashboard

The panels come from dashboard_questions.py: ids, positions and the data source are always correct,
and a change is one line in a diff. Changes made in Grafana are not written back.
https://grafana.com/docs/grafana/latest/dashboards/build-dashboards/view-dashboard-json-model/
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from scripts import usage
from scripts.generate.dashboard_panels import Panel
from scripts.generate.dashboard_questions import ROWS

DASHBOARD: Final = (
    Path(__file__).resolve().parents[2] / "deploy" / "grafana" / "dashboards" / "pipeline.json"
)
#: The width of Grafana's grid in columns.
COLUMNS: Final = 24
_HEIGHT: Final = 7
_DATASOURCE: Final = {"type": "prometheus", "uid": "${datasource}"}


def dashboard() -> dict[str, Any]:
    """Grafana's model of the dashboard."""
    return {
        "uid": "image-pipeline",
        "title": "Image pipeline",
        "description": "One row a question. Alerts and what to do: docs/operations.md.",
        "tags": ["image-pipeline"],
        "schemaVersion": 39,
        "editable": True,
        "graphTooltip": 1,
        "refresh": "30s",
        "time": {"from": "now-3h", "to": "now"},
        "timezone": "browser",
        "templating": {"list": [_datasource(), _variable("job"), _variable("instance")]},
        "annotations": {"list": []},
        "panels": _panels(),
    }


def _datasource() -> dict[str, Any]:
    return {
        "name": "datasource",
        "label": "Data source",
        "type": "datasource",
        "query": "prometheus",
        "refresh": 1,
    }


def _variable(name: str) -> dict[str, Any]:
    """A variable with the values of the label *name*; by default all are selected."""
    chosen = '{job=~"$job"}' if name == "instance" else ""
    metric = "image_pipeline_aws_request_duration_seconds_count"
    query = f"label_values({metric}{chosen}, {name})"
    return {
        "name": name,
        "label": name.capitalize(),
        "type": "query",
        "datasource": _DATASOURCE,
        "definition": query,
        "query": {"query": query, "refId": f"variable-{name}"},
        "refresh": 2,
        "sort": 1,
        "multi": True,
        "includeAll": True,
        "current": {"selected": True, "text": ["All"], "value": ["$__all"]},
    }


def _panels() -> list[dict[str, Any]]:
    placed: list[dict[str, Any]] = []
    top = 0
    for question, panels in ROWS.items():
        placed.append(_row(len(placed) + 1, question, top))
        left, top = 0, top + 1
        for panel in panels:
            if left + panel.width > COLUMNS:
                left, top = 0, top + _HEIGHT
            placed.append(_panel(len(placed) + 1, panel, left, top))
            left += panel.width
        top += _HEIGHT
    return placed


def _row(number: int, question: str, top: int) -> dict[str, Any]:
    place = {"h": 1, "w": COLUMNS, "x": 0, "y": top}
    return {
        "id": number,
        "type": "row",
        "title": question,
        "gridPos": place,
        "collapsed": False,
        "panels": [],
    }


def _panel(number: int, panel: Panel, left: int, top: int) -> dict[str, Any]:
    return {
        "id": number,
        "type": panel.kind,
        "title": panel.title,
        "description": panel.description,
        "datasource": _DATASOURCE,
        "gridPos": {"h": _HEIGHT, "w": panel.width, "x": left, "y": top},
        "targets": [_target(n, *query) for n, query in enumerate(panel.queries)],
        "fieldConfig": {"defaults": _field(panel), "overrides": []},
        "options": _options(panel.kind),
    }


def _target(number: int, expression: str, legend: str) -> dict[str, Any]:
    return {
        "refId": chr(ord("A") + number),
        "datasource": _DATASOURCE,
        "expr": expression,
        "legendFormat": legend,
        "range": True,
    }


def _field(panel: Panel) -> dict[str, Any]:
    steps: list[dict[str, Any]] = [{"color": "green", "value": None}]
    if panel.warn_at is not None:
        steps.append({"color": "red", "value": panel.warn_at})
    field = {"unit": panel.unit, "min": 0, "thresholds": {"mode": "absolute", "steps": steps}}
    if panel.kind != "timeseries":
        return field
    return field | {
        "custom": {
            "fillOpacity": 30 if panel.is_stacked else 5,
            "showPoints": "never",
            "stacking": {"mode": "normal" if panel.is_stacked else "none", "group": "A"},
            "thresholdsStyle": {"mode": "off" if panel.warn_at is None else "line"},
        }
    }


def _options(kind: str) -> dict[str, Any]:
    if kind == "stat":
        return {"colorMode": "value", "reduceOptions": {"calcs": ["lastNotNull"]}}
    if kind == "state-timeline":
        return {"showValue": "never", "mergeValues": True}
    return {
        "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True},
        "tooltip": {"mode": "multi", "sort": "desc"},
    }


def main() -> None:
    DASHBOARD.parent.mkdir(parents=True, exist_ok=True)
    DASHBOARD.write_text(text())


def text() -> str:
    return json.dumps(dashboard(), indent=2) + "\n"


if __name__ == "__main__":
    usage.check(__doc__)
    main()
