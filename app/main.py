"""Start the pipeline: wires everything and owns the process.

python -m app.main all       web and worker in one process, for one machine
python -m app.main web       the API and the page
python -m app.main worker    the worker alone
"""

from __future__ import annotations

import argparse
import logging
import signal
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from botocore.exceptions import BotoCoreError

from . import create_app
from .domain import Binarized, Job
from .errors import SettingsError
from .image_processor import binarize_png
from .image_store import ImageStore
from .s3_service import make_image_store
from .server import HttpServer
from .settings import Settings
from .sqs_service import make_queue
from .worker import Worker

logger = logging.getLogger("app.main")  # __name__ is __main__ here

ROLES: Final = ("all", "web", "worker")
#: How long a stop waits for the job in hand. A container is given 30 s before it is killed.
_GRACE_S: Final = 25.0
_EXIT_USAGE: Final = 2
_EXIT_UNAVAILABLE: Final = 1


def main(argv: Sequence[str] | None = None) -> int:
    """Run one role until SIGINT or SIGTERM; returns the exit code."""
    role = _parse_role(argv)
    try:
        settings = Settings.from_env()
    except SettingsError as exc:
        _complain(f"wrong settings: {exc.detail}")
        return _EXIT_USAGE
    _configure_logging(settings)
    for signum in (signal.SIGINT, signal.SIGTERM):
        signal.signal(signum, signal.default_int_handler)
    try:
        return _run(role, settings)
    except KeyboardInterrupt:
        return 0


def _parse_role(argv: Sequence[str] | None) -> str:
    parser = argparse.ArgumentParser(prog="python -m app.main", description="The image pipeline.")
    parser.add_argument(
        "role",
        choices=ROLES,
        help="all: web and worker in one process; web: API and page; worker: the worker alone",
    )
    role: str = parser.parse_args(argv).role
    return role


def _run(role: str, settings: Settings) -> int:
    try:
        store = make_image_store(settings)
        worker = None if role == "web" else make_worker(settings, store)
    except (BotoCoreError, ValueError) as exc:  # a profile or an endpoint that cannot be
        _complain(f"cannot start: {exc}")
        return _EXIT_UNAVAILABLE
    if worker is None or role == "all":
        return _serve(settings, store, worker)
    with running(worker, threads=settings.worker_concurrency):
        logger.info("worker polls %s", settings.input_queue)
        threading.Event().wait()
    return 0


def make_worker(settings: Settings, store: ImageStore) -> Worker:
    """The worker on the queues that *settings* name."""
    limits = settings.png_limits

    def process(data: bytes, job: Job) -> Binarized:
        return binarize_png(data, method=job.method, parameters=job.parameters, limits=limits)

    return Worker(
        jobs=make_queue(settings, settings.input_queue),
        store=store,
        announcements=make_queue(settings, settings.processed_queue),
        process=process,
        poll_wait_s=settings.poll_wait_s,
        max_receives=settings.max_receives,
    )


def _serve(settings: Settings, store: ImageStore, worker: Worker | None) -> int:
    app = create_app(
        settings, store=store, worker_idle_s=(lambda: worker.idle_s) if worker else None
    )
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
    with running(worker, threads=settings.worker_concurrency):
        server.run()
    return 0


@contextmanager
def running(worker: Worker, *, threads: int) -> Iterator[None]:
    """Run *worker* in *threads* threads; on the way out let each finish the job in hand."""
    # Daemons, so that a job that hangs cannot keep the process: its message was not deleted and
    # comes back.
    pool = [
        threading.Thread(target=worker.run, name=f"worker-{n}", daemon=True) for n in range(threads)
    ]
    for thread in pool:
        thread.start()
    try:
        yield
    finally:
        worker.stop()
        deadline = time.monotonic() + _GRACE_S
        for thread in pool:
            thread.join(max(0.0, deadline - time.monotonic()))


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
