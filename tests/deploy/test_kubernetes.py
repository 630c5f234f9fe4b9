"""What deploy/kubernetes says agrees with the code, the image and itself.

scripts/check/lint_deploy.sh has the schemas of Kubernetes' own kinds; KEDA's are here.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from app.cli import arguments
from app.cli.arguments import ROLES
from app.observability.version import VERSION
from app.settings import Settings
from scripts.generate import write_rules
from testkit.deploy.templates import MANIFESTS, manifest, manifests, read, template
from testkit.root import ROOT

ROLES_HERE = ["web", "worker"]
EXAMPLE = MANIFESTS.parent / "example"
OVERLAYS = sorted((MANIFESTS.parent / "overlays").iterdir())
SCHEMAS = ROOT / "tests" / "data" / "keda"
OPERATORS = ROOT / "tests" / "data" / "operators"
#: As for the template.
STOPPING_S = 10


def pod(role: str) -> dict[str, Any]:
    spec: dict[str, Any] = manifest("Deployment", role)["spec"]["template"]["spec"]
    return spec


def container(role: str) -> dict[str, Any]:
    (found,) = pod(role)["containers"]
    container: dict[str, Any] = found
    return container


def variables(role: str) -> dict[str, str]:
    """The environment of the role's process."""
    assert container(role)["envFrom"] == [{"configMapRef": {"name": "image-pipeline"}}]
    shared: dict[str, str] = manifest("ConfigMap", "image-pipeline")["data"]
    return shared | {each["name"]: each["value"] for each in container(role)["env"]}


def port(role: str, name: str) -> int:
    (found,) = (each for each in container(role)["ports"] if each["name"] == name)
    number: int = found["containerPort"]
    return number


@pytest.mark.parametrize("kind", ["ScaledObject", "TriggerAuthentication"])
def test_keda_knows_every_field(kind: str) -> None:
    schema = json.loads((SCHEMAS / f"{kind.lower()}.json").read_text())

    jsonschema.validate(manifest(kind, "worker"), schema)


def test_a_misspelt_field_would_be_found() -> None:
    schema = json.loads((SCHEMAS / "scaledobject.json").read_text())
    scaled = manifest("ScaledObject", "worker")
    scaled["spec"]["triggers"][0]["metadata"]["scaleOnInflight"] = "true"

    with pytest.raises(jsonschema.ValidationError, match="scaleOnInflight"):
        jsonschema.validate(scaled, schema)


def test_every_file_is_a_resource_of_the_kustomization() -> None:
    listed = read(MANIFESTS / "kustomization.yaml")["resources"]

    assert sorted(listed) == sorted(
        path.name for path in MANIFESTS.glob("*.yaml") if path.name != "kustomization.yaml"
    )


def names_in(*paths: Path) -> set[tuple[str, str]]:
    return {
        (each["kind"], each["metadata"]["name"])
        for path in paths
        for each in yaml.safe_load_all(path.read_text())
    }


def files_of(folder: Path, key: str) -> list[Path]:
    said = read(folder / "kustomization.yaml").get(key, [])
    return [folder / (each["path"] if isinstance(each, dict) else each) for each in said]


@pytest.mark.parametrize("folder", [EXAMPLE, *OVERLAYS], ids=lambda path: path.name)
def test_an_overlay_patches_what_is_there_and_has_no_file_besides(folder: Path) -> None:
    there = {(each["kind"], each["metadata"]["name"]) for each in manifests()}
    for overlay in OVERLAYS:
        there |= names_in(*files_of(overlay, "resources"))
    patches = files_of(folder, "patches")
    own = [each for each in files_of(folder, "resources") if each.suffix]

    assert names_in(*patches) <= there
    assert sorted([*patches, *own, folder / "kustomization.yaml"]) == sorted(folder.iterdir())


def test_the_example_takes_one_overlay_for_requests_one_for_roles_and_the_metrics() -> None:
    taken = {path.name for path in files_of(EXAMPLE, "components")}

    assert len(taken & {"gateway-api", "aws-alb"}) == 1
    assert len(taken & {"irsa", "pod-identity"}) == 1
    assert "prometheus" in taken
    for folder in OVERLAYS:
        assert read(folder / "kustomization.yaml")["kind"] == "Component"


