"""What we need of a bucket."""

from __future__ import annotations

import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from app.aws import clients as aws
from app.domain.ports import Bucket, StoredObject
from app.errors import NotFoundError, StorageUnavailableError
from app.observability.metrics import AwsMetrics, Metrics
from app.s3_service import S3Bucket
from app.settings import Settings
from testkit.in_memory.fakes import MemoryBucket
from testkit.observability.counts import Counts
from testkit.timing.waiting import assert_within

METADATA = {"original-filename": "declara%C3%A7%C3%A3o.png", "parameters": '{"threshold":90}'}
ODD_KEYS = [
    "a//b.png",
    "/x.png",
    "a/./b",
    "a/../b",
    "./a",
    "a/",
    "é ü#?%41*.png",
    "a%2Fb.png",
    "a\\b+c=d&e.png",
    "~a!'()@:,;$.png",
    "tab\there.png",
    "bell\x07.png",
    "delete\x7f.png",
    "日本語/🎉.png",
]


def put(bucket: Bucket, key: str, data: bytes) -> StoredObject:
    return bucket.put(key, data, content_type="image/png", metadata=METADATA)


def test_a_stored_object_is_returned_with_its_metadata(bucket: Bucket) -> None:
    put(bucket, "a/b c.png", b"\x89PNG")

    stored = bucket.get("a/b c.png")

    assert stored.key == "a/b c.png"
    assert (stored.data, stored.size_bytes, dict(stored.metadata)) == (b"\x89PNG", 4, METADATA)


def test_put_returns_the_stored_object(bucket: Bucket) -> None:
    stored = put(bucket, "a.png", b"1234")
    once = bucket.put_once("b.png", b"12", content_type="image/png", metadata=METADATA)

    assert (stored.key, stored.size_bytes, dict(stored.metadata)) == ("a.png", 4, METADATA)
    assert once is not None
    assert (once.key, once.size_bytes, dict(once.metadata)) == ("b.png", 2, METADATA)


def test_the_etag_is_quoted_the_same_everywhere_and_follows_the_data(bucket: Bucket) -> None:
    first = put(bucket, "a.png", b"1234")
    seen = {first.etag, bucket.get("a.png").etag, bucket.head("a.png").etag}
    second = put(bucket, "a.png", b"5678")

    assert seen == {first.etag}
    assert first.etag.startswith('"')
    assert first.etag.endswith('"')
    assert second.etag != first.etag


def test_a_deleted_object_is_gone_and_deleting_it_again_is_no_error(bucket: Bucket) -> None:
    put(bucket, "failures/a b.json", b"{}")

    bucket.delete("failures/a b.json")
    bucket.delete("failures/a b.json")

    with pytest.raises(NotFoundError):
        bucket.head("failures/a b.json")


def test_an_empty_object_in_place_of_another_still_occupies_the_key(bucket: Bucket) -> None:
    """On this rests that a deleted image stays deleted while a worker has it in hand."""
    put(bucket, "a.png", b"1234")
    bucket.put("a.png", b"", content_type="image/png", metadata={"deleted": "true"})

    again = bucket.put_once("a.png", b"5678", content_type="image/png", metadata=METADATA)

    assert again is None
    assert (bucket.get("a.png").data, dict(bucket.head("a.png").metadata)) == (
        b"",
        {"deleted": "true"},
    )


def test_an_empty_object_and_a_large_one_come_back_whole(bucket: Bucket) -> None:
    large = bytes(range(256)) * 40_000
    put(bucket, "empty", b"")
    put(bucket, "large", large)

    assert bucket.get("empty").data == b""
    assert bucket.get("large").data == large


def test_the_head_is_the_object_without_its_data(bucket: Bucket) -> None:
    put(bucket, "a.png", b"1234")

    head = bucket.head("a.png")

    assert (head.data, head.size_bytes, dict(head.metadata)) == (b"", 4, METADATA)


