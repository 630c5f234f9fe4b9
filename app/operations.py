"""What operators do by hand: `reconcile`, `redrive` and `watch`.

Each works on the ports and returns an exit code; 0 is done, 1 failed in part, 3 refused for now.
"""

from __future__ import annotations

import sys
import time
import uuid
from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta
from itertools import islice
from typing import Final, TypeVar

from tqdm import tqdm

from . import logs, tracing
from .errors import ImageDeletedError, InvalidMessageError, NotFoundError
from .image_store import ImageStore
from .messages import Announcement, Job, deduplication_id
from .orphans import find_orphans
from .page_remarks import remarks
from .ports import MAX_BATCH, Delivery, Message, Queue, Results
from .representation import TakenFor, now

logger = logs.get_logger(__name__)
T = TypeVar("T")

DONE: Final = 0
FAILED: Final = 1
REFUSED: Final = 3

#: Longer than it takes to send ten messages on, however slow the line.
_HOLD_S: Final = 60
#: How long `watch` hides a message from other consumers, unless it takes it.
WATCH_HOLD_S: Final = 30
_POLL_WAIT_S: Final = 1


def say(sentence: str) -> None:
    """The command line's answer."""
    print(sentence, flush=True)  # noqa: T201


# --- reconcile ---------------------------------------------------------------------------------


def reconcile(
    store: ImageStore, jobs: Queue, *, older_than: timedelta, dry_run: bool, force: bool
) -> int:
    """Send the message of each original that has neither result nor failure record.

    An orphan cannot be told from an image that waits in the queue; so nothing is sent while any
    wait, unless *force*: then some are processed twice, to the same result.
    """
    depth = jobs.depth()
    backlog = depth.waiting + depth.held
    if backlog and not force:
        say(
            f"{backlog} messages are waiting or in work, and an orphan cannot be told from an "
            "image that waits. Nothing was sent; run it again when the queue is empty, or --force."
        )
        return REFUSED
    orphans = find_orphans(store.originals, store.results, before=now() - older_than)
    sent = failed = 0
    for ids in _batches(tqdm(orphans, desc="reconcile", unit=" orphans", disable=None)):
        results = _send_again(store, jobs, ids, dry_run=dry_run)
        sent += results.count(None)
        failed += len(results) - results.count(None)
    say(f"{'would send' if dry_run else 'sent'} {sent}, failed {failed}")
    return FAILED if failed else DONE


def _send_again(
    store: ImageStore, jobs: Queue, ids: Sequence[uuid.UUID], *, dry_run: bool
) -> Results:
    messages = []
    for image_id in ids:
        say(f"{image_id} has an original and nothing else")
        try:
            messages.append(store.job_message(store.find(image_id)))
        except (NotFoundError, ImageDeletedError):  # since it was listed
            continue
    return [None] * len(messages) if dry_run or not messages else _sent(jobs, messages)


def _sent(queue: Queue, messages: Sequence[Message]) -> Results:
    results = queue.send_batch(messages)
    for error in filter(None, results):
        logger.error("message not sent", reason=str(error))
    return results


# --- redrive -----------------------------------------------------------------------------------


def redrive(
    store: ImageStore, dead_letters: Queue, jobs: Queue, *, dry_run: bool, limit: int | None
) -> int:
    """Send what lies in the dead-letter queue to the workers again, as a round of its own.

    Send, then delete: a crash in between repeats some, and loses none.
    """
    sent = failed = 0
    held: list[Delivery] = []
    total = dead_letters.depth().waiting
    with tqdm(desc="redrive", total=total, unit=" messages", disable=None) as progress:
        for deliveries in _receive_all(dead_letters, limit):
            for delivery in deliveries:
                say(_describe(store, delivery))
            if dry_run:
                held += deliveries
                sent += len(deliveries)
            else:
                moved = _move(dead_letters, jobs, deliveries)
                sent += moved
                failed += len(deliveries) - moved
            progress.update(len(deliveries))
    for batch in _batches(held):
        dead_letters.change_visibility_batch(batch, timeout_s=0)
    say(f"{'would send' if dry_run else 'sent'} {sent}, failed {failed}")
    return FAILED if failed else DONE


def _receive_all(queue: Queue, limit: int | None) -> Iterator[list[Delivery]]:
    left = sys.maxsize if limit is None else limit
    while left > 0:
        deliveries = queue.receive(
            max_messages=min(MAX_BATCH, left),
            wait_time_s=_POLL_WAIT_S,
            visibility_timeout_s=_HOLD_S,
        )
        if not deliveries:
            return
        left -= len(deliveries)
        yield deliveries


def _move(dead_letters: Queue, jobs: Queue, deliveries: Sequence[Delivery]) -> int:
    results = _sent(jobs, [_next_round(delivery) for delivery in deliveries])
    moved = [d for d, error in zip(deliveries, results, strict=True) if error is None]
    if moved:
        for error in filter(None, dead_letters.delete_batch(moved)):
            logger.warning("message sent and still in the dead-letter queue", reason=str(error))
    return len(moved)


def _next_round(delivery: Delivery) -> Message:
    """The same job, one round later, of the same trace; what is no job goes as it is."""
    # Not as they came: another producer may have written anything.
    attributes = tracing.sound(delivery.attributes)
    try:
        job = Job.parse(delivery.body)
    except InvalidMessageError:
        unique = f"redrive:{delivery.message_id}"
        return Message(delivery.body, delivery.group, unique, attributes)
    job = job.model_copy(update={"redrive": job.redrive + 1})
    unique = deduplication_id(job.image_id, job.redrive)
    return Message(job.to_json(), delivery.group, unique, attributes)


def _describe(store: ImageStore, delivery: Delivery) -> str:
    try:
        job = Job.parse(delivery.body)
        finished = store.records.find(job.image_id)
    except InvalidMessageError as exc:
        return f"message {delivery.message_id}: {exc.detail}"
    except NotFoundError:
        return f"{job.image_id}: no record"
    except ImageDeletedError:
        return f"{job.image_id}: was deleted; it will be dropped"
    if finished.error:
        return f"{job.image_id}: {finished.error.code}: {finished.error.detail}"
    return f"{job.image_id}: has a result already; it will be announced"


# --- watch -------------------------------------------------------------------------------------


def watch(
    announcements: Queue, *, as_json: bool, delete: bool, count: int | None, timeout_s: float | None
) -> int:
    """Show each announcement once, as it comes, until *count* have come.

    Returns FAILED when *timeout_s* is over before that. What is not deleted is given back at the
    end.
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
            for batch in _batches(list(shown.values())):
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
        visibility_timeout_s=WATCH_HOLD_S,
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


def _batches(items: Iterable[T]) -> Iterator[list[T]]:
    rest = iter(items)
    while batch := list(islice(rest, MAX_BATCH)):
        yield batch
