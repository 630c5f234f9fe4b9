"""The last half hour by a clock of our own."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta

import pytest

from app.history import INTERVAL_S, MAX_SAMPLES, History, Sample
from app.representation import Image, ImageStatus

START = datetime(2026, 11, 24, 12, 0, 0, tzinfo=UTC)


class Clock:
    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def history(clock: Clock) -> History:
    return History(clock)


def image(
    at: datetime, *, took_s: float | None = 1.0, status: ImageStatus = ImageStatus.PROCESSED
) -> Image:
    uploaded_at = None if took_s is None else at - timedelta(seconds=took_s)
    return Image(image_id=uuid.uuid4(), status=status, uploaded_at=uploaded_at, processed_at=at)


def counts(sample: Sample) -> tuple[int, int, int]:
    return sample.uploads, sample.processed, sample.failed


def test_an_interval_is_told_when_it_is_over(history: History, clock: Clock) -> None:
    history.uploaded()
    history.queue_seen(7)
    clock.advance(INTERVAL_S - 0.001)
    assert history.samples() == []

    clock.advance(0.001)

    (sample,) = history.samples()
    assert (sample.at, sample.uploads, sample.waiting) == (START, 1, 7)


def test_nothing_happened_is_zero_and_nobody_looked_is_null(history: History, clock: Clock) -> None:
    clock.advance(2 * INTERVAL_S)

    assert [(*counts(s), s.waiting, s.p50_s, s.p95_s) for s in history.samples()] == [
        (0, 0, 0, None, None, None)
    ] * 2


def test_half_an_hour_is_kept_the_oldest_first(history: History, clock: Clock) -> None:
    for _ in range(MAX_SAMPLES + 20):
        history.uploaded()
        clock.advance(INTERVAL_S)

    samples = history.samples()
    assert len(samples) == MAX_SAMPLES
    assert samples[-1].at == clock.now - timedelta(seconds=INTERVAL_S)
    assert samples[0].at == clock.now - timedelta(seconds=INTERVAL_S * MAX_SAMPLES)
    assert all(sample.uploads == 1 for sample in samples)


def test_what_is_over_is_forgotten(history: History, clock: Clock) -> None:
    for _ in range(3 * MAX_SAMPLES):
        history.uploaded()
        clock.advance(INTERVAL_S)

    assert len(history._intervals) <= MAX_SAMPLES + 1


def test_an_image_counts_once_whoever_tells_of_it_and_when(history: History, clock: Clock) -> None:
    finished = image(START)
    history.finished(finished)
    clock.advance(5 * INTERVAL_S)
    history.finished(finished)

    assert [counts(sample) for sample in history.samples()] == [(0, 1, 0)] + [(0, 0, 0)] * 4


def test_an_image_counts_in_the_interval_in_which_it_ended(history: History, clock: Clock) -> None:
    clock.advance(3 * INTERVAL_S)

    history.finished(image(START + timedelta(seconds=INTERVAL_S)))

    assert [sample.processed for sample in history.samples()] == [0, 1, 0]


@pytest.mark.parametrize("ended_before_s", [1, 1900, -3600])
def test_what_ended_before_we_began_or_in_the_future_is_no_news(
    history: History, clock: Clock, ended_before_s: int
) -> None:
    history.finished(image(START - timedelta(seconds=ended_before_s)))
    assert history._intervals == {}
    clock.advance(INTERVAL_S)

    assert [counts(sample) for sample in history.samples()] == [(0, 0, 0)]
    assert history.wait_s() is None


def test_an_image_that_waits_is_not_finished(history: History, clock: Clock) -> None:
    history.finished(Image(image_id=uuid.uuid4(), status=ImageStatus.QUEUED, uploaded_at=START))
    clock.advance(INTERVAL_S)

    assert [counts(sample) for sample in history.samples()] == [(0, 0, 0)]


def test_failed_images_are_counted_apart_and_unknown_times_in_neither_percentile(
    history: History, clock: Clock
) -> None:
    history.finished(image(START, took_s=2, status=ImageStatus.FAILED))
    history.finished(image(START, took_s=None, status=ImageStatus.FAILED))
    history.finished(image(START, took_s=4))
    clock.advance(INTERVAL_S)

    (sample,) = history.samples()
    assert counts(sample) == (0, 1, 2)
    assert (sample.p50_s, sample.p95_s) == (2, 4)


def test_percentiles_are_times_that_were_seen(history: History, clock: Clock) -> None:
    for seconds in range(1, 101):
        history.finished(image(START, took_s=seconds))
    clock.advance(INTERVAL_S)

    (sample,) = history.samples()
    assert (sample.p50_s, sample.p95_s) == (50, 95)


def test_the_wait_is_the_median_of_the_last_five_minutes(history: History, clock: Clock) -> None:
    assert history.wait_s() is None
    history.finished(image(START, took_s=100))
    assert history.wait_s() == 100

    clock.advance(301)
    for seconds in (1, 2, 9):
        history.finished(image(clock.now, took_s=seconds))
    clock.advance(INTERVAL_S)

    assert history.wait_s() == 2


def test_a_flood_of_images_is_remembered_up_to_a_bound(
    history: History, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.history._MAX_FINISHED", 3)
    for _ in range(5):
        history.finished(image(START))
    clock.advance(INTERVAL_S)

    assert [sample.processed for sample in history.samples()] == [3]
