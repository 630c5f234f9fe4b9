"""The verb `watch`: show announcements as they arrive."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from ...domain.messages import Announcement
from ...domain.ports import MAX_BATCH, Delivery, Queue
from ...domain.representation import TakenFor, now
from ..output import say
from ..page_remarks import remarks
from .verbs import DONE, FAILED, batches

#: Visibility timeout in seconds: hides a received message from other consumers.
_HOLD_S: Final = 30
_POLL_WAIT_S: Final = 1


@dataclass
class _Seen:
    """What was received, by message id: *shown*, or *left_out* as too old."""

    shown: dict[str, Delivery] = field(default_factory=dict)
    left_out: dict[str, Delivery] = field(default_factory=dict)


def watch(
    announcements: Queue,
    *,
    as_json: bool,
    delete: bool,
    count: int | None,
    timeout_s: float | None,
    since: datetime | None = None,
) -> int:
    """Show each announcement once, as it arrives, until *count* have been shown.

    Those sent before *since* are left out. Returns FAILED if *timeout_s* ends first. Messages that
    are not deleted return to the queue at the end.
    """
    deadline = None if timeout_s is None else time.monotonic() + timeout_s
    seen = _Seen()
    try:
        while count is None or len(seen.shown) < count:
            if deadline is not None and time.monotonic() > deadline:
                return FAILED if count is not None else DONE
            chosen = _receive(announcements, seen, since, count)
            _show(chosen, seen, as_json=as_json)
            if chosen and delete:
                announcements.delete_batch(chosen)
    finally:
        held = [*seen.left_out.values(), *([] if delete else seen.shown.values())]
        for batch in batches(held):
            announcements.change_visibility_batch(batch, timeout_s=0)
    return DONE


def _receive(
    announcements: Queue, seen: _Seen, since: datetime | None, count: int | None
) -> list[Delivery]:
    """The next announcements to show; the earlier ones stay hidden, so that others can come."""
    deliveries = announcements.receive(
        max_messages=MAX_BATCH if count is None else min(MAX_BATCH, count - len(seen.shown)),
        wait_time_s=_POLL_WAIT_S,
        visibility_timeout_s=_HOLD_S,
    )
    left_out = [d for d in deliveries if since and d.sent_at and d.sent_at < since]
    seen.left_out.update({delivery.message_id: delivery for delivery in left_out})
    return [delivery for delivery in deliveries if delivery not in left_out]


def _show(deliveries: list[Delivery], seen: _Seen, *, as_json: bool) -> None:
    for delivery in deliveries:
        if delivery.message_id not in seen.shown:
            say(delivery.body if as_json else _line(delivery.body))
        seen.shown[delivery.message_id] = delivery


def _line(body: str) -> str:
    try:
        image = Announcement.model_validate_json(body)
    except ValueError:
        return f"not an announcement: {body[:200]!r}"
    start = f"{image.processed_at or now():%H:%M:%S} {image.image_id} {image.status}"
    if image.error:
        return f"{start} {image.error.code}: {image.error.detail}"
    if not (image.processed and image.original):
        return start
    sizes = f"{image.original.size_bytes} -> {image.processed.size_bytes} bytes"
    ignored = f", ignored {'; '.join(image.ignored)}" if image.ignored else ""
    took = f"{image.processed.processing_ms} ms"
    return f"{start} {image.method}{_remarks(image.page)} {sizes} in {took}{ignored}"


def _remarks(page: TakenFor | None) -> str:
    if page is None:
        return ""
    said = ", ".join(remarks(page.kind, is_inverted=page.inverted, turned=page.turned))
    return f" ({said})" if said else ""
