"""The pipelines that measure.py compares, each started on its own LocalStack."""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from app.aws import clients as aws
from app.settings import Settings
from app.setup_aws_resources import ensure_resources
from benchmarks.report.pipeline_tables import OURS, TUTORIAL
from benchmarks.service.worker import node_rivals, silent_process
from testkit.network.http_requests import http_request
from testkit.network.ports import free_port
from testkit.processes.fleet import LocalStack, environment, own_localstack
from testkit.processes.start_app import start_app
from testkit.root import ROOT
from testkit.timing.waiting import is_alive, wait_until

PYTHON = sys.executable
START_S = 300.0
#: Matches the AWS call counter of docs/metrics.md: action and count.
CALLS = re.compile(
    r'^image_pipeline_aws_request_duration_seconds_count{operation="(\w+)",service="\w+"} (\S+)$',
    re.MULTILINE,
)
WEB, WORKER = [PYTHON, "-m", "app.main", "web"], [PYTHON, "-m", "app.main", "worker"]


@dataclass(frozen=True)
class Subject:
    """A pipeline: its processes by name, or ./start_app.sh without any."""

    title: str
    processes: Mapping[str, list[str]] = field(default_factory=dict)
    #: Form fields of each upload.
    fields: tuple[str, ...] = ()
    variables: Mapping[str, str] = field(default_factory=dict)
    #: So slow that it runs one round only.
    is_slow: bool = False


OTSU = ("method=otsu",)
NODE = "node"
ONE_WORKER, TWO_WORKERS = "one-worker", "two-workers"


def subjects() -> dict[str, Subject]:
    """The subjects by the name in results and options. Installs the Node rivals."""
    node = node_rivals()
    node_processes = {
        "api": ["node", str(node / "api.mjs")],
        "worker": ["node", str(node / "worker.mjs")],
    }
    return {
        OURS: Subject("`./start_app.sh`, the default `auto`"),
        "ours": Subject("`./start_app.sh`, `otsu`", fields=OTSU),
        ONE_WORKER: Subject("`web` + 1 `worker`, `auto`", {"web": WEB, "worker": WORKER}),
        TWO_WORKERS: Subject(
            "`web` + 2 `worker`, `auto`",
            {"web": WEB, "worker": WORKER, "worker 2": WORKER},
        ),
        TUTORIAL: Subject(
            "Flask + thread with Otsu, one by one",
            {"app": [PYTHON, "-m", "benchmarks.rivals.tutorial"]},
        ),
        NODE: Subject("Express + `sqs-consumer` + `sharp`, 8 bits", node_processes),
        "node-1-bit": Subject(
            "the same, 1 bit as ours", node_processes, variables={"SHARP_BITS": "1"}, is_slow=True
        ),
    }


@dataclass(frozen=True)
class Running:
    """A running subject that accepts uploads on *url*."""

    subject: Subject
    url: str
    localstack: LocalStack
    settings: Settings
    processes: Mapping[str, psutil.Process]

    @property
    def components(self) -> dict[str, psutil.Process]:
        """The subject's processes and its LocalStack."""
        return {**self.processes, "localstack": psutil.Process(self.localstack.pid)}

    def cpu_s(self) -> dict[str, float]:
        """CPU seconds so far, by component."""
        return {name: cpu_of(process) for name, process in self.components.items()}

    def peak_rss_mb(self) -> dict[str, float]:
        """Peak memory by component, in MB."""
        return {name: round(peak_rss_of(one) / 1e6, 1) for name, one in self.components.items()}

    def aws_calls(self) -> Counter[str]:
        """AWS calls so far by action, for a subject that counts them in one process."""
        if self.subject.processes:
            return Counter()
        text = http_request("GET", f"{self.url}/metrics").data.decode()
        return Counter({action: int(float(n)) for action, n in CALLS.findall(text)})


@contextmanager
def running(subject: Subject, **variables: str) -> Iterator[Running]:
    """Start *subject* on a fresh LocalStack, with *variables* added to its environment."""
    with own_localstack() as localstack, ExitStack() as stack:
        settings = Settings(aws_endpoint_url=localstack.endpoint)
        chosen = {**subject.variables, **variables}
        if subject.processes:
            ensure_resources(settings, s3=aws.s3_client(settings), sqs=aws.sqs_client(settings))
            url, processes = _start(stack, subject, settings, chosen)
        else:
            url, processes = _start_as_a_person_does(stack, localstack, chosen)
        yield Running(subject, url, localstack, settings, processes)


def _start_as_a_person_does(
    stack: ExitStack, localstack: LocalStack, variables: Mapping[str, str]
) -> tuple[str, dict[str, psutil.Process]]:
    port = localstack.endpoint.rpartition(":")[2]
    app = stack.enter_context(start_app(ROOT, LOCALSTACK_PORT=port, **variables))
    app.wait_until_ready(within_s=START_S)
    return app.url, {"app": app.application}


def _start(
    stack: ExitStack, subject: Subject, settings: Settings, variables: Mapping[str, str]
) -> tuple[str, dict[str, psutil.Process]]:
    port = free_port()
    of_settings = environment(settings) | {"PORT": str(port), "AWS_REGION": "us-east-1"}
    processes = {
        name: stack.enter_context(silent_process(command, {**of_settings, **variables}))
        for name, command in subject.processes.items()
    }
    url = f"http://127.0.0.1:{port}"
    wait_until(lambda: is_alive(url), within_s=START_S)
    return url, processes


def cpu_of(process: psutil.Process) -> float:
    """CPU seconds of *process* and its children, including ended ones."""
    seconds = 0.0
    for one in (process, *process.children(recursive=True)):
        times = one.cpu_times()
        seconds += times.user + times.system + times.children_user + times.children_system
    return seconds


def peak_rss_of(process: psutil.Process) -> int:
    """The summed peak bytes of *process* and its children, from /proc (Linux)."""
    peak = 0
    for one in (process, *process.children(recursive=True)):
        status = Path(f"/proc/{one.pid}/status").read_text()
        peak += int(status.partition("VmHWM:")[2].split()[0]) * 1024
    return peak
