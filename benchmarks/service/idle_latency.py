"""Time one image in an empty system, step by step, from upload to announcement.

    ./.venv/bin/python -m benchmarks.service.idle_latency [--images 40] [--save]

One process with web and worker, as ./start_app.sh runs it, on a LocalStack of its own; the page is
a clean A4 scan (200 dpi, gray). A consumer waits for the announcements. Prints the median from
upload to announcement with the default method, and the mean of each step from the process's own
metrics. The remaining time is the delivery of the two messages. `--save` keeps the table for
docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
import os
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from statistics import fmean, median, quantiles

from app.aws import clients as aws
from app.settings import Settings
from app.setup_aws_resources import ensure_resources
from benchmarks.engine.text_pages import page
from benchmarks.report.rows import rows
from benchmarks.report.saved import save
from benchmarks.service.worker import A4_200_DPI_MEGAPIXELS
from testkit.network.http_requests import http_request
from testkit.network.ports import free_port
from testkit.processes.fleet import Announcements, own_localstack, role
from testkit.timing.waiting import is_alive, wait_until

#: Time between two images, in which the system becomes idle.
PAUSE_S = 0.3
WARM_UP = 5
HEAD = ("step", "ms")
STEP = re.compile(
    r'^image_pipeline_worker_step_duration_seconds_(sum|count)\{step="(\w+)"\} (\S+)$', re.MULTILINE
)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--images", type=int, default=40)
    parser.add_argument("--save", action="store_true", help="keep the table for the documents")
    options = parser.parse_args()
    os.environ |= {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
    png = page(A4_200_DPI_MEGAPIXELS, is_noisy=False, is_rgb=False)
    with system() as settings, Announcements(settings) as announcements:
        for _ in range(WARM_UP):
            send(settings, announcements, png)
        before = steps(settings)
        seen = [send(settings, announcements, png) for _ in range(options.images)]
        after = steps(settings)
    taken = {name: 1000 * (after[name] - before[name]) / len(seen) for name in after}
    body = [*table([answer for answer, _ in seen], [whole for _, whole in seen], taken)]
    print("\n".join(rows(HEAD, body)))
    if options.save:
        save("idle-latency", HEAD, body)


@contextmanager
def system() -> Iterator[Settings]:
    with own_localstack() as localstack:
        settings = Settings(
            aws_endpoint_url=localstack.endpoint, port=free_port(), metrics_port=free_port()
        )
        ensure_resources(settings, s3=aws.s3_client(settings), sqs=aws.sqs_client(settings))
        with role("all", settings):
            wait_until(lambda: is_alive(f"http://127.0.0.1:{settings.port}"), within_s=120)
            yield settings


def send(settings: Settings, announcements: Announcements, png: bytes) -> tuple[float, float]:
    """Milliseconds from the upload to its response, and to its announcement."""
    time.sleep(PAUSE_S)
    began_at = time.monotonic()
    fields = {"image": ("page.png", png, "image/png")}
    answer = http_request("POST", f"http://127.0.0.1:{settings.port}/upload", fields=fields)
    answered_at = time.monotonic()
    image_id = answer.json()["image_id"]
    wait_until(lambda: announcements.have([image_id]))
    return 1000 * (answered_at - began_at), 1000 * (announcements.first_at[image_id] - began_at)


def steps(settings: Settings) -> dict[str, float]:
    """Seconds that each step of the worker has taken so far."""
    url = f"http://127.0.0.1:{settings.metrics_port}/metrics"
    text = http_request("GET", url).data.decode()
    return {name: float(value) for kind, name, value in STEP.findall(text) if kind == "sum"}


def table(
    answers: list[float], whole: list[float], taken: Mapping[str, float]
) -> Iterator[tuple[str, str]]:
    """The steps and their sums, in milliseconds."""
    steps = {name: ms for name, ms in taken.items() if name != "delete"}  # after the announcement
    rest = fmean(whole) - fmean(answers) - sum(steps.values())
    named = {
        "upload, to the response 202": fmean(answers),
        **steps,
        "delivery of the two messages (the rest)": rest,
        "**upload to announcement**, mean": fmean(whole),
        "median": median(whole),
        "p95": quantiles(whole, n=20)[-1],
        "median without the engine (`compute`)": median(whole) - taken["compute"],
    }
    yield from ((name, f"{ms:.1f}") for name, ms in named.items())


if __name__ == "__main__":
    main()
