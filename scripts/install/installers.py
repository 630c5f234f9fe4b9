"""Install a lock file with its hashes: by uv, or by pip where uv is unavailable.

Standard library only. uv is fetched from the package index into .local/uv, pinned by
requirements/uv.txt; `installers.py` without arguments prints its path. pip is the copy bundled with
every Python that has `ensurepip`.
"""

from __future__ import annotations

import configparser
import fcntl
import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from scripts.install.ending import kill_group, started  # noqa: E402 (found only now)

UV_LOCK = ROOT / "requirements" / "uv.txt"
UV_PLACE = ROOT / ".local" / "uv"
TICK_S = 2.0
MB_PER_UNIT = {"k": 1e-3, "K": 1.024e-3, "M": 1.0, "G": 1e3}

Tell = Callable[[str], None]


class InstallError(Exception):
    """The lock could not be installed; the message gives the reason in one line."""


@dataclass(frozen=True)
class Run:
    """The exit code and the output of a command."""

    returncode: int
    output: str


def install(venv: Path, lock: Path, tell: Tell) -> None:
    """Install *lock* into *venv*; *tell* is called with the progress every two seconds.

    Raises:
        InstallError: both programs fail.
    """
    uv = find_uv(tell)
    if uv:
        done = run([str(uv), *uv_arguments(venv, lock)], env=uv_environment(), tell=tell)
        if not done.returncode:
            return
        check_final(done.output)
        tell(f"uv failed ({reason_in(done.output)})")
    tell("installing with pip, which takes several times as long as uv")
    # After a failure of uv, pip would consider a half-copied package installed.
    options = [*PIP_OPTIONS, *(["--force-reinstall"] if uv else [])]
    done = run_pip(["install", *options, "-r", str(lock)], tell, python=python_of(venv))
    if done.returncode:
        log = venv / "install.log"
        log.write_text(done.output)
        check_final(done.output)
        raise InstallError(f"(no network?) {reason_in(done.output)} (full output: {log})")


def check_final(output: str) -> None:
    """Raise InstallError for a fault that the other program would repeat after its downloads."""
    # uv wraps its sentences, within a frame, wherever a long path makes them too wide.
    output = re.sub(r"[\s\u2500-\u25ff]+", " ", output)
    if "No space left on device" in output:
        raise InstallError("no space left on the disk")
    if "Hash mismatch" in output or "DO NOT MATCH THE HASHES" in output:
        raise InstallError("a download is damaged or not the pinned one: its hash differs")


# --- uv ----------------------------------------------------------------------------------------


