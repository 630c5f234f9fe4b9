"""uv, or pip where there is no uv, installs an environment completely or not at all.

The packages come from an index on loopback, where they can be missing, damaged or late.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import psutil
import pytest

from scripts.install import installers
from testkit.root import ROOT
from testkit.timing.waiting import assert_within, wait_until
from tests.integration.package_index import Index, locked, package_index, wheel_of

WHEEL = wheel_of("tiny")


@pytest.fixture(scope="session")
def uv() -> Path:
    """The pinned uv, from the configured package index."""
    found = installers.find_uv(print)
    assert found is not None
    return found


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    """A tree with the scripts and without packages; its path has a space."""
    tree = tmp_path / "a tree"
    (tree / "requirements").mkdir(parents=True)
    shutil.copytree(ROOT / "scripts", tree / "scripts")
    shutil.copy(ROOT / "requirements" / "uv.txt", tree / "requirements")
    (tree / "lock.txt").write_text(locked("tiny", WHEEL))
    return tree


@pytest.fixture
def tree(bare: Path, uv: Path) -> Path:
    """The tree, with uv."""
    shutil.copytree(uv.parents[2], bare / ".local" / "uv")
    return bare


@pytest.fixture
def index() -> Iterator[Index]:
    with package_index(tiny=WHEEL) as index:
        yield index


def environment(tree: Path, index: str) -> dict[str, str]:
    """Variables with the index, empty caches and no other settings of pip."""
    caches = {"UV_CACHE_DIR": str(tree / "uv-cache"), "PIP_CACHE_DIR": str(tree / "pip-cache")}
    return os.environ | caches | {"PIP_CONFIG_FILE": os.devnull, "PIP_INDEX_URL": index}


def command(tree: Path, lock: str = "lock.txt") -> list[str]:
    return [sys.executable, str(tree / "scripts/install"), str(tree / "venv"), str(tree / lock)]


def install(
    tree: Path, index: Index | str, lock: str = "lock.txt"
) -> subprocess.CompletedProcess[str]:
    url = index if isinstance(index, str) else index.url
    return subprocess.run(
        command(tree, lock), env=environment(tree, url), capture_output=True, text=True, timeout=120
    )


def answer_of(tree: Path) -> str:
    """The output of the installed module; empty if it is missing."""
    # -B: both versions can have the same size and time, so stale bytecode would be used.
    program = [tree / "venv/bin/python", "-B", "-c", "import tiny; print(tiny.ANSWER)"]
    return subprocess.run(program, capture_output=True, text=True).stdout.strip()


def last_line(answer: subprocess.CompletedProcess[str]) -> str:
    assert answer.returncode == 1, answer.stderr
    assert "Traceback" not in answer.stderr
    return answer.stderr.splitlines()[-1].replace(str(ROOT), "")


def test_uv_installs_from_the_index_of_pips_settings(tree: Path, index: Index) -> None:
    answer = install(tree, index)

    assert answer.returncode == 0, answer.stderr
    assert "pip" not in answer.stderr
    assert answer_of(tree) == "42"


def test_pip_installs_where_the_index_has_no_uv(bare: Path, index: Index) -> None:
    answer = install(bare, index)

    assert answer.returncode == 0, answer.stderr
    assert "/simple/uv/" in index.asked_for
    assert "uv is not available" in answer.stderr
    assert "installing with pip" in answer.stderr
    assert answer_of(bare) == "42"


def test_pip_installs_if_uv_fails(tree: Path, index: Index) -> None:
    for program in tree.glob(".local/uv/*/bin/uv"):
        program.unlink()
        program.write_text("#!/bin/sh\necho 'error: no such machine' >&2\nexit 2\n")
        program.chmod(0o755)

    answer = install(tree, index)

    assert answer.returncode == 0, answer.stderr
    assert "uv failed (error: no such machine)" in answer.stderr
    assert answer_of(tree) == "42"


@pytest.mark.parametrize("with_uv", [True, False])
def test_a_damaged_download_is_reported_and_the_next_run_succeeds(
    bare: Path, uv: Path, index: Index, with_uv: bool
) -> None:
    if with_uv:
        shutil.copytree(uv.parents[2], bare / ".local" / "uv")
    index.wheels["tiny"] = wheel_of("tiny", size=10)

    damaged = install(bare, index)
    left = answer_of(bare)
    index.wheels["tiny"] = WHEEL
    again = install(bare, index)

    assert last_line(damaged) == (
        f"install: cannot install {bare}/lock.txt: "
        "a download is damaged or not the pinned one: its hash differs"
    )
    assert left == ""
    assert again.returncode == 0, again.stderr
    assert answer_of(bare) == "42"


def test_after_a_killed_run_the_next_one_rebuilds_the_environment(tree: Path, index: Index) -> None:
    index.held.add("tiny")
    with subprocess.Popen(command(tree), env=environment(tree, index.url)) as process:
        wait_until(lambda: any(path.endswith(".whl") for path in index.asked_for))
        # A half-written package, as after a crash.
        site = installers.site_of(tree / "venv")
        assert site is not None
        (site / "tiny.py").write_text("ANSWER = 4")
        shutil.copytree(site, site / "tiny-1.0.dist-info")
        started = psutil.Process(process.pid).children(recursive=True)
        process.kill()
        for child in started:
            child.kill()
    index.held.clear()

    answer = install(tree, index)

    assert answer.returncode == 0, answer.stderr
    assert answer_of(tree) == "42"


def test_a_failed_installation_without_network_leaves_the_environment_usable(
    tree: Path, index: Index
) -> None:
    install(tree, index)
    (tree / "other.txt").write_text(locked("other", wheel_of("other")))

    failed = install(tree, "http://127.0.0.1:9/simple", "other.txt")
    again = install(tree, "http://127.0.0.1:9/simple")

    assert "(no network?)" in last_line(failed)
    assert (again.returncode, again.stderr) == (0, "")
    assert answer_of(tree) == "42"


def test_a_lock_inside_another_is_installed_with_it(tree: Path, index: Index) -> None:
    index.wheels["more"] = wheel_of("more")
    (tree / "lock.txt").rename(tree / "requirements.txt")
    both = locked("tiny", WHEEL) + locked("more", index.wheels["more"])
    (tree / "requirements/more.txt").write_text(both)

    first = install(tree, index, "requirements/more.txt")
    inside = install(tree, index, "requirements.txt")

    assert (first.returncode, inside.returncode) == (0, 0), first.stderr
    assert inside.stderr == ""


def test_a_lock_is_reinstalled_after_another_lock_changed_versions(
    tree: Path, index: Index
) -> None:
    (tree / "lock.txt").rename(tree / "requirements.txt")
    install(tree, index, "requirements.txt")
    newer = wheel_of("tiny", version="2.0", answer=43)
    (tree / "requirements/other.txt").write_text(locked("tiny", newer, version="2.0"))
    with package_index(tiny=newer) as newer_index:
        brought = install(tree, newer_index, "requirements/other.txt")
    assert brought.returncode == 0, brought.stderr
    between = answer_of(tree)

    install(tree, index, "requirements.txt")

    assert (between, answer_of(tree)) == ("43", "42")


def test_the_progress_of_a_slow_download_is_shown_every_two_seconds(
    tree: Path, index: Index
) -> None:
    index.held.add("tiny")
    with subprocess.Popen(
        command(tree), env=environment(tree, index.url), stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        told = [(line, time.monotonic()) for line in (process.stderr.readline() for _ in range(4))]
        process.terminate()

    assert told[0][0].startswith("Installing ")
    for (_, earlier), (line, later) in pairwise(told):
        assert re.search(r": 0 MB downloaded, \d+ s$", line)
        assert_within(later - earlier, 2 * installers.TICK_S)
    assert process.returncode == 128 + signal.SIGTERM


@pytest.mark.skipif(os.getuid() != 0, reason="only root can make a small file system")
def test_a_full_disk_is_reported_in_one_line(tree: Path) -> None:
    wheel = wheel_of("tiny", size=4_000_000)
    (tree / "lock.txt").write_text(locked("tiny", wheel))
    small = tree / "venv"
    small.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", small])
    if mounted.returncode:
        pytest.skip("this machine allows no mounts")
    try:
        (small / "venv").mkdir()
        with package_index(tiny=wheel) as index:
            place = [*command(tree)[:2], str(small / "venv"), str(tree / "lock.txt")]
            answer = subprocess.run(
                place, env=environment(tree, index.url), capture_output=True, text=True, timeout=120
            )
    finally:
        subprocess.run(["umount", small], check=True)

    assert last_line(answer).endswith(": no space left on the disk")


def test_a_full_disk_is_recognised_in_wrapped_output_of_uv() -> None:
    output = "error: failed to copy file from\n  \u2502 /a to /b: No space\n  \u2502 left on device"

    with pytest.raises(installers.InstallError, match="no space left on the disk"):
        installers.check_final(output)


def test_missing_environments_are_listed_with_their_sizes_before_the_installation(
    tree: Path,
) -> None:
    shutil.copy(ROOT / "requirements.txt", tree)
    asked = [*command(tree)[:2], "--plan", str(tree / "venv"), str(tree / "requirements.txt")]

    answer = subprocess.run(asked, capture_output=True, text=True)

    assert answer.stdout.split("\n")[0] == str(tree / "venv")
    assert re.search(r"the application; at most \d+ MB to download, \d+ MB on disk", answer.stderr)
    assert not (tree / "venv").exists()


@pytest.mark.parametrize("arguments", [[], ["venv"], ["--what", "venv"], ["a", "b", "c"]])
def test_invalid_arguments_are_answered_with_a_hint_to_the_usage(arguments: list[str]) -> None:
    answer = subprocess.run(
        [sys.executable, ROOT / "scripts/install", *arguments], capture_output=True, text=True
    )

    assert answer.returncode == 2
    assert answer.stderr.endswith("; --help has the usage\n")
    assert len(answer.stderr.splitlines()) == 1
