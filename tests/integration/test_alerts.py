"""The alerts under promtool; alerts and dashboard in a Prometheus that scrapes the pipeline."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from app.aws import clients as aws
from app.settings import Settings
from app.setup_aws_resources import ensure_resources
from testkit.deploy import promql
from testkit.deploy.prometheus import find, promtool
from testkit.network.http_requests import http_request
from testkit.network.ports import free_port
from testkit.png.scans import page_png
from testkit.processes.fleet import preload, role
from testkit.root import ROOT
from testkit.timing.waiting import is_alive, is_ok, wait_until

FILES = [promql.PROMETHEUS / name for name in ("goals.yml", "rules.yml", "alerts.yml")]
CASES = sorted((ROOT / "tests" / "alerts").glob("*.yml"))
#: A short range for the dashboard's queries, because the test scrapes every second.
QUICK = promql.VARIABLES | {"$__rate_interval": "10s"}
#: Panels that are empty for a healthy pipeline.
EMPTY_IF_WELL = {"Alerts that fire", "5xx responses by route", "Errors by code"}


# --- promtool ------------------------------------------------------------------------------------


def test_promtool_accepts_the_configuration_and_its_rules() -> None:
    said = promtool(
        "check", "config", "--lint=all", "--lint-fatal", FILES[0].with_name("prometheus.yml")
    )

    assert said.returncode == 0, said.stdout + said.stderr


@pytest.mark.parametrize("cases", CASES, ids=lambda path: path.stem)
def test_alerts_fire_at_their_thresholds_and_not_just_below(cases: Path) -> None:
    said = promtool("test", "rules", cases)

    assert said.returncode == 0, said.stdout + said.stderr


# --- Prometheus ----------------------------------------------------------------------------------


class Prometheus:
    def __init__(self, port: int) -> None:
        self._url = f"http://127.0.0.1:{port}"

    @property
    def is_ready(self) -> bool:
        return is_ok(f"{self._url}/-/ready")

    def get(self, path: str, **fields: str) -> Any:
        answer = http_request("GET", f"{self._url}/api/v1/{path}", fields=fields, timeout=20)
        found = answer.json()
        assert found["status"] == "success", found
        return found["data"]

    def ask(self, expression: str) -> list[dict[str, Any]]:
        """The present value of *expression*; fails the test if Prometheus reports an error."""
        found: list[dict[str, Any]] = self.get("query", query=expression)["result"]
        return found

    def firing(self) -> dict[str, dict[str, str]]:
        """The annotations of the firing alerts, by name."""
        alerts = self.get("alerts")["alerts"]
        return {
            a["labels"]["alertname"]: a["annotations"] for a in alerts if a["state"] == "firing"
        }


@contextmanager
def prometheus(directory: Path, target: int) -> Iterator[Prometheus]:
    """A Prometheus with the files of deploy/ that scrapes only *target*, every second."""
    _write_quick_files(directory, target)
    port = free_port()
    command = [
        find("prometheus"),
        f"--config.file={directory / 'prometheus.yml'}",
        f"--storage.tsdb.path={directory / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--log.level=warn",
    ]
    with (directory / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        yield Prometheus(port)
    finally:
        process.kill()
        process.wait()


def _write_quick_files(directory: Path, target: int) -> None:
    """Copy the files with 1 s in place of each 15 s, so that 5 minutes take 20 s."""
    config = yaml.safe_load((promql.PROMETHEUS / "prometheus.yml").read_text())
    config["global"] = {
        "scrape_interval": "1s",
        "scrape_timeout": "1s",
        "evaluation_interval": "1s",
    }
    (job, _) = config["scrape_configs"]
    for name in ("dns_sd_configs", "relabel_configs"):
        del job[name]
    job["static_configs"] = [{"targets": [f"127.0.0.1:{target}"], "labels": {"role": "all"}}]
    config["scrape_configs"] = [job]
    (directory / "prometheus.yml").write_text(yaml.safe_dump(config))
    for path in FILES:
        text = re.sub(r"^ +interval: \w+\n", "", path.read_text(), flags=re.MULTILINE)
        (directory / path.name).write_text(re.sub(r"for: \d+m", "for: 1s", text))


@pytest.fixture
def settings(aws_settings: Settings) -> Settings:
    ports = {"port": free_port(), "metrics_port": free_port()}
    settings = aws_settings.model_copy(update=ports)
    ensure_resources(settings, s3=aws.s3_client(settings), sqs=aws.sqs_client(settings))
    return settings


def test_a_real_prometheus_answers_every_query_and_fires_when_the_pipeline_ends(
    settings: Settings, tmp_path: Path
) -> None:
    url, metrics_port = f"http://127.0.0.1:{settings.port}", settings.metrics_port or 0
    with prometheus(tmp_path, metrics_port) as server:
        with role("all", settings):
            wait_until(lambda: is_alive(url) and server.is_ready, within_s=60)
            upload(url)
            preload(settings, 3)
            wait_until(lambda: has_finished(server, 4))
            wait_until(lambda: empty_panels(server) == EMPTY_IF_WELL, every_s=0.5)
            answers = {n: server.ask(alert["expr"]) for n, alert in promql.alerts().items()}

        wait_until(lambda: "TargetDown" in server.firing())
        said = server.firing()["TargetDown"]

    assert {name for name, answer in answers.items() if answer} == set()
    assert f"127.0.0.1:{metrics_port}" in said["description"]
    assert said["runbook_url"] == "docs/operations.md#targetdown"


def upload(url: str) -> None:
    fields = {"image": ("scan.png", page_png()), "method": "otsu"}
    answer = http_request("POST", f"{url}/upload", fields=fields)
    assert answer.status == 202


def has_finished(server: Prometheus, images: int) -> bool:
    name = "image_pipeline_worker_time_to_announcement_seconds_count"
    return bool(server.ask(f"{name} == {images}"))


def empty_panels(server: Prometheus) -> set[str]:
    """The panels with a query that returns nothing; printed, in case the test times out."""
    empty = {
        panel["title"]
        for panel in promql.panels()
        for target in panel["targets"]
        if not server.ask(promql.filled_in(target["expr"], QUICK))
    }
    print(f"nothing to show: {sorted(empty)}")
    return empty
