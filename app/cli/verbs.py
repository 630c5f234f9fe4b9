"""What the verbs of operators share: exit codes, sentences and batches of messages.

Each verb works on the ports and returns an exit code.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Final, TypeVar

from ..domain.ports import MAX_BATCH, Message, Queue, Results
from ..observability import logs

logger = logs.get_logger(__name__)
T = TypeVar("T")

DONE: Final = 0
#: Some of it failed.
FAILED: Final = 1
#: Nothing was done, for now.
REFUSED: Final = 3


def say(sentence: str) -> None:
    """The command line's answer."""
    print(sentence, flush=True)  # noqa: T201


def send(queue: Queue, messages: Sequence[Message]) -> Results:
    """Send up to ten *messages*; what was not sent is in the log."""
    results = queue.send_batch(messages)
    for error in filter(None, results):
        logger.error("message not sent", reason=str(error))
    return results


def batches(items: Iterable[T]) -> Iterator[list[T]]:
    """*items*, ten at a time."""
    rest = iter(items)
    while batch := list(islice(rest, MAX_BATCH)):
        yield batch