if shutil.which("kubectl"):  # it is not on PyPI

    @pytest.mark.parametrize("requests", ["gateway-api", "aws-alb"])
    @pytest.mark.parametrize("roles", ["irsa", "pod-identity"])
    def test_kustomize_builds_every_choice(requests: str, roles: str, tmp_path: Path) -> None:
        base, *parts = (
            os.path.relpath(path, tmp_path)
            for path in (MANIFESTS, OVERLAYS[0].parent / requests, OVERLAYS[0].parent / roles)
        )
        kustomization = {"resources": [base], "components": parts}
        (tmp_path / "kustomization.yaml").write_text(yaml.safe_dump(kustomization))

        built = subprocess.run(
            ["kubectl", "kustomize", tmp_path], capture_output=True, text=True, timeout=60
        )
        assert built.returncode == 0, built.stderr
        objects = {
            (each["kind"], each["metadata"]["name"]): each
            for each in yaml.safe_load_all(built.stdout)
        }

        owner = {"irsa": "workload", "pod-identity": "keda"}[roles]
        authentication = objects["TriggerAuthentication", "worker"]["spec"]["podIdentity"]
        assert authentication == {"provider": "aws", "identityOwner": owner}
        annotations = objects["ServiceAccount", "worker"]["metadata"].get("annotations", {})
        assert ("eks.amazonaws.com/role-arn" in annotations) == (roles == "irsa")
        kinds = {kind for kind, _ in objects}
        assert ("HTTPRoute" in kinds, "Ingress" in kinds) == (
            requests == "gateway-api",
            requests == "aws-alb",
        )


def test_the_base_lets_nobody_in_but_prometheus_and_each_choice_lets_its_proxy_in() -> None:
    (rule,) = manifest("NetworkPolicy", "web")["spec"]["ingress"]
    assert [each["port"] for each in rule["ports"]] == [port("web", "metrics")]
    assert not [each for each in manifests() if each["kind"] == "Ingress"]

    for name in ("gateway-api", "aws-alb"):
        policy = read(OVERLAYS[0].parent / name / "network.yaml")
        (rule,) = policy["spec"]["ingress"]
        assert [each["port"] for each in rule["ports"]] == [port("web", "http")]
        labels = manifest("Deployment", "web")["spec"]["template"]["metadata"]["labels"]
        assert policy["spec"]["podSelector"]["matchLabels"] == labels


@pytest.mark.parametrize("role", [*ROLES_HERE, "operator"])
def test_a_pod_reaches_dns_wherever_it_is_aws_over_ipv6_and_a_collector(role: str) -> None:
    dns, aws, agent = manifest("NetworkPolicy", role)["spec"]["egress"]
    blocks = {each["ipBlock"]["cidr"]: each["ipBlock"]["except"] for each in aws["to"]}

    assert "to" not in dns  # a node's cache has a link-local address, in no namespace
    assert {(each["protocol"], each["port"]) for each in dns["ports"]} == {("UDP", 53), ("TCP", 53)}
    # Not the credentials of the node.
    assert blocks == {"0.0.0.0/0": ["169.254.169.254/32"], "::/0": ["fd00:ec2::254/128"]}
    assert [each["port"] for each in aws["ports"]] == [443, 4318]
    assert {each["ipBlock"]["cidr"] for each in agent["to"]} == {
        "169.254.170.23/32",
        "fd00:ec2::23/128",
    }


def test_the_balancer_of_the_overlay_is_the_balancer_of_the_template() -> None:
    said = read(OVERLAYS[0].parent / "aws-alb" / "ingress.yaml")["metadata"]["annotations"]
    of = {key.partition("/")[2]: value for key, value in said.items()}
    resources = template()["Resources"]
    balancer = resources["LoadBalancer"]["Properties"]["LoadBalancerAttributes"]
    targets = resources["WebTargets"]["Properties"]
    listener = resources["HttpsListener"]["Properties"]

    assert of["load-balancer-attributes"].strip() == as_text(balancer)
    assert of["target-group-attributes"] == as_text(targets["TargetGroupAttributes"])
    assert of["ssl-policy"] == listener["SslPolicy"]
    assert of["healthcheck-path"] == targets["HealthCheckPath"]


def as_text(attributes: list[dict[str, str]]) -> str:
    """What has a value without a parameter."""
    fixed = [each for each in attributes if isinstance(each.get("Value"), str)]
    return ",".join(f"{each['Key']}={each['Value']}" for each in fixed)


