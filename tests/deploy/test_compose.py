"""docker-compose.yml: web and any number of workers side by side."""

from __future__ import annotations

from typing import Any

import pytest

from app.settings import Settings
from testkit.deploy.templates import read, template
from testkit.root import ROOT


def service(name: str) -> dict[str, Any]:
    found: dict[str, Any] = read(ROOT / "docker-compose.yml")["services"][name]
    return found


@pytest.mark.parametrize("key", ["container_name", "hostname", "ports"])
def test_the_worker_can_be_scaled(key: str) -> None:
    """`--scale worker=4` fails on a name or a port that two containers would share."""
    assert key not in service("worker")


@pytest.mark.parametrize("name", ["web", "worker"])
def test_every_variable_is_a_setting_or_a_credential(name: str) -> None:
    known = {field.upper() for field in Settings.model_fields}

    given = service(name)["environment"].keys()
    assert given - known == {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"}


def test_the_worker_has_the_health_check_of_a_task_on_aws() -> None:
    """tests/deploy/test_template.py runs that command."""
    (task,) = template()["Resources"]["WorkerTask"]["Properties"]["ContainerDefinitions"]
    assert service("worker")["healthcheck"]["test"] == task["HealthCheck"]["Command"]


@pytest.mark.parametrize("name", ["localstack", "web", "worker"])
def test_a_failed_container_is_restarted(name: str) -> None:
    assert service(name)["restart"] == "unless-stopped"


def test_setup_ends_so_that_up_runs_it_again() -> None:
    assert "restart" not in service("setup")


@pytest.mark.parametrize("name", ["web", "worker"])
def test_a_container_has_time_to_stop(name: str) -> None:
    grace_s = Settings.model_fields["grace_period_s"].default

    assert int(service(name)["stop_grace_period"].removesuffix("s")) > grace_s
