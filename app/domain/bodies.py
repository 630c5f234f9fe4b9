"""Tell what can be told of a message's body, whatever it holds.

Nothing here raises: other producers can send anything. What is read here is never taken for a
job; it says under which image a failure is recorded, and what its producer may want to mend.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any, Final
from uuid import UUID

#: U+FEFF, and its three bytes of UTF-8 where somebody has read them as Latin-1.
_BYTE_ORDER_MARKS: Final = ("\ufeff", "\u00ef\u00bb\u00bf")
_UUID: Final = r"[0-9a-fA-F]{8}(?:-?[0-9a-fA-F]{4}){3}-?[0-9a-fA-F]{12}"
_ANY_UUID: Final = re.compile(rf"(?:urn:uuid:)?\{{?({_UUID})\}}?")
#: In JSON that breaks off, or is nested too deeply to be read.
_NAMED: Final = re.compile(r'"image_id"\s*:\s*"([^"\\]{32,60})"')
#: Python turns no more than 4,300 digits into a number.
_MAX_DIGITS: Final = 400
#: By the members that only they have.
_ENVELOPES: Final = (
    ({"Type", "TopicArn", "Message"}, "an SNS envelope; turn on raw message delivery"),
    ({"Records"}, "an event of S3 or Lambda; send image_id, bucket and key"),
    ({"detail-type", "detail"}, "an event of EventBridge; send image_id, bucket and key"),
    ({"body", "headers", "properties"}, "a task of Celery; send image_id, bucket and key"),
)


def without_mark(body: str) -> str:
    """*body* without a byte-order mark."""
    for mark in _BYTE_ORDER_MARKS:
        body = body.removeprefix(mark)
    return body


def fields_of(body: str) -> dict[str, Any]:
    """The members of the JSON object that *body* is; none when it is something else."""
    document = _document(body)
    return document if isinstance(document, dict) else {}


def image_named_in(body: str) -> UUID | None:
    """The image that *body* names, also from within an envelope where there is one only."""
    document = _document(body)
    if document is None:
        return _only([_uuid(found) for found in _NAMED.findall(body)])
    own = _id_in(document)
    return own or _only([image_id for _, image_id in _nested(document)])


def envelope_of(body: str) -> str | None:
    """What *body* is instead of a job, and what to do about it; None when that is not plain."""
    document = _document(body)
    if isinstance(document, str):
        return "JSON inside a JSON string; send the object itself"
    if not isinstance(document, dict) or "image_id" in document:
        return None
    for members, sentence in _ENVELOPES:
        if members <= document.keys():
            return sentence
    names = [name for name, _ in _nested(document)]
    return f"an envelope: image_id is inside {names[0]!r}; send it alone" if names else None


def _document(body: str) -> Any:
    try:
        return json.loads(without_mark(body), parse_int=_number, strict=False)
    except (ValueError, RecursionError):
        return None


def _number(digits: str) -> int | float:
    return int(digits) if len(digits) <= _MAX_DIGITS else float(digits)


def _nested(document: Any) -> Iterator[tuple[str, UUID]]:
    """Each image that is named one level further down, and by which member."""
    members = document.items() if isinstance(document, dict) else [("body", document)]
    for name, value in members:
        inner = _document(value) if isinstance(value, str) and "image_id" in value else value
        if image_id := _id_in(inner):
            yield name[:40], image_id


def _id_in(document: Any) -> UUID | None:
    named = document.get("image_id") if isinstance(document, dict) else None
    return _uuid(named) if isinstance(named, str) else None


def _uuid(text: str) -> UUID | None:
    found = _ANY_UUID.fullmatch(text.strip())
    return UUID(found[1]) if found else None


def _only(ids: Sequence[UUID | None]) -> UUID | None:
    return ids[0] if len(set(ids)) == 1 else None