def test_a_second_put_replaces_the_first(bucket: Bucket) -> None:
    put(bucket, "a.png", b"1")
    put(bucket, "a.png", b"2")

    assert bucket.get("a.png").data == b"2"


def test_putting_once_leaves_an_existing_object(bucket: Bucket) -> None:
    first = bucket.put_once("a.png", b"1", content_type="image/png", metadata={})
    second = bucket.put_once("a.png", b"2", content_type="image/png", metadata={})

    assert first is not None
    assert second is None
    assert bucket.get("a.png").data == b"1"


def test_of_many_concurrent_puts_once_exactly_one_succeeds(bucket: Bucket) -> None:
    def put_once(n: int) -> StoredObject | None:
        return bucket.put_once("a.png", b"%d" % n, content_type="image/png", metadata={})

    with ThreadPoolExecutor(8) as pool:
        stored = list(pool.map(put_once, range(8)))

    (winner,) = [n for n, result in enumerate(stored) if result]
    assert bucket.get("a.png").data == b"%d" % winner


def test_a_missing_key_is_not_found_by_get_and_by_head(bucket: Bucket) -> None:
    for key in ("missing.png", "failures/missing.json"):
        with pytest.raises(NotFoundError):
            bucket.get(key)
        with pytest.raises(NotFoundError):
            bucket.head(key)


def test_a_listing_is_ordered_by_key_and_has_the_times_of_storing(bucket: Bucket) -> None:
    keys = ["b.png", "failures/2.json", "a.png", "failures/1.json", "failures.png", "é.png"]
    for key in keys:
        put(bucket, key, b"1")

    listed = list(bucket.list())

    assert [found.key for found in listed] == sorted(keys)
    ages_s = [(datetime.now(UTC) - found.modified_at).total_seconds() for found in listed]
    assert all(-5 < age_s < 60 for age_s in ages_s)


def test_a_listing_can_be_of_a_prefix(bucket: Bucket) -> None:
    for key in ("failures/2.json", "a.png", "failures/1.json", "failures.png"):
        put(bucket, key, b"1")

    assert [f.key for f in bucket.list("failures/")] == ["failures/1.json", "failures/2.json"]
    assert list(bucket.list("nothing/")) == []


def test_an_existing_bucket_passes_the_check(bucket: Bucket) -> None:
    bucket.check()


# --- S3 alone -----------------------------------------------------------------------------------


@pytest.mark.parametrize("key", ODD_KEYS)
def test_an_object_of_another_producer_is_found_under_any_key(
    aws_settings: Settings, s3_bucket: S3Bucket, key: str
) -> None:
    client = aws.s3_client(aws_settings)
    # Neighbours that a careless path would be taken for.
    for near in ("a/b.png", "x.png", "a/b", "b", "a", "é ü#?A*.png"):
        client.put_object(Bucket=s3_bucket.name, Key=near, Body=b"another")
    client.put_object(Bucket=s3_bucket.name, Key=key, Body=b"mine", Metadata={"group": "g"})

    stored = s3_bucket.get(key)

    assert (stored.key, stored.data, stored.size_bytes) == (key, b"mine", 4)
    assert dict(stored.metadata) == {"group": "g"}


@pytest.mark.parametrize("key", ODD_KEYS)
def test_an_odd_key_that_is_missing_is_not_found(s3_bucket: S3Bucket, key: str) -> None:
    with pytest.raises(NotFoundError):
        s3_bucket.get(key)


@pytest.mark.parametrize("key", ODD_KEYS)
def test_an_odd_key_is_stored_and_found_under_exactly_that_key(
    s3_bucket: S3Bucket, key: str
) -> None:
    """`/x.png` is not `x.png`: who may erase the one may not erase the other."""
    near = ("a/b.png", "x.png", "a/b", "b", "a", "é ü#?A*.png")
    for other in near:
        put(s3_bucket, other, b"another")

    stored = put(s3_bucket, key, b"mine")
    again = s3_bucket.put_once(key, b"late", content_type="image/png", metadata={})

    assert again is None
    head = s3_bucket.head(key)
    assert (head.size_bytes, head.etag, dict(head.metadata)) == (4, stored.etag, METADATA)
    assert [s3_bucket.get(other).data for other in near] == [b"another"] * len(near)


