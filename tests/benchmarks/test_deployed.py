"""The model takes its figures from deploy/, and deploy/ has the sizes that its rates need."""

from __future__ import annotations

from typing import Any

import pytest

from app.domain.rates import Rate
from app.settings import Settings
from benchmarks.model import deployed
from benchmarks.model.fleets import BURST_FACTOR
from benchmarks.model.steady import by_task, fleet, tasks_for
from benchmarks.model.target_tracking import BACKLOG, CPU
from benchmarks.model.usage import usage_of
from benchmarks.report import tables
from testkit.deploy import templates
from testkit.deploy.templates import manifest, template
from testkit.root import ROOT

AUTO, OTSU = (usage_of(tables.results()[0], subject) for subject in ("ours-auto", "ours"))
#: How many times the measured need the fleet may be: a measurement differs from the next by some
#: 15 %, and deploy/ is not sized anew for that.
ROOM, WEB_ROOM = 2, 4
RATES = [None, *deployed.rates()]
#: Without line breaks.
PAGE = " ".join((ROOT / "docs" / "scaling.md").read_text().split())
WEB_SIZES = template()["Mappings"]["WebSizes"]


def resource(name: str) -> dict[str, Any]:
    properties: dict[str, Any] = template()["Resources"][name]["Properties"]
    return properties


def test_every_policy_of_the_workers_is_in_the_model() -> None:
    """A third one would scale a fleet that no projection is about."""
    there = {
        each["Properties"]["PolicyName"]
        for each in template()["Resources"].values()
        if each["Type"] == "AWS::ApplicationAutoScaling::ScalingPolicy"
        and each["Properties"]["ScalingTargetId"] == {"Ref": "WorkerScaling"}
    }

    assert there == {"cpu", "backlog-per-worker", "idle"}
    assert [one.metric for one in deployed.policies_on_ecs()] == [CPU, BACKLOG]
    for name in ("WorkerScalingByCpu", "WorkerScalingByBacklog"):
        assert resource(name)["TargetTrackingScalingPolicyConfiguration"]["DisableScaleIn"] is True


