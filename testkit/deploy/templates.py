"""Read CloudFormation templates and Kubernetes manifests."""

from __future__ import annotations

from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from testkit.root import ROOT

TEMPLATE = ROOT / "deploy" / "cloudformation.yaml"
MANIFESTS = ROOT / "deploy" / "kubernetes" / "base"


def template() -> dict[str, Any]:
    """The template with its short forms written out, as it is in JSON."""
    return deepcopy(_template())


@cache  # a third of a second
def _template() -> dict[str, Any]:
    whole: dict[str, Any] = yaml.load(TEMPLATE.read_text(), _Loader)
    return whole


def manifests() -> list[dict[str, Any]]:
    """Every object of deploy/kubernetes/base, kustomization.yaml aside."""
    return deepcopy(_manifests())


@cache
def _manifests() -> list[dict[str, Any]]:
    return [
        document
        for path in sorted(MANIFESTS.glob("*.yaml"))
        if path.name != "kustomization.yaml"
        for document in yaml.safe_load_all(path.read_text())
    ]


def manifest(kind: str, name: str) -> dict[str, Any]:
    """The one object of that kind and name."""
    (found,) = (
        each for each in manifests() if (each["kind"], each["metadata"]["name"]) == (kind, name)
    )
    return found


class _Loader(yaml.SafeLoader):
    pass


def _long_form(loader: _Loader, name: str, node: yaml.Node) -> dict[str, Any]:
    """`!GetAtt a.b` is `{"Fn::GetAtt": ["a", "b"]}`, and so on.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/intrinsic-function-reference.html
    """
    if isinstance(node, yaml.ScalarNode):
        value: Any = loader.construct_scalar(node)
    else:
        value = loader.construct_object(_untagged(node), deep=True)  # type: ignore[no-untyped-call]
    if name == "GetAtt" and isinstance(value, str):
        value = value.split(".", 1)
    return {name if name in ("Ref", "Condition") else f"Fn::{name}": value}


def _untagged(node: yaml.Node) -> yaml.Node:
    kind = "seq" if isinstance(node, yaml.SequenceNode) else "map"
    return type(node)(f"tag:yaml.org,2002:{kind}", node.value)  # type: ignore[call-arg]


_Loader.add_multi_constructor("!", _long_form)  # type: ignore[no-untyped-call]


def read(path: Path) -> Any:
    return yaml.safe_load(path.read_text())
