"""Let SIGINT and SIGTERM interrupt the main thread only where it can clean up.

By default, Python raises KeyboardInterrupt between any two instructions. This can happen while the
worker's threads start, before the main thread enters the `with` block that stops them; the process
would then exit while it still holds an image.

Python also drops an exception that is raised inside a finalizer, after a line on stderr. The signal
is then sent again.
"""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

#: After this time the finalizer that dropped an interrupt has ended.
_AGAIN_S: Final = 0.02


@dataclass
class _State:
    #: Inside a `held` block.
    is_in_block: bool = False
    is_held: bool = False
    is_pending: bool = False


_state = _State()


def install() -> None:
    """Let SIGINT and SIGTERM raise KeyboardInterrupt in the main thread, subject to `held`."""
    # Set SIGINT too: a shell starts background processes with SIGINT ignored.
    for signum in (signal.SIGINT, signal.SIGTERM):
        signal.signal(signum, _interrupt)
    sys.unraisablehook = _send_again


@contextmanager
def held() -> Iterator[None]:
    """Defer signals until the next `allowed` inside this block, or until the block's end."""
    _state.is_in_block = _state.is_held = True
    try:
        yield
    except BaseException:
        # The block already ends with an exception, so a pending signal needs none of its own.
        _state.is_pending = False
        raise
    finally:
        _state.is_in_block = _state.is_held = False
    _raise_pending()


@contextmanager
def allowed() -> Iterator[None]:
    """Inside `held`: raise KeyboardInterrupt once, for a pending signal or a new one."""
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
    # A second signal must not interrupt the clean-up that the first one started.
    _state.is_held = _state.is_in_block
    raise KeyboardInterrupt


def _raise_pending() -> None:
    if _state.is_pending:
        _state.is_pending = False
        raise KeyboardInterrupt


def _send_again(dropped: sys.UnraisableHookArgs) -> None:
    """Interrupt the main thread again if the interrupt was raised where Python drops exceptions."""
    if not issubclass(dropped.exc_type, KeyboardInterrupt):
        sys.__unraisablehook__(dropped)
        return
    _state.is_held = False  # as it was when the interrupt was raised
    main = threading.main_thread().ident
    again = threading.Timer(_AGAIN_S, signal.pthread_kill, [main, signal.SIGTERM])
    again.daemon = True
    again.start()
