"""The log: one event per line, with the ids of its request and its image.

The program logs through structlog, libraries log through `logging`. One handler writes both, as
JSON for machines or as text for a terminal (docs/logs.md). The last step before a line is written
hides secrets, however they got into the line.
"""

from __future__ import annotations

import json
import logging
import sys
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final, TextIO

import structlog
from structlog.contextvars import bind_contextvars, bound_contextvars, clear_contextvars
from structlog.stdlib import BoundLogger, ProcessorFormatter
from structlog.types import EventDict, Processor

from . import terminal
from .redaction import harmless, without_secrets

JSON: Final = "json"
TEXT: Final = "text"

#: Libraries that log only from WARNING on: lower levels are for their developers, and botocore's
#: contain signatures.
_NOISY: Final = (
    "asyncio",
    "boto3",
    "botocore",
    "charset_normalizer",
    "numba",
    "opentelemetry",
    "requests",
    "s3transfer",
    "urllib3",
)
#: Loggers that repeat the same warning at every attempt while their server is unavailable.
_REPEATING: Final = "opentelemetry"
_REPEATED_AFTER_S: Final = 60.0
#: Fields whose values have several lines.
_BLOCKS: Final = ("exception", "stack")
#: The first fields of a line, in this order; the first four are in every line.
_FIRST: Final = ("time", "level", "event", "logger", "image_id", "request_id")


@dataclass(frozen=True)
class Style:
    """The level and format of the log, to configure a child process in the same way."""

    level: str
    format: str


_style: Style | None = None


def get_logger(name: str) -> BoundLogger:
    """The logger of a module. Events are short, constant texts; fields hold what varies."""
    logger: BoundLogger = structlog.wrap_logger(
        logging.getLogger(name),
        processors=[
            structlog.stdlib.filter_by_level,
            *_COMMON,
            # Format here, because sys.exc_info() is empty once the exception is handled.
            structlog.processors.format_exc_info,
            ProcessorFormatter.wrap_for_formatter,
        ],
        wrapper_class=BoundLogger,
        cache_logger_on_first_use=True,
    )
    return logger


def configure(level: str, style: str | None = None) -> None:
    """Log to stderr from *level* on, in the *style* JSON or TEXT.

    None means TEXT on a terminal and JSON elsewhere, since programs read files and pipes. TEXT on a
    terminal is short, except from DEBUG on.
    """
    global _style
    is_terminal = sys.stderr is not None and sys.stderr.isatty()  # None where it was closed
    style = style or (TEXT if is_terminal else JSON)
    _style = Style(level, style)
    handler = _Handler()
    is_short = is_terminal and style == TEXT and level != "DEBUG"
    handler.setFormatter(formatter(style, colors=is_terminal, is_short=is_short))
    handler.addFilter(_OnceAMinute())
    if is_short:
        handler.addFilter(terminal.Quiet())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    for noisy in _NOISY:
        logging.getLogger(noisy).setLevel(max(logging.WARNING, logging.getLevelName(level)))
    # waitress.queue warns of each request that waits for a thread.
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)
    # opentelemetry.util.re quotes malformed parts of OTEL_EXPORTER_OTLP_HEADERS, which hold a key.
    logging.getLogger("opentelemetry.util.re").setLevel(logging.ERROR)
    # opentelemetry.trace warns of malformed headers of clients.
    logging.getLogger("opentelemetry.trace").setLevel(logging.ERROR)
    logging.captureWarnings(True)
    _catch_the_uncaught()


def style() -> Style | None:
    """The style set by `configure`; None before the first call."""
    return _style


def formatter(style: str, *, colors: bool = False, is_short: bool = False) -> logging.Formatter:
    """A formatter of *style* for the records of this program and of libraries."""
    text = terminal.Short() if is_short else _Text(colors)
    writer = text if style == TEXT else _to_json
    return ProcessorFormatter(
        foreign_pre_chain=_COMMON,
        processors=[
            ProcessorFormatter.remove_processors_meta,
            structlog.processors.StackInfoRenderer(),
            structlog.processors.format_exc_info,
            _in_order,
            _hiding_secrets(writer),
        ],
    )


