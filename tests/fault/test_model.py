"""Every interleaving of the protocol's steps, explored exhaustively.

The model has one image, two workers, two crashes, one lease that expires while its worker lives,
and an operator who redrives and reconciles. The steps and their order come from the code: it runs
once, and its steps are recorded. The search is breadth-first, so it finds the shortest path to a
violation. (The technique: Newcombe et al., "How Amazon Web Services Uses Formal Methods", CACM
58(4), 2015, doi:10.1145/2699417.)
"""

from __future__ import annotations

import io
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import pytest

from app.consumer.leases import Lease
from app.domain.ports import Message
from app.images.store import ImageStore
from app.settings import Settings
from testkit.in_memory.fakes import MemoryQueue
from testkit.in_memory.memory_pipeline import MemoryPipeline, WatchedBucket
from testkit.in_memory.wired import wired
from testkit.png.scans import page_png

WORKERS = 2


@dataclass(frozen=True)
class Protocol:
    """The steps of an upload, of a first delivery, and of a delivery whose result is stored."""

    upload: tuple[str, ...]
    first: tuple[str, ...]
    again: tuple[str, ...]


@pytest.fixture(scope="module")
def protocol() -> Protocol:
    """The steps of the code, in the order in which it runs them."""
    with pytest.MonkeyPatch.context() as patch:
        return Protocol(
            upload=tuple(_upload()),
            first=tuple(_delivery(patch, is_again=False)),
            again=tuple(_delivery(patch, is_again=True)),
        )


def _upload() -> list[str]:
    steps: list[str] = []

    class Jobs(MemoryQueue):
        def send(self, message: Message) -> None:
            steps.append("send job")
            super().send(message)

    def note(step: str, is_done: bool) -> None:
        if not is_done:
            steps.append(step)

    originals = WatchedBucket("image-input", "original", note)
    store = ImageStore(originals, WatchedBucket("image-processed", "result", note))
    client = wired(Settings(), store, Jobs()).app.test_client()
    answer = client.post("/upload", data={"image": (io.BytesIO(page_png()), "page.png")})
    assert answer.status_code == 202
    return steps


def _delivery(patch: pytest.MonkeyPatch, *, is_again: bool) -> list[str]:
    pipeline, check = MemoryPipeline(), Lease.check

    def checking(lease: Lease) -> None:
        pipeline.journal.append("check lease")
        check(lease)

    pipeline.upload()
    if is_again:
        pipeline.kill_after("put result")
        pipeline.clock.advance(61)
    pipeline.journal.clear()
    with patch.context() as patched:
        patched.setattr(Lease, "check", checking)
        pipeline.handle_next()
    return pipeline.journal


def test_the_steps_are_those_of_the_documentation(protocol: Protocol) -> None:
    assert protocol == Protocol(
        upload=("put original", "send job"),
        first=(
            *("get original", "check lease", "put result"),
            *("check lease", "send announcement", "delete job"),
        ),
        again=("head result", "check lease", "send announcement", "delete job"),
    )


@dataclass(frozen=True)
class State:
    """The state of one image. A worker is (path, step, receive), or None while it is idle."""

    uploaded: int = 0
    is_accepted: bool = False
    has_original: bool = False
    #: "none", "waiting", "held" or "dead".
    message: str = "none"
    receives: int = 0
    #: The number of the latest receive; older receipt handles have expired.
    latest: int = 0
    round: int = 0
    has_result: bool = False
    #: The announcements that SQS delivered in this round, and whether there was one in any round.
    announced: int = 0
    is_announced: bool = False
    workers: tuple[tuple[str, int, int] | None, ...] = (None,) * WORKERS
    crashes: int = 2
    expiries: int = 1

    @property
    def holders(self) -> list[int]:
        return [worker[2] for worker in self.workers if worker]


def successors(state: State, protocol: Protocol, max_receives: int) -> Iterator[tuple[str, State]]:
    yield from _api(state, protocol)
    yield from _queue(state)
    yield from _operator(state)
    for number, worker in enumerate(state.workers):
        if worker is None:
            yield from _receive(state, number, max_receives)
        else:
            yield from _step(state, number, worker, protocol)


def _api(state: State, protocol: Protocol) -> Iterator[tuple[str, State]]:
    if state.uploaded == len(protocol.upload):
        yield "202", replace(state, uploaded=-1, is_accepted=True)
    elif state.uploaded >= 0:
        step, then = protocol.upload[state.uploaded], state.uploaded + 1
        if step == "put original":
            yield "API stores", replace(state, uploaded=then, has_original=True)
        else:
            yield "API sends", replace(state, uploaded=then, message="waiting")
        if state.crashes:
            yield "API dies", replace(state, uploaded=-1, crashes=state.crashes - 1)


def _queue(state: State) -> Iterator[tuple[str, State]]:
    if state.message != "held":
        return
    if state.latest not in state.holders:
        yield "the lease of a dead worker expires", replace(state, message="waiting")
    elif state.expiries:
        left = state.expiries - 1
        expired = replace(state, message="waiting", expiries=left)
        yield "the lease of a frozen worker expires", expired


