"""The template gives each role the permissions that it needs, and no others.

The processes run with the environment and the command of the deployed task definitions, as users
with the policies that CloudFormation has resolved, on an emulator that enforces policies.
"""

from __future__ import annotations

import json
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

import pytest
import urllib3

from app.access.tokens import hash_token, make_token
from app.domain.ports import Message
from app.domain.representation import Image, ImageStatus, now
from app.images.store import ImageStore
from app.observability.metrics import AwsMetrics
from app.s3_service import make_image_store
from app.settings import Settings
from app.setup_aws_resources import ensure_resources
from app.sqs_service import SqsQueue, make_queue
from testkit.aws.fault_proxy import Call, Rule, Status
from testkit.aws.iam import Permission, Recorder, missing, unused
from testkit.aws.stacks import Account, Credentials, Stack
from testkit.network.http_requests import http_request
from testkit.network.ports import free_port
from testkit.png.scans import page_png
from testkit.processes.fleet import environment, role
from testkit.root import ROOT
from testkit.timing.waiting import is_ready, wait_until

TOKEN = make_token()
#: The number of failures that opens the breaker; each is tried three times.
LATE = 5
PATIENCE_S = 90
POLICIES = {"web": "WebPolicyArn", "worker": "WorkerPolicyArn", "operator": "OperatorPolicyArn"}


# Each takes half a second to make.
_store = cache(lambda settings: make_image_store(settings, AwsMetrics()))
_queue = cache(make_queue)


