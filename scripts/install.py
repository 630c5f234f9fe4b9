"""Install lock files into virtual environments: `install.py [--plan] VENV LOCK [VENV LOCK ...]`.

Standard library only. An installed lock is skipped, and an environment that an interrupted run left
behind is rebuilt. An error is one line. Several environments are installed in parallel.
--plan only lists the environments to install, with the download and disk size.
"""

from __future__ import annotations

import fcntl
import hashlib
import importlib.util
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from scripts import installers, prune, usage  # noqa: E402 (found only now)

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


def main() -> int:
    # Exit by an exception, so that child processes are stopped.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    given = usage.check(__doc__, least=2, most=sys.maxsize, options=("--plan",))
    paths = [Path(word) for word in given if word != "--plan"]
    if len(paths) % 2:
        usage.refuse(f"no lock for {paths[-1]}")
    pairs = list(zip(paths[::2], paths[1::2], strict=True))
    check_modules()
    try:
        if "--plan" in given:
            return plan(pairs)
        return ensure(*pairs[0]) if len(pairs) == 1 else ensure_all(pairs)
    except KeyboardInterrupt:
        return 130


def plan(pairs: Sequence[tuple[Path, Path]]) -> int:
    missing = [(venv, lock) for venv, lock in pairs if not is_installed(venv, lock)]
    print(*(venv for venv, _ in missing), sep="\n")
    known = [WEIGHTS[lock.name] for _, lock in missing if lock.name in WEIGHTS]
    if known:
        download_mb = sum(weight.download_mb for weight in known)
        disk_mb = sum(weight.disk_mb for weight in known)
        say(
            f"To install, once: {' and '.join(weight.name for weight in known)}; "
            f"at most {download_mb} MB to download, {disk_mb} MB on disk"
        )
    return 0


def ensure_all(pairs: Sequence[tuple[Path, Path]]) -> int:
    """The exit code of installing *pairs* in parallel, each in a process of its own."""
    command = [sys.executable, str(Path(__file__).resolve())]
    running = [subprocess.Popen([*command, *map(str, pair)]) for pair in pairs]
    try:
        return max(process.wait() for process in running)
    finally:
        for process in running:
            process.terminate()
        for process in running:
            process.wait()


def ensure(venv: Path, lock: Path) -> int:
    if is_installed(venv, lock):
        return 0
    try:
        with only_one(venv):
            if not is_installed(venv, lock):
                make(venv, lock)
    except OSError as exc:  # a full disk, a tree that cannot be written to
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


def check_modules() -> None:
    """Exit with advice if `venv` or `ensurepip` is missing: Debian has a package for them."""
    if not all(importlib.util.find_spec(name) for name in ("venv", "ensurepip")):
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
        stop(
            f"Python {version} ({sys.executable}) has no venv module; "
            f"on Debian or Ubuntu: apt install python{version}-venv"
        )


@contextmanager
def only_one(venv: Path) -> Iterator[None]:
    """A block that only one run enters at a time; the second finds the work done."""
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
        if not other or not is_stamped(venv, other) or is_disturbed(pins_of(other), pins):
            mark.unlink()
    contained = [other for other in LOCKS if pins_of(other).items() <= pins.items()]
    for each in (lock, *contained):
        stamp_of(venv, each).write_text(fingerprint(each))


def is_disturbed(theirs: dict[str, str], pins: dict[str, str]) -> bool:
    return any(theirs.get(name, version) != version for name, version in pins.items())


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


if __name__ == "__main__":
    sys.exit(main())
