"""The building blocks of an OpenAPI document: parameters, contents, responses and errors."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ..errors import PipelineError

Json = dict[str, Any]
#: An error class, which has a status and a code.
Refusal = type[PipelineError]


def parameter(
    name: str, place: str, schema: Json, description: str = "", *, required: bool = False
) -> Json:
    words = {"description": description} if description else {}
    return {"name": name, "in": place, "required": required, "schema": schema, **words}


def ref(model: str) -> Json:
    return {"$ref": f"#/components/schemas/{model}"}


def content(schema: Json, mime: str = "application/json", **more: Any) -> Json:
    return {mime: {"schema": schema, **more}}


def answer(description: str, content: Json | None = None, headers: Any = None) -> Json:
    answer: Json = {"description": description}
    if content:
        answer["content"] = content
    if headers:
        answer["headers"] = {
            name: {"description": words, "schema": {"type": "string"}}
            for name, words in headers.items()
        }
    return answer


def refusals(refused: Iterable[Refusal]) -> Json:
    """One response per status, with an example of each error code."""
    by_status: dict[int, list[Refusal]] = {}
    for error in refused:
        by_status.setdefault(error.status, []).append(error)
    return {str(status): _refusal(by_status[status]) for status in sorted(by_status)}


def _refusal(kinds: list[Refusal]) -> Json:
    examples = {
        kind.code: {"value": kind(_first_line(kind)).to_problem() | {"request_id": "38ad55ff98c5"}}
        for kind in kinds
    }
    problem = content(ref("Problem"), "application/problem+json", examples=examples)
    page = {"text/html": {"schema": {"type": "string"}}}
    return answer("; ".join(f"`{k.code}`: {k.title}" for k in kinds) + ".", problem | page)


def _first_line(kind: Refusal) -> str:
    return (kind.__doc__ or kind.title).splitlines()[0]
