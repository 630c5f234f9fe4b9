"""The verb `watch`: show announcements as they arrive."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import islice
from typing import Final

from ...domain.messages import Announcement
from ...domain.ports import MAX_BATCH, Delivery, Queue
from ...domain.representation import TakenFor, now
from ...observability import logs
from ..output import say, say_json
from ..page_remarks import remarks
from .verbs import DONE, FAILED, batches

logger = logs.get_logger(__name__)

#: Visibility timeout in seconds: hides a received message from other consumers.
_HOLD_S: Final = 30
_POLL_WAIT_S: Final = 1


@dataclass
class _Seen:
    """The received announcements: in bounded memory if they are deleted, else 150 bytes each."""

    #: The number of announcements shown.
    count: int = 0
    #: The ids of shown announcements that are still in the queue and will be delivered again.
    ids: set[str] = field(default_factory=set)
    #: The last receipts that still hide their messages, by message id, and when they end.
    hidden: dict[str, tuple[Delivery, float]] = field(default_factory=dict)

    def hide(self, deliveries: Sequence[Delivery]) -> None:
        """Remember the receipts of *deliveries*, and forget expired ones."""
        now_s = time.monotonic()
        for delivery in deliveries:
            self.hidden.pop(delivery.message_id, None)  # the newest is last
            self.hidden[delivery.message_id] = replace(delivery, body=""), now_s + _HOLD_S
        for message_id, (_, ends_at) in list(islice(self.hidden.items(), 2 * MAX_BATCH)):
            if ends_at > now_s:
                break
            del self.hidden[message_id]

    def forget(self, message_id: str) -> None:
        """Forget a deleted message."""
        self.ids.discard(message_id)
        self.hidden.pop(message_id, None)


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

    Announcements sent before *since* are skipped. Returns FAILED if *timeout_s* ends first.
    Messages that are not deleted return to the queue at the end.
    """
    deadline = None if timeout_s is None else time.monotonic() + timeout_s
    seen = _Seen()
    try:
        while count is None or seen.count < count:
            if deadline is not None and time.monotonic() > deadline:
                return FAILED if count is not None else DONE
            chosen = _receive(announcements, seen, since, count)
            _show(chosen, seen, as_json=as_json)
            if chosen and delete:
                _delete(announcements, chosen, seen)
    finally:
        for batch in batches(delivery for delivery, _ in seen.hidden.values()):
            announcements.change_visibility_batch(batch, timeout_s=0)
    return DONE


def _receive(
    announcements: Queue, seen: _Seen, since: datetime | None, count: int | None
) -> list[Delivery]:
    """The next announcements to show; earlier ones stay hidden, so that SQS delivers others."""
    deliveries = announcements.receive(
        max_messages=MAX_BATCH if count is None else min(MAX_BATCH, count - seen.count),
        wait_time_s=_POLL_WAIT_S,
        visibility_timeout_s=_HOLD_S,
    )
    seen.hide(deliveries)
    return [d for d in deliveries if not (since and d.sent_at and d.sent_at < since)]


def _show(deliveries: Sequence[Delivery], seen: _Seen, *, as_json: bool) -> None:
    for delivery in deliveries:
        if delivery.message_id not in seen.ids:
            say_json(delivery.body) if as_json else say(_line(delivery.body))
            seen.ids.add(delivery.message_id)
            seen.count += 1


def _delete(announcements: Queue, shown: Sequence[Delivery], seen: _Seen) -> None:
    for delivery, error in zip(shown, announcements.delete_batch(shown), strict=True):
        if error is None:
            seen.forget(delivery.message_id)
        else:  # delivered again after _HOLD_S, then deleted without being shown
            logger.warning("announcement shown and still in the queue", reason=str(error))


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
