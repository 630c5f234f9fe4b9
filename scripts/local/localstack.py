"""Run LocalStack from its own virtual environment, without Docker.

    localstack.py answers PORT                 exit 0 if S3 and SQS respond on PORT
    localstack.py start   PORT VENV STATE_DIR  start in the background, wait until both respond
    localstack.py stop    STATE_DIR            stop the process of `start`, wait for its end

Standard library only. LocalStack's own command line requires Docker, so this starts the module that
its image runs. A concurrent `start` waits for the first one.
"""

from __future__ import annotations

import fcntl
import json
import os
import signal
import socket
import subprocess
import sys
import time
from http.client import HTTPException
from pathlib import Path
from urllib.request import ProxyHandler, build_opener

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from scripts import usage  # noqa: E402 (found only now)

PROGRAM = Path(__file__).resolve().with_name("localstack_on_loopback.py")
SERVICES = ("s3", "sqs")
START_DEADLINE_S = 180.0
STOP_DEADLINE_S = 10.0
PAUSE_S = 0.1
TICK_S = 2.0
LOG_TAIL_LINES = 20


def main() -> int:
    # Exit by an exception, so that an interrupted start cleans up.
    for signum in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(signum, lambda *_: sys.exit(143))
    match usage.check(__doc__, least=1, most=4):
        case ["answers", port]:
            return 0 if answers(int(port)) else 1
        case ["start", port, venv, state]:
            start_once(int(port), Path(venv).absolute(), Path(state).absolute())
        case ["stop", state]:
            stop(Path(state).absolute())
        case words:
            usage.refuse(f"unknown arguments: {' '.join(words)}")
    return 0


def answers(port: int) -> bool:
    """Whether both services run on *port*; a server that only listens is not enough."""
    # Bypass the proxies of the environment for loopback.
    opener = build_opener(ProxyHandler({}))
    try:
        with opener.open(f"http://127.0.0.1:{port}/_localstack/health", timeout=2) as answer:
            states = json.load(answer)["services"]
    except (OSError, HTTPException, ValueError, KeyError):
        return False
    return all(states.get(service) == "running" for service in SERVICES)


def start_once(port: int, venv: Path, state: Path) -> None:
    state.mkdir(parents=True, exist_ok=True)
    with (state / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not answers(port):
            start(port, venv, state)


def start(port: int, venv: Path, state: Path) -> None:
    if is_taken(port):
        sys.exit(
            f"localstack: port {port} is taken by something that is not LocalStack with s3 and "
            "sqs; choose another with LOCALSTACK_PORT"
        )
    log = state / "localstack.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            # -P: otherwise Python would import this localstack.py.
            [venv / "bin" / "python", "-P", PROGRAM],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=environment(port, state),
            # A new session, so that Ctrl-C reaches only the script, which stops the app first.
            start_new_session=True,
        )
    pid_file(state).write_text(str(process.pid))
    (state / "starter").write_text(os.environ.get("LOCALSTACK_STARTER", ""))
    try:
        wait_until_ready(port, process, log)
    except BaseException:
        stop(state)
        raise


def environment(port: int, state: Path) -> dict[str, str]:
    # LocalStack would fail on a profile that it does not have.
    personal = ("AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_SESSION_TOKEN")
    inherited = {k: v for k, v in os.environ.items() if k not in personal}
    return inherited | {
        "SERVICES": ",".join(SERVICES),
        "EAGER_SERVICE_LOADING": "1",
        "SKIP_SSL_CERT_DOWNLOAD": "1",
        "DISABLE_EVENTS": "1",
        # Queue URLs have the host of the request, not a host name that needs DNS.
        "SQS_ENDPOINT_STRATEGY": "dynamic",
        "DNS_ADDRESS": "0",
        "GATEWAY_LISTEN": f"127.0.0.1:{port}",
        "FILESYSTEM_ROOT": str(state / "filesystem"),
        "TMPDIR": str(state),
        # Never pass real credentials to an emulator.
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
    }


def wait_until_ready(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    started_at = told_at = time.monotonic()
    deadline = started_at + START_DEADLINE_S
    while not answers(port):
        if process.poll() is not None:
            fail(f"LocalStack ended with exit code {process.returncode}", log)
        if time.monotonic() > deadline:
            fail(f"LocalStack is not ready after {START_DEADLINE_S:.0f} s", log)
        if time.monotonic() > told_at + TICK_S:
            told_at = time.monotonic()
            say(f"LocalStack is starting, {told_at - started_at:.0f} s")
        time.sleep(PAUSE_S)
    say(f"LocalStack is ready, {time.monotonic() - started_at:.1f} s")


def say(sentence: str) -> None:
    print(f"{os.environ.get('STEP', '')}{sentence}", file=sys.stderr, flush=True)


def fail(sentence: str, log: Path) -> None:
    tail = log.read_text(errors="replace").splitlines()[-LOG_TAIL_LINES:]
    sys.exit("\n".join([*tail, f"localstack: {sentence}; the end of {log} is above"]))


def is_taken(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return True
    return False


def stop(state: Path) -> None:
    pid = running_pid(state)
    if pid is not None:
        end_group(pid)
    for name in ("localstack.pid", "starter"):
        (state / name).unlink(missing_ok=True)


def end_group(pid: int) -> None:
    for signum in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(pid, signum)
        except ProcessLookupError:
            return
        deadline = time.monotonic() + STOP_DEADLINE_S
        while is_alive(pid) and time.monotonic() < deadline:
            time.sleep(PAUSE_S)
        if not is_alive(pid):
            return


def running_pid(state: Path) -> int | None:
    """The process that `start` started; None if its id belongs to another process by now."""
    try:
        pid = int(pid_file(state).read_text())
    except (OSError, ValueError):
        return None
    return pid if PROGRAM.name in command_of(pid) else None


def command_of(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text(errors="replace")
    except OSError:  # the process has ended, or there is no /proc
        asked = ["ps", "-p", str(pid), "-o", "command="]
        try:
            return subprocess.run(asked, capture_output=True, text=True).stdout
        except OSError:
            return ""


def is_alive(pid: int) -> bool:
    try:
        ended, _ = os.waitpid(pid, os.WNOHANG)  # a child stays a zombie until it is waited for
        return not ended
    except ChildProcessError:
        return PROGRAM.name in command_of(pid)


def pid_file(state: Path) -> Path:
    return state / "localstack.pid"


if __name__ == "__main__":
    sys.exit(main())
