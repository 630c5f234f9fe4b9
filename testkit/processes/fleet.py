"""Run the roles as real processes, and check the outcome of every image afterwards."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any, Self
from uuid import uuid4

from app.aws import clients as aws
from app.domain.keys import failure_key, processed_key
from app.domain.ports import MAX_BATCH
from app.domain.representation import Image, ImageStatus, now
from app.observability.metrics import AwsMetrics
from app.s3_service import make_image_store
from app.settings import Settings
from app.sqs_service import make_queue
from testkit.network.ports import free_port
from testkit.png.scans import page_png
from testkit.root import ROOT
from testkit.timing.waiting import wait_until

# --- processes ---------------------------------------------------------------------------------


def environment(settings: Settings) -> dict[str, str]:
    """*settings* as environment variables."""
    return {k.upper(): str(v) for k, v in settings.model_dump().items() if v is not None}


@dataclass
class Role:
    """A running `python -m app.main ROLE`."""

    process: subprocess.Popen[bytes]
    _output: IO[bytes]

    @property
    def output(self) -> str:
        return os.pread(self._output.fileno(), 1 << 24, 0).decode()

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


@contextmanager
def role(
    name: str,
    settings: Settings,
    *,
    module: str = "app.main",
    tree: Path = ROOT,
    **variables: str,
) -> Iterator[Role]:
    """A block with the running role *name* of *module* in *tree*, killed at the end."""
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(
            [sys.executable, "-m", module, name],
            cwd=tree,
            env=os.environ | environment(settings) | variables,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        running = Role(process, output)
        try:
            yield running
        except BaseException:
            print(running.output[-20_000:])  # the output explains most failures
            raise
        finally:
            running.kill()


def run_command(name: str, settings: Settings, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The result of an operator's command."""
    return subprocess.run(
        [sys.executable, "-m", "app.main", name, *arguments],
        cwd=ROOT,
        env=os.environ | environment(settings),
        capture_output=True,
        text=True,
        timeout=120,
    )


@contextmanager
def frozen(pid: int) -> Iterator[None]:
    """A block during which a process is suspended."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


@dataclass(frozen=True)
class LocalStack:
    endpoint: str
    pid: int


@contextmanager
def own_localstack() -> Iterator[LocalStack]:
    """A LocalStack for one test, which may stop or restart it."""
    port = free_port()
    state = Path(f".local/localstack-{port}")
    command = [sys.executable, "scripts/local/localstack.py"]
    subprocess.run([*command, "start", str(port), ".venv-localstack", state], cwd=ROOT, check=True)
    try:
        pid = int((ROOT / state / "localstack.pid").read_text().split()[0])
        yield LocalStack(f"http://127.0.0.1:{port}", pid)
    finally:
        subprocess.run([*command, "stop", state], cwd=ROOT, check=True)


# --- images ------------------------------------------------------------------------------------


def preload(
    settings: Settings, count: int, *, png: bytes | None = None, group: str | None = None
) -> list[str]:
    """Store *count* originals and send their messages, as the API does; returns their ids."""
    store, jobs = (
        make_image_store(settings, AwsMetrics()),
        make_queue(settings, settings.input_queue),
    )
    images = [_image(group) for _ in range(count)]
    for image in images:
        store.put_original(image, png or page_png())
    for start in range(0, count, MAX_BATCH):
        messages = [store.job_message(image) for image in images[start : start + MAX_BATCH]]
        assert not any(jobs.send_batch(messages))
    return [str(image.image_id) for image in images]


def _image(group: str | None) -> Image:
    return Image(
        image_id=uuid4(),
        status=ImageStatus.QUEUED,
        method="otsu",
        group=group,
        uploaded_at=now(),
    )


class Announcements:
    """A consumer of the processed queue, in a thread, during a `with` block."""

    def __init__(self, settings: Settings) -> None:
        self._queue = make_queue(settings, settings.processed_queue)
        #: How often each image was announced with each status.
        self.seen: Counter[tuple[str, str]] = Counter()
        self.first_at: dict[str, float] = {}
        #: Ids in the order in which they were announced.
        self.order: list[str] = []

    def __enter__(self) -> Self:
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._listen, name="announcements")
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join()

    def have(self, ids: Collection[str]) -> bool:
        """Whether all of *ids* were announced."""
        return set(ids) <= self.first_at.keys()

    def _listen(self) -> None:
        while not self._stopping.is_set():
            deliveries = self._queue.receive(
                max_messages=10, wait_time_s=1, visibility_timeout_s=30
            )
            for delivery in deliveries:
                self._note(json.loads(delivery.body))
            if deliveries:
                self._queue.delete_batch(deliveries)

    def _note(self, announcement: dict[str, Any]) -> None:
        image_id = announcement["image_id"]
        self.first_at.setdefault(image_id, time.monotonic())
        self.order.append(image_id)
        self.seen[image_id, announcement["status"]] += 1


def wait_until_empty(settings: Settings, *, within_s: float = 30) -> None:
    """Wait until the queue is empty: a message is deleted just after its announcement."""
    jobs = make_queue(settings, settings.input_queue)

    def is_empty() -> bool:
        depth = jobs.depth()
        return depth.waiting + depth.held == 0

    wait_until(is_empty, within_s=within_s)


# --- the verdict -------------------------------------------------------------------------------


@dataclass(frozen=True)
class Record:
    """The numbers of images by outcome, named as in Jepsen's queue checker."""

    attempts: int
    acknowledged: int
    #: Announced once, and S3 agrees.
    ok: int
    #: Acknowledged and never announced.
    lost: int
    #: Announcements beyond the first.
    duplicated: int
    #: Announced and not in S3, announced as processed and failed, or never sent.
    unexpected: int
    #: Announced once after a worker died or lost the lease; counted by the test.
    recovered: int
    failed: int
    max_latency_s: float

    def __str__(self) -> str:
        return json.dumps(asdict(self))

    @property
    def holds(self) -> bool:
        return self.ok == self.acknowledged and not (
            self.lost or self.duplicated or self.unexpected
        )


def record_of(
    settings: Settings,
    ids: Sequence[str],
    announcements: Announcements,
    *,
    sent_at: float,
    recovered: int = 0,
) -> Record:
    """The comparison of the announcements with the objects in the bucket of the results."""
    seen, keys = announcements.seen, _keys(settings)
    statuses = {i: [status for (j, status) in seen if j == i] for i in {i for i, _ in seen}}
    agreeing = [i for i in ids if statuses.get(i) == [_status_of(i, keys)]]
    once = [i for i in agreeing if seen[i, statuses[i][0]] == 1]
    strange = set(statuses) - set(ids) | {i for i in statuses if i not in agreeing}
    latencies = [at - sent_at for i, at in announcements.first_at.items() if i in set(ids)]
    return Record(
        attempts=len(ids),
        acknowledged=len(ids),
        ok=len(once),
        lost=sum(i not in statuses for i in ids),
        duplicated=sum(seen.values()) - len(statuses),
        unexpected=len(strange),
        recovered=recovered,
        failed=sum(statuses.get(i) == ["failed"] for i in ids),
        max_latency_s=round(max(latencies, default=0.0), 2),
    )


def _keys(settings: Settings) -> set[str]:
    pages = aws.s3_client(settings).get_paginator("list_objects_v2")
    return {
        found["Key"]
        for page in pages.paginate(Bucket=settings.processed_bucket)
        for found in page.get("Contents", [])
    }


def _status_of(image_id: Any, keys: set[str]) -> str | None:
    if processed_key(image_id) in keys:
        return "processed"
    return "failed" if failure_key(image_id) in keys else None
