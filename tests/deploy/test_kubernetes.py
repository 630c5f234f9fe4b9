"""What deploy/kubernetes says agrees with the code, the image and itself.

scripts/lint_deploy.sh has the schemas of Kubernetes' own kinds; KEDA's are here.
"""

from __future__ import annotations

import json
import re
from typing import Any

import jsonschema
import pytest
import yaml

from app.cli.arguments import ROLES
from app.settings import Settings
from testkit.root import ROOT
from testkit.templates import MANIFESTS, manifest, manifests, read, template

ROLES_HERE = ["web", "worker"]
EXAMPLE = MANIFESTS.parent / "example"
SCHEMAS = ROOT / "tests" / "data" / "keda"
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


def test_the_example_patches_what_is_there() -> None:
    overlay = EXAMPLE
    patches = [each["path"] for each in read(overlay / "kustomization.yaml")["patches"]]
    base = {(each["kind"], each["metadata"]["name"]) for each in manifests()}
    patched = {
        (each["kind"], each["metadata"]["name"])
        for path in patches
        for each in yaml.safe_load_all((overlay / path).read_text())
    }

    assert patched <= base
    assert sorted([*patches, "kustomization.yaml"]) == sorted(p.name for p in overlay.iterdir())


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
def test_the_pods_are_told_what_the_tasks_of_the_template_are_told(role: str) -> None:
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
    for role in ROLES_HERE:
        allowed = {
            each["port"]
            for rule in manifest("NetworkPolicy", role)["spec"]["ingress"]
            for each in rule["ports"]
        }
        assert allowed == {each["containerPort"] for each in container(role)["ports"]}


@pytest.mark.parametrize("role", ROLES_HERE)
def test_a_pod_has_time_to_stop(role: str) -> None:
    settings = {name.lower(): value for name, value in variables(role).items()}
    grace_s = int(settings.get("grace_period_s", Settings.model_fields["grace_period_s"].default))
    before_s = container(role).get("lifecycle", {}).get("preStop", {}).get("sleep", {})

    needed_s = before_s.get("seconds", 0) + grace_s + STOPPING_S
    assert pod(role)["terminationGracePeriodSeconds"] >= needed_s


@pytest.mark.parametrize("role", ROLES_HERE)
def test_an_outage_of_s3_restarts_nobody(role: str) -> None:
    assert container(role)["livenessProbe"]["httpGet"]["path"] == "/healthz"


def test_an_outage_of_s3_does_not_take_the_api_out_of_service() -> None:
    assert container("web")["readinessProbe"]["httpGet"]["path"] == "/healthz"
    # Wrong names and policies are found before a new pod counts.
    ready = {"path": "/readyz", "port": "metrics"}  # with METRICS_PORT it is nowhere else
    assert container("web")["startupProbe"]["httpGet"] == ready
    assert container("worker")["readinessProbe"]["httpGet"] == ready


@pytest.mark.parametrize("role", ROLES_HERE)
def test_a_pod_may_do_little(role: str) -> None:
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