@pytest.mark.parametrize("key", ["/", "//"])
def test_slashes_alone_are_no_key(s3_bucket: S3Bucket, key: str) -> None:
    for verb in (s3_bucket.get, s3_bucket.head, s3_bucket.delete):
        with pytest.raises(NotFoundError):
            verb(key)
    s3_bucket.check()


def test_an_object_knows_when_it_expires(aws_settings: Settings, s3_bucket: S3Bucket) -> None:
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    expiry = today + timedelta(days=aws_settings.retention_days + 1)

    stored = put(s3_bucket, "a.png", b"1")
    seen = [stored, s3_bucket.get("a.png"), s3_bucket.head("a.png")]

    # The day may have changed since we looked.
    assert {s.expires_at for s in seen} <= {expiry, expiry + timedelta(days=1)}


def test_without_retention_objects_never_expire(
    aws_settings: Settings, s3_bucket: S3Bucket
) -> None:
    put(s3_bucket, "a.png", b"1")
    settings = aws_settings.model_copy(update={"retention_days": 0})
    keeping = S3Bucket(settings, s3_bucket.name, AwsMetrics())

    assert keeping.get("a.png").expires_at is None
    assert put(keeping, "b.png", b"1").expires_at is None


def test_the_content_type_is_stored(aws_settings: Settings, s3_bucket: S3Bucket) -> None:
    put(s3_bucket, "a.png", b"1")

    head = aws.s3_client(aws_settings).head_object(Bucket=s3_bucket.name, Key="a.png")

    assert head["ContentType"] == "image/png"


# --- outages ------------------------------------------------------------------------------------


def test_the_fake_is_down_for_every_verb() -> None:
    bucket = MemoryBucket()
    put(bucket, "a.png", b"1")
    bucket.is_down = True

    assert_unavailable(bucket)


def assert_unavailable(bucket: Bucket, match: str | None = None) -> None:
    verbs = [
        lambda: put(bucket, "a.png", b"1"),
        lambda: bucket.put_once("a.png", b"1", content_type="image/png", metadata={}),
        lambda: bucket.get("a.png"),
        lambda: bucket.get("a//b.png"),
        lambda: bucket.head("a.png"),
        lambda: list(bucket.list()),
        bucket.check,
    ]
    for verb in verbs:
        with pytest.raises(StorageUnavailableError, match=match):
            verb()


def test_a_missing_bucket_is_an_outage_and_no_missing_image(aws_settings: Settings) -> None:
    missing = S3Bucket(aws_settings, "no-such-bucket-here", AwsMetrics())

    with pytest.raises(StorageUnavailableError, match="no such bucket"):
        missing.check()
    for key in ("a.png", "a//b.png"):
        with pytest.raises(StorageUnavailableError, match="NoSuchBucket"):
            missing.get(key)
    with pytest.raises(StorageUnavailableError, match="NoSuchBucket"):
        put(missing, "a.png", b"1")
    with pytest.raises(StorageUnavailableError, match="NoSuchBucket"):
        missing.put_once("a.png", b"1", content_type="image/png", metadata={})
    with pytest.raises(StorageUnavailableError, match="NoSuchBucket"):
        list(missing.list())


def at(url: str) -> S3Bucket:
    return S3Bucket(Settings(aws_endpoint_url=url), "any", AwsMetrics())


def test_a_dead_endpoint_is_an_outage_within_seconds() -> None:
    dead = at("http://127.0.0.1:9")
    started_at = time.monotonic()

    assert_unavailable(dead, "the connection was refused")

    assert_within(time.monotonic() - started_at, 7 * 4)


def test_without_credentials_storage_is_unavailable(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))

    assert_unavailable(at("http://127.0.0.1:9"))


