"""Whether an endpoint answers, and what its clock says, with servers on loopback."""

from __future__ import annotations

import socket
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, HTTPServer
from time import time

import pytest

from app.doctor import endpoint
from app.doctor.endpoint import check_endpoint
from app.doctor.findings import Finding, State
from testkit.network.http_servers import serving


class Server(BaseHTTPRequestHandler):
    """A server that refuses, as S3 does without a signature, and whose clock is set."""

    ahead_s = 0.0
    has_clock = True

    def do_GET(self) -> None:
        self.send_response_only(403)
        if self.has_clock:
            self.send_header("Date", formatdate(time() + self.ahead_s, usegmt=True))
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None: ...


def check(ahead_s: float = 0.0, *, has_clock: bool = True) -> list[Finding]:
    members = {"ahead_s": ahead_s, "has_clock": has_clock}
    with serving(HTTPServer(("127.0.0.1", 0), type("_", (Server,), members))) as url:
        return list(check_endpoint(url, "start it"))


def test_an_error_response_counts_as_an_answer() -> None:
    assert [finding.state for finding in check()] == [State.OK, State.OK]


@pytest.mark.parametrize(
    ("ahead_s", "said"), [(-600, "s ahead of the clock of"), (600, "s behind the clock of")]
)
def test_a_clock_that_differs_by_minutes_is_a_failure(ahead_s: float, said: str) -> None:
    _, clock = check(ahead_s)

    assert clock.state is State.FAILED
    assert said in clock.said
    assert int(clock.said.split()[0]) == pytest.approx(600, abs=30)
    assert "set it with NTP" in clock.said


def test_without_a_date_the_clock_is_not_checked() -> None:
    assert check(has_clock=False)[1].state is State.SKIPPED


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("http://127.0.0.1:9", "nobody listens there: start it"),
        ("http://no-such-host.invalid", "the host name is unknown: start it"),
        ("nonsense", "unknown url type: 'nonsense': start it"),
    ],
)
def test_an_endpoint_that_does_not_answer_is_named_with_the_reason(url: str, reason: str) -> None:
    found, clock = check_endpoint(url, "start it")

    assert (found.state, found.subject, found.said) == (State.FAILED, f"endpoint {url}", reason)
    assert clock.state is State.SKIPPED


def test_a_silent_endpoint_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endpoint, "TIMEOUT_S", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        found, _ = check_endpoint(f"http://127.0.0.1:{silent.getsockname()[1]}", "start it")

    assert found.said == "no answer within 0.2 s: start it"


def test_an_http_server_at_an_https_url_is_reported() -> None:
    with serving(HTTPServer(("127.0.0.1", 0), Server)) as url:
        found, _ = check_endpoint(url.replace("http:", "https:"), "use http")

    assert found.said.startswith("TLS failed (")
