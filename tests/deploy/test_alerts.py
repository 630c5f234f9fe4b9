"""Alerts, their handbook and the dashboard name what there is. What they say, promtool tests."""

from __future__ import annotations

import itertools
import re
from typing import Any

import pytest
import yaml

from app import errors
from app.consumer.outcome import Outcome
from app.observability.histogram_bounds import LONG_SECONDS, SECONDS
from app.observability.worker_metrics import STEPS
from scripts.generate import write_dashboard
from testkit.deploy import promql
from testkit.root import ROOT

OPERATIONS = ROOT / "docs" / "operations.md"
#: What every section of the handbook answers, in this order; a threshold that explains itself
#: needs no words.
QUESTIONS = ("Means", "Check", "Do", "Threshold")


# --- queries -------------------------------------------------------------------------------------


def test_every_query_asks_for_series_that_there_are_and_by_labels_that_they_have() -> None:
    known = promql.series()

    wrong = [
        f"{where}: {selector.name}{sorted(selector.values)}"
        for where, expression in promql.all_queries().items()
        for selector in promql.selectors(expression)
        if not set(selector.values) <= known.get(selector.name, {"none"}) | promql.TARGET_LABELS
        or selector.name not in known
    ]

    assert wrong == []


def test_every_query_groups_by_labels_that_its_series_have() -> None:
    known = promql.series()

    wrong = {}
    for where, expression in promql.all_queries().items():
        names = [selector.name for selector in promql.selectors(expression)]
        there = promql.TARGET_LABELS.union(*(known[name] for name in names))
        if strange := promql.labels_asked(expression) - there:
            wrong[where] = strange

    assert wrong == {}


def test_every_query_names_values_that_its_labels_can_have() -> None:
    codes = {e.code for e in vars(errors).values() if hasattr(e, "code")}
    values = {
        "result": codes | {"accepted", "replayed", "renewed", "lost", "failed"},
        "code": codes,
        "outcome": {outcome.value for outcome in Outcome},
        "le": {str(float(bound)) for bound in (*SECONDS, *LONG_SECONDS)} | {"+Inf"},
        "step": set(STEPS),
        "queue": {"input", "dead-letter"},
        "state": {"waiting", "held"},
        "job": {"image-pipeline"},
    }

    wrong = [
        f"{where}: {label}={value}"
        for where, expression in promql.all_queries().items()
        for selector in promql.selectors(expression)
        for label, named in selector.values.items()
        for value in named
        if value not in values.get(label, {value})
    ]

    assert wrong == []


def test_every_metric_is_on_the_dashboard_or_in_an_alert() -> None:
    """What nobody looks at need not be counted; these are read by hand, when something is found."""
    asked = {s.name for q in promql.all_queries().values() for s in promql.selectors(q)}
    by_hand = {
        "image_pipeline_backlog_images_forgotten_total",
        "image_pipeline_worker_end_to_end_seconds",
        "image_pipeline_worker_messages_in_hand",
    }

    bases = {re.sub(r"_(bucket|sum|count)$", "", name) for name in promql.series()}
    unasked = {base for base in bases if not any(name.startswith(base) for name in asked)}

    assert {name for name in unasked if name.startswith("image_pipeline_")} == by_hand


# --- alerts --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", promql.alerts())
def test_an_alert_says_whom_it_wakes_what_it_saw_and_what_to_do(name: str) -> None:
    alert = promql.alerts()[name]

    assert alert["labels"]["severity"] in {"page", "ticket"}
    assert alert["labels"]["service"] == "image-pipeline"
    assert re.fullmatch(r"\d+m", alert["for"])
    assert set(alert["annotations"]) == {"summary", "description", "runbook_url"}
    # What is always 0, or missing, has no number worth reading.
    is_nothing = (
        re.search(r"== 0$|^absent\(", alert["expr"].strip()) and "waiting" not in alert["expr"]
    )
    assert ("$value" in alert["annotations"]["description"]) != bool(is_nothing)
    # An external label of Prometheus has the address of the handbook.
    handbook = '{{ or $externalLabels.handbook "docs/operations.md" }}'
    assert alert["annotations"]["runbook_url"] == f"{handbook}#{name.lower()}"


