"""The verb `announce-again`: send the announcements of finished images once more."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from tqdm import tqdm

from ...domain.messages import Announcement
from ...domain.ports import MAX_BATCH, Queue, announcing
from ...errors import ImageDeletedError, NotFoundError
from ...images.listing import find_finished
from ...images.store import ImageStore
from ..output import say
from .verbs import DONE, FAILED, Sender, batches, by_upload


@dataclass(frozen=True)
class Choice:
    """The images to announce: those with the given ids, else all in the time range and group."""

    ids: tuple[UUID, ...] = ()
    since: datetime | None = None
    until: datetime | None = None
    group: str | None = None


def announce_again(
    store: ImageStore, announcements: Queue, choice: Choice, *, dry_run: bool
) -> int:
    """Send the announcements of the chosen images; returns the exit code.

    SQS drops an announcement that was sent less than five minutes ago. Those of a group are sent
    in the order of the uploads, all others in the order of the ids.
    """
    sent, failed, sender = 0, 0, Sender(announcements)
    chosen = choice.ids or find_finished(store.results, since=choice.since, until=choice.until)
    found = _found(store, tqdm(chosen, desc="announce-again", unit=" images", disable=None))
    if choice.group:
        found = iter(sorted((a for a in found if a.group == choice.group), key=by_upload))
    for batch in batches(found):
        for announcement in batch:
            say(f"{announcement.image_id} {announcement.status}")
        results = [None] * len(batch) if dry_run else sender.send([*map(announcing, batch)])
        sent += results.count(None)
        failed += len(results) - results.count(None)
    say(f"{'would send' if dry_run else 'sent'} {sent}, failed {failed}")
    return FAILED if failed else DONE


def _found(store: ImageStore, ids: Iterable[UUID]) -> Iterator[Announcement]:
    def find(image_id: UUID) -> Announcement | None:
        try:
            return store.records.find(image_id)
        except ImageDeletedError:
            return None
        except NotFoundError:
            say(f"{image_id} is not finished or unknown")
            return None

    with ThreadPoolExecutor(MAX_BATCH) as pool:  # each takes one or two requests to S3
        for batch in batches(ids):
            yield from filter(None, pool.map(find, batch))
