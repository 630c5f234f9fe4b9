"""What deploy/cloudformation.yaml says agrees with the code, the image and itself."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import Any

import pytest

from app.cli.arguments import ROLES
from app.errors import StorageUnavailableError
from app.health.health import Health
from app.health.probes import ProbeServer
from app.observability.metrics import Metrics
from app.server import server
from app.settings import Settings
from testkit.ports import free_port
from testkit.root import ROOT
from testkit.templates import TEMPLATE, template

#: Beside the grace period: the last poll and batches, the engine's child process, the interpreter.
STOPPING_S = 10
MIB = 1024 * 1024


def resource(name: str) -> dict[str, Any]:
    properties: dict[str, Any] = template()["Resources"][name]["Properties"]
    return properties


def container(role: str) -> dict[str, Any]:
    (found,) = resource(f"{role.title()}Task")["ContainerDefinitions"]
    container: dict[str, Any] = found
    return container


def variables(role: str) -> dict[str, Any]:
    return {each["Name"]: each["Value"] for each in container(role)["Environment"]}


def default(setting: str) -> Any:
    return Settings.model_fields[setting.lower()].default


def test_the_template_is_small_enough_to_be_sent_without_a_bucket() -> None:
    """CreateStack takes 51,200 bytes; more must lie in S3.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html
    """
    assert len(TEMPLATE.read_bytes()) < 51_200


def test_there_are_no_aliases() -> None:
    """YAML has them, CloudFormation refuses them."""
    assert re.findall(r"[:-] [&*][a-z]", TEMPLATE.read_text()) == []


@pytest.mark.parametrize("role", ["web", "worker"])
def test_a_task_sets_what_is_a_setting_and_runs_what_is_a_role(role: str) -> None:
    known = {name.upper() for name in Settings.model_fields}
    secrets = {each["Name"] for each in container(role).get("Secrets", [])}

    assert variables(role).keys() | secrets <= known
    assert container(role)["Command"] == [role]
    assert role in ROLES


def test_the_names_of_both_tasks_and_of_the_resources_agree() -> None:
    names = ("INPUT_BUCKET", "PROCESSED_BUCKET", "INPUT_QUEUE", "PROCESSED_QUEUE")

    for name in (*names, "INPUT_DEAD_LETTER_QUEUE", "RETENTION_DAYS", "AWS_REGION"):
        assert variables("web")[name] == variables("worker")[name], name
    assert (
        variables("worker")["VISIBILITY_TIMEOUT_S"] == resource("InputQueue")["VisibilityTimeout"]
    )
    redrive = resource("InputQueue")["RedrivePolicy"]
    assert variables("worker")["MAX_RECEIVES"] == redrive["maxReceiveCount"]


@pytest.mark.parametrize(
    ("parameter", "setting"),
    [
        ("RetentionDays", "retention_days"),
        ("VisibilityTimeoutS", "visibility_timeout_s"),
        ("MaxReceives", "max_receives"),
        ("MaxQueueDepth", "max_queue_depth"),
        ("LogLevel", "log_level"),
    ],
)
def test_a_parameter_has_the_default_and_the_bounds_of_its_setting(
    parameter: str, setting: str
) -> None:
    said, field = template()["Parameters"][parameter], Settings.model_fields[setting]
    bounds = {type(each).__name__: each for each in field.metadata}

    assert said["Default"] == field.default
    if "Ge" in bounds:
        assert (said["MinValue"], said.get("MaxValue")) == (bounds["Ge"].ge, bounds["Le"].le)


def test_ports_agree_from_the_load_balancer_to_the_process() -> None:
    port = int(variables("web")["PORT"])

    assert container("web")["PortMappings"] == [{"ContainerPort": port, "Protocol": "tcp"}]
    assert resource("WebTargets")["Port"] == port
    assert resource("WebService")["LoadBalancers"][0]["ContainerPort"] == port
    for rule in (
        resource("LoadBalancerToWeb"),
        resource("WebSecurityGroup")["SecurityGroupIngress"][0],
    ):
        assert (rule["FromPort"], rule["ToPort"]) == (port, port)
    assert variables("web")["TRUSTED_PROXY_HOPS"] == "1"


@pytest.mark.parametrize("role", ["web", "worker"])
def test_a_task_has_time_to_stop(role: str) -> None:
    given = variables(role)
    grace_s = int(given.get("GRACE_PERIOD_S", default("GRACE_PERIOD_S")))
    poll_s = int(given.get("POLL_WAIT_S", default("POLL_WAIT_S")))

    assert container(role)["StopTimeout"] >= grace_s + poll_s + STOPPING_S
    assert container(role)["StopTimeout"] <= 120  # Fargate's longest, and Spot's notice


@pytest.mark.parametrize("size", ["small", "medium", "large"])
def test_a_worker_has_memory_for_what_it_is_told_to_take(size: str) -> None:
    """By docs/engine.md: 6 bytes a pixel, the libraries; and the file, and the child's cap."""
    figures = template()["Mappings"]["WorkerSizes"][size]
    files = int(figures["Concurrency"]) * default("MAX_UPLOAD_BYTES")
    child = 8 * default("MAX_PIXELS") + 4 * default("MAX_UPLOAD_BYTES") + 256 * MIB
    needed = 6 * int(figures["Pixels"]) + files + child + 256 * MIB

    assert needed <= int(figures["Memory"]) * MIB
    # Else one large image would wait for ever smaller ones.
    assert int(figures["Pixels"]) >= default("MAX_PIXELS")


