"""Every fault between us and AWS is told from the others, by every verb and every command."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import TokenRetrievalError
from obstore.auth.boto3 import Boto3CredentialProvider

from app import setup_aws_resources
from app.aws import clients as aws
from app.aws.errors import fault_of
from app.aws.faults import Cause, Place
from app.domain.ports import Message
from app.errors import UnavailableError
from app.main import main
from app.observability.metrics import AwsMetrics
from app.s3_service import S3Bucket, make_image_store
from app.settings import Settings
from app.sqs_service import SqsQueue, make_queue
from testkit.aws.aws_errors import CASES, Case, Refusal, RefusingAws, refusing

BUCKET = "image-input"
QUEUE = "new-image-processed.fifo"


@dataclass
class Aws:
    server: RefusingAws
    url: str
    bucket: S3Bucket
    queue: SqsQueue

    def has(self, case: Case) -> None:
        self.server.s3, self.server.sqs = case.s3, case.sqs
        self.server.clock_ahead_s = case.clock_ahead_s


@pytest.fixture(scope="module", autouse=True)
def _once() -> Iterator[None]:
    """Nothing here gets better by being asked again."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(aws, "_MAX_ATTEMPTS", 1)
        yield


@pytest.fixture(scope="module")
def served(_once: None) -> Iterator[Aws]:
    with refusing() as (server, url):
        settings = Settings(aws_endpoint_url=url, aws_region="us-east-1")
        queue = SqsQueue(aws.sqs_client(settings), QUEUE)
        yield Aws(server, url, S3Bucket(settings, BUCKET, AwsMetrics()), queue)


@pytest.fixture
def fake(served: Aws) -> Aws:
    served.server.page, served.server.is_silent = None, False
    return served


def put(bucket: S3Bucket) -> None:
    bucket.put("a.png", b"1", content_type="image/png", metadata={})


def put_once(bucket: S3Bucket) -> None:
    bucket.put_once("a.png", b"1", content_type="image/png", metadata={})


S3_VERBS: dict[str, Callable[[S3Bucket], object]] = {
    "check": lambda b: b.check(),
    "get": lambda b: b.get("a.png"),
    "get by boto3": lambda b: b.get("a//b.png"),
    "put": put,
    "put_once": put_once,
    "delete": lambda b: b.delete("a.png"),
    "list": lambda b: list(b.list()),
}
SQS_VERBS: dict[str, Callable[[SqsQueue], object]] = {
    "check": lambda q: q.check(),
    "depth": lambda q: q.depth(),
    "send": lambda q: q.send(Message("{}", "g", "d")),
    "send_batch": lambda q: q.send_batch([Message("{}", "g", "d")]),
    "receive": lambda q: q.receive(max_messages=1, wait_time_s=0, visibility_timeout_s=30),
}


def told(act: Callable[[], object]) -> UnavailableError:
    with pytest.raises(UnavailableError) as caught:
        act()
    return caught.value


# --- what AWS answers ----------------------------------------------------------------------------


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("verb", S3_VERBS)
def test_each_refusal_of_s3_is_reported_with_the_endpoint_and_the_setting(
    fake: Aws, name: str, verb: str
) -> None:
    case = CASES[name]
    fake.has(case)

    error = told(lambda: S3_VERBS[verb](fake.bucket))

    words = [w for w in case.words if w not in ("s ahead of that of AWS", "s behind that of AWS")]
    if name in ("no permission", "a bucket elsewhere", "a request signed for another region"):
        words = ["AWS denies access" if name == "no permission" else "region is wrong"]
    assert [word for word in words if word not in str(error)] == []
    assert f"S3 at {fake.url}, region us-east-1" in str(error)
    assert BUCKET in str(error)
    assert error.detail == "Storage is unavailable; try again later."


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("verb", SQS_VERBS)
def test_each_refusal_of_sqs_is_reported_with_the_endpoint_and_the_setting(
    fake: Aws, name: str, verb: str
) -> None:
    case = CASES[name]
    fake.has(case)

    error = told(lambda: SQS_VERBS[verb](fake.queue))

    assert [word for word in case.words if word not in str(error)] == []
    assert f"SQS at {fake.url}, region us-east-1" in str(error)
    assert QUEUE in str(error)
    assert error.detail == "The queue is unavailable; try again later."


@pytest.mark.parametrize("name", CASES)
def test_a_wrong_clock_is_reported_with_its_offset(fake: Aws, name: str) -> None:
    case = CASES[name]
    fake.has(case)

    said = str(told(fake.bucket.check))

    assert ("that of AWS" in said) == bool(case.clock_ahead_s)
    if case.clock_ahead_s:
        assert any(f"it is {s} s" in said for s in range(3595, 3606))


