"""A virtual environment and the lock that is installed in it. Standard library only."""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from scripts.install import installers, prune

ROOT = Path(__file__).resolve().parents[2]
LOCKS = (*ROOT.glob("requirements.txt"), *ROOT.glob("requirements/*.txt"))
#: Exists while an environment is being changed; a later run that finds it rebuilds the environment.
UNFINISHED = ".unfinished"


@dataclass(frozen=True)
class Weight:
    """The contents of a lock, and its sizes in MB on Linux with x86-64 (docs/decisions/0007)."""

    name: str
    download_mb: int
    disk_mb: int


WEIGHTS = {
    "requirements.txt": Weight("the application", 195, 453),
    "localstack.txt": Weight("LocalStack", 35, 47),
    "dev.txt": Weight("the application and its tests", 310, 840),
    "ministack.txt": Weight("MiniStack", 25, 20),
    "deploy.txt": Weight("the linters of deploy/", 100, 300),
}


def ensure(venv: Path, lock: Path) -> int:
    if is_installed(venv, lock):
        return 0
    try:
        with only_one(venv):
            if not is_installed(venv, lock):
                make(venv, lock)
    except OSError as exc:  # a full disk, a read-only folder
        stop(f"cannot install into {venv}: {exc.strerror}")
    return 0


def make(venv: Path, lock: Path) -> None:
    weight = WEIGHTS.get(lock.name, Weight(str(lock), 0, 0))
    say(f"Installing {weight.name} into {venv} ...")
    started_at = time.monotonic()
    if not is_sound(venv):
        create(venv)
    (venv / UNFINISHED).touch()
    before = state_of(venv)
    try:
        installers.install(venv, lock, lambda news: say(f"{weight.name}: {news}"))
    except installers.InstallError as exc:
        if state_of(venv) == before:  # the previous environment is unchanged
            (venv / UNFINISHED).unlink()
        stop(f"cannot install {lock}: {exc}")
    prune.prune(venv)
    stamp(venv, lock)
    (venv / UNFINISHED).unlink()
    seconds = time.monotonic() - started_at
    say(f"Installed {weight.name}: {size_mb(venv):.0f} MB on disk, {seconds:.1f} s")


@contextmanager
def only_one(venv: Path) -> Iterator[None]:
    """A block that one process enters at a time; the next one then finds *venv* installed."""
    with venv.with_name(venv.name + ".lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def is_installed(venv: Path, lock: Path) -> bool:
    return is_stamped(venv, lock) and is_sound(venv)


def stamp(venv: Path, lock: Path) -> None:
    """Record that *lock* is installed, and remove the records of locks that no longer are."""
    pins = pins_of(lock)
    for mark in venv.glob(".installed-*"):
        other = find_lock(mark.name.removeprefix(".installed-"))
        if not other or not is_stamped(venv, other) or conflict(pins_of(other), pins):
            mark.unlink()
    contained = [other for other in LOCKS if pins_of(other).items() <= pins.items()]
    for each in (lock, *contained):
        stamp_of(venv, each).write_text(fingerprint(each))


def conflict(pins: dict[str, str], others: dict[str, str]) -> bool:
    """Whether the two locks pin a package to different versions."""
    return any(pins.get(name, version) != version for name, version in others.items())


def is_stamped(venv: Path, lock: Path) -> bool:
    try:
        return stamp_of(venv, lock).read_text() == fingerprint(lock)
    except FileNotFoundError:
        return False


def stamp_of(venv: Path, lock: Path) -> Path:
    return venv / f".installed-{lock.name}"


def find_lock(name: str) -> Path | None:
    return next((lock for lock in LOCKS if lock.name == name), None)


def pins_of(lock: Path) -> dict[str, str]:
    """The version and the marker of each package in *lock*."""
    return dict(re.findall(r"^([^\s=]+)==([^\\\n]+?) *\\?$", lock.read_text(), re.MULTILINE))


def fingerprint(lock: Path) -> str:
    """A digest of *lock* and the Python version; a change of either requires a new installation."""
    return f"{sys.version}\n{hashlib.sha256(lock.read_bytes()).hexdigest()}\n"


def is_sound(venv: Path) -> bool:
    """False if a run was interrupted, or Python or the pruning rules have changed."""
    if (venv / UNFINISHED).exists() or not prune.is_current(venv):
        return False
    command = [installers.python_of(venv), "-c", "import encodings, sys; print(sys.version)"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return False
    return answer.stdout.strip() == sys.version.strip() and bool(installers.site_of(venv))


def create(venv: Path) -> None:
    remove(venv)
    made = installers.run([sys.executable, "-m", "venv", "--without-pip", str(venv)])
    if made.returncode:
        remove(venv)
        stop(f"cannot make {venv}: {installers.reason_in(made.output)}")


def remove(venv: Path) -> None:
    if venv.is_symlink():  # the target belongs to another checkout
        venv.unlink()
    shutil.rmtree(venv, ignore_errors=True)


def state_of(venv: Path) -> int | None:
    """A value that changes whenever a package is installed or removed."""
    site = installers.site_of(venv)
    return site.stat().st_mtime_ns if site else None


def size_mb(venv: Path) -> float:
    return sum(path.lstat().st_size for path in venv.rglob("*")) / 1e6


def say(sentence: str) -> None:
    print(f"{os.environ.get('STEP', '')}{sentence}", file=sys.stderr, flush=True)


def stop(sentence: str) -> NoReturn:
    sys.exit(f"install: {sentence}")
