"""Shared by the operators' verbs: exit codes and batches of messages.

Each verb works on the ports and returns an exit code.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Final, TypeVar

from ...domain.ports import MAX_BATCH, Message, Queue, Results
from ...observability import logs

logger = logs.get_logger(__name__)
T = TypeVar("T")

DONE: Final = 0
#: Some messages could not be sent.
FAILED: Final = 1
#: Nothing was done; a later run may succeed.
REFUSED: Final = 3


def send(queue: Queue, messages: Sequence[Message]) -> Results:
    """Send up to ten *messages* and log each one that could not be sent."""
    results = queue.send_batch(messages)
    for error in filter(None, results):
        logger.error("message not sent", reason=str(error))
    return results


def batches(items: Iterable[T]) -> Iterator[list[T]]:
    """The *items* in lists of up to ten."""
    rest = iter(items)
    while batch := list(islice(rest, MAX_BATCH)):
        yield batch