@pytest.mark.parametrize("name", ["an unknown key", "an expired token", "no permission"])
def test_a_refusal_without_a_reason_names_all_possible_causes(fake: Aws, name: str) -> None:
    """An answer to HEAD has no body, and obstore is not asked twice for each object."""
    fake.has(CASES[name])

    said = str(told(lambda: fake.bucket.head("a.png")))

    assert str(CASES[name].s3.status) in said
    assert "Credentials, clock or region are wrong, or a policy denies access" in said


def test_a_secret_in_an_error_message_of_aws_is_not_repeated(fake: Aws) -> None:
    fake.has(CASES["a wrong secret"])

    for error in (told(fake.bucket.check), told(put_of(fake.bucket)), told(fake.queue.depth)):
        assert "SignatureDoesNotMatch" in str(error) or "InvalidSignature" in str(error)
        assert "SECRET" not in str(error).replace("AWS_SECRET_ACCESS_KEY", "")


def put_of(bucket: S3Bucket) -> Callable[[], None]:
    return lambda: put(bucket)


def test_a_bucket_in_another_region_is_not_ready_although_boto3_finds_it(
    fake: Aws, monkeypatch: pytest.MonkeyPatch
) -> None:
    """obstore, which the objects travel through, follows no redirect."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", fake.url)
    fake.server.s3 = Refusal(200, "", headers={"x-amz-bucket-region": "eu-west-1"})
    bucket = S3Bucket(Settings(aws_region="us-east-1"), BUCKET, AwsMetrics())

    said = str(told(bucket.check))

    assert "the region is wrong (it is eu-west-1). Set AWS_REGION" in said


# --- no answer, or one of somebody else ----------------------------------------------------------


def verbs_of(url: str) -> list[Callable[[], object]]:
    """One of boto3 and one of obstore, and one of SQS."""
    settings = Settings(aws_endpoint_url=url)
    bucket, queue = (
        S3Bucket(settings, BUCKET, AwsMetrics()),
        SqsQueue(aws.sqs_client(settings), QUEUE),
    )
    return [bucket.check, lambda: bucket.get("a.png"), queue.depth]


@pytest.fixture
def closed_port() -> Iterator[int]:
    """Taken, so that nobody else gets it, and not listened on."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


def test_a_port_that_nobody_listens_on_is_refused(closed_port: int) -> None:
    for verb in verbs_of(f"http://127.0.0.1:{closed_port}"):
        said = str(told(verb))
        assert "the connection was refused" in said
        assert "set AWS_ENDPOINT_URL" in said
        assert f"http://127.0.0.1:{closed_port}" in said


def test_an_unknown_host_is_reported() -> None:
    for verb in verbs_of("http://s3.invalid:4566"):
        said = str(told(verb))
        assert "the host of the endpoint is not known" in said
        assert "AWS_REGION" in said


def test_a_server_without_tls_is_reported(fake: Aws) -> None:
    for verb in verbs_of(fake.url.replace("http:", "https:")):
        said = str(told(verb))
        assert "TLS with the endpoint failed" in said
        assert "http:// or https://" in said


def test_a_silent_server_is_reported(fake: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aws, "_ANSWER_TIMEOUT_S", 0.2)
    fake.server.is_silent = True

    for verb in verbs_of(fake.url):
        assert "the endpoint did not answer in time" in str(told(verb))


def test_a_server_that_is_not_aws_is_reported(fake: Aws) -> None:
    fake.server.page = b"<html>Welcome to nginx!</html>"
    settings = Settings(aws_endpoint_url=fake.url)
    bucket, queue = (
        S3Bucket(settings, BUCKET, AwsMetrics()),
        SqsQueue(aws.sqs_client(settings), QUEUE),
    )

    for verb in (put_of(bucket), queue.depth):
        assert "does not answer as AWS does" in str(told(verb))


def test_a_404_of_another_web_server_is_no_missing_bucket() -> None:
    with answering_raw(b"HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\nnope") as url:
        settings = Settings(aws_endpoint_url=url)

        assert "does not answer as AWS does" in str(
            told(S3Bucket(settings, BUCKET, AwsMetrics()).check)
        )


def test_a_server_that_does_not_speak_http_is_reported() -> None:
    with answering_raw(b"SSH-2.0-OpenSSH_9.2\r\n") as url:
        for verb in verbs_of(url):
            assert "does not answer as AWS does" in str(told(verb))


class answering_raw:  # noqa: N801 (used as a function)
    """The URL of a socket that says *words* to everybody."""

    def __init__(self, words: bytes) -> None:
        self._words = words
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=50)

    def __enter__(self) -> str:
        threading.Thread(target=self._serve, daemon=True).start()
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with connection:
                connection.recv(65536)
                connection.sendall(self._words)


# --- credentials ---------------------------------------------------------------------------------


