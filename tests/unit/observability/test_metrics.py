"""What is counted, under which name, and that it says what docs/metrics.md promises."""

from __future__ import annotations

import re
import threading
import uuid
from datetime import timedelta
from typing import Any

import pytest
from prometheus_client import Counter

from app import errors
from app.consumer.admission import Admission
from app.consumer.breaker import FAILURES_TO_OPEN, Breaker
from app.consumer.leases import Leases
from app.domain.messages import Job
from app.domain.ports import Binarized, Delivery
from app.domain.representation import now, rfc3339
from app.errors import CorruptPngError, LeaseLostError, QueueUnavailableError
from app.observability.metrics import Metrics
from app.settings import Settings
from app.wiring.processing import admitted
from testkit.in_memory.fakes import MemoryQueue
from testkit.in_memory.memory_pipeline import VISIBILITY_TIMEOUT_S, MemoryPipeline
from testkit.in_memory.site import Site
from testkit.observability.counts import Counts
from testkit.png.scans import page_png
from testkit.root import ROOT
from testkit.timing.clocks import Clock

METHODS = ("simple", "otsu")


@pytest.fixture
def metrics() -> Metrics:
    return Metrics(METHODS)


@pytest.fixture
def pipeline(metrics: Metrics) -> MemoryPipeline:
    return MemoryPipeline(metrics=metrics)


def with_all_groups(metrics: Metrics) -> Metrics:
    assert metrics.http
    assert metrics.worker
    assert metrics.aws
    assert metrics.queues
    return metrics


# --- names and documents -------------------------------------------------------------------------


def documented() -> dict[str, tuple[str, tuple[str, ...]]]:
    """Type and labels, by name."""
    page = (ROOT / "docs" / "metrics.md").read_text()
    rows = re.findall(r"^\| `(image_pipeline_\w+)` \| ([^|]*)\|", page, re.MULTILINE)
    return {name: (kind_of(name), tuple(re.findall(r"`(\w+)`", labels))) for name, labels in rows}


def kind_of(name: str) -> str:
    """The type that the page gives a metric by the end of its name."""
    if name.endswith("_total"):
        return "counter"
    return "histogram" if name.endswith(("_seconds", "_bytes")) else "gauge"


def made(metrics: Metrics) -> dict[str, tuple[str, tuple[str, ...]]]:
    found = {}
    for collector in set(metrics.registry._collector_to_names):
        for family in collector.collect():
            name = family.name + ("_total" if family.type == "counter" else "")
            if not name.startswith("process_"):  # prometheus-client documents these
                found[name] = (family.type, tuple(getattr(collector, "_labelnames", ())))
    return found


def test_every_metric_is_documented_with_its_type_and_labels_and_no_other(
    metrics: Metrics,
) -> None:
    assert documented() == made(with_all_groups(metrics))


def test_queries_in_the_documents_ask_for_metrics_that_exist(metrics: Metrics) -> None:
    text = (ROOT / "docs" / "metrics.md").read_text()
    asked = set(
        re.findall(
            r"\bimage_pipeline_\w+", "".join(re.findall(r"```promql.*?```", text, re.DOTALL))
        )
    )
    known = made(with_all_groups(metrics))

    bases = {re.sub(r"_(bucket|sum|count)$", "", name) for name in asked}
    assert bases
    assert bases - set(known) == set()


def test_a_role_exposes_only_its_own_metrics(metrics: Metrics) -> None:
    assert metrics.http

    assert "image_pipeline_http_requests_total" in made(metrics)
    assert not [name for name in made(metrics) if "worker" in name or "queue" in name]


def test_two_registries_in_one_process_are_independent() -> None:
    one, other = Metrics(), Metrics()

    one.worker.polls.inc()

    assert Counts.of(one).get("worker_polls_total") == 1
    assert other.worker.polls
    assert Counts.of(other).get("worker_polls_total") == 0


def test_series_of_alerts_start_at_zero(metrics: Metrics) -> None:
    """The first value of a series is no increase for Prometheus."""
    codes = {error.code for error in vars(errors).values() if hasattr(error, "code")}
    uploads = {s.labels["result"] for s in samples(metrics.http._uploads)}
    failures = {s.labels["code"] for s in samples(metrics.worker._failures)}

    assert {"accepted", "replayed", "queue-full", "storage-unavailable"} <= uploads
    assert {"processing-crashed", "too-expensive"} <= failures
    assert (uploads | failures) - codes == {"accepted", "replayed"}


def samples(metric: Counter) -> list[Any]:
    return [s for family in metric.collect() for s in family.samples]


# --- HTTP ----------------------------------------------------------------------------------------


@pytest.fixture
def site(metrics: Metrics) -> Site:
    return Site(Settings(), metrics=metrics)


