"""What the image of one role has: all that it needs, and nothing that it never loads."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib

import pytest

from scripts.install import role_lock
from testkit.root import ROOT

LOCK = (ROOT / "requirements.txt").read_text()
REQUIRED = {
    re.split(r"[>=]", each)[0]
    for each in tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
}


def packages(lock: str) -> set[str]:
    return set(re.findall(r"^([a-z0-9-]+)==", lock, re.MULTILINE))


def lock_of(*packages: str) -> str:
    """A lock in which each package, such as `a<b`, is there since `b` needs it."""
    return "# made by hand\n" + "".join(
        f"{name}==1 \\\n    --hash=sha256:0\n    # via {asker}\n"
        for name, _, asker in (each.partition("<") for each in packages)
    )


def test_a_role_has_its_requirements_and_their_dependencies() -> None:
    lock = lock_of("flask<alvura (pyproject.toml)", "jinja2<flask", "markupsafe<jinja2")

    assert packages(role_lock.lock_of(lock, "web")) == {"flask", "jinja2", "markupsafe"}
    assert packages(role_lock.lock_of(lock, "worker")) == set()


def test_a_shared_dependency_stays_while_one_package_needs_it() -> None:
    lock = lock_of("numba<alvura (pyproject.toml)", "isal<alvura (pyproject.toml)")
    lock += "llvmlite==1 \\\n    --hash=sha256:0\n    # via\n    #   isal\n    #   numba\n"

    assert packages(role_lock.lock_of(lock, "web")) == {"isal", "llvmlite"}


def test_the_whole_image_has_the_whole_lock() -> None:
    assert role_lock.lock_of(LOCK, "all") == LOCK[LOCK.index("\nannotated-types") + 1 :]


@pytest.mark.parametrize("role", ["web", "worker"])
def test_a_role_lacks_only_the_requirements_that_it_never_loads(role: str) -> None:
    unused = role_lock.UNUSED[role]
    had = packages(role_lock.lock_of(LOCK, role))

    assert unused <= REQUIRED
    assert REQUIRED - unused <= had
    assert had & unused == set()


def test_the_engine_is_not_in_web_nor_flask_in_worker() -> None:
    web, worker = (packages(role_lock.lock_of(LOCK, role)) for role in ("web", "worker"))

    assert web & {"numba", "llvmlite", "numpy", "opencv-python-headless"} == set()
    assert worker & {"flask", "werkzeug", "jinja2", "babel"} == set()


def test_an_unknown_role_is_refused() -> None:
    command = [sys.executable, "scripts/install/role_lock.py", "requirements.txt", "api"]
    answer = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)

    assert answer.returncode == 2
    assert "web" in answer.stderr
