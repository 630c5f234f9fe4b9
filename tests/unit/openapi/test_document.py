"""The contract: sound, complete, made from the models and the methods, and kept."""

from __future__ import annotations

import os
import re
import uuid
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import hypothesis
import pytest
import schemathesis
from hypothesis import HealthCheck, strategies
from openapi_spec_validator import OpenAPIV31SpecValidator

from app.access.tokens import hash_token
from app.domain.methods import DEFAULT_METHOD, METHODS, Method, Parameter
from app.openapi.document import contract
from app.openapi.refusals import documented_errors
from app.settings import Settings
from testkit.in_memory.site import Site
from testkit.png.scans import header, page_png, pixels, png
from testkit.root import ROOT

#: Cases for each operation with parameters; 450 make the 2,000 that a release is tried with.
CASES = int(os.environ.get("API_CASES", "40"))


def make_site() -> Site:
    """With an image in each state."""
    site = Site(Settings())
    site.upload(png(header(40, 30), pixels([b"\0" * 40] * 20)))  # its rows end too early
    site.upload()
    site.work()
    site.upload()
    site.waits.stop()  # nobody works while the cases run, so `Prefer: wait` would only last
    return site


SITE = make_site()
IDS = strategies.sampled_from(sorted(key.removesuffix(".png") for key in SITE.inputs.objects))
schemathesis.openapi.format("uuid", IDS | strategies.uuids().map(str))
schemathesis.openapi.media_type("image/png", strategies.just(page_png()))
schema = schemathesis.openapi.from_wsgi("/openapi.json", SITE.app)


@pytest.fixture(scope="module", autouse=True)
def counted() -> Iterator[Counter[str]]:
    """How many cases each operation was tried with; shown by pytest -s."""
    counts: Counter[str] = Counter()
    yield counts
    print(f"\n{counts.total()} cases: {dict(counts)}")


@schema.parametrize()
@hypothesis.settings(max_examples=CASES, suppress_health_check=list(HealthCheck), database=None)
def test_every_answer_is_as_the_contract_says(case: Any, counted: Counter[str]) -> None:
    counted[case.operation.label] += 1
    if isinstance(case.body, dict) and "" in case.body.values():
        # It counts as not sent, for forms; JSON Schema could say so, but no tool would show it.
        return
    key = (case.headers or {}).get("Idempotency-Key", "")
    if re.fullmatch(r"[ -~]{16,255}", key):
        # Two cases are two requests, so they have two keys.
        case.headers["Idempotency-Key"] = uuid.uuid4().hex
    case.call_and_validate()


def document(**settings: Any) -> dict[str, Any]:
    return contract(METHODS, DEFAULT_METHOD, Settings(**settings))


@pytest.mark.parametrize("settings", [{}, {"api_tokens": f"a:{hash_token('x')}"}])
def test_the_document_is_sound_openapi(settings: dict[str, Any]) -> None:
    OpenAPIV31SpecValidator(document(**settings)).validate()


def test_every_route_of_the_api_is_in_the_document_and_no_other() -> None:
    routes = {
        (re.sub(r"<\w+:(\w+)>", r"{\1}", rule.rule), method.lower())
        for rule in SITE.app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    paths = document()["paths"]
    described = {(p, m) for p, item in paths.items() for m in item if m != "parameters"}

    pages = {
        (path, "get") for path in ("/", "/docs", "/status", "/favicon.ico", "/sw.js", "/metrics")
    }
    pages.add(("/images/{image_id}/delete", "post"))  # of the page without script
    assert routes - described == pages | {("/static/{filename}", "get")}
    assert described - routes == set()


def test_both_texts_say_that_one_process_of_a_fleet_answers_for_its_state() -> None:
    said = contract(METHODS, DEFAULT_METHOD, Settings())["paths"]["/service"]["get"]["summary"]
    page = " ".join((ROOT / "docs" / "api.md").read_text().split())

    assert "the process that answers" in said
    assert "the state of the process that answers, not of the fleet" in page


def test_every_error_of_the_api_is_documented_on_both_sides() -> None:
    page = (ROOT / "docs" / "errors.md").read_text().partition("\n## Only in announcements")[0]
    over_http = set(re.findall(r"^\| `([a-z-]+)` \| \d+ \|", page, re.MULTILINE))

    assert documented_errors() == over_http


def test_a_token_is_required_if_there_are_tokens_and_never_by_the_probes() -> None:
    paths = document(api_tokens=f"a:{hash_token('x')}")["paths"]

    assert "401" in paths["/upload"]["post"]["responses"]
    assert paths["/healthz"]["get"]["security"] == []
    assert "401" not in document()["paths"]["/upload"]["post"]["responses"]


def test_a_new_method_of_the_engine_is_in_the_document_by_itself() -> None:
    sharpness = Parameter("sharpness", int, 3, 1, 9, "How sharp.")
    methods = {**METHODS, "new": Method("new", "A new one.", (sharpness,))}

    found = contract(methods, DEFAULT_METHOD, Settings())
    form = found["paths"]["/upload"]["post"]["requestBody"]["content"]["multipart/form-data"]

    (variant,) = [v for v in form["schema"]["oneOf"] if v["title"] == "new"]
    assert "new" in form["schema"]["properties"]["method"]["enum"]
    assert variant["properties"]["sharpness"]["maximum"] == 9
    assert "sharpness" in form["schema"]["properties"]


def test_a_parameter_out_of_its_range_is_no_variant_of_the_form() -> None:
    variants = document()["paths"]["/upload"]["post"]["requestBody"]["content"]
    form = variants["multipart/form-data"]["schema"]
    simple = next(v for v in form["oneOf"] if v["title"] == "simple")

    (threshold,) = METHODS["simple"].parameters
    assert simple["properties"]["threshold"]["maximum"] == threshold.maximum
    assert simple["properties"]["threshold"]["default"] == replace(threshold).default


@pytest.mark.parametrize(
    ("group", "is_taken"),
    [("", True), ("a", True), ("~" * 128, True), ("~" * 129, False), ("a b", False), ("ü", False)],
)
def test_the_form_allows_the_groups_that_the_api_takes(group: str, is_taken: bool) -> None:
    content = document()["paths"]["/upload"]["post"]["requestBody"]["content"]
    pattern = content["multipart/form-data"]["schema"]["properties"]["group"]["pattern"]

    answer = Site(Settings()).upload(group=group)

    assert (answer.status_code == 202) is is_taken
    assert bool(re.search(pattern, group)) is is_taken
