"""Read what an invalid message body still reveals: the image it names and the envelope it is in.

No function here raises, because other producers can send anything. The worker never processes an
image from these values: it uses them to record the failure under the right image and to tell the
producer how to fix the message.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any, Final
from uuid import UUID

#: U+FEFF, and its three UTF-8 bytes wrongly decoded as Latin-1.
_BYTE_ORDER_MARKS: Final = ("\ufeff", "\u00ef\u00bb\u00bf")
_UUID: Final = r"[0-9a-fA-F]{8}(?:-?[0-9a-fA-F]{4}){3}-?[0-9a-fA-F]{12}"
_ANY_UUID: Final = re.compile(rf"(?:urn:uuid:)?\{{?({_UUID})\}}?")
#: Finds image ids in JSON that cannot be parsed: truncated, or nested too deeply.
_NAMED: Final = re.compile(r'"image_id"\s*:\s*"([^"\\]{32,60})"')
#: int() raises beyond 4,300 digits.
_MAX_DIGITS: Final = 400
#: Members that identify an envelope, and what its producer should do.
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
    """The members of the JSON object in *body*; empty when *body* is anything else."""
    document = _document(body)
    return document if isinstance(document, dict) else {}


def image_named_in(body: str) -> UUID | None:
    """The image that *body* names, directly or in an envelope; None unless there is exactly one."""
    document = _document(body)
    if document is None:
        return _only([_uuid(found) for found in _NAMED.findall(body)])
    own = _id_in(document)
    return own or _only([image_id for _, image_id in _nested(document)])


def envelope_of(body: str) -> str | None:
    """Which known mistake *body* is and how to fix it; None when no known mistake matches."""
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
    """Each image named one level down, with the name of the member that holds it."""
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