def test_requests_are_counted_by_route_not_by_path(site: Site, metrics: Metrics) -> None:
    for _ in range(3):
        site.client.get(f"/images/{uuid.uuid4()}")

    counts = Counts.of(metrics)
    route = "/images/<uuid:image_id>"
    assert counts.all("http_requests_total") == {("GET", route, "404"): 3}
    assert counts.get("http_request_duration_seconds_count", method="GET", route=route) == 3


def test_a_client_cannot_create_series(site: Site, metrics: Metrics) -> None:
    for n in range(3):
        site.client.get(f"/nothing/{n}")
        site.client.open("/healthz", method=f"METHOD{n}")

    assert Counts.of(metrics).all("http_requests_total") == {
        ("GET", "other", "404"): 3,
        ("other", "other", "405"): 3,
    }


def test_uploads_are_counted_by_result(site: Site, metrics: Metrics) -> None:
    key = {"Idempotency-Key": "a key of sixteen"}
    site.upload(headers=key)
    site.upload(headers=key)
    site.upload(b"no png")
    site.upload(b"")

    counts = Counts.of(metrics)
    assert counts.all("uploads_total") == {
        ("accepted",): 1,
        ("replayed",): 1,
        ("not-a-png",): 1,
        ("empty-image",): 1,
    }
    assert counts.get("upload_size_bytes_count") == 1
    assert counts.get("upload_size_bytes_sum") == len(page_png())


def test_an_upload_that_cannot_be_sent_on_is_counted_as_accepted_by_nobody(
    site: Site, metrics: Metrics
) -> None:
    site.jobs.is_down = True

    site.upload()

    assert Counts.of(metrics).all("uploads_total") == {("queue-unavailable",): 1}


def test_the_wait_that_a_client_prefers_is_not_in_the_duration(
    site: Site, metrics: Metrics
) -> None:
    site.upload(headers={"Prefer": "wait=1"})

    seconds = Counts.of(metrics).get(
        "http_request_duration_seconds_sum", method="POST", route="/upload"
    )
    assert seconds is not None
    assert 0 < seconds < 0.9


# --- /metrics on the port of the API -------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "status"),
    [
        ({}, 200),
        ({"host": "::1"}, 200),
        ({"host": "0.0.0.0"}, 404),  # the case that must never be 200
        ({"host": "0.0.0.0", "allow_anonymous": True}, 404),
        ({"trusted_proxy_hops": 1}, 404),
        ({"metrics_port": 9100}, 404),
    ],
)
def test_metrics_are_open_to_this_machine_only(settings: dict[str, Any], status: int) -> None:
    answer = Site(Settings(**settings)).client.get("/metrics")

    assert answer.status_code == status
    assert (b"image_pipeline_http_requests_total" in answer.data) == (status == 200)


def test_metrics_need_a_token_where_there_are_tokens() -> None:
    site = Site(Settings(api_tokens=f"ana:{'0' * 64}"))

    assert site.client.get("/metrics").status_code == 401


def test_a_scrape_is_text_that_prometheus_reads(site: Site) -> None:
    answer = site.client.get("/metrics")

    assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert Counts(answer.text).get("upload_size_bytes_count") == 0


# --- the worker ----------------------------------------------------------------------------------


def test_each_step_of_an_image_is_timed_once(pipeline: MemoryPipeline, metrics: Metrics) -> None:
    pipeline.upload()

    pipeline.handle_next()

    steps = Counts.of(metrics).all("worker_step_duration_seconds_count")
    assert steps == {("fetch",): 1, ("store",): 1, ("announce",): 1, ("delete",): 1}


def test_a_step_that_fails_is_timed_too(pipeline: MemoryPipeline, metrics: Metrics) -> None:
    pipeline.upload()
    pipeline.on("put result", lambda: pipeline.fail("results"))

    pipeline.handle_next()

    steps = Counts.of(metrics).all("worker_step_duration_seconds_count")
    assert steps == {("fetch",): 1, ("store",): 1}


def test_images_are_counted_by_status_and_method(metrics: Metrics) -> None:
    pipeline = MemoryPipeline(metrics=metrics, max_receives=1)
    pipeline.upload(method="simple")
    pipeline.upload(method="otsu")
    pipeline.upload(b"bad", method="otsu")
    pipeline.upload(method="made-up-by-a-producer")
    for _ in range(4):
        pipeline.handle_next()

    counts = Counts.of(metrics)
    assert counts.all("worker_images_total") == {
        ("simple", "processed"): 1,
        ("otsu", "processed"): 1,
        ("otsu", "failed"): 1,
        ("other", "failed"): 1,
    }
    assert counts.all("worker_failures_total") == {("corrupt-png",): 1, ("unsupported-job",): 1}
    assert counts.all("worker_deliveries_total") == {
        ("processed",): 2,
        ("failed",): 1,
        ("given-up",): 1,
    }


