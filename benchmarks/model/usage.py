"""Resources per image, from the measurements of benchmarks/pipeline/measure.py."""

from __future__ import annotations

from typing import Any

from app.settings import Settings
from benchmarks.model.cost import Usage
from benchmarks.service.worker import S3_LATENCY_S, SQS_LATENCY_S

LINGER_S = Settings().batch_linger_ms / 1000
#: The subject of benchmarks/pipeline/measure.py that each method was measured with.
SUBJECTS = {"otsu": "ours", "auto": "ours-auto"}


def usage_of(measured: dict[str, Any], subject: str) -> Usage:
    """Resources per image, from the figures at *subject*'s sustained rate.

    That run has web and worker in one process. The web share comes from the run with separate ones.
    """
    apart = measured["subjects"]["one-worker"]["cpu_ms"]
    seen = measured["subjects"][subject]
    heard = {"ReceiveMessage of others": 0.1, "DeleteMessageBatch of others": 0.1}
    calls = {name: n for name, n in seen["aws_calls"].items() if is_of_sqs(name)}
    return Usage(
        web_cpu_s=apart["web"] / 1000,
        worker_cpu_s=max(0.001, (seen["cpu_ms"]["app"] - apart["web"]) / 1000),
        page_bytes=measured["page_bytes"],
        result_bytes=measured["result_bytes"],
        sqs_calls={name: n for name, n in calls.items() if n >= 0.01} | heard,
        held_s=held_s((seen["cpu_ms"]["app"] - apart["web"]) / 1000),
    )


def is_of_sqs(action: str) -> bool:
    return "Message" in action or "Queue" in action


def held_s(cpu_s: float) -> float:
    """Time that a worker holds an image: its CPU, S3, SQS, and the linger of two batches."""
    return SQS_LATENCY_S + 2 * S3_LATENCY_S + cpu_s + 2 * (LINGER_S + SQS_LATENCY_S)