def test_few_alerts_wake_somebody() -> None:
    pages = {n for n, alert in promql.alerts().items() if alert["labels"]["severity"] == "page"}

    assert pages == {
        "UploadsFailing",
        "AnnouncementsLate",
        "BacklogStuck",
        "NoWorkerPolls",
        "BreakersOpen",
        "NoWebScraped",
    }


@pytest.mark.parametrize("name", promql.alerts())
def test_an_alert_tells_one_cell_from_another(name: str) -> None:
    """A sum over all cells would hide a dead one behind a live one."""
    expression = promql.alerts()[name]["expr"]

    for _, labels in re.findall(r"\b(sum|avg|min|max|count|group) by \(([^)]*)\)", expression):
        assert "cell" in labels.split(", ")
    assert not re.search(r"\b(sum|avg|min|max|count|group)\(", expression)
    assert "scalar(" not in expression
    for labels in re.findall(r"\bon \(([^)]*)\)", expression):
        assert "cell" in labels.split(", ")


def test_recording_rules_record_by_cell() -> None:
    for name, expression in promql.records().items():
        assert not re.search(r"\b(sum|avg|min|max|count)\(", expression), name


def test_every_alert_has_a_case_in_which_it_fires_and_one_in_which_it_does_not() -> None:
    cases = [case for path in sorted(case_files()) for case in yaml.safe_load(path)["tests"]]
    said: dict[str, set[str]] = {}
    for case in cases:
        name, _, what = case["name"].partition(": ")
        (test,) = case["promql_expr_test"]
        assert f'alertname="{name}"' in test["expr"] or "count_over_time(ALERTS" in test["expr"]
        assert what.startswith("fires" if test["exp_samples"] else "quiet")
        said.setdefault(name, set()).add(what[:5])

    assert said == {name: {"fires", "quiet"} for name in promql.alerts()}


@pytest.mark.parametrize(
    "night",
    [
        "AnnouncementsLate: quiet in the night of one large group",
        "NoWorkerPolls: quiet while nothing waits, as after a scale-in to none",
        "AnnouncementsLate: fires where a collector stores the bound as 300",
        "NoWorkerPolls: fires for a cell that is dead beside one that lives",
        "NoWebScraped: fires for a cell that is dead beside one that lives",
        "UploadsFailing: fires alone in an outage of S3, which pages once",
    ],
)
def test_nights_that_once_paged_wrongly_or_not_at_all_are_cases(night: str) -> None:
    assert night in [
        case["name"] for text in case_files() for case in yaml.safe_load(text)["tests"]
    ]


def case_files() -> list[str]:
    return [path.read_text() for path in (ROOT / "tests" / "alerts").glob("*.yml")]


# --- the handbook --------------------------------------------------------------------------------


def sections() -> dict[str, str]:
    """The text under each heading of the chapter on alerts, by the heading."""
    chapter = OPERATIONS.read_text().split("\n## Alerts\n")[1].split("\n## ")[0]
    return dict(re.findall(r"^### (\w+)$(.*?)(?=^### |\Z)", chapter, re.MULTILINE | re.DOTALL))


def test_every_alert_has_a_section_in_the_handbook_and_every_section_an_alert() -> None:
    assert list(sections()) == list(promql.alerts())


@pytest.mark.parametrize("name", promql.alerts())
def test_a_section_answers_the_same_questions_in_the_same_order(name: str) -> None:
    answered = tuple(re.findall(r"^\*\*([\w ]+)\.\*\*", sections()[name], re.MULTILINE))

    assert answered in (QUESTIONS, QUESTIONS[:-1])


@pytest.mark.parametrize("name", promql.alerts())
def test_a_section_says_whether_its_alert_pages(name: str) -> None:
    first_line = sections()[name].strip().splitlines()[0]

    assert first_line.startswith(f"*{promql.alerts()[name]['labels']['severity'].capitalize()}*")


