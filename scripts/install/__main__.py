"""Install lock files into virtual environments: `python3 scripts/install [--plan] VENV LOCK ...`.

Takes one or more pairs of VENV and LOCK, and installs several in parallel. Standard library only.
An installed lock is skipped, and an environment that an interrupted run left behind is rebuilt. An
error is one line. --plan only lists the environments to install, with the download and disk size.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from subprocess import Popen

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from scripts import usage
from scripts.install import ending
from scripts.install.ending import started
from scripts.install.environment import WEIGHTS, ensure, is_installed, say, stop


def main() -> int:
    ending.on_signals()
    given = usage.check(__doc__, least=2, most=sys.maxsize, options=("--plan",))
    paths = [Path(word) for word in given if word != "--plan"]
    if len(paths) % 2:
        usage.refuse(f"no lock for {paths[-1]}")
    pairs = list(zip(paths[::2], paths[1::2], strict=True))
    check_modules()
    if "--plan" in given:
        return plan(pairs)
    return ensure(*pairs[0]) if len(pairs) == 1 else ensure_all(pairs)


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
    command = [sys.executable, str(Path(__file__).resolve().parent)]
    with ExitStack() as stack:
        running = [
            stack.enter_context(
                started(partial(Popen, [*command, *map(str, pair)]), Popen.terminate)
            )
            for pair in pairs
        ]
        return max(process.wait() for process in running)


def check_modules() -> None:
    """Exit with advice if `venv` or `ensurepip` is missing: Debian has a package for them."""
    if not all(importlib.util.find_spec(name) for name in ("venv", "ensurepip")):
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
        stop(
            f"Python {version} ({sys.executable}) has no venv module; "
            f"on Debian or Ubuntu: apt install python{version}-venv"
        )


if __name__ == "__main__":
    sys.exit(main())
