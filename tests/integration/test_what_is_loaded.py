"""Each role and each verb, in a fresh process, loads only the libraries that it needs."""

from __future__ import annotations

import importlib.metadata
import os
import re
import signal
import subprocess
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import pytest

from app.access.tokens import hash_token, make_token
from app.settings import Settings
from benchmarks.service.memory import resident_mb
from scripts.install import role_lock
from testkit.network.http_requests import http_request
from testkit.network.ports import free_port
from testkit.png.scans import page_png
from testkit.processes.fleet import environment, role
from testkit.root import ROOT
from testkit.timing.waiting import is_alive, wait_until

ENGINE = {"cv2", "numpy", "numba", "llvmlite", "app.image_processor", "app.binarize.methods"}
WORKER = {"app.consumer.consumer", "app.consumer.sandbox", "app.worker", "app.wiring.worker"}
AWS = {"boto3", "botocore", "obstore", "app.aws.clients"}
WEB = {"flask", "waitress", "babel", "jinja2", "app.routes", "app.server.server"}
VERBS = {"app.cli.operations.verbs", "app.cli.upload_client", "app.cli.upload", "tqdm"}
#: Servers read only PNG, with the package `app.png`.
PILLOW = {"PIL", "app.file_processor", "app.formats.pictures"}
#: The SDK is loaded only with an exporter; a separate command creates the resources.
OPTIONAL = {"opentelemetry.sdk", "app.setup_aws_resources"}

NOT_LOADED_BY_ROLE = {
    "web": ENGINE | WORKER | VERBS | PILLOW | OPTIONAL,
    "worker": WEB | VERBS | PILLOW | OPTIONAL,
    "all": VERBS | PILLOW | OPTIONAL,
}
NOT_LOADED_BY_OPERATOR = ENGINE | WORKER | WEB | PILLOW | OPTIONAL | {"app.cli.upload_client"}
NOT_LOADED_BY_CLIENT = ENGINE | WORKER | WEB | AWS | OPTIONAL | {"app.cli.operations.verbs"}
#: Without this check a role that loads nothing would pass.
LOADED_BY_ROLE = {
    "web": WEB | AWS,
    "worker": ENGINE | WORKER | AWS,
    "all": ENGINE | WORKER | WEB | AWS,
}
#: The time for a response; the engine may still be compiling, on a busy machine.
PATIENCE_S = 60
#: With the engine it would be over 200 MB.
MOST_MB_OF_WEB = 110


@pytest.fixture
def settings() -> Settings:
    """Settings with an endpoint that refuses every connection."""
    return Settings(
        aws_endpoint_url="http://127.0.0.1:9", port=free_port(), metrics_port=free_port()
    )


def start(target: Path, settings: Settings, *command: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.integration.loading", str(target), *command],
        cwd=ROOT,
        env=os.environ | environment(settings),
    )


def loaded_in(target: Path) -> set[str]:
    return set(target.read_text().splitlines())


def packages_in(target: Path) -> set[str]:
    """The installed packages of the application of which a module is loaded."""
    tops = {name.partition(".")[0] for name in loaded_in(target)}
    owners = importlib.metadata.packages_distributions()
    loaded = {re.sub(r"[._]", "-", n).lower() for top in tops for n in owners.get(top, ())}
    # A namespace belongs to all of its packages, so a loaded one does not tell which.
    return {name for name in loaded & packages_of("all") if not name.startswith("opentelemetry")}


def packages_of(role_of_image: str) -> set[str]:
    """The packages in the image of the role."""
    lock = role_lock.lock_of((ROOT / "requirements.txt").read_text(), role_of_image)
    return set(re.findall(r"^([a-z0-9-]+)==", lock, re.MULTILINE))


