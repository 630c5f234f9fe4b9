"""Write the rules of deploy/prometheus as an object of the Prometheus operator.

./.venv/bin/python -m scripts.generate.write_rules
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import yaml

from scripts import usage

ROOT = Path(__file__).resolve().parents[2]
RULES: Final = ROOT / "deploy" / "kubernetes" / "overlays" / "prometheus" / "rules.yaml"
SOURCES: Final = ("goals.yml", "rules.yml", "alerts.yml")
_HEAD: Final = "# Written by `python -m scripts.generate.write_rules` from ../../../prometheus.\n"


def main() -> None:
    RULES.write_text(text())


def text() -> str:
    """The manifest of all groups of rules."""
    folder = ROOT / "deploy" / "prometheus"
    groups = [
        group for name in SOURCES for group in yaml.safe_load((folder / name).read_text())["groups"]
    ]
    manifest = {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PrometheusRule",
        "metadata": {"name": "image-pipeline", "namespace": "image-pipeline"},
        "spec": {"groups": groups},
    }
    return _HEAD + yaml.safe_dump(manifest, sort_keys=False, width=100, allow_unicode=True)


if __name__ == "__main__":
    usage.check(__doc__)
    main()
