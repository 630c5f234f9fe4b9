"""The verb `reconcile`: send the message of each image that has none and is not finished."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import timedelta

from tqdm import tqdm

from ...domain.ports import Queue, Results
from ...domain.representation import now
from ...errors import ImageDeletedError, NotFoundError
from ...images.listing import find_orphans
from ...images.store import ImageStore
from ..output import say
from .verbs import DONE, FAILED, REFUSED, Sender, batches


def reconcile(
    store: ImageStore, jobs: Queue, *, older_than: timedelta, dry_run: bool, force: bool
) -> int:
    """Send the message of each original that has neither result nor failure record.

    An orphan looks like an image whose message waits in the queue. So nothing is sent while
    messages wait, unless *force*: then some images are processed twice, with the same result.
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
    sent, failed, sender = 0, 0, Sender(jobs)
    for ids in batches(tqdm(orphans, desc="reconcile", unit=" orphans", disable=None)):
        results = _send_again(store, sender, ids, dry_run=dry_run)
        sent += results.count(None)
        failed += len(results) - results.count(None)
    say(f"{'would send' if dry_run else 'sent'} {sent}, failed {failed}")
    return FAILED if failed else DONE


def _send_again(
    store: ImageStore, sender: Sender, ids: Sequence[uuid.UUID], *, dry_run: bool
) -> Results:
    messages = []
    for image_id in ids:
        say(f"{image_id} has an original and nothing else")
        try:
            messages.append(store.job_message(store.find(image_id)))
        except (NotFoundError, ImageDeletedError):  # deleted since it was listed
            continue
    return [None] * len(messages) if dry_run or not messages else sender.send(messages)