def test_a_change_of_the_template_is_a_change_of_the_model(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    changed = template()
    policy = changed["Resources"]["WorkerScalingByCpu"]["Properties"]
    policy = policy["TargetTrackingScalingPolicyConfiguration"]
    policy |= {"TargetValue": 55, "ScaleOutCooldown": 7}
    changed["Resources"]["WorkersIdleAlarm"]["Properties"]["Threshold"] = 11
    changed["Parameters"]["BacklogPerWorker"]["Default"] = 33
    changed["Parameters"]["MaxWorkers"]["Default"] = 44
    monkeypatch.setattr(deployed, "template", lambda: changed)

    cpu, backlog = deployed.policies_on_ecs()

    assert (cpu.target, cpu.out_cooldown_s) == (55, 7)
    assert deployed.shrink_policy_on_ecs().threshold == 11
    assert backlog.target == 33
    assert deployed.sizes_on_ecs().largest == 44


def test_a_change_of_the_manifests_is_a_change_of_the_model(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    changed = manifest("ScaledObject", "worker")
    queue, cpu = changed["spec"]["triggers"]
    queue["metadata"]["queueLength"], cpu["metadata"]["value"] = "33", "55"

    def changed_manifest(kind: str, name: str) -> dict[str, Any]:
        return changed if kind == "ScaledObject" else templates.manifest(kind, name)

    monkeypatch.setattr(deployed, "manifest", changed_manifest)

    assert deployed.policy_on_kubernetes().queue_target == 33
    assert deployed.policy_on_kubernetes().cpu_target == 55


def test_the_metric_that_the_model_computes_is_the_one_of_the_template() -> None:
    policy = resource("WorkerScalingByBacklog")["TargetTrackingScalingPolicyConfiguration"]
    (shown,) = [
        each for each in policy["CustomizedMetricSpecification"]["Metrics"] if each["ReturnData"]
    ]

    assert shown["Expression"] == {
        "Fn::Sub": "MIN([waiting, FILL(groups, 0) * ${BacklogPerWorker}])"
        " / IF(FILL(desired, REPEAT) > 1, FILL(desired, REPEAT), 1)"
    }


def test_the_alarm_under_which_the_fleet_shrinks_is_about_one_task_fewer() -> None:
    alarm, policy = resource("WorkersIdleAlarm"), deployed.shrink_policy_on_ecs()
    (shown,) = [each for each in alarm["Metrics"] if each["ReturnData"]]
    grows_at, _ = deployed.policies_on_ecs()

    assert shown["Expression"] == "cpu * FILL(desired, REPEAT) / (FILL(desired, REPEAT) - 1)"
    assert alarm["AlarmActions"] == [{"Ref": "WorkerScalingIn"}]
    assert resource("WorkerScalingIn")["StepScalingPolicyConfiguration"]["AdjustmentType"] == (
        "PercentChangeInCapacity"
    )
    for under, share in policy.steps:
        assert (policy.threshold - under) / (1 - share) <= grows_at.target


def test_cpu_is_measured_as_often_as_the_policy_looks() -> None:
    cpu, _ = deployed.policies_on_ecs()
    (measured,) = resource("WorkerService")["Monitoring"]["MetricConfigurations"]

    assert cpu.period_s == measured["ResolutionSeconds"] == 20
    assert measured["MetricNames"] == ["CPUUtilization"]


def test_both_deployments_keep_the_same_share_of_a_worker_busy() -> None:
    cpu, _ = deployed.policies_on_ecs()

    assert deployed.policy_on_kubernetes().cpu_target == cpu.target == 70


@pytest.mark.parametrize("of", RATES)
def test_the_most_workers_hold_ten_times_the_rate_that_they_are_for(of: int | None) -> None:
    rate = of or deployed.DEFAULT_RATE
    sizes = deployed.sizes_on_ecs(of)
    needed = tasks_for(AUTO, BURST_FACTOR * rate, sizes)

    assert needed <= sizes.largest <= ROOM * (needed + 2)
    assert sizes.smallest <= tasks_for(AUTO, rate, sizes)


def test_the_most_pods_hold_ten_times_the_rate_that_the_manifests_are_for() -> None:
    sizes = deployed.sizes_on_kubernetes()
    needed = tasks_for(AUTO, BURST_FACTOR * deployed.DEFAULT_RATE, sizes)

    assert needed <= sizes.largest <= ROOM * (needed + 2)


@pytest.mark.parametrize("of", RATES)
def test_a_worker_takes_enough_images_to_get_as_busy_as_the_fleet_grows_at(of: int | None) -> None:
    """Otherwise the images in hand, which wait for S3, would limit a fleet that looks idle."""
    cpu, _ = deployed.policies_on_ecs(of)
    sizes = deployed.sizes_on_ecs(of)

    for usage in (AUTO, OTSU):
        busy = by_task(usage, sizes) * usage.worker_cpu_s / sizes.cpus
        assert 100 * busy > cpu.target


@pytest.mark.parametrize("of", RATES)
def test_the_most_web_tasks_hold_ten_times_the_rate_that_they_are_for(of: int | None) -> None:
    rate, said = of or deployed.DEFAULT_RATE, deployed.parameters(of)
    cpus = int(WEB_SIZES[said["WebSize"]]["Cpu"]) / 1024
    by_task = cpus * deployed.web_busy() / AUTO.web_cpu_s

    assert 1 <= int(said["MaxWeb"]) * by_task / (BURST_FACTOR * rate) <= WEB_ROOM
    assert int(said["MinWeb"]) >= 2


@pytest.mark.parametrize("of", deployed.rates())
def test_one_client_alone_may_send_ten_times_the_rate(of: int) -> None:
    said = deployed.parameters(of)
    rate = Rate.parse(said["RateLimit"])

    assert int(said["MinWeb"]) * rate.limit / rate.window_s >= BURST_FACTOR * of


def test_by_default_one_client_may_send_the_rate_that_the_defaults_are_for() -> None:
    said = deployed.parameters()
    rate = Rate.parse(said["RateLimit"])

    assert int(said["MinWeb"]) * rate.limit / rate.window_s >= deployed.DEFAULT_RATE


@pytest.mark.parametrize("of", RATES)
def test_the_backlog_of_a_worker_is_half_a_minute_or_so_of_its_work(of: int | None) -> None:
    _, backlog = deployed.policies_on_ecs(of)
    cpus = deployed.sizes_on_ecs(of).cpus

    assert 20 <= backlog.target * AUTO.worker_cpu_s / cpus <= 60


def test_keda_orders_no_more_than_two_pods_for_the_full_group_of_one_client() -> None:
    """It cannot see groups, so the limit of a group is what bounds its pods."""
    policy = deployed.policy_on_kubernetes()

    assert Settings().max_group_depth / policy.queue_target <= 2
    assert 5 <= policy.queue_target * AUTO.worker_cpu_s <= 30


@pytest.mark.parametrize("of", deployed.rates())
def test_a_file_for_a_rate_names_parameters_with_texts_that_they_take(of: int) -> None:
    """`aws cloudformation deploy --parameter-overrides file://` takes texts only."""
    said = deployed.parameters(of)
    known = template()["Parameters"]

    assert said.keys() == known.keys()
    for name, value in said.items():
        assert str(value) in [str(each) for each in known[name].get("AllowedValues", [value])]
        if known[name]["Type"] == "Number":
            assert int(value) >= known[name].get("MinValue", 0)


def test_the_page_on_scaling_says_what_is_deployed() -> None:
    cpu, backlog = deployed.policies_on_ecs()
    shrink, sizes = deployed.shrink_policy_on_ecs(), deployed.sizes_on_ecs()
    words = {2: "two", 3: "three", 0.1: "a tenth", 0.5: "half"}
    (deep, large), (none, small) = shrink.steps

    assert none == 0
    assert tasks_for(AUTO, deployed.DEFAULT_RATE, sizes) == 1
    for sentence in (
        f"a small worker task ({sizes.cpus:.0f} vCPU) and {words[deployed.parameters()['MinWeb']]} "
        f"web tasks; up to {sizes.largest} workers in a burst",
        f"one for {cpu.target:.0f} % CPU, which sees {cpu.period_s:.0f}-second metrics "
        f"{cpu.delay_s:.0f} s late",
        f"each needs {words[cpu.periods]} agreeing periods",
        f"after {shrink.periods * shrink.period_s / 60:.0f} minutes in which one worker fewer "
        f"would be under {shrink.threshold:.0f} % busy, {words[small]} goes, or {words[large]} if "
        f"it would be under {shrink.threshold - deep:.0f} %",
    ):
        assert sentence in PAGE, sentence
    assert backlog.periods == cpu.periods


def test_the_page_on_deploying_says_what_the_defaults_are_for() -> None:
    page = " ".join((ROOT / "deploy" / "README.md").read_text().split())

    assert f"The defaults are for {deployed.DEFAULT_RATE} images a second" in page
    for of in deployed.rates():
        assert f"rates/{of}.json" in page


def test_the_fleet_that_is_priced_is_the_one_that_is_deployed() -> None:
    of = fleet()

    assert (of.web_busy, of.worker_busy) == (0.6, 0.7)
    assert of.gb_per_vcpu == 2
    assert of.retention_days == template()["Parameters"]["RetentionDays"]["Default"]
