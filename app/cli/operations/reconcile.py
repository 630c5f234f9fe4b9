"""The verb `reconcile`: send the message of each image that has none and is not finished."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import timedelta

from tqdm import tqdm

from ...domain.ports import Queue
from ...domain.representation import Image, now
from ...errors import ImageDeletedError, NotFoundError
from ...images.listing import find_orphans
from ...images.store import ImageStore
from ..output import say
from .verbs import DONE, FAILED, REFUSED, Sender, batches, by_upload


def reconcile(
    store: ImageStore, jobs: Queue, *, older_than: timedelta, dry_run: bool, force: bool
) -> int:
    """Send the message of each original that has neither result nor failure record.

    An orphan looks like an image whose message waits in the queue. So nothing is sent while
    messages wait, unless *force*: then some images are processed twice, with the same result.
    Those of a group are sent in the order of the uploads.
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
    images = _found(store, tqdm(orphans, desc="reconcile", unit=" orphans", disable=None))
    sent, failed, sender = 0, 0, Sender(jobs)
    for batch in batches(_groups_in_order(images)):
        messages = [store.job_message(image) for image in batch]
        results = [None] * len(batch) if dry_run else sender.send(messages)
        sent += results.count(None)
        failed += len(results) - results.count(None)
    say(f"{'would send' if dry_run else 'sent'} {sent}, failed {failed}")
    return FAILED if failed else DONE


def _found(store: ImageStore, ids: Iterable[uuid.UUID]) -> Iterator[Image]:
    for image_id in ids:
        say(f"{image_id} has an original and nothing else")
        with suppress(NotFoundError, ImageDeletedError):  # deleted since it was listed
            yield store.find(image_id)


def _groups_in_order(images: Iterable[Image]) -> Iterator[Image]:
    """The *images* without a group as they come, then all others in the order of the uploads."""
    grouped = []
    for image in images:
        if image.group:
            grouped.append(image)
        else:
            yield image
    yield from sorted(grouped, key=by_upload)
