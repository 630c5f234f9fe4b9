"""Shared by the operators' verbs: exit codes and batches of messages.

Each verb works on the ports and returns an exit code.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import islice
from typing import Final, TypeVar
from uuid import UUID

from ...domain.messages import Announcement
from ...domain.ports import MAX_BATCH, Message, Queue, Results
from ...domain.representation import Image
from ...errors import PipelineError, QueueUnavailableError
from ...observability import logs

logger = logs.get_logger(__name__)
T = TypeVar("T")

DONE: Final = 0
#: Some messages could not be sent.
FAILED: Final = 1
#: Nothing was done; a later run may succeed.
REFUSED: Final = 3
#: Stands for a missing upload time: other producers may omit it.
_UNKNOWN: Final = datetime.max.replace(tzinfo=UTC)
_HELD_BACK: Final = QueueUnavailableError("An earlier message of its group was refused.")


class Sender:
    """Sends messages to *queue*; none overtakes one of its group that SQS has refused."""

    def __init__(self, queue: Queue) -> None:
        self._queue = queue
        self._refused_groups: set[str] = set()

    def send(self, messages: Sequence[Message]) -> Results:
        """Send up to ten *messages* and log each one that could not be sent.

        SQS may refuse one entry of a batch and take a later one of the same group, so each request
        has one message of a group.
        """
        results = dict[int, PipelineError | None]()
        for turn in _turns(messages):
            results.update(self._send_turn(messages, turn))
        for error in filter(None, results.values()):
            logger.error("message not sent", reason=str(error))
        return [results[number] for number in range(len(messages))]

    def _send_turn(
        self, messages: Sequence[Message], turn: Sequence[int]
    ) -> dict[int, PipelineError | None]:
        free = [n for n in turn if messages[n].group not in self._refused_groups]
        results = dict[int, PipelineError | None](dict.fromkeys(turn, _HELD_BACK))
        if free:
            results |= zip(free, self._queue.send_batch([messages[n] for n in free]), strict=True)
        self._refused_groups.update(messages[n].group for n, error in results.items() if error)
        return results


def _turns(messages: Sequence[Message]) -> Iterable[list[int]]:
    """The positions of *messages*, first those of the first message of each group, and so on."""
    turns: dict[int, list[int]] = {}
    before = Counter[str]()
    for number, message in enumerate(messages):
        turns.setdefault(before[message.group], []).append(number)
        before[message.group] += 1
    return turns.values()


def batches(items: Iterable[T]) -> Iterator[list[T]]:
    """The *items* in lists of up to ten."""
    rest = iter(items)
    while batch := list(islice(rest, MAX_BATCH)):
        yield batch


def by_upload(image: Image | Announcement) -> tuple[datetime, UUID]:
    """A key that sorts images by the time of their uploads."""
    return image.uploaded_at or _UNKNOWN, image.image_id
