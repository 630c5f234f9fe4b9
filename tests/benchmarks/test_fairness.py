"""The fleet of deploy/ treats nine clients alike, whether or not a tenth sends 50,000 pages."""

from __future__ import annotations

import pytest

from benchmarks.model import deployed
from benchmarks.model.fairness import fairness
from benchmarks.model.usage import usage_of
from benchmarks.report import tables
from benchmarks.report.rows import Figures

#: How many times what they are alone the others' latencies may be.
TIMES = 1.5


@pytest.fixture(scope="module")
def seen() -> list[Figures]:
    return fairness(usage_of(tables.results()[0], "ours-auto"))


def test_the_others_do_not_wait_for_the_pages(seen: list[Figures]) -> None:
    alone, beside, *_ = seen

    assert beside["pages_refused"] > 1_000
    assert beside["others_ms"][1] <= TIMES * alone["others_ms"][1]


def test_only_the_client_with_the_pages_is_refused(seen: list[Figures]) -> None:
    _, beside, _, without_group_limit, _ = seen

    assert beside["others_refused"] == 0
    assert without_group_limit["others_refused"] > 0  # the check above can fail


def test_the_pages_that_wait_order_one_task_and_do_not_page(seen: list[Figures]) -> None:
    alone, beside, _, _, unlimited = seen

    assert beside["most_tasks"] <= alone["most_tasks"] + 1
    assert beside["longest_wait_s"] < deployed.parameters()["OldestMessageAlarmS"]
    # Tens of thousands order no fleet either, but they do page.
    assert unlimited["most_waiting"] > 40_000
    assert unlimited["most_tasks"] < deployed.sizes_on_ecs().largest
    assert unlimited["longest_wait_s"] > deployed.parameters()["OldestMessageAlarmS"]


def test_keda_orders_two_pods_for_what_each_web_pod_accepts_of_the_group(
    seen: list[Figures],
) -> None:
    """It cannot see that one of them would be enough."""
    alone, _, keda, *_ = seen

    assert keda["most_tasks"] <= alone["most_tasks"] + 2 * deployed.parameters()["MinWeb"]
    assert keda["others_ms"][1] <= TIMES * alone["others_ms"][1]


def test_the_pages_are_processed_one_after_the_other(seen: list[Figures]) -> None:
    _, beside, *_ = seen

    assert 3 < beside["pages"] / 1_800 < 5
