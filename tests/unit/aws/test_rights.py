"""The rights that `doctor` tries are those that the template grants."""

from __future__ import annotations

from typing import Any

import pytest

from app.aws.rights import RIGHTS, rights_of
from testkit.aws.iam import listed
from testkit.deploy.templates import template

SETTINGS = {
    "InputBucket": "input_bucket",
    "ProcessedBucket": "processed_bucket",
    "InputQueue": "input_queue",
    "ProcessedQueue": "processed_queue",
    "InputDeadLetterQueue": "input_dead_letter_queue",
}


def granted(role: str) -> set[tuple[str, str]]:
    policy = template()["Resources"][f"{role.capitalize()}Policy"]["Properties"]["PolicyDocument"]
    return {
        (SETTINGS[name_in(resource)], action)
        for statement in policy["Statement"]
        for resource in resources(statement["Resource"])
        for action in listed(statement["Action"])
        if action != "sqs:GetQueueUrl"  # which finds the queue for all the others
    }


def resources(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def name_in(resource: dict[str, Any]) -> str:
    text = str(next(iter(resource.values())))
    return max((name for name in SETTINGS if name in text), key=len)


@pytest.mark.parametrize("role", RIGHTS)
def test_each_role_is_tried_with_what_the_template_grants_it(role: str) -> None:
    tried = {(setting, action) for setting, all_ in RIGHTS[role].items() for action in all_}

    assert tried == granted(role)


def test_one_process_for_all_needs_what_both_roles_need() -> None:
    assert {
        (setting, action) for setting, all_ in rights_of("all").items() for action in all_
    } == granted("web") | granted("worker")
