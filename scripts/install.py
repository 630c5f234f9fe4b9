"""Install a lock file into a virtual environment: `install.py VENV LOCK`.

Standard library only. Does nothing when the lock is installed already; repairs what an
interrupted run left behind; says in one line what is missing.
"""

from __future__ import annotations

import fcntl
import hashlib
import importlib.util
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def main() -> int:
    venv, lock = Path(sys.argv[1]), Path(sys.argv[2])
    check_modules()
    with only_one(venv):
        stamp = venv / f".installed-{lock.name}"
        wanted = fingerprint(lock)
        if stamp.exists() and stamp.read_text() == wanted and works(venv):
            return 0
        if not works(venv):
            create(venv)
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
    made = subprocess.run([sys.executable, "-m", "venv", venv], capture_output=True, text=True)
    if made.returncode:
        shutil.rmtree(venv, ignore_errors=True)
        stop(f"cannot make {venv}: {last_line(made.stdout + made.stderr)}")


def install(venv: Path, lock: Path) -> None:
    print(f"Installing {lock} into {venv} (once) ...", file=sys.stderr)
    command = [python_of(venv), "-m", "pip", "install", "--quiet", "--require-hashes"]
    command += ["--no-input", "--disable-pip-version-check", "--retries", "2", "-r", str(lock)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        log = venv / "install.log"
        log.write_text(done.stdout + done.stderr)
        stop(f"cannot install {lock} (no network?): {last_line(done.stderr)} (all of it: {log})")


def last_line(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("ERROR:")]
    return (errors or lines or ["no reason given"])[-1]


def stop(sentence: str) -> None:
    sys.exit(f"install: {sentence}")


if __name__ == "__main__":
    sys.exit(main())