def test_the_rules_of_the_overlay_are_those_of_prometheus() -> None:
    """After a change: python -m scripts.generate.write_rules."""
    assert write_rules.RULES.read_text() == write_rules.text()


def test_scraped_pods_have_the_labels_that_the_rules_expect() -> None:
    monitor = read(write_rules.RULES.with_name("monitors.yaml"))["spec"]
    (endpoint,) = monitor["podMetricsEndpoints"]
    given = {each["targetLabel"]: each.get("replacement") for each in endpoint["relabelings"]}

    assert given == {
        "job": "image-pipeline",
        "service": "image-pipeline",
        "cell": "main",
        "role": None,
    }
    for role in ROLES_HERE:
        labels = manifest("Deployment", role)["spec"]["template"]["metadata"]["labels"]
        assert monitor["selector"]["matchLabels"].items() <= labels.items()
        assert port(role, endpoint["port"])


@pytest.mark.parametrize(
    ("path", "schema"),
    [
        ("gateway-api/route.yaml", "httproute"),
        ("prometheus/monitors.yaml", "podmonitor"),
        ("prometheus/rules.yaml", "prometheusrule"),
    ],
)
def test_other_operators_know_every_field(path: str, schema: str) -> None:
    said = json.loads((OPERATORS / f"{schema}.json").read_text())

    jsonschema.validate(read(OVERLAYS[0].parent / path), said)


def test_an_operators_job_is_a_verb_with_the_operators_account() -> None:
    job = read(MANIFESTS.parent / "jobs" / "operator.yaml")
    spec = job["spec"]["template"]["spec"]
    (job_container,) = spec["containers"]

    assert spec["serviceAccountName"] == "operator"
    assert manifest("ServiceAccount", "operator")
    assert arguments.parse("alvura", job_container["args"]).command == "redrive"
    assert job_container["securityContext"] == container("worker")["securityContext"]
    assert job_container["envFrom"] == container("worker")["envFrom"]
    labels = job["spec"]["template"]["metadata"]["labels"]
    policy = manifest("NetworkPolicy", "operator")["spec"]
    assert policy["podSelector"]["matchLabels"] == labels


def test_image_and_region_are_for_the_overlay_to_set() -> None:
    """What the base has replaced, an overlay's own settings no longer reach."""
    base = read(MANIFESTS / "kustomization.yaml")
    overlay = read(EXAMPLE / "kustomization.yaml")

    assert not base.keys() & {"images", "replacements"}
    (image,) = overlay["images"]
    for role in ROLES_HERE:
        assert container(role)["image"].partition(":")[0] == image["name"]
    (replacement,) = overlay["replacements"]
    (target,) = replacement["targets"]
    assert target["fieldPaths"] == ["spec.triggers.0.metadata.awsRegion"]


def test_the_manifests_name_this_release() -> None:
    job = read(MANIFESTS.parent / "jobs" / "operator.yaml")["spec"]["template"]["spec"]
    containers = [*(container(role) for role in ROLES_HERE), *job["containers"]]

    assert {each["image"] for each in containers} == {f"image-pipeline:{VERSION}"}


def test_everything_is_in_the_one_namespace() -> None:
    name = read(MANIFESTS / "kustomization.yaml")["namespace"]

    places = {
        each["metadata"].get("namespace") for each in manifests() if each["kind"] != "Namespace"
    }
    assert places == {name}
    assert manifest("Namespace", name)


@pytest.mark.parametrize("role", ROLES_HERE)
def test_a_pod_sets_what_the_settings_take_and_runs_what_is_a_role(
    role: str, tmp_path: Any
) -> None:
    given = {name.lower(): value for name, value in variables(role).items()}
    if "api_tokens_file" in given:
        (tmp_path / "tokens").touch()
        given["api_tokens_file"] = str(tmp_path / "tokens")

    assert given.keys() <= Settings.model_fields.keys()
    assert Settings(**given).metrics_port == port(role, "metrics")  # type: ignore[arg-type]
    assert container(role)["args"] == [role]
    assert role in ROLES


@pytest.mark.parametrize("role", ROLES_HERE)
def test_the_pods_have_the_settings_of_the_tasks_of_the_template(role: str) -> None:
    (task,) = template()["Resources"][f"{role.title()}Task"]["Properties"]["ContainerDefinitions"]
    told = {each["Name"] for each in task["Environment"] if "Name" in each}
    elsewhere = {name for name in told if is_default(name)}

    assert told - variables(role).keys() <= elsewhere