# --- the fields of the current request or message ------------------------------------------------


def begin(**fields: str) -> None:
    """Replace the fields that every line of this thread carries by *fields*."""
    clear_contextvars()
    bind_contextvars(**fields)


def bind(**fields: str) -> None:
    """Add *fields* to every further line of this thread."""
    bind_contextvars(**fields)


def bound(**fields: str) -> AbstractContextManager[None]:
    """A block whose lines carry *fields*."""
    return bound_contextvars(**fields)


def context() -> dict[str, str]:
    """The fields that the lines of this thread carry."""
    return structlog.contextvars.get_contextvars()


# --- formatting ----------------------------------------------------------------------------------


def _in_order(_: Any, __: str, event: EventDict) -> EventDict:
    known: EventDict = {name: event.pop(name) for name in _FIRST if name in event}
    return {**known, **event}


def _to_json(_: Any, __: str, event: EventDict) -> str:
    # ASCII only: a lone surrogate from a client has no UTF-8 form, and some readers treat U+2028
    # as a line end.
    return json.dumps(event, default=str, separators=(",", ":"))


class _Text:
    def __init__(self, colors: bool) -> None:
        self._render = structlog.dev.ConsoleRenderer(
            colors=colors,
            # The other traceback formatters show local variables, which can be secrets.
            exception_formatter=structlog.dev.plain_traceback,
            timestamp_key="time",
            sort_keys=False,
        )

    def __call__(self, logger: Any, name: str, event: EventDict) -> str:
        return self._render(logger, name, {k: _harmless(k, v) for k, v in event.items()})


def _harmless(name: str, value: Any) -> Any:
    return harmless(value, is_block=name in _BLOCKS) if isinstance(value, str) else value


def _hiding_secrets(writer: Callable[[Any, str, EventDict], str]) -> Processor:
    def write(logger: Any, name: str, event: EventDict) -> str:
        # Safe within JSON strings: a secret contains neither a quote nor a backslash.
        return without_secrets(writer(logger, name, event))

    return write


_COMMON: Final[list[Processor]] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
]


class _Handler(logging.StreamHandler[TextIO]):
    """A handler that writes to stderr; a failed write never raises into the program."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 (the parent's name)
        """Log where a line was lost; the parent class would print the line with its secrets."""
        reason = type(sys.exc_info()[1]).__name__
        lost: dict[str, Any] = {"name": record.name, "levelno": logging.ERROR, "levelname": "ERROR"}
        lost["msg"] = f"log line lost: {reason}"
        with suppress(Exception):  # the disk is full, or the pipe is closed
            self.stream.write(self.format(logging.makeLogRecord(lost)) + self.terminator)
            self.flush()


class _OnceAMinute(logging.Filter):
    """A filter that passes one warning of the trace exporter per minute."""

    def __init__(self) -> None:
        super().__init__()
        self._said_at: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        if not record.name.startswith(_REPEATING):
            return True
        now = time.monotonic()
        if now - self._said_at.get(record.name, -_REPEATED_AFTER_S) < _REPEATED_AFTER_S:
            return False
        self._said_at[record.name] = now
        return True


# --- uncaught exceptions -------------------------------------------------------------------------


def _catch_the_uncaught() -> None:
    """Log uncaught exceptions, which Python would print to stderr as several plain lines."""
    logger = get_logger("app.observability.logs")

    def ended(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        if issubclass(kind, KeyboardInterrupt):
            return
        logger.critical("uncaught exception", exc_info=(kind, error, trace))

    def thread_ended(args: threading.ExceptHookArgs) -> None:
        if args.exc_value is not None:
            name = args.thread.name if args.thread else None
            trace = (args.exc_type, args.exc_value, args.exc_traceback)
            logger.critical("uncaught exception in a thread", thread=name, exc_info=trace)

    def lost(args: Any) -> None:
        trace = (args.exc_type, args.exc_value, args.exc_traceback)
        logger.error(
            "exception ignored by Python", where=str(args.err_msg or args.object), exc_info=trace
        )

    sys.excepthook, threading.excepthook, sys.unraisablehook = ended, thread_ended, lost
