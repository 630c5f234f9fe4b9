"""The Helm chart makes the objects that kustomize makes of the same files."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from app.observability.version import NAME, VERSION
from testkit.deploy.helm import CHART, charted, helm, kustomized
from testkit.deploy.templates import MANIFESTS, read

KUBERNETES = MANIFESTS.parent
EXAMPLE = KUBERNETES / "example"
OVERLAYS = sorted(path.name for path in (KUBERNETES / "overlays").iterdir())


@pytest.fixture
def values(tmp_path: Path) -> Any:
    def write(**said: Any) -> Path:
        path = tmp_path / "values.yaml"
        path.write_text(yaml.safe_dump(said))
        return path

    return write


def built_by_kustomize(tmp_path: Path, overlays: list[str]) -> Any:
    parts = [os.path.relpath(KUBERNETES / "overlays" / name, tmp_path) for name in overlays]
    said = {"resources": [os.path.relpath(MANIFESTS, tmp_path)], "components": parts}
    (tmp_path / "kustomization.yaml").write_text(yaml.safe_dump(said))
    return without_namespace(kustomized(tmp_path))


def without_namespace(objects: Any) -> Any:
    """Helm makes the namespace by itself."""
    return {key: each for key, each in objects.items() if key[0] != "Namespace"}


@pytest.mark.parametrize(
    "overlays",
    [[], *([name] for name in OVERLAYS), ["gateway-api", "irsa", "prometheus"]],
    ids="+".join,
)
def test_every_choice_of_overlays_makes_the_objects_of_kustomize(
    overlays: list[str], values: Any, tmp_path: Path
) -> None:
    expected = built_by_kustomize(tmp_path, overlays)

    assert charted(values(overlays=overlays)) == expected


def test_values_do_what_the_example_does_with_kustomize(values: Any) -> None:
    """Its overlays, image, settings with the scaler's region, roles and host."""
    example = read(EXAMPLE / "kustomization.yaml")
    (image,) = example["images"]
    patches = [
        patch
        for name in ("roles.yaml", "route.yaml")
        for patch in yaml.safe_load_all((EXAMPLE / name).read_text())
    ]

    made = charted(
        values(
            overlays=[Path(each).name for each in example["components"]],
            image=f"{image['newName']}:{image['newTag']}",
            config=read(EXAMPLE / "config.yaml")["data"],
            patches={f"{each['kind']}/{each['metadata']['name']}": each for each in patches},
        )
    )

    assert made == without_namespace(kustomized(EXAMPLE))


def test_the_workers_can_have_the_new_image_before_the_api(values: Any) -> None:
    made = charted(values(image="x@sha256:new", webImage="x@sha256:old"))
    images = {
        role: made["Deployment", role]["spec"]["template"]["spec"]["containers"][0]["image"]
        for role in ("web", "worker")
    }

    assert images == {"web": "x@sha256:old", "worker": "x@sha256:new"}


def test_everything_is_in_the_namespace_of_the_release(values: Any) -> None:
    made = charted(values(overlays=["prometheus"]), namespace="scans")

    assert {each["metadata"]["namespace"] for each in made.values()} == {"scans"}


@pytest.mark.parametrize(
    ("said", "complaint"),
    [
        ({"overlays": ["nginx"]}, "overlays"),
        ({"img": "x"}, "img"),
        ({"config": {"MAX_RECEIVES": 5}}, "MAX_RECEIVES"),
        ({"patches": {"Deployment/wbe": {}}}, "there is no Deployment/wbe"),
    ],
)
def test_a_value_that_would_change_nothing_is_refused(
    said: dict[str, Any], complaint: str, values: Any
) -> None:
    answer = helm("template", "x", CHART, "--values", values(**said))

    assert answer.returncode != 0
    assert complaint in answer.stderr


def test_helm_lint_finds_nothing() -> None:
    answer = helm("lint", "--strict", CHART)

    assert answer.returncode == 0, answer.stdout


def test_a_package_of_the_chart_has_the_files_that_the_links_point_to(tmp_path: Path) -> None:
    answer = helm("package", CHART, "--destination", tmp_path)
    (package,) = tmp_path.iterdir()

    assert answer.returncode == 0, answer.stderr
    assert helm("template", "x", package).stdout == helm("template", "x", CHART).stdout


def test_the_chart_says_the_release_and_the_overlays_that_there_are() -> None:
    chart, schema = read(CHART / "Chart.yaml"), read(CHART / "values.schema.json")

    assert (chart["name"], chart["version"], chart["appVersion"]) == (
        NAME.lower(),
        VERSION,
        VERSION,
    )
    assert schema["properties"]["overlays"]["items"]["enum"] == OVERLAYS
    assert schema["properties"].keys() - {"global"} == read(CHART / "values.yaml").keys()
