"""Turn the OpenAPI document into table rows and sentences for the page /docs."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

_Json = Mapping[str, Any]
_VERBS: Final = ("get", "post", "put", "patch", "delete")
_SCHEMAS: Final = "#/components/schemas/"


@dataclass(frozen=True)
class Field:
    """A table row: a parameter, a form field or a property of a schema."""

    name: str
    kind: str
    about: str
    place: str = ""
    is_required: bool = False
    is_file: bool = False
    choices: tuple[str, ...] = ()
    #: The name of the schema that describes the value, if there is one.
    schema: str | None = None


@dataclass(frozen=True)
class Variant:
    """One variant of a form: the fields of one method."""

    name: str
    about: str
    fields: tuple[Field, ...]


@dataclass(frozen=True)
class Answer:
    status: str
    about: str
    types: tuple[str, ...]
    headers: tuple[Field, ...]
    #: Pairs of name and JSON.
    examples: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Operation:
    id: str
    verb: str
    path: str
    summary: str
    about: str
    parameters: tuple[Field, ...]
    body_about: str
    body: tuple[Field, ...]
    variants: tuple[Variant, ...]
    answers: tuple[Answer, ...]


def describe(contract: _Json) -> dict[str, Any]:
    """The template variables of templates/docs.html for *contract*."""
    schemas: _Json = contract["components"]["schemas"]
    return {
        "info": contract["info"],
        "operations": tuple(_operations(contract["paths"])),
        "schemas": [(name, _fields(each), each.get("enum", ())) for name, each in schemas.items()],
        "needs_token": "security" in contract,
    }


def _operations(paths: _Json) -> Iterator[Operation]:
    for path, item in paths.items():
        for verb in _VERBS:
            if verb in item:
                yield _operation(path, verb, item[verb], item.get("parameters", ()))


def _operation(path: str, verb: str, found: _Json, shared: Any) -> Operation:
    body = found.get("requestBody", {})
    contents: list[_Json] = list(body.get("content", {}).values())
    form: _Json = contents[0]["schema"] if contents else {}
    return Operation(
        id=found["operationId"],
        verb=verb.upper(),
        path=path,
        summary=found.get("summary", ""),
        about=found.get("description", ""),
        parameters=tuple(_parameter(each) for each in (*shared, *found.get("parameters", ()))),
        body_about=body.get("description", ""),
        body=_fields(form),
        variants=tuple(
            Variant(one["title"], one["description"], _variant_fields(one))
            for one in form.get("oneOf", ())
        ),
        answers=tuple(_answer(*each) for each in found["responses"].items()),
    )


def _parameter(found: _Json) -> Field:
    about, required = found.get("description", ""), found.get("required", False)
    return _field(found["name"], found["schema"], about, place=found["in"], is_required=required)


def _variant_fields(form: _Json) -> tuple[Field, ...]:
    return tuple(field for field in _fields(form) if field.name != "method")


def _fields(schema: _Json) -> tuple[Field, ...]:
    required = schema.get("required", ())
    return tuple(
        _field(name, found, found.get("description", ""), is_required=name in required)
        for name, found in schema.get("properties", {}).items()
    )


def _field(name: str, schema: _Json, about: str, place: str = "", *, is_required: bool) -> Field:
    return Field(
        name=name,
        kind=kind_of(schema),
        about=about,
        place=place,
        is_required=is_required,
        is_file=schema.get("format") == "binary",
        choices=tuple(str(each) for each in schema.get("enum", ())),
        schema=next((name_of(each) for each in _parts(schema) if "$ref" in each), None),
    )


def _parts(schema: _Json) -> Iterator[_Json]:
    yield from (schema, *schema.get("anyOf", ()), schema.get("items", {}))


def name_of(schema: _Json) -> str:
    return str(schema["$ref"].removeprefix(_SCHEMAS))


def kind_of(schema: _Json) -> str:
    """The type of *schema* in a few words: `integer, 0 to 254, default 127`."""
    words = [_type_of(schema)]
    if "minimum" in schema and "maximum" in schema:
        words.append(f"{schema['minimum']:g} to {schema['maximum']:g}")
    if pattern := schema.get("pattern"):
        words.append(pattern)
    if schema.get("default") is not None:
        words.append(f"default {schema['default']}")
    return ", ".join(words)


def _type_of(schema: _Json) -> str:
    if "$ref" in schema:
        return name_of(schema)
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(kind_of(part) for part in schema["anyOf"]))
    if "const" in schema:
        return json.dumps(schema["const"])
    if schema.get("type") == "array":
        return f"list of {kind_of(schema['items'])}"
    if schema.get("format") == "binary":
        return str(schema.get("contentMediaType", "file"))
    return str(schema.get("format") or schema.get("type", "anything"))


def _answer(status: str, found: _Json) -> Answer:
    content: _Json = found.get("content", {})
    headers = found.get("headers", {}).items()
    return Answer(
        status=status,
        about=found["description"],
        types=tuple(content),
        headers=tuple(
            _field(name, head["schema"], head["description"], is_required=False)
            for name, head in headers
        ),
        examples=tuple(_examples(content)),
    )


def _examples(content: _Json) -> Iterator[tuple[str, str]]:
    for mime, media in content.items():
        if "example" in media:
            yield mime, json.dumps(media["example"], indent=2)
        for name, example in media.get("examples", {}).items():
            yield name, json.dumps(example["value"], indent=2)
