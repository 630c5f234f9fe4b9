"""Define the arguments of the command line: roles, operators' verbs and clients' commands."""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from uuid import UUID

from ..domain.representation import OWNER_PATTERN
from ..observability.version import NAME, VERSION
from .doctor_options import add_options as add_doctor_options
from .offline.arguments import add_method, add_options, positive

ROLES: Final = {
    "all": "web and worker in one process, for one machine",
    "web": "the API and the page",
    "worker": "the worker alone",
}
_EXIT_CODES: Final = (
    "exit code: 0 done, 1 failed in part, or S3 or SQS is unavailable, 2 wrong usage"
)


def parse(prog: str, argv: Sequence[str] | None) -> argparse.Namespace:
    """The arguments *argv* of the command *prog*; exits with code 2 on wrong usage."""
    made = parser(prog)
    options = made.parse_args(argv)
    if options.command == "announce-again":
        is_range = options.since or options.until or options.group or options.all
        if bool(options.ids) == bool(is_range):
            made.error("announce-again: name ids, or else --since, --until, --group or --all")
    return options


def parser(prog: str) -> argparse.ArgumentParser:
    """The argument parser of the command *prog*; on wrong usage it exits with code 2."""
    made = argparse.ArgumentParser(
        prog=prog, description="PNG scans in, black-and-white pages out."
    )
    made.add_argument("--version", action="version", version=f"{NAME} {VERSION}")
    commands = made.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for role, sentence in ROLES.items():
        commands.add_parser(role, help=sentence, description=sentence)
    _add_reconcile(commands)
    _add_redrive(commands)
    _add_announce_again(commands)
    _add_watch(commands)
    _add_upload(commands)
    _add_binarize(commands)
    _add_token(commands)
    _add_doctor(commands)
    return made


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
    parser.add_argument("--dry-run", action="store_true", help="print what would be sent")
    parser.add_argument(
        "--force",
        action="store_true",
        help="run even while messages wait; their images are then processed twice, with one result",
    )