def test_queries_in_the_handbook_ask_for_series_that_there_are() -> None:
    known = promql.series()
    queries = re.findall(r"^```promql\n(.*?)^```", OPERATIONS.read_text(), re.MULTILINE | re.DOTALL)
    lines = [line for query in queries for line in query.splitlines() if line[0] != "#"]

    asked = {s.name: set(s.values) for line in lines for s in promql.selectors(line)}

    assert asked
    assert set(asked) - set(known) == set()
    assert [n for n, labels in asked.items() if labels - known[n] - promql.TARGET_LABELS] == []


def test_cloudwatch_alarms_lead_to_sections_that_there_are() -> None:
    table = OPERATIONS.read_text().split("\n## CloudWatch alarms\n")[1].split("\n## ")[0]
    targets = set(re.findall(r"\]\(#(\w+)\)", table))

    assert targets
    assert targets <= {name.lower() for name in promql.alerts()}


# --- the dashboard -------------------------------------------------------------------------------


def model() -> dict[str, Any]:
    return write_dashboard.dashboard()


def test_the_dashboard_is_the_one_that_the_script_writes() -> None:
    """After a change: python -m scripts.generate.write_dashboard."""
    assert promql.DASHBOARD.read_text() == write_dashboard.text()


def test_panels_have_ids_of_their_own_and_do_not_lie_on_one_another() -> None:
    panels = model()["panels"]
    cells = [
        {(x, y) for x in range(p["x"], p["x"] + p["w"]) for y in range(p["y"], p["y"] + p["h"])}
        for p in (panel["gridPos"] for panel in panels)
    ]

    assert len({panel["id"] for panel in panels}) == len(panels)
    assert not any(one & other for one, other in itertools.combinations(cells, 2))
    assert max(x for cell in cells for x, _ in cell) < write_dashboard.COLUMNS


def test_every_panel_says_what_it_shows_and_in_which_unit() -> None:
    for panel in promql.panels():
        assert panel["title"]
        assert panel["description"].endswith(".")
        assert panel["fieldConfig"]["defaults"]["unit"]
        assert panel["targets"]
        assert [t["refId"] for t in panel["targets"]] == sorted(
            {t["refId"] for t in panel["targets"]}
        )


def test_the_data_source_can_be_chosen() -> None:
    uids = set(re.findall(r'"uid": "([^"]+)"', promql.DASHBOARD.read_text()))

    assert uids == {"${datasource}", model()["uid"]}
    assert [v["name"] for v in model()["templating"]["list"]] == ["datasource", "job", "instance"]


def test_variables_ask_for_series_that_there_are() -> None:
    known = promql.series()

    for variable in model()["templating"]["list"][1:]:
        asked = re.fullmatch(r"label_values\((\w+).*, (\w+)\)", variable["definition"])
        assert asked
        assert asked[1] in known
        assert asked[2] in promql.TARGET_LABELS


# --- compose -------------------------------------------------------------------------------------


def compose() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    return found


def test_prometheus_scrapes_every_replica_on_the_port_that_compose_sets() -> None:
    config = yaml.safe_load((promql.PROMETHEUS / "prometheus.yml").read_text())
    (job,) = [c for c in config["scrape_configs"] if c["job_name"] == "image-pipeline"]
    (found,) = job["dns_sd_configs"]
    services = compose()["services"]

    assert found["names"] == ["web", "worker"]
    for name in found["names"]:
        assert services[name]["environment"]["METRICS_PORT"] == str(found["port"])


def test_compose_publishes_on_loopback_only_and_metrics_nowhere() -> None:
    services = compose()["services"]
    ports = [port for service in services.values() for port in service.get("ports", [])]

    assert [port for port in ports if not port.startswith("127.0.0.1:")] == []
    assert [port for port in ports if port.endswith(":9100")] == []


def test_the_observability_containers_start_only_with_the_profile_and_cannot_write() -> None:
    services = compose()["services"]
    profiles = {n: s["profiles"] for n, s in services.items() if "profiles" in s}

    assert profiles == {"prometheus": ["observability"], "grafana": ["observability"]}
    for name in profiles:
        assert services[name]["read_only"]
        assert re.search(r":v?\d+\.\d+\.\d+$", services[name]["image"])
        for volume in services[name]["volumes"]:
            source, mode = volume.partition(":")[0], volume.rpartition(":")[2]
            assert not source.startswith("./") or (mode == "ro" and (ROOT / source).exists())
