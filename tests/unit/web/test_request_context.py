"""What is known of a request, and only of that one."""

from __future__ import annotations

import time
from uuid import uuid4

import pytest
from flask import Flask

from app.domain.representation import Image, ImageStatus
from app.server.gate import Pass
from app.web import request_context
from app.web.own_images import Waited
from app.web.request_context import RequestContext


@pytest.fixture
def app() -> Flask:
    return Flask(__name__)


def test_a_request_does_not_see_the_context_of_an_earlier_one(app: Flask) -> None:
    with app.test_request_context():
        request_context.begin(RequestContext("first"))
        assert request_context.current().request_id == "first"

    with app.test_request_context(), pytest.raises(AttributeError):
        request_context.current()


def test_resources_of_a_request_are_closed_at_its_end(app: Flask) -> None:
    closed: list[str] = []
    with app.test_request_context():
        context = RequestContext("one")
        context.resources.callback(closed.append, "span")
        request_context.begin(context)

        request_context.end()
        request_context.end()  # Flask calls it again where a request fails early

    assert closed == ["span"]


def test_a_request_that_never_began_can_end(app: Flask) -> None:
    with app.test_request_context():
        request_context.end()


def test_the_wait_that_a_client_prefers_is_not_working_time() -> None:
    context = RequestContext("one", began_at=time.monotonic() - 20)
    assert 20 <= context.working_s < 25

    context.waited_s = 19.0

    assert 1 <= context.working_s < 6


@pytest.mark.parametrize(
    ("granted", "owner"), [(None, None), (Pass("/", 0), None), (Pass("/", 0, "ana"), "ana")]
)
def test_the_owner_is_that_of_the_token_that_the_gate_checked(
    granted: Pass | None, owner: str | None
) -> None:
    assert RequestContext("one", granted=granted).owner == owner


@pytest.mark.parametrize(
    ("granted_s", "headers"), [(None, {}), (0, {"Preference-Applied": "wait=0"})]
)
def test_a_granted_wait_is_reported_in_the_response(
    granted_s: int | None, headers: dict[str, str]
) -> None:
    image = Image(image_id=uuid4(), status=ImageStatus.QUEUED)

    assert Waited(image, granted_s).headers == headers
    assert not Waited(image, granted_s).is_finished