class Answers:
    """Gives one answer a connection: the next of *answers*, and the last one for ever."""

    def __init__(self, answers: list[bytes]) -> None:
        self.requests: list[bytes] = []
        self._answers = answers
        self._server = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._server.getsockname()[1]}"

    def serve(self) -> None:
        while True:
            try:
                connection, _ = self._server.accept()
            except OSError:  # closed
                return
            with connection:
                answer = self._answers[min(len(self.requests), len(self._answers) - 1)]
                self.requests.append(_read_request(connection))
                connection.sendall(answer)

    def close(self) -> None:
        # Closing alone does not wake who accepts.
        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()


def _read_request(connection: socket.socket) -> bytes:
    data = b""
    while b"\r\n\r\n" not in data and (more := connection.recv(65536)):
        data += more
    head, _, body = data.partition(b"\r\n\r\n")
    lengths = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    missing = int(lengths[0].partition(b":")[2]) - len(body) if lengths else 0
    while missing > 0 and (more := connection.recv(65536)):
        missing -= len(more)
    return head


@contextmanager
def answering(*answers: bytes) -> Iterator[Answers]:
    server = Answers(list(answers))
    thread = threading.Thread(target=server.serve)
    thread.start()
    try:
        yield server
    finally:
        server.close()
        thread.join(5)


def response(status: str, body: bytes = b"", *, length: int | None = None) -> bytes:
    head = (
        f"HTTP/1.1 {status}\r\nContent-Length: {len(body) if length is None else length}\r\n"
        'ETag: "e"\r\nLast-Modified: Tue, 24 Nov 2026 14:00:00 GMT\r\n'
        "Connection: close\r\n\r\n"
    )
    return head.encode() + body


WHOLE = response("200 OK", b"0123456789")
CUT = response("200 OK", b"01234", length=10)


@pytest.mark.parametrize("key", ["a.png", "a//b.png"])
def test_a_body_that_always_breaks_off_is_an_outage_and_no_short_image(key: str) -> None:
    with answering(CUT) as server, pytest.raises(StorageUnavailableError):
        at(server.url).get(key)


def test_a_body_that_breaks_off_once_is_fetched_again_or_an_outage() -> None:
    with answering(CUT, WHOLE) as server:
        try:
            data = at(server.url).get("a.png").data
        except StorageUnavailableError:
            data = b""

    assert data in (b"", b"0123456789")


@pytest.mark.parametrize("verb", ["get", "put"])
def test_an_error_of_the_server_is_tried_again(verb: str) -> None:
    with answering(response("503 Slow Down"), WHOLE) as server:
        bucket = at(server.url)
        if verb == "get":
            assert bucket.get("a.png").data == b"0123456789"
        else:
            put(bucket, "a.png", b"1")

        assert len(server.requests) == 2


def test_an_error_of_the_server_that_stays_is_an_outage_after_three_attempts() -> None:
    with answering(response("503 Slow Down")) as server:
        with pytest.raises(StorageUnavailableError):
            at(server.url).get("a.png")

        assert len(server.requests) == 3


DENIED = b"<Error><Code>AccessDenied</Code></Error>"
DENIED_KEY = b"<Error><Key>a.png</Key><Code>AccessDenied</Code><Message>no</Message></Error>"


@pytest.mark.parametrize(
    ("key", "answer"),
    [
        ("a.png", response("200 OK", b"<DeleteResult>%s</DeleteResult>" % DENIED_KEY)),
        ("a.png", response("403 Forbidden", DENIED)),
        ("a//b.png", response("403 Forbidden", DENIED)),
    ],
)
def test_a_deletion_that_is_refused_is_an_outage_with_its_code(key: str, answer: bytes) -> None:
    """DeleteObjects says it in an answer that is otherwise good."""
    with answering(answer) as server:
        with pytest.raises(StorageUnavailableError, match="AccessDenied"):
            at(server.url).delete(key)

        assert len(server.requests) == 1