def test_what_is_announced_again_is_a_redelivery_and_no_new_image(
    pipeline: MemoryPipeline, metrics: Metrics
) -> None:
    pipeline.upload()
    pipeline.kill_after("send announcement")

    pipeline.handle_after(61)

    counts = Counts.of(metrics)
    assert counts.all("worker_images_total") == {}
    assert counts.all("worker_deliveries_total") == {("announced-again",): 1}
    assert counts.get("worker_redeliveries_total") == 1


def test_an_image_that_is_given_up_has_failed(metrics: Metrics) -> None:
    pipeline = MemoryPipeline(max_receives=1, metrics=metrics)
    pipeline.upload(b"bug", method="otsu")

    pipeline.handle_next()

    counts = Counts.of(metrics)
    assert counts.all("worker_images_total") == {("otsu", "failed"): 1}
    assert counts.all("worker_failures_total") == {("internal-error",): 1}
    assert counts.all("worker_deliveries_total") == {("given-up",): 1}


def test_queue_wait_and_total_time_are_measured_from_the_upload(
    pipeline: MemoryPipeline, metrics: Metrics
) -> None:
    pipeline.upload(uploaded_at=rfc3339(now() - timedelta(seconds=100)))

    pipeline.handle_next()

    counts = Counts.of(metrics)
    for name in ("queue_wait", "end_to_end", "time_to_announcement"):
        name = f"worker_{name}_seconds"
        assert counts.get(f"{name}_count") == 1
        assert 100 <= (counts.get(f"{name}_sum") or 0) < 110


def test_neither_retries_nor_redriven_images_count_as_waits(
    pipeline: MemoryPipeline, metrics: Metrics
) -> None:
    uploaded_at = rfc3339(now() - timedelta(seconds=100))
    pipeline.upload(uploaded_at=uploaded_at)
    pipeline.receive()  # by somebody who died
    pipeline.handle_after(61)
    pipeline.upload(uploaded_at=uploaded_at, redrive=1)
    pipeline.handle_next()

    counts = Counts.of(metrics)
    assert counts.get("worker_queue_wait_seconds_count") == 0
    assert counts.get("worker_end_to_end_seconds_count") == 1
    assert counts.get("worker_time_to_announcement_seconds_count") == 1


def test_a_retried_announcement_counts_with_its_total_time(
    pipeline: MemoryPipeline, metrics: Metrics
) -> None:
    pipeline.upload(uploaded_at=rfc3339(now() - timedelta(seconds=100)))
    pipeline.on_step = refuse_announcements
    pipeline.handle_next()
    name = "worker_time_to_announcement_seconds"
    assert Counts.of(metrics).get(f"{name}_count") == 0
    pipeline.on_step = lambda _step, _is_done: None

    pipeline.handle_after(61)

    assert Counts.of(metrics).get(f"{name}_count") == 1
    assert (Counts.of(metrics).get(f"{name}_sum") or 0) >= 100


def refuse_announcements(step: str, _is_done: bool) -> None:
    if step == "send announcement":
        raise QueueUnavailableError("SQS is away.")


def test_an_upload_time_in_the_future_gives_a_wait_of_zero(
    pipeline: MemoryPipeline, metrics: Metrics
) -> None:
    pipeline.upload(uploaded_at=rfc3339(now() + timedelta(seconds=100)))

    pipeline.handle_next()

    counts = Counts.of(metrics)
    assert counts.get("worker_queue_wait_seconds_sum") == 0
    assert counts.get("worker_end_to_end_seconds_sum") == 0


def test_images_in_progress_are_those_that_a_thread_processes(
    pipeline: MemoryPipeline, metrics: Metrics
) -> None:
    seen = []
    pipeline.upload()
    pipeline.on(
        "get original", lambda: seen.append(Counts.of(metrics).get("worker_images_in_flight"))
    )

    pipeline.handle_next()

    assert seen == [1]
    assert Counts.of(metrics).get("worker_images_in_flight") == 0


def test_pixels_count_while_they_are_computed_and_the_wait_before_is_a_step(
    metrics: Metrics,
) -> None:
    seen = []

    def process(data: bytes, job: Job) -> Binarized:
        seen.append(Counts.of(metrics).get("worker_pixels_in_flight"))
        raise CorruptPngError("It breaks off.")

    guarded = admitted(process, Admission(slots=1, max_pixels=10_000), 10_000, metrics.worker)
    with pytest.raises(CorruptPngError):
        guarded(page_png(), Job(image_id=uuid.uuid4(), bucket="b", key="k"))

    counts = Counts.of(metrics)
    assert seen == [40 * 30]
    assert counts.get("worker_pixels_in_flight") == 0
    steps = counts.all("worker_step_duration_seconds_count")
    assert steps == {("admit",): 1, ("compute",): 1}


