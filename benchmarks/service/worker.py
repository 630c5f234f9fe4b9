"""Compare how our worker and others drain a queue of A4 pages on one LocalStack.

    ./.venv/bin/python -m benchmarks.service.worker [--pages 300] [--latency] [--rivals]

Needs what ./run_tests.sh installs, and Node with npm for `--rivals`. Every subject gets fresh
buckets and queues. The measurement excludes the start: it runs from the first tenth of the
announcements to the last, with the CPU of the subject's processes. `--latency` adds the latency of
AWS: 20 ms per SQS call, 40 ms per S3 call. LocalStack, the proxy and the announcements' consumer
share the CPUs with the subject, so the ceiling (the same calls without image work) is the upper
limit.
"""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import psutil

from app.aws import clients as aws
from app.domain.ports import MAX_BATCH
from app.domain.representation import Image, ImageStatus, now
from app.image_processor import binarize_png
from app.observability.metrics import AwsMetrics
from app.png.limits import PngLimits
from app.s3_service import make_image_store
from app.settings import Settings, usable_cpus
from app.setup_aws_resources import ensure_resources
from app.sqs_service import make_queue
from benchmarks.engine.text_pages import page
from testkit.aws.fault_proxy import FaultProxy, Latency, Rule
from testkit.processes.fleet import Announcements, environment, own_localstack
from testkit.root import ROOT
from testkit.timing.waiting import wait_until

RIVALS = ROOT / "benchmarks" / "rivals"
A4_200_DPI_MEGAPIXELS = 3.87
S3_LATENCY_S, SQS_LATENCY_S = 0.040, 0.020
S3 = frozenset({"GetObject", "PutObject", "HeadObject"})
DEADLINE_S = 900.0


@dataclass(frozen=True)
class Subject:
    name: str
    command: list[str]
    method: str = "otsu"
    #: Whether it does the engine's work, which is then reported separately.
    is_ours: bool = False


