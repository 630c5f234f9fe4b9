"""Measure the CPU time that logs and traces add to an upload and to its processing.

    ./.venv/bin/python -m benchmarks.service.logs [--images 200] [--rounds 7]

Uses one process, storage and queue in memory, and the smallest page, so that little else is
measured. The log goes to /dev/null. Spans go to an exporter that encodes them as OTLP and discards
them in its own thread, whose CPU time counts. Variants take turns, and the minimum of each counts,
because other load only adds time.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext

from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from app.observability import logs, tracing
from app.observability.telemetry import provided
from app.settings import Settings
from testkit.in_memory.site import Site
from testkit.png.scans import page_png


class Discarding(SpanExporter):
    spans = 0

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self.spans += len(spans)
        encode_spans(spans).SerializeToString()
        return SpanExportResult.SUCCESS


@contextmanager
def traced() -> Iterator[None]:
    with provided("benchmark", Discarding()) as provider, tracing.recorded_by(provider):
        yield


@contextmanager
def unsampled() -> Iterator[None]:
    os.environ["OTEL_TRACES_SAMPLER"] = "always_off"
    try:
        with traced():
            yield
    finally:
        del os.environ["OTEL_TRACES_SAMPLER"]


@contextmanager
def silent() -> Iterator[None]:
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)


WAYS: dict[str, Callable[[], AbstractContextManager[None]]] = {
    "neither": silent,
    "log": nullcontext,
    "log, no sample": unsampled,
    "log and traces": traced,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--images", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    sys.stderr = open(os.devnull, "w")  # noqa: SIM115 (for as long as we run)
    logs.configure("INFO", logs.JSON)
    page = page_png()
    run_round(page, 20)  # what loads on the first image
    least: dict[str, tuple[float, float]] = {}
    for _ in range(options.rounds):
        for name, way in WAYS.items():
            with way():
                found = run_round(page, options.images)
            known = least.get(name, found)
            least[name] = (min(known[0], found[0]), min(known[1], found[1]))
    for name, (upload_us, work_us) in least.items():
        print(f"{name:<16} {upload_us:7.0f} us an upload {work_us:7.0f} us an image in the worker")
    for name, work in (("step", step), ("image", image)):
        print(f"{'no trace':<16} {cost_us(work):7.2f} us the spans of one {name}, not recorded")


def run_round(page: bytes, images: int) -> tuple[float, float]:
    """CPU microseconds per upload, and per image in the worker."""
    site = Site(Settings())
    uploaded = timed(lambda: [site.upload(page, method="simple") for _ in range(images)])
    return uploaded / images, timed(site.work) / images


def timed(act: Callable[[], object]) -> float:
    began_at = time.process_time()
    act()
    return 1e6 * (time.process_time() - began_at)


def cost_us(work: Callable[[], None], times: int = 20_000) -> float:
    def repeat() -> None:
        for _ in range(times):
            work()

    return timed(repeat) / times


def step() -> None:
    with tracing.step("fetch"):
        pass


def image() -> None:
    """Record the worker's spans for one image: 13 below one, including AWS calls."""
    with tracing.processing("jobs", {}, message_id="m", image_id="i", receive_count=1):
        for _ in range(8):
            step()
        for _ in range(3):
            tracing.call("s3", "GetObject", {}).end()
        with tracing.sending("done"), tracing.settling("jobs"):
            pass


if __name__ == "__main__":
    main()