def try_everything(settings: Settings) -> None:
    """Request each kind of response, so that late imports have happened, too."""
    url = f"http://127.0.0.1:{settings.port}"
    wait_until(partial(is_alive, url))
    for path in ("/", "/status", "/docs", "/openapi.json", "/service", "/readyz"):
        http_request("GET", f"{url}{path}", retries=False, timeout=PATIENCE_S)
    fields = {"image": ("page.png", page_png()), "method": "sauvola", "window": "31"}
    answer = http_request("POST", f"{url}/upload", fields=fields, retries=False, timeout=PATIENCE_S)
    assert answer.json()["code"] == "storage-unavailable"  # so the PNG was checked and is good


@pytest.mark.parametrize("name", NOT_LOADED_BY_ROLE)
def test_a_role_loads_only_what_it_needs(name: str, settings: Settings, tmp_path: Path) -> None:
    target = tmp_path / "loaded"
    with start(target, settings, name) as process:
        try:
            wait_until(partial(is_alive, f"http://127.0.0.1:{settings.metrics_port}"))
            http_request(
                "GET", f"http://127.0.0.1:{settings.metrics_port}/metrics", timeout=PATIENCE_S
            )
            if name != "worker":
                try_everything(settings)
            process.send_signal(signal.SIGTERM)
            assert process.wait(60) == 0
        finally:
            process.kill()

    assert loaded_in(target) & NOT_LOADED_BY_ROLE[name] == set()
    assert packages_in(target) - packages_of(name) == set()
    assert LOADED_BY_ROLE[name] - loaded_in(target) == set()


def test_web_at_rest_takes_at_most_110_mb() -> None:
    assert 50 < resident_mb("web") <= MOST_MB_OF_WEB


@pytest.mark.parametrize(
    ("command", "strangers"),
    [
        (("reconcile",), NOT_LOADED_BY_OPERATOR),
        (("redrive",), NOT_LOADED_BY_OPERATOR),
        (("announce-again", "--all"), NOT_LOADED_BY_OPERATOR),
        (("watch", "--count", "1"), NOT_LOADED_BY_OPERATOR),
        (("token", "accounting"), NOT_LOADED_BY_CLIENT | PILLOW | VERBS),
    ],
)
def test_a_verb_loads_only_what_it_needs(
    command: Sequence[str], strangers: set[str], settings: Settings, tmp_path: Path
) -> None:
    target = tmp_path / "loaded"

    with start(target, settings, *command) as process:
        code = process.wait(60)

    assert code == (0 if command[0] == "token" else 1)
    assert loaded_in(target) & strangers == set()
    # A verb runs in the worker's image.
    assert packages_in(target) - packages_of("worker") == set()


def test_the_command_binarize_loads_the_engine_and_neither_a_server_nor_aws(
    settings: Settings, tmp_path: Path
) -> None:
    target, out = tmp_path / "loaded", tmp_path / "page.tif"

    with start(target, settings, "binarize", "image.png", "-o", str(out)) as process:
        code = process.wait(PATIENCE_S)

    assert code == 0
    assert out.stat().st_size > 1000
    assert loaded_in(target) & (WORKER | WEB | AWS | VERBS - {"tqdm"} | OPTIONAL) == set()
    assert (ENGINE | PILLOW) - loaded_in(target) == set()


def test_the_command_upload_loads_neither_a_server_nor_aws_nor_opencv(
    settings: Settings, tmp_path: Path
) -> None:
    """The server refuses the page because the command has no token."""
    target, url = tmp_path / "loaded", f"http://127.0.0.1:{settings.port}"
    guarded = settings.model_copy(update={"api_tokens": f"somebody:{hash_token(make_token())}"})
    command = ("upload", "image.png", "--url", url, "--pdf", str(tmp_path / "out.pdf"))

    with role("web", guarded):
        wait_until(partial(is_alive, url))
        with start(target, settings, *command) as process:
            code = process.wait(60)

    assert code == 1
    assert loaded_in(target) & NOT_LOADED_BY_CLIENT == set()