@dataclass(frozen=True)
class Score:
    images_per_s: float
    cpu_ms: float
    localstack_cpu_ms: float
    announced: int
    doubled: int


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--pages", type=int, default=300)
    parser.add_argument("--latency", action="store_true", help="as AWS has, through a proxy")
    parser.add_argument("--rivals", action="store_true", help="also those that others would write")
    options = parser.parse_args()
    os.environ |= {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
    print(f"{usable_cpus()} CPUs, Python {platform.python_version()}, {options.pages} A4 pages")
    subjects = list(_subjects(is_with_rivals=options.rivals))
    with own_localstack() as localstack:
        for kind in ("clean", "noisy"):
            data = page(A4_200_DPI_MEGAPIXELS, is_noisy=kind == "noisy", is_rgb=False)
            for latency in (False, True) if options.latency else (False,):
                _report_head(kind, len(data), is_late=latency)
                for subject in subjects:
                    settings = _fresh_settings(localstack.endpoint)
                    score = _drain(subject, settings, data, options.pages, localstack.pid, latency)
                    _report(subject, score, _engine_ms(data, subject.method))


def _subjects(*, is_with_rivals: bool) -> Iterator[Subject]:
    python = sys.executable
    yield Subject("worker, otsu", [python, "-m", "app.main", "worker"], "otsu", is_ours=True)
    yield Subject("worker, auto", [python, "-m", "app.main", "worker"], "auto", is_ours=True)
    yield Subject("ceiling: no image work", [python, "-m", "benchmarks.rivals.ceiling"])
    if is_with_rivals:
        yield Subject("boto3 + OpenCV, one by one", [python, "-m", "benchmarks.rivals.one_by_one"])
        yield Subject("sqs-consumer + sharp", ["node", str(node_rivals() / "worker.mjs")])


def node_rivals() -> Path:
    """Install the Node rivals from their lock outside the repository; return the folder."""
    folder = Path(tempfile.gettempdir()) / "image-pipeline-rival"
    folder.mkdir(exist_ok=True)
    for source in filter(Path.is_file, (RIVALS / "node").iterdir()):  # not node_modules
        (folder / source.name).write_bytes(source.read_bytes())
    subprocess.run(["npm", "ci", "--silent"], cwd=folder, check=True)
    return folder


def _fresh_settings(endpoint: str) -> Settings:
    tag = uuid.uuid4().hex[:12]
    settings = Settings(
        aws_endpoint_url=endpoint,
        input_bucket=f"input-{tag}",
        processed_bucket=f"processed-{tag}",
        input_queue=f"input-{tag}.fifo",
        processed_queue=f"processed-{tag}.fifo",
        input_dead_letter_queue=f"dead-{tag}.fifo",
    )
    ensure_resources(settings, s3=aws.s3_client(settings), sqs=aws.sqs_client(settings))
    return settings


def _preload(settings: Settings, data: bytes, pages: int, method: str) -> None:
    store, jobs = (
        make_image_store(settings, AwsMetrics()),
        make_queue(settings, settings.input_queue),
    )
    images = [
        Image(image_id=uuid.uuid4(), status=ImageStatus.QUEUED, method=method, uploaded_at=now())
        for _ in range(pages)
    ]
    for image in images:
        store.put_original(image, data)
    for start in range(0, pages, MAX_BATCH):
        jobs.send_batch([store.job_message(i) for i in images[start : start + MAX_BATCH]])


def _drain(
    subject: Subject, settings: Settings, data: bytes, pages: int, localstack: int, is_late: bool
) -> Score:
    _preload(settings, data, pages, subject.method)
    proxy = FaultProxy(settings.aws_endpoint_url) if is_late else nullcontext()
    with Announcements(settings) as announcements, proxy as late:
        behind = settings
        if late:
            late.rules = [Rule(Latency(S3_LATENCY_S), S3), Rule(Latency(SQS_LATENCY_S))]
            behind = settings.model_copy(update={"aws_endpoint_url": late.url})
        variables = environment(behind) | {"AWS_REGION": "us-east-1"}
        with silent_process(subject.command, variables) as running:
            process = running.pid
            _wait_for(announcements, pages // 10)
            cpu, service_cpu, began_at = _cpu_s(process), _cpu_s(localstack), time.monotonic()
            first = len(announcements.first_at)
            _wait_for(announcements, pages)
            cpu, service_cpu = _cpu_s(process) - cpu, _cpu_s(localstack) - service_cpu
            seconds = time.monotonic() - began_at
        images = pages - first
        total = sum(announcements.seen.values())
    return Score(
        images_per_s=images / seconds,
        cpu_ms=cpu / images * 1000,
        localstack_cpu_ms=service_cpu / images * 1000,
        announced=len(announcements.first_at),
        doubled=total - len(announcements.first_at),
    )


def _wait_for(announcements: Announcements, count: int) -> None:
    wait_until(lambda: len(announcements.first_at) >= count, within_s=DEADLINE_S, every_s=0.01)


@contextmanager
def silent_process(command: list[str], variables: Mapping[str, str]) -> Iterator[psutil.Process]:
    """Run *command* with *variables* added to its environment; kill it at the end."""
    with subprocess.Popen(
        command,
        cwd=ROOT,
        env=os.environ | variables,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        try:
            yield psutil.Process(process.pid)
        finally:
            process.kill()


def _cpu_s(pid: int) -> float:
    process = psutil.Process(pid)
    times = [p.cpu_times() for p in (process, *process.children(recursive=True))]
    return sum(t.user + t.system for t in times)


def _engine_ms(data: bytes, method: str) -> float:
    """CPU milliseconds of the engine alone for one such page, on one thread."""

    def once() -> float:
        began_at = time.process_time()
        binarize_png(data, method=method, parameters={}, limits=PngLimits())
        return (time.process_time() - began_at) * 1000

    once()
    return median(once() for _ in range(7))


def _report_head(kind: str, size_bytes: int, *, is_late: bool) -> None:
    late = ", 20 ms for SQS and 40 ms for S3" if is_late else ""
    print(f"\n{kind} page of {size_bytes:,} bytes{late}\n")
    columns = ("subject", "images/s", "CPU ms", "of it engine", "outside", "engine busy")
    print(f"| {' | '.join((*columns, 'LocalStack CPU ms', 'announced', 'doubled'))} |")
    print("|---|---:|---:|---:|---:|---:|---:|---:|---:|")


def _report(subject: Subject, score: Score, engine_ms: float) -> None:
    engine = outside = busy = ""
    if subject.is_ours:
        engine, outside = f"{engine_ms:.1f}", f"{score.cpu_ms - engine_ms:.1f}"
        busy = f"{score.images_per_s * engine_ms / 1000 / usable_cpus():.0%}"
    print(
        f"| {subject.name} | {score.images_per_s:.1f} | {score.cpu_ms:.1f} | {engine} | {outside} "
        f"| {busy} | {score.localstack_cpu_ms:.1f} | {score.announced} | {score.doubled} |",
        flush=True,
    )


if __name__ == "__main__":
    main()