def is_default(setting: str) -> bool:
    """Whether the parameter of the template has the setting's own default."""
    parameters, name = template()["Parameters"], setting.title().replace("_", "")
    return parameters.get(name, {}).get("Default") in (
        Settings.model_fields[setting.lower()].default,
        "600/minute",  # what the setting is beyond loopback
    )


def test_the_ports_are_those_of_the_settings() -> None:
    assert port("web", "http") == int(variables("web")["PORT"])
    (rule,) = manifest("Service", "web")["spec"]["ports"]
    assert rule["targetPort"] == "http"


@pytest.mark.parametrize("role", ROLES_HERE)
def test_a_pod_has_time_to_stop(role: str) -> None:
    settings = {name.lower(): value for name, value in variables(role).items()}
    grace_s = int(settings.get("grace_period_s", Settings.model_fields["grace_period_s"].default))
    before_s = container(role).get("lifecycle", {}).get("preStop", {}).get("sleep", {})

    needed_s = before_s.get("seconds", 0) + grace_s + STOPPING_S
    assert pod(role)["terminationGracePeriodSeconds"] >= needed_s


@pytest.mark.parametrize("role", ROLES_HERE)
def test_an_outage_of_s3_restarts_no_pod(role: str) -> None:
    assert container(role)["livenessProbe"]["httpGet"]["path"] == "/healthz"


def test_an_outage_of_s3_does_not_take_the_api_out_of_service() -> None:
    assert container("web")["readinessProbe"]["httpGet"]["path"] == "/healthz"
    # Wrong names and policies are found before a new pod counts.
    ready = {"path": "/readyz", "port": "metrics"}  # with METRICS_PORT it is nowhere else
    assert container("web")["startupProbe"]["httpGet"] == ready
    assert container("worker")["readinessProbe"]["httpGet"] == ready


@pytest.mark.parametrize("role", ROLES_HERE)
def test_a_pod_has_few_privileges(role: str) -> None:
    (user,) = re.findall(r"^USER (\d+)$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    security = container(role)["securityContext"]

    assert security["readOnlyRootFilesystem"] is True
    assert security["allowPrivilegeEscalation"] is False
    assert security["capabilities"] == {"drop": ["ALL"]}
    assert security["runAsUser"] == int(user)
    assert pod(role)["automountServiceAccountToken"] is False
    assert pod(role)["enableServiceLinks"] is False
    assert pod(role)["serviceAccountName"] == role
    assert manifest("ServiceAccount", role)


@pytest.mark.parametrize("kind", ["Deployment", "NetworkPolicy", "PodDisruptionBudget"])
@pytest.mark.parametrize("role", ROLES_HERE)
def test_selectors_find_the_pods(kind: str, role: str) -> None:
    labels = manifest("Deployment", role)["spec"]["template"]["metadata"]["labels"]
    spec = manifest(kind, role)["spec"]

    selector = spec.get("selector") or spec["podSelector"]
    assert selector["matchLabels"] == labels


def test_the_scaler_looks_at_the_queue_of_the_workers() -> None:
    trigger, _ = manifest("ScaledObject", "worker")["spec"]["triggers"]
    looked_at = trigger["metadata"]

    assert looked_at["queueURLFromEnv"] == "INPUT_QUEUE"
    assert looked_at["awsRegion"] == variables("worker")["AWS_REGION"]
    assert trigger["authenticationRef"]["name"] == "worker"
    assert manifest("ScaledObject", "worker")["spec"]["scaleTargetRef"]["name"] == "worker"


@pytest.mark.parametrize("role", ROLES_HERE)
def test_no_deployment_undoes_what_scaling_has_decided(role: str) -> None:
    assert "replicas" not in manifest("Deployment", role)["spec"]


def test_a_pod_does_not_count_the_cpus_of_its_node() -> None:
    size = template()["Mappings"]["WorkerSizes"]["small"]

    assert variables("worker")["WORKER_CONCURRENCY"] == size["Concurrency"]
    assert variables("worker")["MAX_PIXELS_IN_FLIGHT"] == size["Pixels"]
    assert container("worker")["resources"]["limits"]["memory"] == "2Gi"
    assert size["Memory"] == "2048"
