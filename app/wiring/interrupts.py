"""Have SIGINT and SIGTERM interrupt the main thread only where it can clean up behind itself.

Python's own way raises KeyboardInterrupt between any two instructions: also when half of the
threads of the worker run and nobody has come to the `with` block that would stop them, so that the
process ends with an image in its hands.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass
class _State:
    #: Inside a `held` block.
    is_in_block: bool = False
    is_held: bool = False
    is_pending: bool = False


_state = _State()


def install() -> None:
    """Have SIGINT and SIGTERM raise KeyboardInterrupt here, the main thread, or wait as below."""
    # SIGINT too: a shell has those that it starts in the background ignore it.
    for signum in (signal.SIGINT, signal.SIGTERM):
        signal.signal(signum, _interrupt)


@contextmanager
def held() -> Iterator[None]:
    """Have a signal wait for the next `allowed` in this block, or else for the block's end."""
    _state.is_in_block = _state.is_held = True
    try:
        yield
    except BaseException:
        # The block ends as it is; what else was asked for needs no second exception.
        _state.is_pending = False
        raise
    finally:
        _state.is_in_block = _state.is_held = False
    _raise_pending()


@contextmanager
def allowed() -> Iterator[None]:
    """Inside `held`: raise KeyboardInterrupt for a signal that waits or comes, once."""
    _state.is_held = False
    try:
        _raise_pending()
        yield
    finally:
        _state.is_held = _state.is_in_block


def _interrupt(*_: object) -> None:
    if _state.is_held:
        _state.is_pending = True
        return
    # Two signals at once: the second one must not hit what the first one has made run.
    _state.is_held = _state.is_in_block
    raise KeyboardInterrupt


def _raise_pending() -> None:
    if _state.is_pending:
        _state.is_pending = False
        raise KeyboardInterrupt
