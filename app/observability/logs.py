"""Write the log: one event a line, with what is known of its request and its image.

What we say goes through structlog, what libraries say through `logging`; one handler writes both,
as JSON for machines or as text for a terminal (docs/logs.md). A secret that gets into a line by
whatever way is hidden in the last step before the line is written.
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

from .redaction import harmless, without_secrets

JSON: Final = "json"
TEXT: Final = "text"

#: Libraries whose lines below a warning are for their own makers; botocore's show signatures.
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
#: They say the same at every attempt, for as long as their other side is away.
_REPEATING: Final = "opentelemetry"
_REPEATED_AFTER_S: Final = 60.0
#: Fields that have several lines by nature.
_BLOCKS: Final = ("exception", "stack")
#: In this order; the first four are in every line.
_FIRST: Final = ("time", "level", "event", "logger", "image_id", "request_id")


@dataclass(frozen=True)
class Style:
    """How the log is written, for whoever must write it in the same way, such as a child."""

    level: str
    format: str


_style: Style | None = None


def get_logger(name: str) -> BoundLogger:
    """The logger of a module. Events are short and constant; what varies are their fields."""
    logger: BoundLogger = structlog.wrap_logger(
        logging.getLogger(name),
        processors=[
            structlog.stdlib.filter_by_level,
            *_COMMON,
            # Here, while the exception is still being handled.
            structlog.processors.format_exc_info,
            ProcessorFormatter.wrap_for_formatter,
        ],
        wrapper_class=BoundLogger,
        cache_logger_on_first_use=True,
    )
    return logger


def configure(level: str, style: str | None = None) -> None:
    """Log to stderr from *level* on, in the *style* JSON or TEXT.

    None means TEXT on a terminal and JSON elsewhere: whoever reads a file or a pipe is a machine.
    """
    global _style
    is_terminal = sys.stderr is not None and sys.stderr.isatty()  # None where it was closed
    style = style or (TEXT if is_terminal else JSON)
    _style = Style(level, style)
    handler = _Handler()
    handler.setFormatter(formatter(style, colors=is_terminal))
    handler.addFilter(_Seldom())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    for noisy in _NOISY:
        logging.getLogger(noisy).setLevel(max(logging.WARNING, logging.getLevelName(level)))
    # It warns of each request that waits for a thread.
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)
    # It quotes what it cannot read of OTEL_EXPORTER_OTLP_HEADERS, which is a key.
    logging.getLogger("opentelemetry.util.re").setLevel(logging.ERROR)
    # It warns of what is wrong with the headers of clients.
    logging.getLogger("opentelemetry.trace").setLevel(logging.ERROR)
    logging.captureWarnings(True)
    _catch_the_uncaught()


def style() -> Style | None:
    """How `configure` was told to write; None before."""
    return _style


def formatter(style: str, *, colors: bool = False) -> logging.Formatter:
    """Turns a record, ours or a library's, into a line of *style*."""
    writer = _Text(colors) if style == TEXT else _to_json
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


# --- what is known of the work in hand -----------------------------------------------------------


def begin(**fields: str) -> None:
    """Forget what was bound, and have each line of this thread carry *fields* from now on."""
    clear_contextvars()
    bind_contextvars(**fields)


def bind(**fields: str) -> None:
    """Have each line of this thread carry *fields* too."""
    bind_contextvars(**fields)


def bound(**fields: str) -> AbstractContextManager[None]:
    """Have each line of a block carry *fields*."""
    return bound_contextvars(**fields)


def context() -> dict[str, str]:
    """What the lines of this thread carry now."""
    return structlog.contextvars.get_contextvars()


# --- how a line is made --------------------------------------------------------------------------


def _in_order(_: Any, __: str, event: EventDict) -> EventDict:
    known: EventDict = {name: event.pop(name) for name in _FIRST if name in event}
    return {**known, **event}


def _to_json(_: Any, __: str, event: EventDict) -> str:
    # ASCII: a lone surrogate in what a client sent is no UTF-8, and U+2028 ends lines for some.
    return json.dumps(event, default=str, separators=(",", ":"))


class _Text:
    def __init__(self, colors: bool) -> None:
        self._render = structlog.dev.ConsoleRenderer(
            colors=colors,
            # The others show local variables, which can be secrets.
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
        # Within a JSON string too: what is hidden has neither quote nor backslash in it.
        return without_secrets(writer(logger, name, event))

    return write


_COMMON: Final[list[Processor]] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
]


class _Handler(logging.StreamHandler[TextIO]):
    """Writes to stderr, and never stops the work that a line is about."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 (the parent's name)
        """Say where a line was lost; the parent would quote it, in many lines and with secrets."""
        reason = type(sys.exc_info()[1]).__name__
        lost: dict[str, Any] = {"name": record.name, "levelno": logging.ERROR, "levelname": "ERROR"}
        lost["msg"] = f"a line of the log was lost: {reason}"
        with suppress(Exception):  # the disk is full, or nobody reads any more
            self.stream.write(self.format(logging.makeLogRecord(lost)) + self.terminator)
            self.flush()


class _Seldom(logging.Filter):
    """Lets a complaint of the trace exporter through once a minute."""

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


# --- what nobody caught --------------------------------------------------------------------------


def _catch_the_uncaught() -> None:
    """Python would write these to stderr by itself, in many lines."""
    logger = get_logger("app.observability.logs")

    def ended(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        if issubclass(kind, KeyboardInterrupt):
            return
        logger.critical("nobody caught an error", exc_info=(kind, error, trace))

    def thread_ended(args: threading.ExceptHookArgs) -> None:
        if args.exc_value is not None:
            name = args.thread.name if args.thread else None
            trace = (args.exc_type, args.exc_value, args.exc_traceback)
            logger.critical("an error ended a thread", thread=name, exc_info=trace)

    def lost(args: Any) -> None:
        trace = (args.exc_type, args.exc_value, args.exc_traceback)
        logger.error("an error was lost", where=str(args.err_msg or args.object), exc_info=trace)

    sys.excepthook, threading.excepthook, sys.unraisablehook = ended, thread_ended, lost
