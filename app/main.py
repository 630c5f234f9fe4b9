"""The command line: runs the roles, the operators' verbs and the clients' commands.

python -m app.main all          web and worker in one process, for one machine
python -m app.main web          the API and the page
python -m app.main worker       the worker alone
python -m app.main reconcile    send the messages of originals that have none
python -m app.main redrive      send the messages of the dead-letter queue again
python -m app.main announce-again  send the announcements of finished images again
python -m app.main watch        follow the announcements
python -m app.main upload       send images to the API, local or remote
python -m app.main binarize     make files black and white, without a server
python -m app.main token        make a token for a user of the API
python -m app.main doctor       check what a start needs
"""

from __future__ import annotations

import argparse
import atexit
import gc
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Final

# These checks come before the imports that would otherwise fail with a traceback.
if not __package__:
    sys.exit("app/main.py: type ./alvura start, or python -m app.main --help")

from . import installed

if (fault := installed.fault("app.main", *sys.argv[1:2])) is not None:
    sys.exit(fault)

from .cli.arguments import ROLES, parse
from .cli.output import discard_output, open_missing_streams
from .errors import PipelineError, SettingsError
from .observability import logs, tracing
from .settings import Settings, is_loopback
from .wiring import interrupts

# Each role and verb imports its modules when it starts: with the engine, `web` would use 125 MB
# more; with boto3, `upload` would start 0.5 s later.
if TYPE_CHECKING:
    from .wiring import Wiring

logger = logs.get_logger("app.main")  # __name__ is __main__ here

_EXIT_USAGE: Final = 2
_EXIT_UNAVAILABLE: Final = 1


def main(argv: Sequence[str] | None = None, *, prog: str = "python -m app.main") -> int:
    """Run one role until SIGINT or SIGTERM, or one verb to its end; returns the exit code."""
    # Freeze the heap at exit: the final GC pass over the objects of numba and botocore cost about
    # a second per shutdown.
    atexit.register(gc.freeze)
    open_missing_streams()
    options = parse(prog, argv)
    interrupts.install()
    if options.command in _CLIENTS:
        return _run_client(options)
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


def _run_client(options: argparse.Namespace) -> int:
    try:
        return _CLIENTS[options.command](options)
    except BrokenPipeError:  # the reader has closed the pipe; the output is incomplete
        discard_output()
        return _EXIT_UNAVAILABLE


def _upload(options: argparse.Namespace) -> int:
    from .cli import upload as upload_command
    from .formats.quiet import quiet_libraries

    with quiet_libraries():
        return upload_command.run(options, _complain)


def _binarize(options: argparse.Namespace) -> int:
    from .cli.offline import command
    from .cli.output import label
    from .numeric.compiled import is_first_time

    if is_first_time():
        label("Compiling the engine for this machine, once; it takes about 20 s ...")
    from .file_processor import FileProcessor
    from .formats.kinds import FILE_LIMITS
    from .formats.quiet import quiet_libraries

    limits = replace(FILE_LIMITS, max_pixels=options.max_pixels)

    process = FileProcessor(
        method=options.method,
        parameters=dict(options.set),
        limits=limits,
        parallel=options.jobs,
    )
    with quiet_libraries():
        return command.run(options, process.page, limits, _complain)


def _token(options: argparse.Namespace) -> int:
    from .cli import token as token_command

    return token_command.run(options)


def _doctor(options: argparse.Namespace) -> int:
    from .doctor.findings import show
    from .doctor.services import examine
    from .settings import ClientSettings

    names_in_file = ClientSettings().dotenv_names.split()
    return show(examine(options.role, names_in_file), only_failed=options.failing)


#: Commands that run without valid settings, and clients' commands, which read no server settings.
_CLIENTS: Final[dict[str, Callable[[argparse.Namespace], int]]] = {
    "upload": _upload,
    "binarize": _binarize,
    "token": _token,
    "doctor": _doctor,
}


