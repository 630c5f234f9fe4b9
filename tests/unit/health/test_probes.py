"""The port for those who run the service, over a real socket."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import pytest
import urllib3

from app.errors import QueueUnavailableError
from app.health.health import Health
from app.health.probes import ProbeServer, _Handler
from app.observability.metrics import Metrics
from app.settings import Settings
from testkit.network.http_requests import http_request
from testkit.observability.counts import Counts


class Process:
    is_ready = True

    def check(self) -> None:
        if not self.is_ready:
            raise QueueUnavailableError("The worker does not poll any more.")


def health_of(process: Process, metrics: Metrics) -> Health:
    return Health(Settings(), check_ready=process.check, expose=metrics.expose)


@pytest.fixture
def process() -> Process:
    return Process()


@pytest.fixture
def metrics() -> Metrics:
    metrics = Metrics()
    metrics.worker.polls.inc()
    return metrics


@pytest.fixture
def server(metrics: Metrics, process: Process) -> Iterator[ProbeServer]:
    server = ProbeServer("127.0.0.1", 0, health_of(process, metrics))
    with server:
        yield server


def ask(server: ProbeServer, path: str, method: str = "GET") -> urllib3.BaseHTTPResponse:
    url = f"http://127.0.0.1:{server.port}{path}"
    return http_request(method, url, retries=False, timeout=60)


def test_metrics_are_served_as_prometheus_reads_them(server: ProbeServer) -> None:
    answer = ask(server, "/metrics")

    assert answer.status == 200
    assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert Counts(answer.data.decode()).get("worker_polls_total") == 1


def test_liveness_does_not_depend_on_readiness(server: ProbeServer, process: Process) -> None:
    process.is_ready = False

    assert (ask(server, "/healthz").status, ask(server, "/healthz").json()) == (
        200,
        {"status": "alive"},
    )
    answer = ask(server, "/readyz")
    assert (answer.status, answer.json()["code"]) == (503, "queue-unavailable")
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json()["detail"] == "The worker does not poll any more."


def test_readiness_recovers(server: ProbeServer, process: Process) -> None:
    process.is_ready = False
    ask(server, "/readyz")
    process.is_ready = True

    assert (ask(server, "/readyz").status, ask(server, "/readyz").json()) == (
        200,
        {"status": "ready"},
    )


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 404),
        ("GET", "/upload", 404),
        ("POST", "/metrics", 405),
        ("HEAD", "/metrics", 200),
    ],
)
def test_other_paths_are_not_found(
    server: ProbeServer, method: str, path: str, status: int
) -> None:
    answer = ask(server, path, method)

    assert answer.status == status
    assert answer.data or method == "HEAD"


def test_silent_clients_do_not_delay_other_clients(server: ProbeServer) -> None:
    silent = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(20)]

    assert ask(server, "/healthz").status == 200

    for connection in silent:
        connection.close()


def test_a_silent_client_is_cut_off(
    metrics: Metrics, process: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert _Handler.timeout is not None
    monkeypatch.setattr(_Handler, "timeout", 0.1)
    server = ProbeServer("127.0.0.1", 0, health_of(process, metrics))
    with server, socket.create_connection(("127.0.0.1", server.port), timeout=60) as silent:
        assert silent.recv(1) == b""


def test_a_stop_does_not_wait_for_a_client_that_is_silent(
    metrics: Metrics, process: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_Handler, "timeout", 600)
    server = ProbeServer("127.0.0.1", 0, health_of(process, metrics))
    with socket.create_connection(("127.0.0.1", server.port)), server:
        ask(server, "/healthz")
    assert "probes" not in [thread.name for thread in threading.enumerate()]
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", server.port), timeout=1)


def test_a_taken_port_is_reported_at_once(metrics: Metrics, process: Process) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()

        with pytest.raises(OSError, match="in use"):
            ProbeServer("127.0.0.1", other.getsockname()[1], health_of(process, metrics))


def test_the_server_listens_on_ipv6_too(metrics: Metrics, process: Process) -> None:
    server = ProbeServer("::1", 0, health_of(process, metrics))
    with server:
        url = f"http://[::1]:{server.port}/healthz"

        assert http_request("GET", url, retries=False, timeout=60).status == 200
