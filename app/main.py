"""The command line: the roles, and the operators' verbs. Wires everything and owns the process.

python -m app.main all          web and worker in one process, for one machine
python -m app.main web          the API and the page
python -m app.main worker       the worker alone
python -m app.main reconcile    send originals again that have no message
python -m app.main redrive      bring the dead-letter queue back
python -m app.main watch        follow the announcements
python -m app.main upload       send PNGs to the API, from here or from far away
python -m app.main token        make a token for somebody who may use the API
"""

from __future__ import annotations

import argparse
import atexit
import gc
import os
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Final

from . import interrupts, logs, tracing
from .arguments import ROLES, parser
from .errors import PipelineError, QueueUnavailableError, SettingsError
from .settings import Settings, is_loopback
from .tokens import hash_token, make_token

# Each role and verb imports what it needs when it starts: with the engine, `web` would hold 150 MB
# more; with boto3, `upload` would start half a second later.
if TYPE_CHECKING:
    from .image_store import ImageStore
    from .lookout import Lookout, Watched
    from .metrics import Metrics
    from .ports import Queue
    from .worker_service import WorkerService

logger = logs.get_logger("app.main")  # __name__ is __main__ here

_EXIT_USAGE: Final = 2
_EXIT_UNAVAILABLE: Final = 1


def main(argv: Sequence[str] | None = None) -> int:
    """Run one role until SIGINT or SIGTERM, or one verb to its end; returns the exit code."""
    # Else the interpreter's last collection walks all that numba and botocore have made, which
    # was a second of each stop.
    atexit.register(gc.freeze)
    options = parser().parse_args(argv)
    interrupts.install()
    if options.command in _CLIENTS:
        return _CLIENTS[options.command](options)
    try:
        settings = Settings.from_env()
    except SettingsError as exc:
        _complain(f"wrong settings: {exc.detail}")
        return _EXIT_USAGE
    logs.configure(settings.log_level, settings.log_format)
    try:
        if options.command in ROLES:
            with tracing.recording(options.command, settings.trace_exporter):
                return _run(options.command, settings)
        return _operate(options, settings)
    except SettingsError as exc:
        _complain(f"wrong settings: {exc.detail}")
        return _EXIT_USAGE
    except KeyboardInterrupt:
        return 0


def _upload(options: argparse.Namespace) -> int:
    from . import upload_command

    return upload_command.run(options, _complain)


def _token(options: argparse.Namespace) -> int:
    token = make_token()
    print(f"{token}\n{options.name}:{hash_token(token)}")  # noqa: T201
    return 0


#: What needs no server's settings.
_CLIENTS: Final[dict[str, Callable[[argparse.Namespace], int]]] = {
    "upload": _upload,
    "token": _token,
}


def _operate(options: argparse.Namespace, settings: Settings) -> int:
    from botocore.exceptions import BotoCoreError

    from .aws_errors import fault_of

    try:
        return _operate_on(options, settings)
    except PipelineError as exc:
        _complain(str(exc))
    except (BotoCoreError, ValueError) as exc:  # a profile or an endpoint that cannot be
        _complain(fault_of(exc).advice)
    except BrokenPipeError:  # `watch | head -1` has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return _EXIT_UNAVAILABLE


def _operate_on(options: argparse.Namespace, settings: Settings) -> int:
    from .metrics import AwsMetrics
    from .reconcile import reconcile
    from .redrive import redrive
    from .s3_service import make_image_store
    from .sqs_service import make_queue
    from .watch import watch

    if options.command == "watch":
        return watch(
            make_queue(settings, settings.processed_queue),
            as_json=options.json,
            delete=options.delete,
            count=options.count,
            timeout_s=options.timeout,
        )
    store = make_image_store(settings, AwsMetrics())
    jobs = make_queue(settings, settings.input_queue)
    store.check()  # its words are better than those of the first object that is not found
    if options.command == "reconcile":
        return reconcile(
            store,
            jobs,
            older_than=timedelta(minutes=options.older_than),
            dry_run=options.dry_run,
            force=options.force,
        )
    dead_letters = make_queue(settings, settings.input_dead_letter_queue)
    return redrive(store, dead_letters, jobs, dry_run=options.dry_run, limit=options.limit)