def _operate(options: argparse.Namespace, settings: Settings) -> int:
    from botocore.exceptions import BotoCoreError

    from .aws.errors import fault_of

    try:
        return _operate_on(options, settings)
    except PipelineError as exc:
        _complain(str(exc))
    except (BotoCoreError, ValueError) as exc:  # an unknown profile or an invalid endpoint
        _complain(fault_of(exc).advice)
    except BrokenPipeError:
        discard_output()
        return 0
    return _EXIT_UNAVAILABLE


def _operate_on(options: argparse.Namespace, settings: Settings) -> int:
    from .cli.operations.announce_again import Choice, announce_again
    from .cli.operations.reconcile import reconcile
    from .cli.operations.redrive import redrive
    from .cli.operations.watch import watch
    from .cli.output import label
    from .domain.representation import now
    from .wiring import Wiring

    wiring = Wiring(settings, options.command)
    if options.command == "watch":
        if not options.all and sys.stderr.isatty():
            label("From now on; --all begins with those that wait in the queue. Ctrl-C ends it.")
        return watch(
            wiring.announcements,
            as_json=options.json,
            delete=options.delete,
            count=options.count,
            timeout_s=options.timeout,
            since=None if options.all else now(),
        )
    store, jobs = wiring.store, wiring.jobs
    store.check()  # reports a missing bucket more clearly than the first failing object does
    if options.command == "announce-again":
        choice = Choice(tuple(options.ids), options.since, options.until, options.group)
        return announce_again(store, wiring.announcements, choice, dry_run=options.dry_run)
    if options.command == "reconcile":
        return reconcile(
            store,
            jobs,
            older_than=timedelta(minutes=options.older_than),
            dry_run=options.dry_run,
            force=options.force,
        )
    return redrive(store, wiring.dead_letters, jobs, dry_run=options.dry_run, limit=options.limit)


def _run(role: str, settings: Settings) -> int:
    from botocore.exceptions import BotoCoreError

    from .aws.errors import fault_of
    from .wiring import Wiring

    has_web = role != "worker"
    if has_web and not _may_listen(settings, [settings.host]):
        return _EXIT_USAGE
    wiring = Wiring(settings, role)
    try:
        wiring.watched  # noqa: B018 (makes the clients of S3 and SQS, and the worker)
    except (BotoCoreError, ValueError) as exc:  # an unknown profile or an invalid endpoint
        _complain(f"cannot start: {fault_of(exc).advice}")
        return _EXIT_UNAVAILABLE
    try:
        if wiring.probes:
            logger.info("metrics served", host=settings.metrics_host, port=settings.metrics_port)
    except OSError as exc:
        return _cannot_listen(settings.metrics_host, settings.metrics_port, exc)
    return _serve(wiring) if has_web else _work(wiring)


def _work(wiring: Wiring) -> int:
    with _running(wiring):
        logger.info("worker polls", queue=wiring.settings.input_queue)
        threading.Event().wait()
    return 0


def _serve(wiring: Wiring) -> int:
    settings = wiring.settings
    try:
        server = wiring.server
    except (OSError, ValueError) as exc:  # waitress raises ValueError for an unknown host
        return _cannot_listen(settings.host, settings.port, exc)
    if not _may_listen(settings, server.addresses):
        return _EXIT_USAGE
    logger.info("listening", host=settings.host, port=settings.port)
    # The server stops first: every upload it has accepted is then in the queue.
    with _running(wiring):
        server.run()
    return 0


@contextmanager
def _running(wiring: Wiring) -> Iterator[None]:
    """Run the role's worker, monitor and probes; the probes stop last, before the last counts."""
    worker, probes = wiring.worker or nullcontext(), wiring.probes or nullcontext()
    counts = wiring.cloudwatch or nullcontext()
    with counts, probes, interrupts.held(), worker, wiring.monitor, interrupts.allowed():
        yield


def _may_listen(settings: Settings, hosts: Sequence[str]) -> bool:
    """Whether the API may listen on *hosts*: without tokens, only on loopback or if allowed.

    Checked for the setting, and again for the bound sockets, which have resolved a host name.
    """
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
