"""start_localstack.sh: LocalStack from PyPI, or from Docker if an engine responds."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from app.aws import clients as aws
from app.settings import Settings
from testkit.network.ports import free_port
from testkit.root import ROOT

START = ROOT / "start_localstack.sh"

#: A stub of Docker, which test machines lack: it records its arguments and runs the same LocalStack
#: without a container.
FAKE_DOCKER = """#!/bin/sh
echo "$@" >> "{journal}"
cd "{root}"
case "$*" in
    *" up "*) exec "{python}" scripts/local/localstack.py start {port} .venv-localstack "{state}" ;;
    *" rm "*) exec "{python}" scripts/local/localstack.py stop "{state}" ;;
esac
"""


def start_localstack(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [START, *arguments], env=os.environ | variables, capture_output=True, text=True, timeout=120
    )


@pytest.fixture
def port() -> Iterator[int]:
    port = free_port()
    yield port
    start_localstack("stop", LOCALSTACK_PORT=str(port), LOCALSTACK_DOCKER="0")


def queue_urls(port: int) -> list[str]:
    settings = Settings(aws_endpoint_url=f"http://127.0.0.1:{port}")
    return aws.sqs_client(settings).list_queues()["QueueUrls"]


def is_listening(port: int) -> bool:
    asked = [
        sys.executable,
        str(ROOT / "scripts" / "local" / "localstack.py"),
        "answers",
        str(port),
    ]
    return subprocess.run(asked).returncode == 0


@pytest.mark.usefixtures("endpoint")  # LocalStack is installed by then
def test_the_script_starts_on_loopback_creates_the_resources_and_is_repeatable(port: int) -> None:
    first = start_localstack(LOCALSTACK_PORT=str(port), LOCALSTACK_DOCKER="0")
    second = start_localstack(LOCALSTACK_PORT=str(port), LOCALSTACK_DOCKER="0")

    assert (first.returncode, second.returncode) == (0, 0), first.stderr + second.stderr
    assert "queue new-image-input.fifo made" in first.stderr
    assert f"LocalStack answers on 127.0.0.1:{port}" in second.stderr
    assert "queue new-image-input.fifo is there" in second.stderr
    # The URLs have no host name that needs DNS.
    assert all(url.startswith(f"http://127.0.0.1:{port}/") for url in queue_urls(port))
    assert listening(port) == {"127.0.0.1"}


def listening(port: int) -> set[str]:
    """The addresses on which the LocalStack of *port* listens."""
    pid = int((ROOT / ".local" / f"localstack-{port}" / "localstack.pid").read_text())
    connections = psutil.Process(pid).net_connections("inet")
    return {c.laddr.ip for c in connections if c.status == psutil.CONN_LISTEN}


@pytest.mark.usefixtures("endpoint")
def test_two_concurrent_starts_make_one_localstack_and_a_stop_ends_it(port: int) -> None:
    variables = os.environ | {"LOCALSTACK_PORT": str(port), "LOCALSTACK_DOCKER": "0"}
    starts = [subprocess.Popen([START], env=variables) for _ in range(2)]

    codes = [start.wait(120) for start in starts]
    was_listening = is_listening(port)
    stopped = start_localstack("stop", LOCALSTACK_PORT=str(port), LOCALSTACK_DOCKER="0")

    assert (codes, stopped.returncode) == ([0, 0], 0)
    assert was_listening
    assert not is_listening(port)


@pytest.mark.usefixtures("endpoint")
def test_docker_is_used_if_an_engine_responds(port: int, tmp_path: Path) -> None:
    journal, docker = tmp_path / "journal", tmp_path / "docker"
    docker.write_text(
        FAKE_DOCKER.format(
            journal=journal, python=sys.executable, root=ROOT, port=port, state=tmp_path / "state"
        )
    )
    docker.chmod(0o755)
    path = f"{tmp_path}:{os.environ['PATH']}"

    started = start_localstack(LOCALSTACK_PORT=str(port), PATH=path)
    was_listening = is_listening(port)
    stopped = start_localstack("stop", LOCALSTACK_PORT=str(port), PATH=path)

    assert (started.returncode, stopped.returncode) == (0, 0), started.stderr + stopped.stderr
    assert was_listening
    assert not is_listening(port)
    assert journal.read_text().splitlines() == [
        "compose version",
        "info",
        "compose up --detach --wait --no-deps localstack",
        "compose rm --stop --force localstack",
    ]


def test_an_unknown_argument_is_refused() -> None:
    answer = start_localstack("restart")

    assert answer.returncode == 1
    assert "unknown argument 'restart'" in answer.stderr