def _run(role: str, settings: Settings) -> int:
    from botocore.exceptions import BotoCoreError

    from .aws_errors import fault_of
    from .lookout import Watched
    from .method_catalogue import METHODS
    from .metrics import Metrics
    from .s3_service import make_image_store
    from .sqs_service import make_queue

    metrics = Metrics(METHODS)
    try:
        store = make_image_store(settings, metrics.aws)
        jobs = make_queue(settings, settings.input_queue, metrics.aws)
        worker = None
        if role != "web":
            from .worker_service import WorkerService

            worker = WorkerService(settings, store, metrics)
    except (BotoCoreError, ValueError) as exc:  # a profile or an endpoint that cannot be
        _complain(f"cannot start: {fault_of(exc).advice}")
        return _EXIT_UNAVAILABLE

    watched = Watched(store, jobs, worker.check if worker else None)
    lookout = _lookout(role, settings, watched, metrics)
    try:
        probes = _probes(settings, metrics, partial(_check_ready, lookout))
    except OSError as exc:
        return _cannot_listen(settings.metrics_host, settings.metrics_port, exc)
    with probes:
        if worker is None or role == "all":
            return _serve(settings, store, jobs, worker, lookout, metrics)
        with interrupts.held(), worker, lookout, interrupts.allowed():
            logger.info("worker polls", queue=settings.input_queue)
            threading.Event().wait()
    return 0


def _lookout(role: str, settings: Settings, watched: Watched, metrics: Metrics) -> Lookout:
    from .lookout import Lookout
    from .sqs_service import make_queue

    if role == "worker":  # the depths are the web side's to count; a fleet would add them up
        return Lookout(watched, metrics=metrics.queues, is_resting=True)
    dead_letters = make_queue(settings, settings.input_dead_letter_queue, metrics.aws)
    return Lookout(
        replace(watched, dead_letters=dead_letters),
        max_waiting=settings.max_queue_depth,
        metrics=metrics.queues,
    )


def _check_ready(lookout: Lookout) -> None:
    if not lookout.is_running:  # it begins when the API listens
        raise QueueUnavailableError("The process is starting.")
    lookout.check_ready()


def _probes(
    settings: Settings, metrics: Metrics, check_ready: Callable[[], None]
) -> AbstractContextManager[None]:
    from .probes import ProbeServer

    host, port = settings.metrics_host, settings.metrics_port
    if port is None:
        return nullcontext()
    server = ProbeServer(host, port, metrics, check_ready)
    logger.info("metrics served", host=host, port=port)
    return server


def _serve(
    settings: Settings,
    store: ImageStore,
    jobs: Queue,
    worker: WorkerService | None,
    lookout: Lookout,
    metrics: Metrics,
) -> int:
    from . import create_app
    from .gate import Gate
    from .server import HttpServer
    from .waits import Waits

    if not _may_listen(settings, [settings.host]):
        return _EXIT_USAGE
    try:
        gate = Gate(settings, lookout.check_room)
        waits = Waits(max(1, settings.web_threads // 2))
        app = create_app(
            settings,
            store=store,
            jobs=jobs,
            gate=gate,
            waits=waits,
            lookout=lookout,
            metrics=metrics,
        )
        server = HttpServer(app, settings, gate, on_stop=waits.stop)
    except (OSError, ValueError) as exc:  # waitress calls a host that nobody knows a ValueError
        return _cannot_listen(settings.host, settings.port, exc)
    if not _may_listen(settings, server.addresses):
        return _EXIT_USAGE
    logger.info("listening", host=settings.host, port=settings.port)
    # The server stops first: what it has accepted by then is in the queue, not in our hands.
    with interrupts.held(), worker or nullcontext(), lookout, interrupts.allowed():
        server.run()
    return 0


def _may_listen(settings: Settings, hosts: Sequence[str]) -> bool:
    """Asked of the setting, and again of the sockets, which know what a name stands for."""
    if settings.has_tokens or all(map(is_loopback, hosts)):
        return True
    if not settings.allow_anonymous:
        _complain(
            f"HOST={settings.host} would let anybody in: set API_TOKENS (`python -m app.main token "
            "NAME` makes one), or ALLOW_ANONYMOUS=1 if that is what you want"
        )
    return settings.allow_anonymous


def _cannot_listen(host: str, port: int | None, exc: Exception) -> int:
    _complain(f"cannot listen on {host}:{port}: {getattr(exc, 'strerror', None) or exc}")
    return _EXIT_UNAVAILABLE


def _complain(sentence: str) -> None:
    print(f"app.main: {sentence}", file=sys.stderr)  # noqa: T201 (the command line's answer)


if __name__ == "__main__":
    sys.exit(main())
