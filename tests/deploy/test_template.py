"""What deploy/cloudformation.yaml says agrees with the code, the image and itself."""

from __future__ import annotations

import json
import re
import subprocess
from typing import Any

import pytest
from pydantic import ValidationError

from app.cli.arguments import ROLES
from app.errors import StorageUnavailableError
from app.health.health import Health
from app.health.probes import ProbeServer
from app.observability.metrics import Metrics
from app.server import server
from app.settings import Settings
from testkit.deploy.templates import TEMPLATE, template
from testkit.network.ports import free_port
from testkit.root import ROOT

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
    """Also those that are set only where a parameter is."""
    return {each["Name"]: each["Value"] for each in map(there, container(role)["Environment"])}


def there(value: Any) -> Any:
    """What `Fn::If` chooses where its condition holds."""
    return value["Fn::If"][1] if isinstance(value, dict) and "Fn::If" in value else value


def secrets(role: str) -> dict[str, Any]:
    return {each["Name"]: each["ValueFrom"] for each in map(there, container(role)["Secrets"])}


def default(setting: str) -> Any:
    return Settings.model_fields[setting.lower()].default


def test_the_template_is_small_enough_for_s3_and_every_deploy_command_names_a_bucket() -> None:
    """CreateStack takes 51,200 bytes in the call itself, and 1 MB from S3.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html
    """
    commands = re.findall(
        r"aws cloudformation deploy(?:.*\\\n)*.*", (ROOT / "deploy" / "README.md").read_text()
    )

    assert 51_200 < len(TEMPLATE.read_bytes()) < 1_000_000
    assert commands
    assert [each for each in commands if "--s3-bucket" not in each] == []


def test_there_are_no_aliases() -> None:
    """YAML has them, CloudFormation refuses them."""
    assert re.findall(r"[:-] [&*][a-z]", TEMPLATE.read_text()) == []


@pytest.mark.parametrize("role", ["web", "worker"])
def test_a_task_sets_what_is_a_setting_and_runs_what_is_a_role(role: str) -> None:
    known = {name.upper() for name in Settings.model_fields}
    from_secrets = secrets(role).keys() if role == "web" else set()

    assert variables(role).keys() | from_secrets <= known
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
        ("MaxGroupDepth", "max_group_depth"),
        ("MaxOwnerDepth", "max_owner_depth"),
        ("MaxUploadBytes", "max_upload_bytes"),
        ("MaxPixels", "max_pixels"),
        ("WebThreads", "web_threads"),
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
    # The load balancer itself is one.
    assert variables("web")["TRUSTED_PROXY_HOPS"] == {"Ref": "TrustedProxyHops"}
    hops = template()["Parameters"]["TrustedProxyHops"]
    assert hops["MinValue"] == hops["Default"] == 1


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
    assert container(role)["HealthCheck"]["Command"] == ["CMD", "/srv/healthy"]
    assert "COPY --chmod=755 deploy/healthy.sh healthy" in (ROOT / "Dockerfile").read_text()
    port = free_port()
    command = ["bash", str(ROOT / "deploy" / "healthy.sh")]
    own = {"METRICS_PORT": str(port), "PORT": "1"}

    def fail() -> None:
        raise StorageUnavailableError("S3 is away.")

    # Not ready, and alive all the same.
    health = Health(Settings(), check_ready=fail, expose=Metrics().expose)
    with ProbeServer("127.0.0.1", port, health):
        assert subprocess.run(command, timeout=30, env=own).returncode == 0
        # Without a port of its own for metrics, the API's.
        assert subprocess.run(command, timeout=30, env={"PORT": str(port)}).returncode == 0
    assert subprocess.run(command, timeout=30, env=own, capture_output=True).returncode != 0


def test_the_load_balancer_waits_longer_than_the_longest_answer_and_less_than_the_server() -> None:
    longest_wait_s = 30  # Prefer: wait
    attributes = map(there, resource("LoadBalancer")["LoadBalancerAttributes"])
    balancer = {each["Key"]: each["Value"] for each in attributes}
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


def test_the_parameters_of_the_api_reach_it() -> None:
    told = variables("web") | secrets("web")

    for setting, parameter in {
        "RATE_LIMIT": "RateLimit",
        "CORS_ORIGINS": "CorsOrigins",
        "IDEMPOTENCY_SECRET": "IdempotencySecretArn",
        "WEB_THREADS": "WebThreads",
        "MAX_UPLOAD_BYTES": "MaxUploadBytes",
        "MAX_PIXELS": "MaxPixels",
        "MAX_GROUP_DEPTH": "MaxGroupDepth",
        "MAX_OWNER_DEPTH": "MaxOwnerDepth",
        "OTEL_EXPORTER_OTLP_ENDPOINT": "OtlpEndpoint",
    }.items():
        assert told[setting] == {"Ref": parameter}, setting
    for setting in ("MAX_UPLOAD_BYTES", "MAX_PIXELS", "OTEL_EXPORTER_OTLP_ENDPOINT"):
        assert variables("worker")[setting] == variables("web")[setting]