@pytest.mark.parametrize("role", ["web", "worker"])
def test_the_health_check_tells_a_process_that_lives_from_one_that_does_not(role: str) -> None:
    form, *command = container(role)["HealthCheck"]["Command"]
    port = free_port()
    assert f"127.0.0.1:{variables(role)['METRICS_PORT']}/" in command[-1]
    command = [sys.executable, *command[1:-1], command[-1].replace("9100", str(port))]

    def fail() -> None:
        raise StorageUnavailableError("S3 is away.")

    # Not ready, and alive all the same.
    health = Health(Settings(), check_ready=fail, expose=Metrics().expose)
    with ProbeServer("127.0.0.1", port, health):
        assert subprocess.run(command, timeout=30).returncode == 0
    assert subprocess.run(command, timeout=30, stderr=subprocess.DEVNULL).returncode != 0
    assert form == "CMD"


def test_the_load_balancer_waits_longer_than_the_longest_answer_and_less_than_the_server() -> None:
    longest_wait_s = 30  # Prefer: wait
    balancer = {e["Key"]: e["Value"] for e in resource("LoadBalancer")["LoadBalancerAttributes"]}
    target = {e["Key"]: e["Value"] for e in resource("WebTargets")["TargetGroupAttributes"]}

    assert longest_wait_s < int(balancer["idle_timeout.timeout_seconds"]) < server._IDLE_S
    assert int(target["deregistration_delay.timeout_seconds"]) > longest_wait_s


def test_an_outage_of_s3_does_not_have_every_task_replaced() -> None:
    assert resource("WebTargets")["HealthCheckPath"] == "/healthz"


def test_the_only_place_to_write_is_the_one_that_the_image_makes_writable() -> None:
    (volume,) = re.findall(r"^VOLUME (\S+)$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)

    for role in ("web", "worker"):
        assert container(role)["ReadonlyRootFilesystem"] is True
        assert [each["ContainerPath"] for each in container(role)["MountPoints"]] == [volume]
        assert container(role)["User"] == "10001"


def test_scaling_divides_by_the_workers_that_are_desired_and_never_by_zero() -> None:
    policy = resource("WorkerScalingByBacklog")["TargetTrackingScalingPolicyConfiguration"]
    metrics = {m["Id"]: m for m in policy["CustomizedMetricSpecification"]["Metrics"]}
    (result,) = (m for m in metrics.values() if m["ReturnData"])

    assert result["Expression"]["Fn::Sub"].endswith(" / IF(desired > 1, desired, 1)")
    assert metrics.keys() == {"waiting", "groups", "desired", result["Id"]}
    # Zero workers times any backlog is zero workers.
    assert template()["Parameters"]["MinWorkers"]["MinValue"] == 1


def told_alarms() -> dict[str, dict[str, Any]]:
    """All but the one that scales."""
    return {
        name: each["Properties"]
        for name, each in template()["Resources"].items()
        if each["Type"] == "AWS::CloudWatch::Alarm" and name != "WorkersIdleAlarm"
    }


def test_every_alarm_tells_the_topic_and_says_when_it_is_over() -> None:
    alarms = told_alarms()
    told = [{"Fn::If": ["HasAlarmTopic", {"Ref": "AlarmTopicArn"}, {"Ref": "AWS::NoValue"}]}]

    assert {
        each["AlarmName"]["Fn::Sub"].removeprefix("${AWS::StackName}-") for each in alarms.values()
    } == {
        "dead-letters",
        "no-web",
        "no-workers",
        "oldest-message",
        "server-errors",
        "task-restarts",
    }
    for name, alarm in alarms.items():
        assert alarm["AlarmActions"] == alarm["OKActions"] == told, name
        assert alarm["AlarmDescription"], name


def test_no_token_and_no_key_stands_in_the_template() -> None:
    assert {each["Name"] for each in container("web")["Secrets"]} == {"API_TOKENS"}
    assert not {name for role in ("web", "worker") for name in variables(role)} & {
        "API_TOKENS",
        "AWS_ACCESS_KEY_ID",
        "AWS_ENDPOINT_URL",
        "AWS_SECRET_ACCESS_KEY",
    }


def test_every_alarm_has_its_row_in_the_handbook_and_in_the_page_on_deploying() -> None:
    alarms = told_alarms().values()
    names = sorted(each["AlarmName"]["Fn::Sub"].partition("}")[2] for each in alarms)

    assert names
    for page in ("docs/operations.md", "deploy/README.md"):
        rows = re.findall(r"^\| `(-[a-z-]+)` \|", (ROOT / page).read_text(), re.MULTILINE)
        assert sorted(rows) == names, page
