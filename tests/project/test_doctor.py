"""What `./alvura doctor` finds on a machine, with Python and nothing installed."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from scripts.local import doctor
from testkit.network.http_servers import serving
from testkit.network.ports import free_port
from testkit.root import ROOT

NOBODY = 65534
DEAD = "http://127.0.0.1:9"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A clone without environments, as far as the commands need it."""
    tree = tmp_path / "a tree"
    for folder in ("scripts", "app/cli", "app/doctor", "requirements"):
        shutil.copytree(ROOT / folder, tree / folder)
    for file in ("alvura", "start_app.sh", "requirements.txt", "app/__init__.py"):
        shutil.copy(ROOT / file, tree / file)
    return tree


@pytest.fixture
def busy_port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as other:
        yield other.getsockname()[1]


def run(tree: Path, *options: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """`./alvura doctor` with free ports and a package index that nobody serves."""
    ports = {"PORT": str(free_port()), "LOCALSTACK_PORT": str(free_port())}
    usual = ports | {"PYTHON": sys.executable, "LOCALSTACK_DOCKER": "0", "VIRTUAL_ENV": ""}
    usual |= {"PIP_INDEX_URL": f"{DEAD}/simple", "PIP_CONFIG_FILE": os.devnull}
    return subprocess.run(
        [tree / "alvura", "doctor", *options],
        env=os.environ | usual | variables,
        capture_output=True,
        text=True,
        timeout=120,
    )


def failing(tree: Path, **variables: str) -> dict[str, str]:
    """What the failing lines say, by their subject."""
    done = run(tree, "--failing", **variables)
    assert (done.returncode, done.stderr) == (1, "")
    lines = [line.split(": ", 2) for line in done.stdout.splitlines()]
    assert {line[0] for line in lines} == {"doctor"}
    return {subject: said for _, subject, said in lines}


def test_a_clone_with_nothing_installed_is_told_what_to_type(tree: Path) -> None:
    found = failing(tree)

    assert found.keys() == {
        "environment .venv",
        "environment .venv-localstack",
        f"package index {DEAD}/simple",
    }
    assert found["environment .venv"].startswith("not installed: ./alvura start does it once, ")
    assert found[f"package index {DEAD}/simple"].startswith("nobody listens there: check ")


def test_each_check_is_a_line_also_without_packages(tree: Path) -> None:
    lines = run(tree).stdout.splitlines()

    assert {line.split()[0] for line in lines} == {"ok", "FAIL", "-"}
    assert lines[0].split()[:3] == ["ok", "Python", f"{'.'.join(map(str, sys.version_info[:3]))},"]
    assert lines[-1].endswith("need the packages, which are not installed")


def test_an_interrupted_installation_differs_from_a_missing_one(tree: Path) -> None:
    (tree / ".venv").mkdir()
    (tree / ".venv" / ".unfinished").touch()

    assert failing(tree)["environment .venv"] == (
        "an installation was interrupted: ./alvura start completes it"
    )


@pytest.mark.parametrize("setting", ["PORT", "METRICS_PORT", "LOCALSTACK_PORT"])
def test_a_port_in_use_by_another_program_is_named_with_its_setting(
    tree: Path, busy_port: int, setting: str
) -> None:
    said = failing(tree, **{setting: str(busy_port)})[f"{setting} {busy_port}"]

    assert "Address already in use" in said or "taken by something that is not LocalStack" in said
    assert said.endswith(f"set {setting}")


@pytest.mark.parametrize("setting", ["PORT", "LOCALSTACK_PORT"])
def test_an_invalid_port_is_named(tree: Path, setting: str) -> None:
    found = failing(tree, **{setting: "80000"})

    assert found[f"{setting} 80000"] == f"is not a port: set {setting} to 1 to 65535"


class Alive(BaseHTTPRequestHandler):
    """The liveness probe of a pipeline that runs."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b'{"status": "alive"}')

    def log_message(self, *_: object) -> None: ...


def test_a_pipeline_that_runs_on_its_port_is_no_fault(tree: Path) -> None:
    with serving(HTTPServer(("127.0.0.1", 0), Alive)) as url:
        port = url.rpartition(":")[2]
        lines = run(tree, PORT=port).stdout.splitlines()

    (line,) = [line for line in lines if f"PORT {port}" in line]
    assert line.split(maxsplit=3) == ["ok", "PORT", port, "Alvura answers there"]


def test_a_dead_endpoint_is_found_without_packages(tree: Path) -> None:
    said = failing(tree, AWS_ENDPOINT_URL=DEAD)[f"endpoint {DEAD}"]

    assert said.startswith("nobody listens there: start the server at this address")


def test_a_folder_that_may_not_be_written_to_is_named(tmp_path: Path) -> None:
    tmp_path.chmod(0o555)
    # Permissions do not hinder root, who becomes somebody else once everything is imported.
    program = (
        "import os, sys; from pathlib import Path; from scripts.local import doctor\n"
        f"os.geteuid() or os.setuid({NOBODY})\n"
        "print(doctor.folder('this folder', Path(sys.argv[1]), 1).said)"
    )
    for folder in tmp_path.parents[:-2] if os.geteuid() == 0 else ():
        folder.chmod(folder.stat().st_mode | 0o055)

    done = subprocess.run(
        [sys.executable, "-c", program, tmp_path], cwd=ROOT, capture_output=True, text=True
    )

    assert done.stdout == "cannot be written to (Permission denied): set TMPDIR\n", done.stderr


def test_a_missing_folder_for_temporary_files_is_named(tree: Path, tmp_path: Path) -> None:
    found = failing(tree, TMPDIR=f"{tmp_path}/none")

    assert found[f"temporary files {tmp_path}/none"] == (
        "cannot be written to (No such file or directory): set TMPDIR"
    )


def test_too_little_room_is_named_with_what_is_needed(tmp_path: Path) -> None:
    finding = doctor.folder("this folder", tmp_path, 10**12)

    assert finding.said.endswith(f"MB free of {10**12} MB needed: free some")


def test_packages_of_other_versions_are_named(tmp_path: Path) -> None:
    venv = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", venv], check=True)

    said = doctor.versions(venv / "bin" / "python").said

    assert said.startswith("not as in requirements.txt: ")
    assert "flask missing" in said
    assert said.endswith(f"`{venv}/bin/python -m pip install -r requirements.txt` installs them")


def test_a_python_without_venv_is_told_which_package_to_install() -> None:
    program = (
        "import sys; sys.modules['ensurepip'] = None\n"
        "from scripts.local import doctor; print(doctor.python_finding().said)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )

    assert "has no venv module: on Debian or Ubuntu, apt install python3." in done.stdout


def test_wrong_usage_has_another_exit_code_than_a_finding(tree: Path) -> None:
    assert run(tree, "--role", "nobody").returncode == 2
    assert run(tree, "everything").returncode == 2


@pytest.mark.parametrize("command", [["start_app.sh"], ["alvura", "token", "ana"]])
def test_a_start_that_fails_says_what_the_doctor_finds(tree: Path, command: list[str]) -> None:
    done = subprocess.run(
        [tree / command[0], *command[1:]],
        env=os.environ
        | {"PYTHON": sys.executable, "VIRTUAL_ENV": "", "LOCALSTACK_DOCKER": "0"}
        | {"PORT": str(free_port()), "LOCALSTACK_PORT": str(free_port())}
        | {"PIP_INDEX_URL": f"{DEAD}/simple", "PIP_CONFIG_FILE": os.devnull, "PIP_FIND_LINKS": ""},
        capture_output=True,
        text=True,
        timeout=240,
    )

    assert done.returncode == 1
    assert f"doctor: package index {DEAD}/simple: nobody listens there: check " in done.stderr
    assert "Traceback" not in done.stderr
