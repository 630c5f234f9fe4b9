"""Read the sizes, limits and scaling policies of the fleet from deploy/, for the model.

The model has no other source for these, so a projection is of the fleet that is deployed. A file of
deploy/rates/ has the parameters for a rate; without a file they are the template's defaults.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.model.hpa import HpaPolicy
from benchmarks.model.target_tracking import BACKLOG, CPU, ShrinkPolicy, TrackingPolicy
from testkit.deploy.templates import manifest, template
from testkit.root import ROOT

RATES = ROOT / "deploy" / "rates"
#: The images a second, in bursts ten times as many, for which the template's defaults are.
DEFAULT_RATE = 10
#: The name of each policy's metric in the template.
_METRICS = {"WorkerScalingByCpu": CPU, "WorkerScalingByBacklog": BACKLOG}


@dataclass(frozen=True)
class Sizes:
    """The worker tasks: each one's CPUs, images in progress and memory, and their number."""

    cpus: float
    slots: int
    memory_gb: float
    smallest: int
    largest: int


def parameters(rate: int | None = None) -> dict[str, Any]:
    """The template's parameters: its defaults, or those that deploy/rates/ has for *rate*."""
    defaults = {name: each["Default"] for name, each in template()["Parameters"].items()}
    return defaults | (_overrides(RATES / f"{rate}.json") if rate else {})


def _overrides(path: Path) -> dict[str, Any]:
    return dict(json.loads(path.read_text())["Parameters"])


def rates() -> list[int]:
    """The rates, images a second, for which deploy/rates/ has parameters."""
    return sorted(int(path.stem) for path in RATES.glob("*.json"))


def rate_file(rate: int) -> int | None:
    """The file of deploy/rates/ that is for *rate*; None where the defaults are."""
    return None if rate <= DEFAULT_RATE else next(each for each in rates() if rate <= each)


def sizes_on_ecs(rate: int | None = None) -> Sizes:
    said = parameters(rate)
    size = template()["Mappings"]["WorkerSizes"][said["WorkerSize"]]
    return Sizes(
        cpus=int(size["Cpu"]) / 1024,
        slots=int(size["Concurrency"]),
        memory_gb=int(size["Memory"]) / 1024,
        smallest=int(said["MinWorkers"]),
        largest=int(said["MaxWorkers"]),
    )


def web_busy() -> float:
    """The share of their CPUs that the policy of the web tasks keeps busy."""
    return float(_policy("WebScalingByCpu")["TargetValue"]) / 100


def policies_on_ecs(rate: int | None = None) -> tuple[TrackingPolicy, ...]:
    return tuple(_tracking(name, parameters(rate)) for name in _METRICS)


def _policy(name: str) -> dict[str, Any]:
    properties = template()["Resources"][name]["Properties"]
    found: dict[str, Any] = properties["TargetTrackingScalingPolicyConfiguration"]
    return found


def _tracking(name: str, said: dict[str, Any]) -> TrackingPolicy:
    policy, target = _policy(name), _policy(name)["TargetValue"]
    predefined = policy.get("PredefinedMetricSpecification", {}).get("PredefinedMetricType", "")
    period_s = 20.0 if predefined.endswith("HighResolution") else 60.0
    return TrackingPolicy(
        metric=_METRICS[name],
        target=float(said[target["Ref"]] if isinstance(target, dict) else target),
        out_cooldown_s=policy["ScaleOutCooldown"],
        period_s=period_s,
        delay_s=period_s,
    )


def shrink_policy_on_ecs() -> ShrinkPolicy:
    resources = template()["Resources"]
    alarm = resources["WorkersIdleAlarm"]["Properties"]
    policy = resources["WorkerScalingIn"]["Properties"]["StepScalingPolicyConfiguration"]
    (shown,) = [each for each in alarm["Metrics"] if each["ReturnData"]]
    return ShrinkPolicy(
        threshold=float(alarm["Threshold"]),
        steps=tuple(
            (-float(step["MetricIntervalUpperBound"]), -step["ScalingAdjustment"] / 100)
            for step in policy["StepAdjustments"]
        ),
        cooldown_s=policy["Cooldown"],
        periods=alarm["EvaluationPeriods"],
        period_s=shown["Period"],
        delay_s=shown["Period"],
    )


def sizes_on_kubernetes() -> Sizes:
    spec = manifest("ScaledObject", "worker")["spec"]
    (worker,) = manifest("Deployment", "worker")["spec"]["template"]["spec"]["containers"]
    told = {each["name"]: each["value"] for each in worker["env"]}
    return Sizes(
        cpus=float(worker["resources"]["requests"]["cpu"]),
        slots=int(told["WORKER_CONCURRENCY"]),
        memory_gb=float(worker["resources"]["requests"]["memory"].removesuffix("Gi")),
        smallest=spec["minReplicaCount"],
        largest=spec["maxReplicaCount"],
    )


def policy_on_kubernetes() -> HpaPolicy:
    spec = manifest("ScaledObject", "worker")["spec"]
    triggers = {each["type"]: each for each in spec["triggers"]}
    behavior = spec["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]
    (up,), (down,) = (behavior[way]["policies"] for way in ("scaleUp", "scaleDown"))
    return HpaPolicy(
        cpu_target=float(triggers["cpu"]["metadata"]["value"]),
        queue_target=float(triggers["aws-sqs-queue"]["metadata"]["queueLength"]),
        up_window_s=behavior["scaleUp"]["stabilizationWindowSeconds"],
        up_percent=up["value"],
        up_period_s=up["periodSeconds"],
        down_window_s=behavior["scaleDown"]["stabilizationWindowSeconds"],
        down_percent=down["value"],
        down_period_s=down["periodSeconds"],
    )