@dataclass(frozen=True)
class Fleet:
    """The running web and worker; calls through `store` and `queue` have the rights of root."""

    settings: Settings
    recorder: Recorder
    users: dict[str, Credentials]
    root: Settings

    @property
    def store(self) -> ImageStore:
        return _store(self.root)

    def queue(self, name: str) -> SqsQueue:
        return _queue(self.root, name)

    def ask(self, method: str, path: str, **options: Any) -> urllib3.BaseHTTPResponse:
        return http_request(
            method,
            f"http://127.0.0.1:{self.settings.port}{path}",
            headers={"Authorization": f"Bearer {TOKEN}"},
            retries=False,
            **options,
        )

    def upload(self) -> str:
        answer = self.ask("POST", "/upload", fields={"image": ("page.png", page_png())})
        assert answer.status == 202, answer.data
        image_id: str = answer.json()["image_id"]
        return image_id

    def status(self, image_id: str) -> str | None:
        status: str | None = self.ask("GET", f"/images/{image_id}").json().get("status")
        return status

    def send(self, data: bytes) -> uuid.UUID:
        """Send a job with unchecked *data*, as another producer may."""
        image = self.put(data)
        self.queue(self.settings.input_queue).send(self.store.job_message(image))
        return image.image_id

    def put(self, data: bytes) -> Image:
        image = Image(
            image_id=uuid.uuid4(), status=ImageStatus.QUEUED, method="otsu", uploaded_at=now()
        )
        assert self.store.put_original(image, data)
        return image

    def is_failed(self, image_id: uuid.UUID) -> bool:
        return self.store.find(image_id).status is ImageStatus.FAILED

    def command(self, *arguments: str) -> None:
        done = subprocess.run(
            [sys.executable, "-m", "app.main", *arguments],
            cwd=ROOT,
            env=environment(self.settings) | self.users["operator"].variables,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr

    def during(self, operation: str, path: str, act: Callable[[], object]) -> None:
        """Call *act* once, after the next matching request has taken effect."""
        rule = Rule(Call(after=act), frozenset({operation}), path, first=1, last=1)
        self.recorder.rules = [*self.recorder.rules, rule]

    def refuse(self, operation: str, path: str, times: int) -> None:
        fault = Status(503, "SlowDown")
        rule = Rule(fault, frozenset({operation}), path, first=1, last=times)
        self.recorder.rules = [*self.recorder.rules, rule]


@pytest.fixture(scope="module")
def stack(account: Account) -> Stack:
    # A lease of 10 s is renewed after 5 s, and a returned message is soon visible again.
    return account.deploy("fleet", **account.compute(), VisibilityTimeoutS="10")


@pytest.fixture(scope="module")
def fleet(account: Account, stack: Stack) -> Iterator[Fleet]:
    users = {name: account.admit(name, stack.policy(output)) for name, output in POLICIES.items()}
    with Recorder(account.url) as recorder:
        settings = {name: settings_of(stack, name, recorder.url) for name in ("web", "worker")}
        root = settings["web"].model_copy(update={"aws_endpoint_url": account.tls_url})
        fleet = Fleet(settings["web"], recorder, users, root)
        with (
            role(command(stack, "web"), settings["web"], **users["web"].variables),
            role(command(stack, "worker"), settings["worker"], **users["worker"].variables),
        ):
            web, worker = settings["web"], settings["worker"]
            for port in (worker.metrics_port, web.metrics_port):
                wait_until(partial(is_ready, f"http://127.0.0.1:{port}"), within_s=PATIENCE_S)
            do_everything(fleet)
        yield fleet


def command(stack: Stack, name: str) -> str:
    (command,) = stack.container(name)["command"]
    return str(command)


def settings_of(stack: Stack, name: str, url: str) -> Settings:
    """The settings of the task, with this machine's ports and endpoint."""
    variables = {k.lower(): v for k, v in stack.variables(name).items()}
    ours = {
        "host": "127.0.0.1",
        "port": free_port(),
        "metrics_port": free_port(),
        "aws_endpoint_url": url,
        "api_tokens": f"somebody:{hash_token(TOKEN)}",
    }
    return Settings(**(variables | ours))  # type: ignore[arg-type]


def do_everything(fleet: Fleet) -> None:
    """Use every route of the API, every path of a job and every verb."""
    use_the_api(fleet)
    let_jobs_fail(fleet)
    operate(fleet)


def use_the_api(fleet: Fleet) -> None:
    image_id = fleet.upload()
    wait_until(lambda: fleet.status(image_id) == "processed", within_s=PATIENCE_S)
    for kind in ("original", "processed"):
        assert fleet.ask("GET", f"/images/{image_id}/{kind}").status == 200
        assert fleet.ask("HEAD", f"/images/{image_id}/{kind}").status == 200
    assert fleet.ask("GET", f"/images/{uuid.uuid4()}").status == 404
    assert fleet.ask("GET", "/service").status == 200
    assert fleet.ask("DELETE", f"/images/{image_id}").status == 204


def let_jobs_fail(fleet: Fleet) -> None:
    bad = fleet.send(b"no PNG")
    wait_until(lambda: fleet.is_failed(bad), within_s=PATIENCE_S)
    # S3 refuses for a while: messages are returned, and the breaker checks the queue.
    fleet.refuse("GetObject", f"/{fleet.settings.input_bucket}/", times=3 * LATE)
    for _ in range(LATE):
        fleet.send(page_png())
    wait_until(lambda: asks_how_the_queue_is(fleet), within_s=PATIENCE_S)
    # The image is deleted while its failure is recorded, so the worker deletes the record.
    gone = fleet.put(b"no PNG")
    fleet.during(
        "PutObject", f"failures/{gone.image_id}", lambda: fleet.store.delete(gone.image_id)
    )
    fleet.queue(fleet.settings.input_queue).send(fleet.store.job_message(gone))
    wait_until(lambda: fleet.recorder.seen["DeleteObjects"] >= 2, within_s=PATIENCE_S)


def asks_how_the_queue_is(fleet: Fleet) -> bool:
    arn = f"arn:aws:sqs:us-east-1:000000000000:{fleet.settings.processed_queue}"
    asked = Permission("sqs:GetQueueAttributes", arn)
    return asked in fleet.recorder.used_by(fleet.users["worker"].access_key)


def operate(fleet: Fleet) -> None:
    lost = fleet.put(page_png())
    failed = fleet.send(b"no PNG")
    wait_until(lambda: fleet.is_failed(failed), within_s=PATIENCE_S)
    body = json.dumps({"image_id": str(failed), "bucket": fleet.settings.input_bucket, "key": "k"})
    dead_letters = fleet.queue(fleet.settings.input_dead_letter_queue)
    dead_letters.send(Message(body, group=str(failed), deduplication_id=str(failed)))
    fleet.command("redrive", "--dry-run")
    fleet.command("redrive")
    fleet.command("reconcile", "--older-than", "0", "--force")
    wait_until(
        lambda: fleet.store.find(lost.image_id).status is ImageStatus.PROCESSED, within_s=PATIENCE_S
    )
    fleet.command("announce-again", str(lost.image_id))
    fleet.command("doctor", "--role", "operator")
    fleet.command("watch", "--all", "--count", "1", "--timeout", "30")
    fleet.command("watch", "--all", "--count", "1", "--timeout", "30", "--delete")


def test_no_role_is_denied_a_call(fleet: Fleet) -> None:
    assert fleet.recorder.refused == []


@pytest.mark.parametrize("name", POLICIES)
def test_every_used_permission_is_granted(fleet: Fleet, name: str) -> None:
    user = fleet.users[name]

    assert missing(user.granted, fleet.recorder.used_by(user.access_key)) == []


@pytest.mark.parametrize("name", POLICIES)
def test_every_granted_permission_is_used(fleet: Fleet, name: str) -> None:
    user = fleet.users[name]

    assert unused(user.granted, fleet.recorder.used_by(user.access_key)) == []


@pytest.fixture(scope="module")
def setup(account: Account) -> Iterator[tuple[Credentials, Recorder]]:
    """Setup with the rights of deploy/setup-policy.json: in an empty account, and a second time."""
    user = account.admit("setup", json.loads((ROOT / "deploy" / "setup-policy.json").read_text()))
    with Recorder(account.url) as recorder:
        clients = {name: account.client(name, recorder.url, user) for name in ("s3", "sqs")}
        for retention_days in (7, 14):
            settings = Settings(retention_days=retention_days, max_receives=retention_days)
            ensure_resources(settings, **clients)
        yield user, recorder


def test_setup_uses_the_permissions_of_its_policy_and_no_others(
    setup: tuple[Credentials, Recorder],
) -> None:
    user, recorder = setup
    used = recorder.used_by(user.access_key)

    assert recorder.refused == []
    assert missing(user.granted, used) == []
    # MiniStack encrypts new buckets, so setup does not need to.
    assert {each.action for each in unused(user.granted, used)} == {"s3:PutEncryptionConfiguration"}
