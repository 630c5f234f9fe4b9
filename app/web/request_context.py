"""What is known of the request in hand, for everything that answers it."""

from __future__ import annotations

import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from flask import g

if TYPE_CHECKING:
    from opentelemetry.trace import Span

    from ..server.gate import Pass


@dataclass
class RequestContext:
    """One request, from its first hook to its last."""

    request_id: str
    #: time.monotonic() when the application got the request.
    began_at: float = field(default_factory=time.monotonic)
    #: None for the requests of machines that ask again and again.
    span: Span | None = None
    #: Closed at the end, which ends the span.
    room: ExitStack = field(default_factory=ExitStack)
    #: What the gate decided; None until it is asked.
    granted: Pass | None = None
    #: Seconds that the client preferred to wait; None if it did not.
    waited_s: float | None = None
    #: The code of the problem document that is the answer.
    problem_code: str | None = None

    @property
    def owner(self) -> str | None:
        """The name of the token that the request came with."""
        return self.granted.owner if self.granted else None

    @property
    def working_s(self) -> float:
        """Seconds so far, without those that the client preferred to wait."""
        return time.monotonic() - self.began_at - (self.waited_s or 0.0)


def begin(context: RequestContext) -> None:
    """Make *context* that of the request in hand."""
    g.request_context = context


def current() -> RequestContext:
    """The context of the request in hand."""
    context: RequestContext = g.request_context
    return context


def end() -> None:
    """Close what the request in hand holds open. Safe to call when it never began."""
    if context := g.pop("request_context", None):
        context.room.close()
