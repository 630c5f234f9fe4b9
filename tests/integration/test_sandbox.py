"""The sandbox with real child processes: their limits, their faults and their end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from app.consumer.sandbox import Caps, Sandbox
from app.domain.ports import Binarized
from app.errors import (
    InternalError,
    ProcessingCrashedError,
    TooExpensiveError,
    TooManyPixelsError,
)
from testkit.processes.command_lines import command_of
from testkit.processes.sandboxed import CAPS, JOB, do
from testkit.root import ROOT
from testkit.timing.waiting import assert_within, wait_until

MEBIBYTE = 1024 * 1024


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    sandbox = Sandbox(do, CAPS)
    yield sandbox
    sandbox.close()


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(4) as pool:
        yield pool


def pid_of(page: Binarized) -> int:
    return int(page.png)


def is_gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


class Held:
    """An image whose processing lasts until `release`."""

    def __init__(self, sandbox: Sandbox, pool: ThreadPoolExecutor, path: Path) -> None:
        os.mkfifo(path)
        self.page: Future[Binarized] = pool.submit(sandbox.run, f"hold:{path}".encode(), JOB)
        # Blocks until the child has opened the other end.
        self._fifo = path.open("wb")

    def release(self) -> Binarized:
        self._fifo.close()
        return self.page.result(10)


def test_a_child_process_computes_the_result(sandbox: Sandbox) -> None:
    page = sandbox.run(b"pass", JOB)

    assert pid_of(page) != os.getpid()
    assert psutil.Process(pid_of(page)).ppid() == os.getpid()
    assert (page.width, page.height, page.dpi, page.method) == (4, 3, 300, "otsu")


def test_the_error_about_an_image_arrives_with_its_facts(sandbox: Sandbox) -> None:
    with pytest.raises(TooManyPixelsError) as caught:
        sandbox.run(b"refuse:7", JOB)

    assert caught.value.detail == "It has 7."
    assert caught.value.facts == {"actual": 7, "limit": 5}
    assert caught.value.to_problem()["code"] == "too-many-pixels"


def test_an_exception_that_cannot_be_pickled_arrives_as_name_and_text(sandbox: Sandbox) -> None:
    with pytest.raises(RuntimeError, match=r"^StubbornError: this, that$"):
        sandbox.run(b"raise:that", JOB)


def test_one_child_serves_one_image_after_the_other(sandbox: Sandbox) -> None:
    pids = set()
    for _ in range(3):
        pids.add(pid_of(sandbox.run(b"pass", JOB)))
        with pytest.raises(TooManyPixelsError):
            sandbox.run(b"refuse:7", JOB)

    assert len(pids) == 1


def test_two_concurrent_images_use_two_children_that_are_both_kept(
    sandbox: Sandbox, pool: ThreadPoolExecutor, tmp_path: Path
) -> None:
    first = Held(sandbox, pool, tmp_path / "first")
    second = Held(sandbox, pool, tmp_path / "second")

    pids = {pid_of(first.release()), pid_of(second.release())}

    assert len(pids) == 2
    assert pid_of(sandbox.run(b"pass", JOB)) in pids
    assert not any(map(is_gone, pids))


def test_each_thread_gets_its_own_result(sandbox: Sandbox, pool: ThreadPoolExecutor) -> None:
    def refuse(pixels: int) -> str:
        with pytest.raises(TooManyPixelsError) as caught:
            sandbox.run(f"refuse:{pixels}".encode(), JOB)
        return caught.value.detail

    assert list(pool.map(refuse, range(40))) == [f"It has {n}." for n in range(40)]


@pytest.mark.parametrize(
    "end", [f"signal:{signal.SIGKILL:d}", f"signal:{signal.SIGSEGV:d}", "exit:3"]
)
def test_an_image_that_ends_its_process_is_refused_and_the_next_one_is_processed(
    sandbox: Sandbox, end: str, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(ProcessingCrashedError):
        sandbox.run(end.encode(), JOB)

    assert sandbox.run(b"pass", JOB).threshold == 99
    assert "exit_code" in caplog.text


def test_an_image_may_not_take_more_memory_than_the_cap(sandbox: Sandbox) -> None:
    sandbox.run(f"take:{CAPS.memory_bytes // 2}".encode(), JOB)

    with pytest.raises(ProcessingCrashedError, match="memory"):
        sandbox.run(f"take:{CAPS.memory_bytes + MEBIBYTE}".encode(), JOB)

    sandbox.run(f"take:{CAPS.memory_bytes // 2}".encode(), JOB)


def test_an_image_larger_than_the_cap_is_refused(sandbox: Sandbox) -> None:
    huge = b"pass:" + bytes(CAPS.memory_bytes + MEBIBYTE)

    with pytest.raises(ProcessingCrashedError):
        sandbox.run(huge, JOB)


def test_an_endless_computation_is_stopped_at_its_cpu_limit(sandbox: Sandbox) -> None:
    sandbox.run(b"pass", JOB)
    started_at = time.monotonic()

    with pytest.raises(TooExpensiveError, match="1 s of CPU time"):
        sandbox.run(b"loop", JOB)

    assert_within(time.monotonic() - started_at, 20)
    assert sandbox.run(b"pass", JOB).threshold == 99


def test_the_cpu_limit_applies_to_each_image_separately() -> None:
    sandbox = Sandbox(_burn, Caps(memory_bytes=CAPS.memory_bytes, cpu_s=2))

    pids = {pid_of(sandbox.run(b"0.8", JOB)) for _ in range(4)}
    sandbox.close()

    assert len(pids) == 1


def _burn(data: bytes, job: object) -> Binarized:
    until_s = time.process_time() + float(data)
    while time.process_time() < until_s:
        pass
    return do(b"pass", JOB)


def test_a_child_that_is_stopped_is_not_blamed_on_the_image(sandbox: Sandbox) -> None:
    with pytest.raises(InternalError):
        sandbox.run(f"signal:{signal.SIGTERM:d}".encode(), JOB)

    assert sandbox.run(b"pass", JOB).threshold == 99


def test_ctrl_c_in_the_terminal_does_not_end_a_child(sandbox: Sandbox) -> None:
    page = sandbox.run(f"signal:{signal.SIGINT:d}".encode(), JOB)

    assert pid_of(sandbox.run(b"pass", JOB)) == pid_of(page)


def test_a_child_that_exited_while_idle_is_replaced(sandbox: Sandbox) -> None:
    left = pid_of(sandbox.run(b"leave-soon:0.01", JOB))
    wait_until(lambda: is_gone(left), within_s=60)

    assert pid_of(sandbox.run(b"pass", JOB)) != left


def test_a_killed_idle_child_is_not_blamed_on_the_next_image(sandbox: Sandbox) -> None:
    killed = pid_of(sandbox.run(b"pass", JOB))
    os.kill(killed, signal.SIGKILL)
    wait_until(lambda: is_gone(killed), within_s=60)

    assert pid_of(sandbox.run(b"pass", JOB)) != killed


def test_an_image_that_exits_cleanly_is_refused_and_not_tried_again(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    with pytest.raises(ProcessingCrashedError):
        sandbox.run(f"exit-twice:{tmp_path / 'log'}".encode(), JOB)


def test_closing_ends_idle_children(sandbox: Sandbox) -> None:
    child = pid_of(sandbox.run(b"pass", JOB))

    sandbox.close()

    assert is_gone(child)


def test_closing_ends_busy_children_with_an_error_for_their_callers(
    sandbox: Sandbox, pool: ThreadPoolExecutor, tmp_path: Path
) -> None:
    held = [Held(sandbox, pool, tmp_path / f"{n}") for n in range(3)]
    children = psutil.Process().children()

    sandbox.close()

    for image in held:
        with pytest.raises(InternalError):
            image.release()
    sandboxes = [child for child in children if "spawn_main" in command_of(child)]
    assert all(is_gone(child.pid) for child in sandboxes)


def test_closing_twice_is_no_error() -> None:
    sandbox = Sandbox(do, CAPS)
    sandbox.run(b"pass", JOB)

    sandbox.close()
    sandbox.close()


def test_no_child_is_started_before_there_is_work() -> None:
    before = set(psutil.Process().children())
    threads = threading.active_count()

    Sandbox(do, CAPS).close()

    assert set(psutil.Process().children()) <= before
    assert threading.active_count() == threads


@pytest.mark.parametrize("kind", ["idle", "busy"])
def test_no_child_survives_a_parent_that_is_killed(kind: str) -> None:
    command = [sys.executable, "-m", "testkit.processes.sandboxed", kind]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        assert not is_gone(child)

        parent.kill()

    wait_until(lambda: is_gone(child), within_s=20)
