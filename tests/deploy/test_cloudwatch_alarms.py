"""The CloudWatch alarms ring when those of Prometheus do, on what the tasks write themselves."""

from __future__ import annotations

import re
from typing import Any

import pytest

from app.observability import cloudwatch
from app.observability.metrics import Metrics
from testkit.deploy import promql
from testkit.deploy.alarm_points import SPARE_POINTS
from testkit.deploy.cloudwatch_alarms import STACK, Fleet, alarms
from testkit.deploy.promtool_cases import Case, cases, minutes, series_of
from testkit.deploy.templates import template

#: The alarm that tells somebody, by the alert of Prometheus.
ALARMS = {
    "UploadsFailing": "uploads-goal",
    "UploadsFailingSlowly": "uploads-goal-slow",
    "AnnouncementsLate": "announcements-goal",
    "AnnouncementsLateSlowly": "announcements-goal-slow",
    "BreakersOpen": "breakers-open",
    "BacklogStuck": "backlog-stuck",
    "NoWorkerPolls": "no-workers",
    "NoWebScraped": "no-web",
    "DeadLetters": "dead-letters",
}
#: A period of CloudWatch has at most a day, so no alarm looks back over three.
OVER_THREE_DAYS = re.compile(r"after three days at a little over the goal")
GOALS = {"uploads": ("UploadsFailing", 0.005), "announcements": ("AnnouncementsLate", 0.01)}


def alert_of(case: Case) -> str:
    return case.name.partition(":")[0]


def told_of(case: Case) -> bool:
    alarm = ALARMS[alert_of(case)]
    return any(Fleet(case.of(cell)).tells(alarm, case.at_min) for cell in case.cells())


#: What ECS counts is tasks, of which at least one always is to run; another alarm tells of one that
#: hangs.
OTHERWISE_ON_ECS = {
    "NoWorkerPolls: quiet while nothing waits, as after a scale-in to none",
    "NoWorkerPolls: fires when the only worker runs and does not poll",
}
COMPARED = [
    case
    for case in cases("burn.yml", "slow_burn.yml", "thresholds.yml", "together.yml")
    if alert_of(case) in ALARMS
    and case.name not in OTHERWISE_ON_ECS
    and "count_over_time" not in case.expression
    and not OVER_THREE_DAYS.search(case.name)
]


@pytest.mark.parametrize("case", COMPARED, ids=lambda case: case.name)
def test_an_alarm_rings_in_the_cases_in_which_its_alert_fires(case: Case) -> None:
    assert told_of(case) == case.fires


def test_both_verdicts_of_every_alert_are_among_the_cases() -> None:
    seen = {(alert_of(case), case.fires) for case in COMPARED}
    alerts = {name for name, _ in seen}

    assert alerts == ALARMS.keys()
    assert seen == {(name, fires) for name in alerts for fires in (True, False)}


@pytest.mark.parametrize("name", sorted(OTHERWISE_ON_ECS))
def test_no_running_worker_rings_and_one_that_hangs_is_a_stuck_backlog(name: str) -> None:
    (case,) = (case for case in cases("thresholds.yml") if case.name == name)
    fleet, is_hung = Fleet(case.of("")), case.fires

    assert fleet.tells("no-workers", case.at_min) is not is_hung
    assert fleet.tells("backlog-stuck", case.at_min) is is_hung


NIGHTS = [case for case in cases("together.yml") if "count_over_time" in case.expression]


@pytest.mark.parametrize("case", NIGHTS, ids=lambda case: case.name)
def test_a_night_that_pages_once_or_never_does_so_on_aws_too(case: Case) -> None:
    (window,) = re.findall(r"\[(\w+)\]", case.expression)
    (cell,) = case.cells()
    fleet = Fleet(case.of(cell))
    looks = range(case.at_min - minutes(window), case.at_min + 1, 5)
    pages = {n for n, alert in promql.alerts().items() if alert["labels"]["severity"] == "page"}

    told = {name for name in pages if any(fleet.tells(ALARMS[name], look) for look in looks)}

    assert told == ({alert_of(case)} if case.fires else set())


def fleet_of(name: str, values: str, **labels: str) -> Fleet:
    """One process whose only series has these *values*, as promtool writes them."""
    told = ",".join(f'{key}="{value}"' for key, value in {"instance": "1", **labels}.items())
    return Fleet([series_of({"series": f"{name}{{{told}}}", "values": values}, 1)])


def rings_at(fleet: Fleet, alarm: str) -> list[int]:
    return [minute for minute in range(1, 60) if fleet.tells(alarm, minute)]


TASKS = {
    "no-workers": "image_pipeline_worker_polls_total",
    "no-web": "image_pipeline_uploads_total",
}


@pytest.mark.parametrize("alarm", TASKS)
def test_an_end_of_all_tasks_rings_once_no_point_with_a_task_counts_until_one_runs(
    alarm: str,
) -> None:
    """Without data the alarm also looks at two older points: two minutes more than its periods."""
    periods = alarms()[alarm]["EvaluationPeriods"]
    ended_at, back_at = 11, 31

    rung = rings_at(fleet_of(TASKS[alarm], "1x10 _x20 1x40"), alarm)

    assert rung == [*range(ended_at + periods + SPARE_POINTS - 1, back_at)]