def find_uv(tell: Tell) -> Path | None:
    """The pinned uv, fetched if missing; None where the index has none for this platform."""
    version = hashlib.sha256(UV_LOCK.read_bytes()).hexdigest()[:12]
    uv = UV_PLACE / version / "bin" / "uv"
    UV_PLACE.mkdir(parents=True, exist_ok=True)
    with (UV_PLACE.parent / "uv.lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        if not uv.exists():
            fetch_uv(UV_PLACE / version, tell)
    return uv if uv.exists() else None


def fetch_uv(place: Path, tell: Tell) -> None:
    tell("fetching uv, which installs (17 MB)")
    unfinished = UV_PLACE.parent / "uv.unfinished"
    shutil.rmtree(unfinished, ignore_errors=True)
    options = ["--only-binary", ":all:", "--no-compile", "--no-deps", "--target", str(unfinished)]
    done = run_pip(["install", *PIP_OPTIONS, *options, "-r", str(UV_LOCK)], tell)
    if done.returncode:
        check_final(done.output)
        tell(f"uv is not available ({reason_in(done.output)})")
        return
    shutil.rmtree(UV_PLACE)  # with earlier versions
    UV_PLACE.mkdir()
    unfinished.rename(place)


def uv_arguments(venv: Path, lock: Path) -> list[str]:
    # --no-deps: the locks are complete, so no dependency has to be resolved.
    options = ["--no-deps", "--require-hashes", "--python", python_of(venv)]
    return ["pip", "install", *options, "-r", str(lock)]


def uv_environment() -> dict[str, str]:
    """pip's index settings as variables of uv, which does not read pip's configuration."""
    variables = {"UV_NO_CONFIG": "1", "UV_PYTHON_DOWNLOADS": "never", "UV_NO_PROGRESS": "1"}
    variables["UV_HTTP_RETRIES"] = "1"  # pip takes over when uv fails
    index, certificates = pip_setting("index-url"), pip_setting("cert")
    if index:
        variables["UV_DEFAULT_INDEX"] = index
    if certificates:
        variables["SSL_CERT_FILE"] = certificates
    return variables | os.environ


def pip_setting(name: str) -> str | None:
    """A pip setting, as pip reads it: https://pip.pypa.io/en/stable/topics/configuration/."""
    found = os.environ.get("PIP_" + name.upper().replace("-", "_"))
    if found:
        return found
    parser = configparser.RawConfigParser()
    try:
        parser.read(pip_files(), encoding="utf-8")
    except (configparser.Error, ValueError):
        return None  # pip reports the error itself
    sections = (s for s in ("install", "global") if parser.has_option(s, name))
    return next((parser.get(section, name) for section in sections), None)


def pip_files() -> list[Path]:
    """pip's configuration files; later files override earlier ones."""
    own = os.environ.get("PIP_CONFIG_FILE")
    if own == os.devnull:
        return []
    home = Path.home()
    files = [Path("/etc/xdg/pip/pip.conf"), Path("/etc/pip.conf"), home / ".pip/pip.conf"]
    files += [home / "Library/Application Support/pip/pip.conf"]
    config_home = os.environ.get("XDG_CONFIG_HOME") or home / ".config"
    files += [Path(config_home, "pip/pip.conf"), Path(sys.prefix, "pip.conf")]
    return [*files, Path(own)] if own else files


# --- pip ---------------------------------------------------------------------------------------

PIP_OPTIONS = ("--require-hashes", "--no-input", "--retries", "2", "--root-user-action", "ignore")


def run_pip(arguments: Sequence[str], tell: Tell, *, python: str = sys.executable) -> Run:
    """Run the pip bundled with Python from its wheel, so that environments need no pip."""
    command = [python, "-m", "pip", "--disable-pip-version-check", *arguments]
    environment = {"PYTHONPATH": str(pip_wheel()), "PIP_REQUIRE_VIRTUALENV": "0"}
    return run(command, env=environment, tell=tell)


def pip_wheel() -> Path:
    # Distributions may move the wheel: https://docs.python.org/3/using/configure.html
    places = [sysconfig.get_config_var("WHEEL_PKG_DIR")]
    if (ensurepip := importlib.util.find_spec("ensurepip")) and ensurepip.origin:
        places.append(Path(ensurepip.origin).parent / "_bundled")
    wheels = [wheel for place in places if place for wheel in Path(place).glob("pip-*.whl")]
    if not wheels:
        raise InstallError(f"the ensurepip of {sys.executable} has no pip inside")
    return wheels[0]


# --- both --------------------------------------------------------------------------------------


def python_of(venv: Path) -> str:
    # Not bin/pip: a space in the path breaks the shebang of such scripts.
    return str(venv / "bin" / "python")


def site_of(venv: Path) -> Path | None:
    return next(venv.glob("lib/python*/site-packages"), None)


def run(
    command: Sequence[str], *, env: Mapping[str, str] | None = None, tell: Tell | None = None
) -> Run:
    """Run *command* to its end; an exception or a signal here kills it and its children."""
    lines: list[str] = []

    def start() -> subprocess.Popen[str]:
        return subprocess.Popen(
            command,
            env=os.environ | (env or {}),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        )

    with started(start, kill_group) as process:
        follow(process, lines, tell or (lambda _: None))
        process.communicate()  # closes the pipe, whose end has been read
    return Run(process.returncode, "".join(lines))


def follow(process: subprocess.Popen[str], lines: list[str], tell: Tell) -> None:
    started_at = time.monotonic()
    reader = threading.Thread(target=lines.extend, args=(process.stdout or (),), daemon=True)
    reader.start()
    while reader.is_alive():
        reader.join(TICK_S)
        if reader.is_alive():
            tell(f"{downloaded_mb(lines):.0f} MB downloaded, {time.monotonic() - started_at:.0f} s")


def downloaded_mb(lines: Sequence[str]) -> float:
    """The megabytes downloaded so far, by the output of uv or pip."""
    sizes: dict[str, float] = {}
    finished: set[str] = set()
    for line in tuple(lines):
        if begun := re.search(
            r"(?:Downloading|Using cached) (\S+) \(([\d.]+) ?([kKMG])i?B\)", line
        ):
            sizes[begun[1]] = float(begun[2]) * MB_PER_UNIT[begun[3]]
        elif ended := re.match(r" *Downloaded (\S+)", line):
            finished.add(ended[1])
        else:
            finished.update(name for name in sizes if name.endswith((".whl", ".gz", ".metadata")))
    return sum(size for name, size in sizes.items() if name in finished)


def reason_in(output: str) -> str:
    """The line that gives the reason in the output of a failed run."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("ERROR:")]
    causes = [line for line in lines if line.startswith(("error:", "cause:", "Caused by:"))]
    return (errors or causes or lines or ["no reason given"])[-1]


def main() -> int:
    uv = find_uv(lambda news: print(news, file=sys.stderr))
    print(uv or "")
    return 0 if uv else 1


if __name__ == "__main__":
    from scripts import usage

    usage.check(__doc__)
    sys.exit(main())
