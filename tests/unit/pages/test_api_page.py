"""The contract as a page: every operation, field and schema stands there, in few words."""

from __future__ import annotations

from typing import Any

import pytest

from app.openapi.document import contract
from app.pages.api_page import kind_of
from app.settings import Settings
from testkit.in_memory.site import Site


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({"type": "integer", "minimum": 0, "maximum": 254, "default": 127},
         "integer, 0 to 254, default 127"),
        ({"type": "number", "minimum": -2, "maximum": 2}, "number, -2 to 2"),
        ({"type": "string", "format": "uuid"}, "uuid"),
        ({"$ref": "#/components/schemas/Image"}, "Image"),
        ({"anyOf": [{"$ref": "#/components/schemas/Image"}, {"type": "null"}]}, "Image or null"),
        ({"type": "array", "items": {"$ref": "#/components/schemas/Sample"}}, "list of Sample"),
        ({"type": "string", "format": "binary", "contentMediaType": "image/png"}, "image/png"),
        ({"type": "string", "pattern": "^a$"}, "string, ^a$"),
        ({"const": 1}, "1"),
        ({}, "anything"),
    ],
)  # fmt: skip
def test_a_schema_is_described_in_a_few_words(schema: dict[str, Any], words: str) -> None:
    assert kind_of(schema) == words


def test_every_operation_parameter_status_and_schema_is_on_the_page() -> None:
    site = Site(Settings())
    document = site.client.get("/openapi.json").get_json()
    page = site.client.get("/docs").text

    for path, item in document["paths"].items():
        assert f"<code>{path}</code>" in page
        for operation in (item[verb] for verb in item if verb != "parameters"):
            assert f'id="{operation["operationId"]}-operation"' in page
            assert operation["summary"].replace("'", "&#39;") in page
            for field in operation.get("parameters", ()):
                assert f"<code>{field['name']}</code>" in page
    for name, schema in document["components"]["schemas"].items():
        assert f'id="schema-{name}"' in page
        for field in schema.get("properties", ()):
            assert f"<code>{field}</code>" in page
    assert "style=" not in page


def test_a_token_is_asked_for_where_the_service_wants_one() -> None:
    assert "security" not in contract({}, "auto", Settings())
    assert 'id="docs-token"' not in Site(Settings()).client.get("/docs").text
    tokens = f"ana:{'0' * 64}"
    assert 'id="docs-token"' in Site(Settings(api_tokens=tokens)).client.get("/docs").text
