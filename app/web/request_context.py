"""The state of the current request, shared by the hooks and views that answer it."""

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
    """The state of one request, from its first hook to its last."""

    request_id: str
    #: time.monotonic() when the application received the request.
    began_at: float = field(default_factory=time.monotonic)
    #: None for probes, which are frequent and are not traced.
    span: Span | None = None
    #: Closed at the end of the request, which ends the span.
    resources: ExitStack = field(default_factory=ExitStack)
    #: The gate's decision; None until the gate is asked.
    granted: Pass | None = None
    #: Seconds that the client waited at its own request; None if it did not wait.
    waited_s: float | None = None
    #: The error code of the response; None if the request succeeded.
    problem_code: str | None = None

    @property
    def owner(self) -> str | None:
        """The owner of the request's token; None without a token."""
        return self.granted.owner if self.granted else None

    @property
    def working_s(self) -> float:
        """Seconds since the request began, without the wait that the client asked for."""
        return time.monotonic() - self.began_at - (self.waited_s or 0.0)


def begin(context: RequestContext) -> None:
    """Make *context* the context of the current request."""
    g.request_context = context


def current() -> RequestContext:
    """The context of the current request."""
    context: RequestContext = g.request_context
    return context


def end() -> None:
    """Release the resources of the current request. Safe to call if it never began."""
    if context := g.pop("request_context", None):
        context.resources.close()