@pytest.mark.parametrize("alarm", TASKS)
def test_data_that_comes_late_or_with_gaps_rings_nothing(alarm: str) -> None:
    assert rings_at(fleet_of(TASKS[alarm], "1x10 _x3 1 _x2 1x5 _x2 1x40"), alarm) == []


@pytest.mark.parametrize(("queue", "rung"), [("dead-letter", [*range(11, 16)]), ("input", [])])
def test_a_dead_letter_rings_at_once_and_until_it_is_gone(queue: str, rung: list[int]) -> None:
    fleet = fleet_of("image_pipeline_queue_messages", "0x10 1x4 0x60", queue=queue)

    assert rings_at(fleet, "dead-letters") == rung


def test_a_silence_of_sqs_is_no_dead_letter() -> None:
    fleet = fleet_of("image_pipeline_queue_messages", "0x10 _x60", queue="dead-letter")

    assert rings_at(fleet, "dead-letters") == []


def test_every_page_and_every_goal_of_prometheus_has_an_alarm_that_tells() -> None:
    """Goals: uploads, announcements, and what is lost ends in the dead-letter queue."""
    pages = {n for n, alert in promql.alerts().items() if alert["labels"]["severity"] == "page"}
    goals = {alert["alert"] for alert in promql.rules("goals.yml", "alert")}

    assert pages | goals | {"DeadLetters"} == ALARMS.keys()
    for name in ALARMS.values():
        assert alarms()[name]["AlarmActions"], name


@pytest.mark.parametrize("goal", GOALS)
def test_windows_and_burn_rates_are_those_of_prometheus(goal: str) -> None:
    """A threshold is the burn rate times the share of failures that the goal allows, in percent."""
    alert, share = GOALS[goal]
    text = promql.alerts()[alert]["expr"] + promql.alerts()[f"{alert}Slowly"]["expr"]
    burns = re.findall(rf"ratio_rate(\w+) > ([\d.]+) \* {share}", text)

    assert len(burns) == 6
    for window, burn in burns:
        alarm = alarms()[f"{goal}-burn-{window}"]
        assert alarm["Threshold"] == pytest.approx(float(burn) * share * 100)
        periods = {q["MetricStat"]["Period"] for q in alarm["Metrics"] if "MetricStat" in q}
        assert periods == {minutes(window) * 60}
        assert "AlarmActions" not in alarm


def test_the_tasks_count_what_the_goals_count() -> None:
    said = "\n".join(promql.records().values())
    results = {tuple(found.split("|")) for found in re.findall(r'result=~"([^"]+)"', said)}
    (again,) = set(re.findall(r'outcome!~"([^"]+)"', said))
    bounds = re.findall(r'le=~"([^"]+)"', said)

    assert {frozenset(each) for each in results} == {
        cloudwatch.FAILED_UPLOADS,
        cloudwatch.VALID_UPLOADS,
    }
    assert cloudwatch.ENDED.isdisjoint(again.split("|"))
    assert all(re.fullmatch(bound, each) for bound in bounds for each in cloudwatch.IN_TIME)


def test_alarms_ask_for_metrics_that_tasks_write_with_the_stacks_name_as_cell() -> None:
    metrics = Metrics()
    assert metrics.http
    assert metrics.worker
    written = cloudwatch.totals(metrics.registry.collect()).keys()
    asked = list(ours(template()["Resources"]))

    assert {each["MetricName"] for each in asked} == set(written)
    for each in asked:
        assert each["Dimensions"] == [
            {"Name": "service", "Value": cloudwatch.SERVICE},
            {"Name": "cell", "Value": {"Ref": "AWS::StackName"}},
        ]
    for role in ("Web", "Worker"):
        (container,) = template()["Resources"][f"{role}Task"]["Properties"]["ContainerDefinitions"]
        cell = {"Name": "CLOUDWATCH_CELL", "Value": {"Ref": "AWS::StackName"}}
        assert cell in container["Environment"]
        # Only what reaches CloudWatch Logs becomes a metric.
        assert container["LogConfiguration"]["LogDriver"] == "awslogs"


def ours(value: Any) -> Any:
    """Every metric of the tasks' own namespace in *value*."""
    if isinstance(value, dict) and value.get("Namespace") == cloudwatch.NAMESPACE:
        yield value
    for each in (
        value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    ):
        yield from ours(each)


def test_a_rule_names_alarms_that_exist_before_it_does() -> None:
    names = {
        key: each["Properties"]["AlarmName"]["Fn::Sub"]
        for key, each in template()["Resources"].items()
        if "AlarmName" in each.get("Properties", {})
    }
    composites = [
        each
        for each in template()["Resources"].values()
        if each["Type"] == "AWS::CloudWatch::CompositeAlarm"
    ]

    assert composites
    for each in composites:
        rule = each["Properties"]["AlarmRule"]["Fn::Sub"]
        asked = set(re.findall(r'ALARM\("([^"]+)"\)', rule))
        assert asked == {names[key] for key in each["DependsOn"]}


def test_cloudwatch_takes_the_periods() -> None:
    """At most a day, or a week of periods of an hour or more.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html
    """
    for name, alarm in alarms().items():
        stats = [q["MetricStat"] for q in alarm.get("Metrics", []) if "MetricStat" in q]
        for period in [each["Period"] for each in stats] or [alarm.get("Period", 60)]:
            assert period % 60 == 0
            assert period <= 86_400, name
            most = 86_400 if period < 3600 else 604_800
            assert period * alarm.get("EvaluationPeriods", 1) <= most, name
    assert STACK
