"""Install a lock file into a virtual environment: `install.py VENV LOCK`.

Standard library only. Does nothing when the lock is installed already; repairs what an
interrupted run left behind; says in one line what is missing.
"""

from __future__ import annotations

import fcntl
import hashlib
import importlib.util
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn


def main() -> int:
    # As an exception, so that `run` ends what it waits for.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    venv, lock = Path(sys.argv[1]), Path(sys.argv[2])
    check_modules()
    try:
        return ensure(venv, lock)
    except OSError as exc:  # a full disk, a tree that cannot be written to
        stop(f"cannot install into {venv}: {exc.strerror}")


def ensure(venv: Path, lock: Path) -> int:
    with only_one(venv):
        stamp = venv / f".installed-{lock.name}"
        wanted = fingerprint(lock)
        if stamp.exists() and stamp.read_text() == wanted and works(venv):
            return 0
        if not works(venv):
            create(venv)
        # What another lock has installed may not stand after this one.
        for other in venv.glob(".installed-*"):
            other.unlink()
        install(venv, lock)
        stamp.write_text(wanted)
    return 0


def check_modules() -> None:
    """Debian keeps both in a package of their own."""
    if not all(importlib.util.find_spec(name) for name in ("venv", "ensurepip")):
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
        stop(
            f"Python {version} ({sys.executable}) has no venv module; "
            f"on Debian or Ubuntu: apt install python{version}-venv"
        )


@contextmanager
def only_one(venv: Path) -> Iterator[None]:
    """Let a second run wait for the first, then find its work done."""
    with venv.with_name(venv.name + ".lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def fingerprint(lock: Path) -> str:
    """Another lock or another Python means installing again."""
    return f"{sys.version}\n{hashlib.sha256(lock.read_bytes()).hexdigest()}\n"


def python_of(venv: Path) -> str:
    # Scripts such as bin/pip carry the path in their first line, which a space in it breaks.
    return str(venv / "bin" / "python")


def works(venv: Path) -> bool:
    command = [python_of(venv), "-c", "import pip, sys; print(sys.version)"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return False
    return answer.stdout.strip() == sys.version.strip()


def create(venv: Path) -> None:
    shutil.rmtree(venv, ignore_errors=True)
    made = run([sys.executable, "-m", "venv", str(venv)])
    if made.returncode:
        shutil.rmtree(venv, ignore_errors=True)
        stop(f"cannot make {venv}: {last_line(made.stdout + made.stderr)}")


def install(venv: Path, lock: Path) -> None:
    print(f"Installing {lock} into {venv} (once) ...", file=sys.stderr)
    command = [python_of(venv), "-m", "pip", "install", "--quiet", "--require-hashes"]
    command += ["--no-input", "--disable-pip-version-check", "--retries", "2", "-r", str(lock)]
    done = run(command)
    if done.returncode:
        log = venv / "install.log"
        log.write_text(done.stdout + done.stderr)
        stop(f"cannot install {lock} (no network?): {last_line(done.stderr)} (all of it: {log})")


def run(command: list[str]) -> subprocess.CompletedProcess[str]:
    """Run *command* to its end; when ours comes first, end it with all that it has started."""
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            stdout, stderr = process.communicate()
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)
            raise
    return subprocess.CompletedProcess(command, process.returncode, stdout, stderr)


def last_line(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("ERROR:")]
    return (errors or lines or ["no reason given"])[-1]


def stop(sentence: str) -> NoReturn:
    sys.exit(f"install: {sentence}")


if __name__ == "__main__":
    sys.exit(main())