@pytest.fixture
def no_credentials(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


@pytest.mark.usefixtures("no_credentials")
def test_missing_credentials_are_reported(fake: Aws) -> None:
    for verb in verbs_of(fake.url):
        said = str(told(verb))
        assert "there are no AWS credentials" in said
        assert "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY" in said


@pytest.mark.parametrize(
    "failure",
    [
        TokenRetrievalError(provider="sso", error_msg="Token has expired and refresh failed"),
        RuntimeError(
            "Credentials were refreshed, but the refreshed credentials are still expired."
        ),
    ],
)
def test_credentials_that_cannot_be_renewed_are_reported(
    fake: Aws, failure: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any, **__: Any) -> Any:
        raise failure

    settings = Settings(aws_endpoint_url=fake.url)
    bucket, queue = (
        S3Bucket(settings, BUCKET, AwsMetrics()),
        SqsQueue(aws.sqs_client(settings), QUEUE),
    )
    monkeypatch.setattr(Boto3CredentialProvider, "__call__", fail)
    monkeypatch.setattr("botocore.credentials.Credentials.get_frozen_credentials", fail)

    for verb in (bucket.check, lambda: bucket.get("a.png"), queue.depth):
        said = str(told(verb))
        assert "credentials have expired and were not renewed" in said
        assert "aws sso login" in said


def test_where_no_endpoint_is_set_the_sentence_says_that_this_is_aws_itself() -> None:
    there = aws.place(aws.sqs_client(Settings(aws_region="eu-west-1")), "queue q")
    here = Place("SQS", "http://127.0.0.1:4566", "eu-west-1", "queue q")
    in_a_vpc = Place("SQS", "https://vpce-1.sqs.eu-west-1.vpce.amazonaws.com", "eu-west-1", "q")
    fault = fault_of(RuntimeError("x"))

    assert "./start_app.sh" in fault.sentence(there)
    assert "AWS_ENDPOINT_URL" not in fault.sentence(here) + fault.sentence(in_a_vpc)


def test_every_cause_has_a_sentence_of_its_own() -> None:
    from app.aws.faults import _WORDS

    assert _WORDS.keys() == set(Cause)
    assert len({wrong for wrong, _ in _WORDS.values()}) == len(Cause)


# --- the commands --------------------------------------------------------------------------------

COMMANDS: dict[str, Callable[[], int]] = {
    "watch": lambda: main(["watch", "--timeout", "1"]),
    "reconcile": lambda: main(["reconcile"]),
    "redrive": lambda: main(["redrive"]),
    "setup_aws_resources": setup_aws_resources.main,
}


#: Clients take half a second each.
_STORE, _QUEUE = cache(make_image_store), cache(make_queue)
_S3, _SQS = cache(aws.s3_client), cache(aws.sqs_client)


@pytest.fixture
def environment(fake: Aws, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    monkeypatch.setenv("AWS_ENDPOINT_URL", fake.url)
    monkeypatch.setattr(setup_aws_resources, "_PATIENCE_S", 0)
    monkeypatch.setattr("app.s3_service.make_image_store", _STORE)
    monkeypatch.setattr("app.sqs_service.make_queue", _QUEUE)
    monkeypatch.setattr(aws, "s3_client", _S3)
    monkeypatch.setattr(aws, "sqs_client", _SQS)
    return monkeypatch


def complaint_of(
    command: str, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> str:
    """What the command says in the end, which is one line."""
    caplog.clear()
    assert COMMANDS[command]() == 1
    said = capsys.readouterr().err or caplog.text
    (line,) = [line for line in said.splitlines() if "app.main: " in line or "setup_aws" in line]
    return line


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.usefixtures("environment")
def test_each_command_says_each_fault_in_one_line(
    fake: Aws,
    command: str,
    name: str,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    case = CASES[name]
    fake.has(case)

    said = complaint_of(command, capsys, caplog)

    words = case.words if command == "watch" else case.s3_words or case.words
    assert [word for word in words if word not in said] == []


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.usefixtures("no_credentials")
def test_each_command_says_that_there_are_no_credentials_and_hints_at_the_emulator(
    command: str, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    said = complaint_of(command, capsys, caplog)

    assert "there are no AWS credentials" in said
    assert "amazonaws.com" in said
    assert "AWS_ENDPOINT_URL is unset" in said
    assert "./start_app.sh" in said


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"AWS_ENDPOINT_URL": "http://127.0.0.1:9"}, "the connection was refused"),
        ({"AWS_ENDPOINT_URL": "http://s3.invalid"}, "the host of the endpoint is not known"),
        ({"AWS_PROFILE": "nope"}, "The config profile (nope) could not be found"),
        ({"AWS_SECRET_ACCESS_KEY": ""}, "Partial credentials found in env"),
    ],
)
def test_each_command_says_what_is_wrong_with_its_environment(
    command: str,
    variables: dict[str, str],
    words: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value) if value else monkeypatch.delenv(name)

    assert words in complaint_of(command, capsys, caplog)