@pytest.mark.parametrize("key", ODD_KEYS)
def test_deleting_an_odd_key_deletes_no_similar_key(s3_bucket: S3Bucket, key: str) -> None:
    near = ("a/b.png", "x.png", "a/b", "b", "a", "é ü#?A*.png")
    for each in (*near, key):
        put(s3_bucket, each, b"1")

    s3_bucket.delete(key)

    assert sorted(found.key for found in s3_bucket.list()) == sorted(near)


def test_a_listing_has_every_key_of_several_pages(
    aws_settings: Settings, s3_bucket: S3Bucket
) -> None:
    keys = sorted([f"{number:04}.png" for number in range(1001)] + ["a//b.png", "tab\there"])
    client = aws.s3_client(aws_settings)
    with ThreadPoolExecutor(8) as pool:
        deque(pool.map(lambda k: client.put_object(Bucket=s3_bucket.name, Key=k), keys), 0)

    assert sorted(found.key for found in s3_bucket.list()) == keys


def counted(verb: Callable[[S3Bucket], object], *answers: bytes) -> Counts:
    """What is counted of a *verb* that S3 answers so."""
    metrics = Metrics()
    with answering(*answers) as server, suppress(NotFoundError, StorageUnavailableError):
        verb(S3Bucket(Settings(aws_endpoint_url=server.url), "any", metrics.aws))
    return Counts(metrics.expose().decode())


@pytest.mark.parametrize("key", ["a.png", "a//b.png"])
def test_calls_are_counted_in_one_way_whichever_client_makes_them(key: str) -> None:
    missing = response("404 Not Found", b"<Error><Code>NoSuchKey</Code></Error>")
    denied = response("403 Forbidden", DENIED)
    taken = response("412 Precondition Failed", b"<Error><Code>PreconditionFailed</Code></Error>")

    def put_once(bucket: S3Bucket) -> object:
        return bucket.put_once(key, b"1", content_type="image/png", metadata={})

    verbs: list[tuple[Callable[[S3Bucket], object], bytes, str, str | None]] = [
        (lambda b: b.get(key), WHOLE, "GetObject", None),
        (lambda b: b.get(key), missing, "GetObject", None),
        (lambda b: b.get(key), denied, "GetObject", "AccessDenied"),
        (lambda b: b.head(key), missing, "HeadObject", None),
        (lambda b: b.head(key), denied, "HeadObject", "403"),
        (put_once, taken, "PutObject", None),
        (put_once, denied, "PutObject", "AccessDenied"),
    ]
    for verb, answer, operation, code in verbs:
        counts = counted(verb, answer)
        about = {"service": "s3", "operation": operation}
        assert counts.get("aws_request_duration_seconds_count", **about) == 1
        errors = counts.all("aws_request_errors_total")
        assert errors == ({} if code is None else {(code, operation, "s3"): 1.0})


def test_a_missing_bucket_is_counted_as_an_error_of_its_check() -> None:
    errors = counted(lambda b: b.check(), response("404 Not Found")).all("aws_request_errors_total")

    assert errors == {("404", "HeadBucket", "s3"): 1.0}


def test_an_error_that_needs_no_second_attempt_names_its_code() -> None:
    body = b"<?xml version='1.0'?><Error><Code>AccessDenied</Code></Error>"
    with answering(response("403 Forbidden", body)) as server:
        with pytest.raises(StorageUnavailableError, match="AccessDenied"):
            at(server.url).get("a.png")
        with pytest.raises(StorageUnavailableError, match="403"):
            at(server.url).head("a.png")


@pytest.mark.parametrize(
    ("code", "then"), [("409 Conflict", "412 Precondition Failed"), ("412 Precondition Failed", "")]
)
def test_a_conflicting_put_once_is_none_or_an_outage(code: str, then: str) -> None:
    """S3 answers 409 while two conditional writes race, 412 when one has won."""
    answers = [response(status) for status in (code, then) if status]
    with answering(*answers) as server:
        try:
            stored = at(server.url).put_once("a", b"1", content_type="image/png", metadata={})
        except StorageUnavailableError:
            assert code.startswith("409")
        else:
            assert stored is None
