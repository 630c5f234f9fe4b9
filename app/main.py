"""The command line: the roles, and the operators' verbs. Wires everything and owns the process.

python -m app.main all          web and worker in one process, for one machine
python -m app.main web          the API and the page
python -m app.main worker       the worker alone
python -m app.main reconcile    send originals again that have no message
python -m app.main redrive      bring the dead-letter queue back
python -m app.main watch        follow the announcements
"""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
import threading
from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from botocore.exceptions import BotoCoreError

from .errors import PipelineError, SettingsError
from .image_store import ImageStore
from .s3_service import make_image_store
from .settings import Settings
from .sqs_service import make_queue

if TYPE_CHECKING:
    from .worker_service import WorkerService

logger = logging.getLogger("app.main")  # __name__ is __main__ here

ROLES: Final = {
    "all": "web and worker in one process, for one machine",
    "web": "the API and the page",
    "worker": "the worker alone",
}
_EXIT_CODES: Final = "exit code: 0 done, 1 failed in part or S3 or SQS is away, 2 wrong usage"
_EXIT_USAGE: Final = 2
_EXIT_UNAVAILABLE: Final = 1


def main(argv: Sequence[str] | None = None) -> int:
    """Run one role until SIGINT or SIGTERM, or one verb to its end; returns the exit code."""
    options = _parser().parse_args(argv)
    try:
        settings = Settings.from_env()
    except SettingsError as exc:
        _complain(f"wrong settings: {exc.detail}")
        return _EXIT_USAGE
    _configure_logging(settings)
    for signum in (signal.SIGINT, signal.SIGTERM):
        signal.signal(signum, signal.default_int_handler)
    try:
        if options.command in ROLES:
            return _run(options.command, settings)
        return _operate(options, settings)
    except KeyboardInterrupt:
        return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m app.main", description="The image pipeline.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for role, sentence in ROLES.items():
        commands.add_parser(role, help=sentence, description=sentence)
    _add_reconcile(commands)
    _add_redrive(commands)
    _add_watch(commands)
    return parser


_Commands = argparse._SubParsersAction  # argparse has no public name for it


def _add_reconcile(commands: _Commands[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "reconcile",
        help="send originals again that have neither message, result nor failure record",
        description=(
            "Send the message of each original that has neither result nor failure record. Such an "
            "orphan is left when the API dies between storing and sending."
        ),
        epilog=f"{_EXIT_CODES}, 3 refused because messages wait",
    )
    parser.add_argument(
        "--older-than",
        type=_not_negative,
        default=15,
        metavar="MINUTES",
        help="only originals stored longer ago than this (default: 15)",
    )
    parser.add_argument("--dry-run", action="store_true", help="say what would be sent")
    parser.add_argument(
        "--force",
        action="store_true",
        help="also while messages wait; what waits is then processed twice, to the same result",
    )


def _add_redrive(commands: _Commands[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "redrive",
        help="bring the dead-letter queue back to the workers",
        description=(
            "Send what lies in the dead-letter queue to the workers again. An image that has "
            "failed can become processed; the result then wins over the failure record."
        ),
        epilog=_EXIT_CODES,
    )
    parser.add_argument("--dry-run", action="store_true", help="say what would be sent, and why")
    parser.add_argument("--limit", type=_positive, metavar="N", help="at most so many messages")


def _add_watch(commands: _Commands[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "watch",
        help="follow the announcements",
        description=(
            "Show each announcement once, as it comes. Without --delete it is given back at the "
            "end; until then it is hidden from other consumers for up to 30 s at a time."
        ),
        epilog="exit code: 0 done, 1 --timeout was over first or SQS is away, 2 wrong usage",
    )
    parser.add_argument("--json", action="store_true", help="the announcement as it is")
    parser.add_argument("--delete", action="store_true", help="take what is shown from the queue")
    parser.add_argument("--count", type=_positive, metavar="N", help="end after so many")
    parser.add_argument("--timeout", type=_not_negative, metavar="SECONDS", help="end after that")


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is not 1 or more")
    return number


def _not_negative(text: str) -> float:
    number = float(text)
    if not 0 <= number < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} is not 0 or more")
    return number


def _operate(options: argparse.Namespace, settings: Settings) -> int:
    try:
        return _operate_on(options, settings)
    except PipelineError as exc:
        _complain(exc.detail)
    except (BotoCoreError, ValueError) as exc:  # a profile or an endpoint that cannot be
        _complain(str(exc))
    except BrokenPipeError:  # `watch | head -1` has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return _EXIT_UNAVAILABLE


def _operate_on(options: argparse.Namespace, settings: Settings) -> int:
    from . import operations

    store = make_image_store(settings)
    jobs = make_queue(settings, settings.input_queue)
    if options.command == "reconcile":
        return operations.reconcile(
            store,
            jobs,
            older_than=timedelta(minutes=options.older_than),
            dry_run=options.dry_run,
            force=options.force,
        )
    if options.command == "redrive":
        dead_letters = make_queue(settings, settings.input_dead_letter_queue)
        return operations.redrive(
            store, dead_letters, jobs, dry_run=options.dry_run, limit=options.limit
        )
    return operations.watch(
        make_queue(settings, settings.processed_queue),
        as_json=options.json,
        delete=options.delete,
        count=options.count,
        timeout_s=options.timeout,
    )


def _run(role: str, settings: Settings) -> int:
    # Here, so that the operators' verbs need not load the engine.
    from .worker_service import WorkerService

    try:
        store = make_image_store(settings)
        worker = None if role == "web" else WorkerService(settings, store)
    except (BotoCoreError, ValueError) as exc:  # a profile or an endpoint that cannot be
        _complain(f"cannot start: {exc}")
        return _EXIT_UNAVAILABLE
    if worker is None or role == "all":
        return _serve(settings, store, worker)
    with worker:
        logger.info("worker polls %s", settings.input_queue)
        threading.Event().wait()
    return 0


def _serve(settings: Settings, store: ImageStore, worker: WorkerService | None) -> int:
    from . import create_app
    from .server import HttpServer

    app = create_app(settings, store=store, check_worker=worker.check if worker else None)
    try:
        server = HttpServer(app, settings)
    except (OSError, ValueError) as exc:  # waitress calls a host that nobody knows a ValueError
        reason = getattr(exc, "strerror", None) or exc
        _complain(f"cannot listen on {settings.host}:{settings.port}: {reason}")
        return _EXIT_UNAVAILABLE
    logger.info("listening on %s:%d", settings.host, settings.port)
    if worker is None:
        server.run()
        return 0
    # The server stops first: what it has accepted by then is in the queue, not in our hands.
    with worker:
        server.run()
    return 0


def _configure_logging(settings: Settings) -> None:
    logging.basicConfig(
        level=settings.log_level, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    for noisy in ("botocore", "boto3", "urllib3", "waitress.queue"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


def _complain(sentence: str) -> None:
    print(f"app.main: {sentence}", file=sys.stderr)  # noqa: T201 (the command line's answer)


if __name__ == "__main__":
    sys.exit(main())
