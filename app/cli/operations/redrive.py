"""The verb `redrive`: send the messages of the dead-letter queue to the workers again."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final

from tqdm import tqdm

from ...domain.messages import NO_JOB, Job, deduplication_id
from ...domain.ports import MAX_BATCH, Delivery, Message, Queue
from ...errors import (
    ImageDeletedError,
    NotFoundError,
)
from ...images.store import ImageStore
from ...observability import logs, tracing
from ..output import say
from .verbs import DONE, FAILED, Sender, batches

logger = logs.get_logger(__name__)

#: Visibility timeout in seconds: longer than sending ten messages takes on a slow connection.
_HOLD_S: Final = 60
_POLL_WAIT_S: Final = 1


def redrive(
    store: ImageStore, dead_letters: Queue, jobs: Queue, *, dry_run: bool, limit: int | None
) -> int:
    """Send the messages of the dead-letter queue again, as a new round; returns the exit code.

    Each message is sent, then deleted: a crash in between repeats messages but loses none.
    """
    sent = failed = 0
    held: dict[str, Delivery] = {}
    sender = Sender(jobs)
    total = dead_letters.depth().waiting
    with tqdm(desc="redrive", total=total, unit=" messages", disable=None) as progress:
        for deliveries in _receive_all(dead_letters, limit, held):
            for delivery in deliveries:
                say(_describe(store, delivery))
            if dry_run:
                sent += len(deliveries)
            else:
                moved = _move(dead_letters, sender, deliveries)
                sent += moved
                failed += len(deliveries) - moved
            progress.update(len(deliveries))
    for batch in batches(held.values() if dry_run else ()):
        dead_letters.change_visibility_batch(batch, timeout_s=0)
    say(f"{'would send' if dry_run else 'sent'} {sent}, failed {failed}")
    return FAILED if failed else DONE


def _receive_all(
    queue: Queue, limit: int | None, held: dict[str, Delivery]
) -> Iterator[list[Delivery]]:
    """The messages of *queue*, each once; *held* gets the last receipt of each, without its body.

    A message that stays in the queue is delivered again after _HOLD_S, so without *held* a long
    run would start over for ever.
    """
    left = sys.maxsize if limit is None else limit
    while left > 0:
        deliveries = queue.receive(
            max_messages=min(MAX_BATCH, left),
            wait_time_s=_POLL_WAIT_S,
            visibility_timeout_s=_HOLD_S,
        )
        if not deliveries:
            return
        new = [delivery for delivery in deliveries if delivery.message_id not in held]
        held.update({d.message_id: replace(d, body="") for d in deliveries})
        left -= len(new)
        if new:
            yield new


def _move(dead_letters: Queue, sender: Sender, deliveries: Sequence[Delivery]) -> int:
    results = sender.send([_next_round(delivery) for delivery in deliveries])
    moved = [d for d, error in zip(deliveries, results, strict=True) if error is None]
    if moved:
        for error in filter(None, dead_letters.delete_batch(moved)):
            logger.warning("message sent and still in the dead-letter queue", reason=str(error))
    return len(moved)


def _next_round(delivery: Delivery) -> Message:
    """The message of the same job and trace, one round later; an unknown body stays unchanged."""
    # Pass on valid attributes only: another producer may have written anything.
    attributes = tracing.sound(delivery.attributes)
    try:
        job = Job.parse(delivery.body)
    except NO_JOB:
        unique = f"redrive:{delivery.message_id}"
        return Message(delivery.body, delivery.group, unique, attributes)
    job = job.model_copy(update={"redrive": job.redrive + 1})
    unique = deduplication_id(job.image_id, job.redrive)
    return Message(job.to_json(), delivery.group, unique, attributes)


def _describe(store: ImageStore, delivery: Delivery) -> str:
    try:
        job = Job.parse(delivery.body)
        finished = store.records.find(job.image_id)
    except NO_JOB as exc:
        return f"message {delivery.message_id}: {exc.detail}"
    except NotFoundError:
        return f"{job.image_id}: no record"
    except ImageDeletedError:
        return f"{job.image_id}: was deleted; it will be dropped"
    if finished.error:
        return f"{job.image_id}: {finished.error.code}: {finished.error.detail}"
    return f"{job.image_id}: has a result already; it will be announced"
