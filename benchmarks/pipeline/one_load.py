"""Run one load against a pipeline and return its measurements."""

from __future__ import annotations

import subprocess
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from benchmarks.pipeline.open_loop import Answer, Load, read_load
from benchmarks.pipeline.subjects import ROOT, Running
from testkit.processes.fleet import Announcements
from testkit.timing.waiting import wait_until

DRAIN_DEADLINE_S = 600.0
Figures = dict[str, Any]


@dataclass(frozen=True)
class Seen:
    """The result of a load: its responses, and when each image was first announced."""

    load: Load
    announced_at: Mapping[str, float]
    doubled: int
    cpu_s: Mapping[str, float]
    aws_calls: Mapping[str, int]
    #: Average CPUs used by other processes of the machine meanwhile.
    foreign_cpus: float = 0.0

    @property
    def accepted(self) -> list[Answer]:
        return [one for one in self.load.answers if one.is_accepted]

    @property
    def latencies_s(self) -> list[float]:
        """Seconds from each upload's due time to its announcement."""
        known = [(a.due_at, self.announced_at.get(str(a.image_id))) for a in self.accepted]
        return [at - due_at for due_at, at in known if at is not None]

    @property
    def images_per_s(self) -> float:
        """Announced images per second, from the first due time to the last announcement."""
        first = min(a.due_at for a in self.load.answers)
        last = max(self.announced_at[str(a.image_id)] for a in self.accepted)
        return len(self.accepted) / (last - first)


def put_under_load(subject: Running, png: Path, rate: float, seconds: float) -> Seen:
    """Send, and wait until every accepted image is announced."""
    with Announcements(subject.settings) as announcements:
        calls_before = subject.aws_calls()
        before, own_before = subject.cpu_s(), time.process_time()
        busy_before, began_at = busy_s(), time.monotonic()
        load = generate(subject, png, rate, seconds)
        accepted = {str(one.image_id) for one in load.answers if one.is_accepted}
        wait_for(announcements, accepted)
        after, own = subject.cpu_s(), time.process_time() - own_before
        busy, took_s = busy_s() - busy_before, time.monotonic() - began_at
        calls = subject.aws_calls() - calls_before
    cpu_s = {name: after[name] - before[name] for name in after}
    cpu_s["clients"] = load.cpu_s + own
    foreign_cpus = max(0.0, busy - sum(cpu_s.values())) / took_s
    announced = {i: at for i, at in announcements.first_at.items() if i in accepted}
    doubled = sum(announcements.seen.values()) - len(announcements.first_at)
    return Seen(load, announced, doubled, cpu_s, calls, foreign_cpus)


def busy_s() -> float:
    """CPU seconds of the whole machine so far, including steal time."""
    of = psutil.cpu_times()
    return float(sum(of) - of.idle - of.iowait - of.guest - of.guest_nice)


def generate(subject: Running, png: Path, rate: float, seconds: float) -> Load:
    command = [sys.executable, "-m", "benchmarks.pipeline.open_loop", subject.url, str(png)]
    command += ["--rate", str(rate), "--seconds", str(seconds)]
    for one in subject.subject.fields:
        command += ["--field", one]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return read_load(ran.stdout)


def wait_for(announcements: Announcements, accepted: set[str]) -> None:
    """Wait until all *accepted* are announced or the deadline passes; the count tells which."""
    with suppress(AssertionError):
        wait_until(lambda: announcements.have(accepted), within_s=DRAIN_DEADLINE_S)


def figures_of(seen: Seen, rate: float) -> Figures:
    """A load as recorded: CPU in milliseconds per image, latencies in milliseconds."""
    answered = [one.latency_s for one in seen.load.answers if one.status]
    images = max(1, len(seen.announced_at))
    return {
        "rate_per_s": round(rate, 2),
        "offered": len(seen.load.answers),
        "accepted": len(seen.accepted),
        "announced": len(seen.announced_at),
        "doubled": seen.doubled,
        "statuses": statuses(seen.load.answers),
        "latency_ms": percentiles_ms(seen.latencies_s),
        "answer_ms": percentiles_ms(answered),
        "cpu_ms": {name: round(1000 * s / images, 2) for name, s in seen.cpu_s.items()},
        "foreign_cpus": round(seen.foreign_cpus, 2),
        "aws_calls": {name: round(n / images, 3) for name, n in sorted(seen.aws_calls.items())},
    }


def statuses(answers: Sequence[Answer]) -> dict[str, int]:
    return {str(status): n for status, n in sorted(Counter(a.status for a in answers).items())}


def percentiles_ms(seconds: Sequence[float]) -> dict[str, float]:
    if not seconds:
        return {}
    at = np.percentile(seconds, (50, 95, 99)) * 1000
    return {name: round(float(ms), 1) for name, ms in zip(("p50", "p95", "p99"), at, strict=True)}