def test_the_rate_limit_is_the_settings_own_and_its_pattern_takes_what_the_setting_takes() -> None:
    said = template()["Parameters"]["RateLimit"]

    assert (
        Settings(host="0.0.0.0", rate_limit=said["Default"]).rate
        == Settings(  # type: ignore[call-arg]
            host="0.0.0.0"
        ).rate
    )
    for value in ("60/minute", "1/second", "999999/day", "none", "0/minute", "60/month", ""):
        is_allowed = re.fullmatch(said["AllowedPattern"], value) is not None
        assert is_allowed == is_valid(rate_limit=value), value


def test_origins_that_the_template_lets_through_are_origins_for_the_setting() -> None:
    pattern = template()["Parameters"]["CorsOrigins"]["AllowedPattern"]
    good = ("https://scan.example", "https://a.example,http://b.example:8080", "")

    for value in good:
        assert re.fullmatch(pattern, value), value
        assert is_valid(cors_origins=value)
    for value in ("scan.example", "https://a.example/path", "*"):
        assert not re.fullmatch(pattern, value), value


def is_valid(**given: str) -> bool:
    try:
        Settings(**{name: value or None for name, value in given.items()})  # type: ignore[arg-type]
    except ValidationError:
        return False
    return given.get("rate_limit") != ""


@pytest.mark.parametrize("share", [0, 50, 80, 100])
def test_some_workers_are_never_on_spot_and_the_rest_are_shared_as_said(share: int) -> None:
    on_demand, spot = resource("WorkerService")["CapacityProviderStrategy"]
    weights = template()["Mappings"]["SpotShares"][str(share)]

    assert on_demand["Base"] == {"Ref": "OnDemandWorkers"}
    assert "Base" not in spot
    assert template()["Parameters"]["OnDemandWorkers"]["Default"] >= 1
    assert 100 * weights["Spot"] / (weights["Spot"] + weights["OnDemand"]) == share


@pytest.mark.parametrize("name", ["InputBucket", "ProcessedBucket"])
def test_images_outlive_the_stack_but_not_a_stack_that_was_never_made(name: str) -> None:
    bucket = template()["Resources"][name]

    assert bucket["DeletionPolicy"] == "RetainExceptOnCreate"
    assert bucket["UpdateReplacePolicy"] == "Retain"


def test_no_alarm_rings_for_a_service_that_is_being_made() -> None:
    resources = template()["Resources"]

    assert resources["NoWebAlarm"]["DependsOn"] == "WebService"
    # The other names the service itself.
    assert {"Fn::GetAtt": ["WorkerService", "Name"]} in [
        each["Value"] for each in resource("NoWorkersAlarm")["Dimensions"]
    ]


def test_a_release_reaches_the_workers_before_the_api_that_sends_them_jobs() -> None:
    assert "WorkerService" in template()["Resources"]["WebService"]["DependsOn"]


@pytest.mark.parametrize("role", ["web", "worker"])
def test_a_deployment_that_rings_is_rolled_back_and_a_rollback_rings(role: str) -> None:
    service = template()["Resources"][f"{role.title()}Service"]
    watched = service["Properties"]["DeploymentConfiguration"]["Alarms"]
    there = {
        each["Properties"]["AlarmName"]["Fn::Sub"]: name
        for name, each in template()["Resources"].items()
        if "AlarmName" in each.get("Properties", {})
    }
    alarms = {there[each["Fn::Sub"]] for each in watched["AlarmNames"]}
    rule = resource("FailedDeployments")["EventPattern"]

    assert watched["Enable"] is watched["Rollback"] is True
    # An alarm must be there when ECS looks for it.
    assert alarms
    assert alarms <= set(service["DependsOn"])
    assert {"Ref": f"{role.title()}Service"} in rule["resources"]
    assert "SERVICE_DEPLOYMENT_FAILED" in rule["detail"]["eventName"]
    assert "SERVICE_TASK_PLACEMENT_FAILURE" in rule["detail"]["eventName"]