def _operator(state: State) -> Iterator[tuple[str, State]]:
    if any(state.workers) or state.uploaded >= 0:
        return
    if state.message == "dead":
        yield (
            "redrive",
            replace(state, message="waiting", receives=0, round=state.round + 1, announced=0),
        )
    if state.message == "none" and state.has_original and not state.has_result:
        yield "reconcile", replace(state, message="waiting", receives=0)


def _receive(state: State, number: int, max_receives: int) -> Iterator[tuple[str, State]]:
    if state.message != "waiting":
        return
    if state.receives >= max_receives:
        yield "to the dead letters", replace(state, message="dead")
        return
    is_repeat = state.receives > 0 or state.round > 0
    path = "again" if is_repeat and state.has_result else "first"
    latest = state.latest + 1
    received = replace(state, message="held", receives=state.receives + 1, latest=latest)
    yield f"{number} receives", _with(received, number, (path, 0, latest))


def _step(
    state: State, number: int, worker: tuple[str, int, int], protocol: Protocol
) -> Iterator[tuple[str, State]]:
    path, place, receive = worker
    if state.crashes:
        dead = replace(state, crashes=state.crashes - 1)
        yield f"{number} dies", _with(dead, number, None)
    steps = protocol.first if path == "first" else protocol.again
    if place == len(steps):
        yield f"{number} is done", _with(state, number, None)
        return
    step = steps[place]
    is_ours = receive == state.latest and state.message == "held"
    gives_up = step == "check lease" and not is_ours
    after = state if gives_up else _after(state, step, is_ours=is_ours)
    then = None if gives_up else (path, place + 1, receive)
    yield f"{number}: {step}", _with(after, number, then)


def _after(state: State, step: str, *, is_ours: bool) -> State:
    if step == "put result":
        return replace(state, has_result=True)
    if step == "send announcement":
        # Within SQS's deduplication window of 5 minutes; docs/reliability.md says what is after it.
        return replace(state, announced=1, is_announced=True)
    if step == "delete job" and is_ours:
        return replace(state, message="none")
    return state


def _with(state: State, number: int, worker: tuple[str, int, int] | None) -> State:
    workers = [*state.workers]
    workers[number] = worker
    return replace(state, workers=tuple(workers))


def breach(state: State, is_quiet: bool) -> str | None:
    """The violation in *state*, if any; *is_quiet* says that no step is possible."""
    if state.is_announced and not state.has_result:
        return "announced before it is stored"
    if state.message in ("waiting", "held") and not state.has_original:
        return "a message without an original"
    if is_quiet and state.is_accepted and not (state.has_result and state.is_announced):
        return "lost: accepted, and never announced"
    return None


def explore(protocol: Protocol, max_receives: int) -> tuple[int, list[str]]:
    """The number of states, and the shortest path to a violation, which is its last entry."""
    begin = State()
    came_from: dict[State, tuple[str, State] | None] = {begin: None}
    todo = deque([begin])
    while todo:
        state = todo.popleft()
        following = list(successors(state, protocol, max_receives))
        if wrong := breach(state, is_quiet=not following):
            return len(came_from), [*_way_to(state, came_from), wrong]
        for name, then in following:
            if then not in came_from:
                came_from[then] = (name, state)
                todo.append(then)
    return len(came_from), []


def _way_to(state: State, came_from: dict[State, tuple[str, State] | None]) -> list[str]:
    way: list[str] = []
    while step := came_from[state]:
        way.append(step[0])
        state = step[1]
    return way[::-1]


@pytest.mark.parametrize("max_receives", [5, 2])
def test_no_interleaving_of_the_steps_loses_an_image_or_announces_it_early(
    protocol: Protocol, max_receives: int
) -> None:
    states, way = explore(protocol, max_receives)

    print(f"{states} states with {max_receives} receives")
    assert way == []
    assert states > 1000


Spoil = Callable[[Protocol], Protocol]


def _swapped(steps: tuple[str, ...], one: str, other: str) -> tuple[str, ...]:
    exchanged = {one: other, other: one}
    return tuple(exchanged.get(step, step) for step in steps)


@pytest.mark.parametrize(
    ("spoil", "wrong"),
    [
        (
            lambda p: replace(
                p,
                first=_swapped(p.first, "send announcement", "delete job"),
                again=_swapped(p.again, "send announcement", "delete job"),
            ),
            "lost",
        ),
        (
            lambda p: replace(p, first=_swapped(p.first, "put result", "send announcement")),
            "announced before it is stored",
        ),
        (
            lambda p: replace(p, upload=_swapped(p.upload, "put original", "send job")),
            "a message without an original",
        ),
        (
            lambda p: replace(p, again=tuple(s for s in p.again if s != "send announcement")),
            "lost",
        ),
    ],
    ids=["delete before announce", "announce before store", "send before store", "swallow"],
)
def test_a_wrong_order_is_found(protocol: Protocol, spoil: Spoil, wrong: str) -> None:
    _, way = explore(spoil(protocol), 5)

    print(" > ".join(way))
    assert way
    assert way[-1].startswith(wrong)