def test_the_breaker_counts_how_often_it_opens(metrics: Metrics) -> None:
    breaker = Breaker(metrics.worker)
    for _ in range(FAILURES_TO_OPEN + 3):
        breaker.failed()
    breaker.try_one()
    breaker.failed()

    assert Counts.of(metrics).get("worker_breaker_openings_total") == 2


# --- leases --------------------------------------------------------------------------------------


class Visibility(MemoryQueue):
    answer: Exception | None = None

    def change_visibility_batch(self, deliveries: Any, *, timeout_s: int) -> Any:
        return [self.answer] * len(deliveries)


@pytest.mark.parametrize(
    ("answer", "result", "lost"),
    [
        (None, "renewed", 0),
        (LeaseLostError("lost"), "lost", 1),
        (QueueUnavailableError("away"), "failed", 0),
    ],
)
def test_renewals_are_counted_by_how_they_end(
    metrics: Metrics, answer: Exception | None, result: str, lost: int
) -> None:
    clock, queue = Clock(), Visibility()
    queue.answer = answer
    leases = Leases(
        queue, visibility_timeout_s=VISIBILITY_TIMEOUT_S, metrics=metrics.worker, clock=clock
    )
    leases.hold([Delivery("{}", "m", "g", 1, "handle")], asked_at=clock())
    clock.advance(31)

    leases.renew()
    leases.renew()  # sees what the first has learned

    counts = Counts.of(metrics)
    assert counts.get("worker_heartbeats_total") == 2
    renewals = counts.all("worker_lease_renewals_total")
    assert renewals == {(result,): 2 if result == "failed" else 1}
    assert counts.get("worker_leases_lost_total") == lost


def test_a_lease_that_ends_by_the_clock_is_lost_once(metrics: Metrics) -> None:
    clock = Clock()
    leases = Leases(
        Visibility(), visibility_timeout_s=VISIBILITY_TIMEOUT_S, metrics=metrics.worker, clock=clock
    )
    held = leases.hold([Delivery("{}", "m", "g", 1, "handle")], asked_at=clock())
    clock.advance(61)

    leases.renew()
    leases.give_back(held, delay_s=0)

    assert Counts.of(metrics).get("worker_leases_lost_total") == 1


def test_returned_and_handled_leases_are_not_lost(metrics: Metrics) -> None:
    clock = Clock()
    leases = Leases(
        Visibility(), visibility_timeout_s=VISIBILITY_TIMEOUT_S, metrics=metrics.worker, clock=clock
    )
    deliveries = [Delivery("{}", name, "g", 1, "handle") for name in "ab"]
    given_back, dealt_with = leases.hold(deliveries, asked_at=clock())

    leases.give_back([given_back], delay_s=0)
    leases.drop([given_back, dealt_with])
    clock.advance(61)
    leases.drop([dealt_with])
    leases.renew()

    assert Counts.of(metrics).get("worker_leases_lost_total") == 0


# --- the registry under threads ------------------------------------------------------------------


def test_no_count_is_lost_with_many_threads(metrics: Metrics) -> None:
    def count() -> None:
        for _ in range(500):
            metrics.worker.ended("processed")
            with metrics.worker.step("store"):
                pass

    assert metrics.worker
    threads = [threading.Thread(target=count) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    counts = Counts.of(metrics)
    assert counts.get("worker_deliveries_total", outcome="processed") == 4000
    assert counts.get("worker_step_duration_seconds_count", step="store") == 4000


def test_an_unknown_queue_depth_is_absent_not_zero(metrics: Metrics) -> None:
    metrics.queues.counted("input", waiting=3, held=2)
    before = Counts.of(metrics).all("queue_messages")

    metrics.queues.unknown("input")

    assert before == {("input", "waiting"): 3, ("input", "held"): 2}
    assert Counts.of(metrics).get("queue_messages", queue="input", state="waiting") is None
    assert Counts.of(metrics).get("queue_depth_errors_total", queue="input") == 1


def test_messages_in_hand_and_the_breaker_are_asked_at_the_scrape(metrics: Metrics) -> None:
    in_hand, is_open = 3, True
    metrics.worker.watch(in_hand=lambda: in_hand, is_open=lambda: is_open)
    first = Counts.of(metrics)

    in_hand, is_open = 0, False

    second = Counts.of(metrics)
    assert (first.get("worker_messages_in_hand"), first.get("worker_breaker_open")) == (3, 1)
    assert (second.get("worker_messages_in_hand"), second.get("worker_breaker_open")) == (0, 0)
