"""Leases with real processes: a long job keeps its lease, a frozen worker loses it."""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path

import pytest

from app.aws import clients as aws
from app.settings import Settings
from testkit.png.scans import page_png
from testkit.processes.fleet import Announcements, frozen, preload, role
from testkit.processes.scripted_worker import SLOW_WIDTH
from testkit.timing.waiting import wait_until

VISIBILITY_TIMEOUT_S = 2
SCRIPTED = "testkit.processes.scripted_worker"


@pytest.fixture
def settings(fault_settings: Settings) -> Settings:
    return fault_settings.model_copy(update={"visibility_timeout_s": VISIBILITY_TIMEOUT_S})


def test_a_job_of_four_visibility_timeouts_runs_once(settings: Settings, tmp_path: Path) -> None:
    notes = tmp_path / "notes"
    slow = {"NOTES": str(notes), "SLOW_S": str(4 * VISIBILITY_TIMEOUT_S)}
    with (
        Announcements(settings) as announcements,
        role("worker", settings, module=SCRIPTED, **slow),
        role("worker", settings, module=SCRIPTED, **slow),
    ):
        (image_id,) = preload(settings, 1, png=page_png(width=SLOW_WIDTH))

        wait_until(lambda: announcements.seen[image_id, "processed"] == 1, within_s=120)

    runs = notes.read_text().split()
    print(f"a job of {4 * VISIBILITY_TIMEOUT_S} s, seen again after 2 s: run {len(runs)} times")
    assert runs == [image_id]


def test_a_worker_frozen_past_its_lease_and_thawed_writes_nothing(
    settings: Settings, tmp_path: Path
) -> None:
    notes = tmp_path / "notes"
    slow = {"NOTES": str(notes), "SLOW_S": "1"}
    with (
        Announcements(settings) as announcements,
        role("worker", settings, module=SCRIPTED, **slow) as sleeper,
    ):
        (image_id,) = preload(settings, 1, png=page_png(width=SLOW_WIDTH))
        wait_until(lambda: notes.exists() and notes.read_text())
        with frozen(sleeper.process.pid), role("worker", settings, module=SCRIPTED, **slow):
            wait_until(lambda: announcements.seen[image_id, "processed"] == 1, within_s=120)
            stored_at = modified_at(settings, image_id)
            # S3 returns the time in whole seconds.
            wait_until(lambda: time.time() > stored_at + 1.5)

        wait_until(lambda: "left to another worker" in sleeper.output)

        assert modified_at(settings, image_id) == stored_at
        assert announcements.seen == Counter({(image_id, "processed"): 1})
    assert notes.read_text().split() == [image_id] * 2


def modified_at(settings: Settings, image_id: str) -> float:
    s3 = aws.s3_client(settings)
    head = s3.head_object(Bucket=settings.processed_bucket, Key=f"{image_id}.png")
    return head["LastModified"].timestamp()
