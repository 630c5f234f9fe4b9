"""The arithmetic of docs/scaling.md, against sums that can be done by hand."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest

from app.domain.ports import StoredObject
from app.domain.representation import ImageStatus
from app.observability import logs
from app.settings import Settings
from benchmarks.model.cost import (
    LOOKUPS_IN_VAIN,
    Fleet,
    Usage,
    cost_per_million,
    demand,
    through_nat_per_million,
    waiting_per_million,
)
from testkit.in_memory.fakes import MemoryBucket
from testkit.in_memory.site import Site

USAGE = Usage(
    web_cpu_s=0.005,
    worker_cpu_s=0.07,
    page_bytes=200_000,
    result_bytes=50_000,
    sqs_calls={"SendMessage": 1.0, "ReceiveMessage": 0.5},
    held_s=0.3,
    message_bytes=0,
)
FLEET = Fleet(web_busy=0.5, worker_busy=0.7, gb_per_vcpu=2.0, zones=2, retention_days=7.6)


def test_the_cost_of_a_million_is_the_sum_of_its_parts() -> None:
    """At 1,000 a second: 110 vCPUs for 1000 s; 2 million PUTs; 250 GB for a quarter of a month."""
    assert cost_per_million(1000, USAGE, FLEET) == {
        "fargate": round(110 * 1000 / 3600 * (0.04048 + 2 * 0.004445), 2),
        "s3 requests": 10.40,
        "s3 storage": round(250 * 0.023 / 4, 2),
        "sqs": 0.75,
        "load balancer": round(1000 / 3600 * 0.0225 + 200 * 0.008, 2),
        "sqs endpoint": 0.01,
        "addresses": 0.0,
        "logs": round(0.95 * (0.50 + 0.03 * 30 / 30.4), 2),
    }


def test_addresses_are_paid_by_the_hour_for_each_zone() -> None:
    """A million at one a second takes 278 hours."""
    assert cost_per_million(1, USAGE, FLEET)["addresses"] == round(2 * 1e6 / 3600 * 0.005, 2)


def test_a_waiting_upload_pays_for_increasingly_rare_looks() -> None:
    """At 0, 50 and 125 ms in vain, then at 238 ms: ten requests."""
    assert waiting_per_million(0.2) == 4.00
    assert waiting_per_million(0.0) == 0.40


def test_a_look_in_vain_asks_s3_as_often_as_is_charged(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    real = MemoryBucket.get

    def get(bucket: MemoryBucket, key: str, **more: Any) -> StoredObject:
        asked.append(key)
        return real(bucket, key, **more)

    site = Site(Settings())
    image_id = UUID(site.upload().get_json()["image_id"])
    monkeypatch.setattr(MemoryBucket, "get", get)  # `head` calls it, too

    assert site.store.find(image_id).status is ImageStatus.QUEUED
    assert len(asked) == LOOKUPS_IN_VAIN


def test_the_log_of_an_image_is_as_long_as_is_charged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    formatter = logs.formatter(logs.JSON)

    site = Site(Settings())
    site.upload(method="otsu")
    site.work()
    lines = [formatter.format(record) for record in caplog.records]

    assert len(lines) == 3
    assert sum(len(line) + 26 for line in lines) == pytest.approx(USAGE.log_bytes, rel=0.15)


def test_what_is_paid_by_the_hour_weighs_more_on_few_images() -> None:
    few, many = (cost_per_million(rate, USAGE, FLEET) for rate in (1, 1000))

    assert few["load balancer"] > many["load balancer"]
    assert few["sqs endpoint"] > many["sqs endpoint"]
    assert few["s3 requests"] == many["s3 requests"]


def test_a_nat_gateway_is_paid_for_both_ways_of_the_original_and_for_the_result() -> None:
    assert through_nat_per_million(USAGE) == pytest.approx(450 * 0.045)


def test_quotas_are_shared_by_the_action_that_is_called_most() -> None:
    asked = demand(100_000, USAGE, FLEET)

    assert asked["sqs quota"] == pytest.approx(100 / 70)
    assert asked["queues"] == 2
    assert asked["sqs partitions"] == 334
    assert asked["s3 prefixes"] == 29
    assert asked["in flight quota"] == pytest.approx(0.25)
    assert asked["vcpus"] == 11_000
    assert asked["gbit/s"] == pytest.approx(650_000 * 8 * 100_000 / 1e9)


def test_batched_sends_bring_a_hundred_thousand_images_a_second_below_the_quota() -> None:
    batched = replace(USAGE, sqs_calls={"SendMessageBatch": 0.1, "ReceiveMessage": 0.1})

    assert demand(100_000, batched, FLEET)["queues"] == 1