def _add_redrive(commands: _Commands[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "redrive",
        help="send the messages of the dead-letter queue to the workers again",
        description=(
            "Send the messages of the dead-letter queue to the workers again. If a failed image "
            "is processed this time, its result takes precedence over the failure record."
        ),
        epilog=_EXIT_CODES,
    )
    parser.add_argument("--dry-run", action="store_true", help="print what would be sent, and why")
    parser.add_argument("--limit", type=positive, metavar="N", help="send at most N messages")


def _add_announce_again(commands: _Commands[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "announce-again",
        help="send the announcements of finished images again",
        description=(
            "Send the announcements of images that are processed or failed once more: those with "
            "the given ids, or those of a time range, of a group, or all. SQS drops announcements "
            "that were sent less than five minutes ago."
        ),
        epilog=_EXIT_CODES,
    )
    parser.add_argument("ids", nargs="*", type=_image_id, metavar="ID", help="ids of images")
    parser.add_argument("--group", help="only images of this group, in the order of the uploads")
    time = "as in 2026-11-28T08:30; UTC, unless it ends in an offset such as -03:00"
    parser.add_argument("--since", type=_time, metavar="TIME", help=f"finished at or after, {time}")
    parser.add_argument("--until", type=_time, metavar="TIME", help="finished before")
    parser.add_argument("--all", action="store_true", help="all finished images")
    parser.add_argument("--dry-run", action="store_true", help="print what would be sent")


def _add_watch(commands: _Commands[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "watch",
        help="follow the announcements",
        description=(
            "Show each announcement once, as it arrives, from now on; --all also shows those that "
            "wait in the queue. Without --delete, the messages return to "
            "the queue at the end; until then they are hidden from other consumers for up to 30 s "
            "at a time."
        ),
        epilog="exit code: 0 done, 1 --timeout ended first or SQS is unavailable, 2 wrong usage",
    )
    parser.add_argument(
        "--all", action="store_true", help="begin with the oldest announcement in the queue"
    )
    parser.add_argument("--json", action="store_true", help="print each announcement as JSON")
    parser.add_argument("--delete", action="store_true", help="delete the messages shown")
    parser.add_argument("--count", type=positive, metavar="N", help="end after N announcements")
    parser.add_argument(
        "--timeout", type=_not_negative, metavar="SECONDS", help="end after SECONDS seconds"
    )


def _add_upload(commands: _Commands[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "upload",
        help="send images to the API, local or remote",
        description=(
            "Send images to the API, as PNG: JPEG, TIFF (each page), WebP and BMP are converted "
            "here. An interrupted command can be run again: no image is taken "
            "twice. ALVURA_URL and IMAGE_PIPELINE_TOKEN replace --url and --token."
        ),
        epilog=(
            "exit code: 0 all images were taken (with --wait: processed; with --out or --pdf: "
            "saved), 1 some were not, 2 wrong usage, 130 Ctrl-C"
        ),
    )
    parser.add_argument("files", nargs="+", metavar="FILE", help="images, folders or glob patterns")
    add_method(parser, "the server's")
    parser.add_argument("--group", help="group to keep the order in; files are sent one by one")
    _add_waiting(parser)
    parser.add_argument(
        "--parallel", type=positive, default=4, metavar="N", help="parallel requests (default: 4)"
    )
    parser.add_argument("--json", action="store_true", help="print one line of JSON per file")
    parser.add_argument("--url", help="URL of the API (default: http://127.0.0.1 with PORT, 5000)")
    parser.add_argument(
        "--token", help="bearer token; prefer IMAGE_PIPELINE_TOKEN, which other users cannot see"
    )


def _add_waiting(parser: argparse.ArgumentParser) -> None:
    """Add the options of `upload` that wait for results and save them."""
    parser.add_argument("--wait", action="store_true", help="wait until all images are processed")
    parser.add_argument(
        "--timeout",
        type=_not_negative,
        default=600,
        metavar="SECONDS",
        help="wait at most this long for each image (default: 600)",
    )
    parser.add_argument(
        "--out", type=Path, metavar="DIR", help="save the results in DIR; implies --wait"
    )
    parser.add_argument(
        "--pdf",
        type=Path,
        metavar="FILE",
        help="save all results as one PDF, in the order of the files; implies --wait",
    )


def _add_binarize(commands: _Commands[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "binarize",
        help="make files black and white on this machine, without a server",
        description=(
            "Make PNG, JPEG, TIFF (all pages), WebP and BMP black and white on this machine, "
            "without a server. Results are 1 bit a pixel, upright, with the DPI of the file. "
            "Each file is written whole or not at all, and none is overwritten without --force."
        ),
        epilog=(
            "exit code: 0 all files were written, 1 some were not (a bad file, one that is already "
            "there, a full disk), 2 wrong usage, 130 Ctrl-C or SIGTERM"
        ),
    )
    add_options(parser)


def _add_token(commands: _Commands[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "token",
        help="make a token for a user of the API",
        description=(
            "Make a token. The first line of output is the token, for its holder; it is not stored "
            "anywhere. The second line is its entry for API_TOKENS or API_TOKENS_FILE. The words "
            "above them go to stderr, so that a script reads these two lines only."
        ),
    )
    parser.add_argument("name", type=_owner, help="the owner of the images, such as `accounting`")


def _add_doctor(commands: _Commands[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "doctor",
        help="check settings, endpoint, clock, credentials, buckets, queues and rights",
        description=(
            "Check what a start needs, one line each; a failing line says what to do. Each right "
            "is tried with a call that changes nothing."
        ),
        epilog="exit code: 0 every check passed, 1 a check failed, 2 wrong usage",
    )
    add_doctor_options(parser)


def _owner(text: str) -> str:
    if not re.fullmatch(OWNER_PATTERN, text):
        raise argparse.ArgumentTypeError(f"{text} is not 1 to 64 letters, digits, '.', '_', '-'")
    return text


def _image_id(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text} is not the id of an image") from None


def _time(text: str) -> datetime:
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text} is not a time as 2026-11-28T08:30") from None
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def _not_negative(text: str) -> float:
    number = float(text)
    if not 0 <= number < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} is not 0 or more")
    return number
