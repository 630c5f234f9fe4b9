"""Check what a start needs, one line each: `./alvura doctor`.

Standard library only, so that it runs where nothing is installed. Python, environments, disk and
ports are checked here; settings, endpoint, clock, credentials, buckets, queues and rights by
`python -m app doctor` once the packages are there.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from functools import cache
from http.client import HTTPException
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from app.cli.doctor_options import add_options  # noqa: E402 (found only now)
from app.doctor.endpoint import ask, check_endpoint, reason_of  # noqa: E402
from app.doctor.findings import Finding, failed, ok, show, skipped  # noqa: E402
from scripts.install import installers  # noqa: E402
from scripts.install.environment import UNFINISHED, WEIGHTS, is_installed, pins_of  # noqa: E402
from scripts.local import localstack  # noqa: E402

VENV, LOCK = ROOT / ".venv", ROOT / "requirements.txt"
EMULATOR_VENV, EMULATOR_LOCK = ROOT / ".venv-localstack", ROOT / "requirements" / "localstack.txt"
PYPI = "https://pypi.org/simple/"
#: For images that wait for their upload to end, results and logs.
MIN_FREE_MB = 300
#: Imports nothing of the application; prints the packages that differ from the lock.
COMPARE = (
    "import json, sys; from importlib import metadata as m\n"
    "have = {d.metadata['Name'].lower().replace('_', '-'): d.version for d in m.distributions()}\n"
    "pins = json.loads(sys.argv[1])\n"
    "print(json.dumps({n: have.get(n) for n, v in pins.items() if have.get(n) != v}))"
)


def main() -> int:
    options = arguments()
    role = ["--role", options.role, *(["--failing"] if options.failing else [])]
    code = show(machine(), only_failed=options.failing)
    python = application_python()
    if not is_usable(python):
        return max(code, show(without_packages(), only_failed=options.failing))
    if not endpoint_is_known():
        return code
    done = subprocess.run([python, "-P", "-m", "app", "doctor", *role], cwd=ROOT, env=environment())
    return max(code, done.returncode)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="alvura doctor",
        description="Check what a start needs, one line each; a failing line says what to do.",
        epilog="exit code: 0 every check passed, 1 a check failed, 2 wrong usage",
    )
    add_options(parser)
    return parser.parse_args()


def machine() -> Iterator[Finding]:
    """The findings that need no package: Python, environments, disk and ports."""
    yield python_finding()
    yield from environments()
    yield from disk()
    yield from ports()


# --- Python and the environments -----------------------------------------------------------------


def python_finding() -> Finding:
    version = ".".join(map(str, sys.version_info[:3]))
    if not all(importlib.util.find_spec(name) for name in ("venv", "ensurepip")):
        package = f"python{sys.version_info.major}.{sys.version_info.minor}-venv"
        return failed(
            "Python", f"{version} has no venv module: on Debian or Ubuntu, apt install {package}"
        )
    return ok("Python", f"{version}, {sys.executable}")


def environments() -> Iterator[Finding]:
    python = application_python()
    if python.is_relative_to(VENV):
        yield environment_finding(VENV, LOCK)
    else:
        yield ok("environment", f"the active one, {python.parent.parent}")
    if is_usable(python):
        yield versions(python)
    if needs_emulator():
        yield environment_finding(EMULATOR_VENV, EMULATOR_LOCK)
    if to_install():
        yield index()


def from_common(program: str, *words: str) -> subprocess.CompletedProcess[str]:
    """The outcome of a shell *program* that uses the functions of scripts/common.sh."""
    command = ["bash", "-c", f". scripts/common.sh; {program}", "common.sh", *words]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)


@cache
def application_python() -> Path:
    """The Python that the other scripts use."""
    return Path(from_common("application_python").stdout.strip())


def is_usable(python: Path) -> bool:
    if not python.exists() or (python.parent.parent / UNFINISHED).exists():
        return False
    command = [str(python), "-c", "import boto3, pydantic_settings, structlog, obstore"]
    return subprocess.run(command, capture_output=True).returncode == 0


def environment_finding(venv: Path, lock: Path) -> Finding:
    subject = f"environment {venv.name}"
    weight = WEIGHTS[lock.name]
    if (venv / UNFINISHED).exists():
        return failed(subject, "an installation was interrupted: ./alvura start completes it")
    if not any(venv.glob(".installed-*")):
        return failed(
            subject,
            f"not installed: ./alvura start does it once, {weight.download_mb} MB to download, "
            f"{weight.disk_mb} MB on disk",
        )
    if not is_installed(venv, lock):
        return failed(subject, "belongs to another lock or Python: ./alvura start rebuilds it")
    return ok(subject, f"has what {lock.name} asks for")


def versions(python: Path) -> Finding:
    pins = {name: pin for name, pin in pins_of(LOCK).items() if ";" not in pin}
    command = [str(python), "-c", COMPARE, json.dumps(pins)]
    done = subprocess.run(command, capture_output=True, text=True)
    others = json.loads(done.stdout) if done.returncode == 0 else {"all": None}
    if not others:
        return ok("packages", f"{len(pins)} in the versions of {LOCK.name}")
    said = ", ".join(f"{name} {has or 'missing'}" for name, has in sorted(others.items()))
    remedy = f"`{python} -m pip install -r {LOCK.name}`"
    if python.is_relative_to(VENV):
        remedy = f"`rm {VENV.name}/.installed-*; ./alvura start`"
    return failed("packages", f"not as in {LOCK.name}: {said}; {remedy} installs them")


@cache
def needs_emulator() -> bool:
    if "AWS_ENDPOINT_URL" in os.environ or localstack.answers(emulator_port()):
        return False
    return from_common("docker_answers").returncode != 0


def to_install() -> list[str]:
    """The names of the locks that are not installed yet."""
    pairs = []
    if application_python().is_relative_to(VENV):
        pairs.append((VENV, LOCK))
    if needs_emulator():
        pairs.append((EMULATOR_VENV, EMULATOR_LOCK))
    return [lock.name for venv, lock in pairs if not is_installed(venv, lock)]


def index() -> Finding:
    url = installers.pip_setting("index-url") or PYPI
    shown = url.rpartition("@")[2]  # without a password
    try:
        ask(url)
    except (OSError, HTTPException, ValueError) as exc:
        return failed(
            f"package index {shown}",
            f"{reason_of(exc)}: check the network, HTTPS_PROXY and PIP_INDEX_URL",
        )
    return ok(f"package index {shown}", "answers")


# --- disk ----------------------------------------------------------------------------------------


def disk() -> Iterator[Finding]:
    needed_mb = MIN_FREE_MB + sum(WEIGHTS[name].disk_mb for name in to_install())
    yield folder("this folder", ROOT, needed_mb)
    # tempfile itself falls back to the current folder.
    temporary = Path(os.environ.get("TMPDIR") or tempfile.gettempdir())
    yield folder("temporary files", temporary, MIN_FREE_MB)


def folder(name: str, path: Path, needed_mb: int) -> Finding:
    subject = f"{name} {path}"
    try:
        with tempfile.TemporaryFile(dir=path):
            pass
        free_mb = shutil.disk_usage(path).free // 10**6
    except OSError as exc:
        remedy = "set TMPDIR" if path != ROOT else "give it to this user, or clone elsewhere"
        return failed(subject, f"cannot be written to ({exc.strerror}): {remedy}")
    if free_mb < needed_mb:
        return failed(subject, f"{free_mb} MB free of {needed_mb} MB needed: free some")
    return ok(subject, f"{free_mb} MB free")


# --- ports ---------------------------------------------------------------------------------------


def ports() -> Iterator[Finding]:
    host = os.environ.get("HOST") or "127.0.0.1"
    yield port_finding("PORT", host, os.environ.get("PORT") or "5000", "/healthz")
    if metrics_port := os.environ.get("METRICS_PORT"):
        metrics_host = os.environ.get("METRICS_HOST") or "127.0.0.1"
        yield port_finding("METRICS_PORT", metrics_host, metrics_port, "/healthz")
    if "AWS_ENDPOINT_URL" not in os.environ:
        yield emulator_finding()


def port_finding(setting: str, host: str, port: str, path: str) -> Finding:
    from scripts.local import probe

    subject = f"{setting} {port}"
    if not is_port(port):
        return failed(subject, f"is not a port: set {setting} to 1 to 65535")
    reason = probe.reason_not_free(host, int(port))
    if reason is None:
        return ok(subject, "is free")
    if probe.is_ours(host, int(port), path):
        return ok(subject, "Alvura answers there")
    remedy = f"stop the program that uses it, or set {setting}"
    return failed(subject, f"cannot be used on {host} ({reason}): {remedy}")


def emulator_finding() -> Finding:
    port = os.environ.get("LOCALSTACK_PORT") or "4566"
    subject = f"LOCALSTACK_PORT {port}"
    if not is_port(port):
        return failed(subject, "is not a port: set LOCALSTACK_PORT to 1 to 65535")
    if localstack.answers(int(port)):
        return ok(subject, "LocalStack answers there")
    if localstack.is_taken(int(port)):
        return failed(
            subject,
            "taken by something that is not LocalStack with s3 and sqs: end it, or set "
            "LOCALSTACK_PORT",
        )
    return skipped(
        subject,
        "LocalStack does not run yet, ./alvura start starts it; "
        "`AWS_ENDPOINT_URL= ./alvura doctor` checks AWS instead",
    )


def is_port(text: str) -> bool:
    return text.isascii() and text.isdigit() and 1 <= int(text) <= 65535


def emulator_port() -> int:
    port = os.environ.get("LOCALSTACK_PORT") or "4566"
    return int(port) if is_port(port) else 0


# --- the checks of the application ---------------------------------------------------------------


def endpoint_is_known() -> bool:
    return "AWS_ENDPOINT_URL" in os.environ or localstack.answers(emulator_port())


def environment() -> dict[str, str]:
    """The environment that the other scripts set: LocalStack's, unless an endpoint is set."""
    paths = filter(None, [str(ROOT), os.environ.get("PYTHONPATH")])
    root = {"PYTHONPATH": os.pathsep.join(paths)}
    if "AWS_ENDPOINT_URL" in os.environ:
        return os.environ | root
    show = "import json, os; print(json.dumps(dict(os.environ)))"
    url = f"http://127.0.0.1:{emulator_port()}"
    used = from_common('use_emulator "$1"; "$2" -c "$3"', url, sys.executable, show)
    emulator: dict[str, str] = json.loads(used.stdout)
    return emulator | root


def without_packages() -> Iterator[Finding]:
    if url := os.environ.get("AWS_ENDPOINT_URL"):
        yield from check_endpoint(url, "start the server at this address, or set AWS_ENDPOINT_URL")
    yield skipped(
        "settings, credentials, buckets, rights", "need the packages, which are not installed"
    )


if __name__ == "__main__":
    sys.exit(main())