def test_an_operator_runs_a_verb_with_the_workers_names_and_rights_of_their_own() -> None:
    command, parts = template()["Outputs"]["OperatorTask"]["Value"]["Fn::Sub"]
    overrides = re.search(r"--overrides (\{.*\})", command)

    assert overrides
    said = json.loads(overrides[1])
    assert said["taskRoleArn"] == "${OperatorRole.Arn}"
    assert said["containerOverrides"] == [
        {"name": container("worker")["Name"], "command": ["VERB"]}
    ]
    assert "--task-definition ${AWS::StackName}-worker" in command
    assert resource("WorkerTask")["Family"] == {"Fn::Sub": "${AWS::StackName}-worker"}
    assert resource("OperatorRole")["ManagedPolicyArns"] == [{"Ref": "OperatorPolicy"}]
    assert parts == {"Subnets": {"Fn::Join": [",", {"Ref": "TaskSubnetIds"}]}}


@pytest.mark.parametrize(
    ("requests", "ours", "balancers", "percent"),
    [
        (1000.0, 60.0, 0.0, 6.0),
        (1000.0, 10.0, 0.0, 0.0),  # ten or fewer are no alarm
        (None, None, 200.0, 100.0),  # no healthy task: the balancer answers, and counts no request
        (50.0, None, 200.0, 100.0),
    ],
)
def test_server_errors_ring_also_where_no_task_is_healthy(
    requests: float | None, ours: float | None, balancers: float | None, percent: float
) -> None:
    failed, shown = (each["Expression"] for each in resource("ServerErrorsAlarm")["Metrics"][-2:])
    values = {"requests": requests, "ours": ours, "balancers": balancers}
    names: dict[str, Any] = {
        **values,
        "FILL": lambda value, other: other if value is None else value,
        "IF": lambda condition, yes, no: yes if condition else no,
    }

    names["failed"] = eval(failed, names)
    assert eval(shown.replace("IF(failed > 10, 100", "IF(failed > 10, 100.0"), names) == percent


def test_scaling_divides_by_the_workers_that_are_desired_and_never_by_zero() -> None:
    policy = resource("WorkerScalingByBacklog")["TargetTrackingScalingPolicyConfiguration"]
    metrics = {m["Id"]: m for m in policy["CustomizedMetricSpecification"]["Metrics"]}
    (result,) = (m for m in metrics.values() if m["ReturnData"])

    assert result["Expression"]["Fn::Sub"].endswith(
        " / IF(FILL(desired, REPEAT) > 1, FILL(desired, REPEAT), 1)"
    )
    assert metrics.keys() == {"waiting", "groups", "desired", result["Id"]}
    # Zero workers times any backlog is zero workers.
    assert template()["Parameters"]["MinWorkers"]["MinValue"] == 1


def told_alarms() -> dict[str, dict[str, Any]]:
    """All but the one that scales, and the parts of others, which tell nobody."""
    return {
        name: each["Properties"]
        for name, each in template()["Resources"].items()
        if each["Type"] in ("AWS::CloudWatch::Alarm", "AWS::CloudWatch::CompositeAlarm")
        and name != "WorkersIdleAlarm"
        and "AlarmActions" in each["Properties"]
    }


def test_every_alarm_tells_the_topic_and_says_when_it_is_over() -> None:
    alarms = told_alarms()
    told = [{"Fn::If": ["HasAlarmTopic", {"Ref": "AlarmTopicArn"}, {"Ref": "AWS::NoValue"}]}]

    assert {
        each["AlarmName"]["Fn::Sub"].removeprefix("${AWS::StackName}-") for each in alarms.values()
    } == {
        "announcements-goal",
        "announcements-goal-slow",
        "backlog-stuck",
        "breakers-open",
        "dead-letters",
        "failed-deployment",
        "no-web",
        "no-workers",
        "oldest-message",
        "server-errors",
        "task-restarts",
        "unread-announcements",
        "uploads-goal",
        "uploads-goal-slow",
    }
    for name, alarm in alarms.items():
        assert alarm["AlarmActions"] == alarm["OKActions"] == told, name
        assert alarm["AlarmDescription"], name


def test_no_token_and_no_key_stands_in_the_template() -> None:
    assert secrets("web").keys() == {"API_TOKENS", "IDEMPOTENCY_SECRET"}
    assert "Secrets" not in container("worker")
    assert not {name for role in ("web", "worker") for name in variables(role)} & {
        "API_TOKENS",
        "IDEMPOTENCY_SECRET",
        "AWS_ACCESS_KEY_ID",
        "AWS_ENDPOINT_URL",
        "AWS_SECRET_ACCESS_KEY",
    }


def test_every_alarm_is_in_a_row_of_the_handbook() -> None:
    alarms = told_alarms().values()
    names = sorted(each["AlarmName"]["Fn::Sub"].partition("}")[2] for each in alarms)

    assert names
    handbook = (ROOT / "docs/operations.md").read_text()
    cells = re.findall(r"^\| (`-[^|]*)\|", handbook, re.MULTILINE)
    assert sorted(name for cell in cells for name in re.findall(r"`(-[a-z-]+)`", cell)) == names
