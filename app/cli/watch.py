"""The verb `watch`: show announcements as they arrive."""

from __future__ import annotations

import time
from typing import Final

from ..domain.messages import Announcement
from ..domain.ports import MAX_BATCH, Delivery, Queue
from ..domain.representation import TakenFor, now
from .page_remarks import remarks
from .verbs import DONE, FAILED, batches, say

#: Visibility timeout in seconds: hides a received message from other consumers.
_HOLD_S: Final = 30
_POLL_WAIT_S: Final = 1


def watch(
    announcements: Queue, *, as_json: bool, delete: bool, count: int | None, timeout_s: float | None
) -> int:
    """Show each announcement once, as it arrives, until *count* have been shown.

    Returns FAILED if *timeout_s* ends first. Messages that are not deleted return to the queue at
    the end.
    """
    deadline = None if timeout_s is None else time.monotonic() + timeout_s
    shown: dict[str, Delivery] = {}
    try:
        while count is None or len(shown) < count:
            if deadline is not None and time.monotonic() > deadline:
                return FAILED if count is not None else DONE
            _show_next(announcements, shown, as_json=as_json, delete=delete, count=count)
    finally:
        if not delete:
            for batch in batches(list(shown.values())):
                announcements.change_visibility_batch(batch, timeout_s=0)
    return DONE


def _show_next(
    announcements: Queue,
    shown: dict[str, Delivery],
    *,
    as_json: bool,
    delete: bool,
    count: int | None,
) -> None:
    left = MAX_BATCH if count is None else count - len(shown)
    deliveries = announcements.receive(
        max_messages=min(MAX_BATCH, left),
        wait_time_s=_POLL_WAIT_S,
        visibility_timeout_s=_HOLD_S,
    )
    for delivery in deliveries:
        if delivery.message_id not in shown:
            say(delivery.body if as_json else _line(delivery.body))
        shown[delivery.message_id] = delivery
    if deliveries and delete:
        announcements.delete_batch(deliveries)


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
