"""Probe the address of the application.

    probe.py free  HOST PORT        exit 0 if the port is free to listen on
    probe.py ready HOST PORT PID    wait until /readyz answers 200, or run_app, PID, has ended
    probe.py answers URL            exit 0 if an HTTP server responds at URL, 2 if none does

Standard library only.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import sys
import time
from http.client import HTTPException
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import OpenerDirector, ProxyHandler, build_opener

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from scripts import usage  # noqa: E402 (found only now)
from scripts.local import compiling  # noqa: E402

READY_DEADLINE_S = 180.0
END_DEADLINE_S = 20.0
PAUSE_S = 0.1
TICK_S = 2.0
EXIT_UNREACHABLE = 2


def main() -> int:
    match usage.check(__doc__, least=1, most=4):
        case ["free", host, port]:
            check_free(host, int(port))
        case ["ready", host, port, pid]:
            wait_until_ready(host, int(port), int(pid))
        case ["answers", url]:
            return check_answers(url)
        case words:
            usage.refuse(f"unknown arguments: {' '.join(words)}")
    return 0


def check_free(host: str, port: int) -> None:
    if reason := reason_not_free(host, port):
        sys.exit(f"start_app.sh: cannot listen on {host}:{port}: {reason}; set PORT or HOST")


def reason_not_free(host: str, port: int) -> str | None:
    """Why nobody can listen on the address; None if somebody can."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
            probe.listen(1)
    except OSError as exc:
        return exc.strerror or str(exc)
    return None


def is_ours(host: str, port: int, path: str) -> bool:
    """Whether Alvura answers at *path*, its liveness probe."""
    try:
        with _opener().open(f"http://{_local(host)}:{port}{path}", timeout=5) as answer:
            return bool(json.load(answer) == {"status": "alive"})
    except (OSError, HTTPException, ValueError):
        return False


def _local(host: str) -> str:
    return {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, host)  # noqa: S104 (compared, not bound)


def wait_until_ready(host: str, port: int, pid: int) -> None:
    """Wait until /readyz answers; exit after READY_DEADLINE_S, or so long after the last progress.

    A process that is not ready is asked where it is, and ended.
    """
    url = f"http://{_local(host)}:{port}/readyz"
    started_at = told_at = advanced_at = time.monotonic()
    compiled = ""
    while not answers(url):
        now, before, compiled = time.monotonic(), compiled, compiling.progress_of(pid)
        if not is_alive(pid):
            sys.exit(1)  # the application has printed the reason
        if compiled != before:
            advanced_at = now
        if now > advanced_at + READY_DEADLINE_S:
            end(pid)
            sys.exit(f"start_app.sh: not ready after {now - started_at:.0f} s; its log is above")
        if now > told_at + TICK_S:
            told_at = now
            what = (
                f"Compiling the engine, {compiled}" if compiled else "The application is starting"
            )
            step = os.environ.get("STEP", "")
            print(f"{step}{what}, {now - started_at:.0f} s", file=sys.stderr)
        time.sleep(PAUSE_S)


def end(pid: int) -> None:
    """Make run_app print where it is, and end it; kill it if it hangs outside of Python."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGUSR1)
        time.sleep(PAUSE_S)
        os.kill(pid, signal.SIGTERM)
        deadline = time.monotonic() + END_DEADLINE_S
        while is_alive(pid) and time.monotonic() < deadline:
            time.sleep(PAUSE_S)
        os.killpg(pid, signal.SIGKILL)  # it leads a session


def check_answers(url: str) -> int:
    """0 if a server responds at *url*; the upload command would retry for a minute."""
    try:
        _opener().open(url, timeout=5).close()
    except HTTPError:
        pass  # an error response is a response, too
    except (OSError, HTTPException, ValueError):
        message = f"test_upload.sh: nobody answers at {url}; is ./start_app.sh running?"
        print(message, file=sys.stderr)
        return EXIT_UNREACHABLE
    return 0


def _opener() -> OpenerDirector:
    return build_opener(ProxyHandler({}))  # no proxy for loopback


def answers(url: str) -> bool:
    try:
        with _opener().open(url, timeout=5) as answer:
            return bool(answer.status == 200)
    except (OSError, HTTPException, ValueError):
        return False


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


if __name__ == "__main__":
    sys.exit(main())
