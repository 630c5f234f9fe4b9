"""The API is killed between storing an upload and sending its job: no image is lost."""

from __future__ import annotations

import os
import signal

import pytest
import urllib3

from app.aws import clients as aws
from app.settings import Settings
from app.sqs_service import make_queue
from testkit.aws.fault_proxy import Call, FaultProxy, Rule
from testkit.network.http_requests import http_request
from testkit.network.ports import free_port
from testkit.png.scans import page_png
from testkit.processes.fleet import Announcements, role, run_command, wait_until_empty
from testkit.timing.waiting import is_alive, wait_until


@pytest.fixture
def settings(fault_settings: Settings) -> Settings:
    return fault_settings.model_copy(update={"port": free_port()})


def upload(settings: Settings, headers: dict[str, str] | None = None) -> urllib3.BaseHTTPResponse:
    fields = {"image": ("page.png", page_png(), "image/png")}
    url = f"http://127.0.0.1:{settings.port}/upload"
    return http_request("POST", url, fields=fields, headers=headers, retries=False)


def test_an_orphan_is_not_acknowledged_and_reconcile_sends_it(settings: Settings) -> None:
    jobs = make_queue(settings, settings.input_queue)
    with FaultProxy(settings.aws_endpoint_url) as proxy, Announcements(settings) as announcements:
        with role("web", settings.model_copy(update={"aws_endpoint_url": proxy.url})) as web:
            wait_until(lambda: is_alive(f"http://127.0.0.1:{settings.port}"))
            kill = Call(before=lambda: os.kill(web.process.pid, signal.SIGKILL))
            proxy.rules = [Rule(kill, frozenset({"SendMessage"}))]
            with pytest.raises(urllib3.exceptions.HTTPError):
                upload(settings)
        (orphan,) = stored(settings)
        waiting = jobs.depth().waiting

        reconciled = run_command("reconcile", settings, "--older-than", "0")
        with role("worker", settings):
            wait_until(lambda: announcements.seen[orphan, "processed"] == 1, within_s=120)

    assert waiting == 0
    assert reconciled.returncode == 0, reconciled.stderr
    assert sum(announcements.seen.values()) == 1


@pytest.mark.parametrize("is_sent", [False, True])
def test_with_a_key_the_client_completes_an_upload_after_a_crash(
    settings: Settings, is_sent: bool
) -> None:
    """The API is killed before or after the send, and has not responded; the client retries."""
    key = {"Idempotency-Key": "page-1-of-invoice-42"}
    with FaultProxy(settings.aws_endpoint_url) as proxy, Announcements(settings) as announcements:
        with role("web", settings.model_copy(update={"aws_endpoint_url": proxy.url})) as web:
            wait_until(lambda: is_alive(f"http://127.0.0.1:{settings.port}"))

            def kill() -> None:
                os.kill(web.process.pid, signal.SIGKILL)

            fault = Call(after=kill) if is_sent else Call(before=kill)
            proxy.rules = [Rule(fault, frozenset({"SendMessage"}))]
            with pytest.raises(urllib3.exceptions.HTTPError):
                upload(settings, key)
        proxy.rules = []
        with role("web", settings), role("worker", settings):
            wait_until(lambda: is_alive(f"http://127.0.0.1:{settings.port}"))
            answer = upload(settings, key)
            image_id = answer.json()["image_id"]
            wait_until(lambda: announcements.seen[image_id, "processed"] == 1, within_s=120)
            wait_until_empty(settings)

    assert answer.status == 202
    assert answer.headers["Idempotency-Replayed"] == "true"
    assert stored(settings) == [image_id]
    assert sum(announcements.seen.values()) == 1


def stored(settings: Settings) -> list[str]:
    found = aws.s3_client(settings).list_objects_v2(Bucket=settings.input_bucket)
    return [o["Key"].removesuffix(".png") for o in found.get("Contents", [])]
