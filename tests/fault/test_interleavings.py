"""The real protocol under interleavings drawn by hypothesis.

Workers share a fake S3, a fake SQS and a clock. At each call of the protocol a drawn plan may kill
the process, fail the call, lose its response, freeze the process beyond its lease or slow it down;
meanwhile another worker runs, with a plan of its own. Eight seeded bugs prove that the state
machine finds violations.
"""

from __future__ import annotations

import json
import os
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum, auto
from itertools import pairwise
from typing import Any
from unittest import mock

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    rule,
    run_state_machine_as_test,
)

from app.cli.operations import redrive
from app.consumer.consumer import Consumer
from app.consumer.leases import Lease, Leases
from app.consumer.outcome import Ending, Outcome
from app.domain.messages import Announcement, Job
from app.domain.ports import Binarized, Message
from app.domain.representation import Image, ImageStatus
from app.errors import (
    QueueUnavailableError,
    StorageUnavailableError,
)
from app.images.records import Records
from app.images.store import ImageStore
from app.observability.worker_metrics import WorkerMetrics
from app.worker import Worker
from testkit.in_memory.memory_pipeline import VISIBILITY_TIMEOUT_S, Killed, MemoryPipeline, to_page

EXAMPLES = 10_000 if "SOAK" in os.environ else 500
DEDUPLICATION_S = 300
MAX_RECEIVES = 4
#: Longer than a visibility timeout, shorter than SQS's deduplication window.
A_WHILE_S = VISIBILITY_TIMEOUT_S + 1
FINISHED = (Outcome.PROCESSED, Outcome.FAILED, Outcome.ANNOUNCED_AGAIN)


class Event(Enum):
    KILL = auto()
    #: The call fails before it takes effect, or its response is lost.
    FAIL = auto()
    FREEZE = auto()
    DAWDLE = auto()


@dataclass(frozen=True)
class Plan:
    """An event at one call of a delivery, and the plan of another worker that runs meanwhile."""

    at: int = 99
    event: Event = Event.DAWDLE
    other: Plan | None = None


def plans() -> st.SearchStrategy[Plan]:
    return _plans(st.one_of(st.none(), _plans(st.none())))


def _plans(others: st.SearchStrategy[Any]) -> st.SearchStrategy[Plan]:
    # Two points for each step, before and after it, and one during the computation.
    return st.builds(Plan, st.integers(0, 11), st.sampled_from(Event), others)


@dataclass
class Run:
    """The work of one worker on one delivery."""

    plan: Plan
    leases: Leases
    calls: int = 0
    computing: set[str] = field(default_factory=set)
    steps: list[str] = field(default_factory=list)


class Pipeline(RuleBasedStateMachine):
    """Uploads, deliveries with plans, and time; the invariants are checked after each."""

    def __init__(self) -> None:
        super().__init__()
        self.pipeline = MemoryPipeline(max_receives=MAX_RECEIVES, worker=self.worker())
        self.pipeline.worker._process = self.pipeline.worker._process_apart = self.compute
        self.pipeline.on("send announcement", self.note)
        self.accepted: list[str] = []
        self.breaches: list[str] = []
        #: The images that a worker computes and that is not frozen.
        self.computing: set[str] = set()
        #: The current runs, innermost last: each began during the one before.
        self.runs: list[Run] = []
        #: The leases of the workers that are not frozen, and so are renewed.
        self.awake: list[Leases] = []
        #: The times and states of the announcements, by image and redrive round.
        self.announced: dict[tuple[str, int], list[tuple[float, str]]] = defaultdict(list)

    def worker(self) -> type[Worker]:
        return Worker

    # --- events --------------------------------------------------------------------------------

    @rule(
        data=st.sampled_from([b"page", b"page", b"bad"]),
        group=st.sampled_from([None, None, "g"]),
        is_cut=st.booleans(),
    )
    def upload(self, data: bytes, group: str | None, is_cut: bool) -> None:
        image = Image(image_id=uuid.uuid4(), status=ImageStatus.QUEUED, group=group)
        self.pipeline.store.put_original(image, data)
        if not is_cut:
            self.pipeline.jobs.send(self.pipeline.store.job_message(image))
            self.accepted.append(str(image.image_id))

    @rule(plan=plans())
    def deliver(self, plan: Plan) -> None:
        # With an empty queue the plan would do nothing.
        if not self.something_must_come():
            self.upload(b"page", None, is_cut=False)
        self.run_worker(plan)

    @rule(seconds=st.sampled_from([1, 20, A_WHILE_S]))
    def time_passes(self, seconds: int) -> None:
        self.pipeline.clock.advance(seconds)

    @rule()
    def redrive(self) -> None:
        pipeline = self.pipeline
        with mock.patch.multiple(redrive, say=lambda _: None, _POLL_WAIT_S=0):
            redrive.redrive(
                pipeline.store, pipeline.dead_letters, pipeline.jobs, dry_run=False, limit=None
            )

    # --- invariants ----------------------------------------------------------------------------

    def must(self, holds: object, complaint: str) -> None:
        """Record a violation: raised during a job, the worker would treat it as the job's error."""
        if not holds:
            self.breaches.append(complaint)

    @invariant()
    def nothing_was_breached(self) -> None:
        assert self.breaches == []

    @invariant()
    def nothing_is_announced_that_is_not_stored(self) -> None:
        for image_id, _ in self.announced:
            keys = {f"{image_id}.png", f"failures/{image_id}.json"}
            assert keys & self.pipeline.results.objects.keys(), f"{image_id} announced, not stored"

    @invariant()
    def an_image_is_announced_once_within_the_deduplication_window(self) -> None:
        for (image_id, _), said in self.announced.items():
            gaps = [later - earlier for (earlier, _), (later, _) in pairwise(said)]
            assert all(gap >= DEDUPLICATION_S for gap in gaps), f"{image_id} announced {said}"
            assert len({status for _, status in said}) == 1, f"{image_id} announced {said}"

    def teardown(self) -> None:
        """Process everything that is left without faults, then check each accepted image."""
        for _ in range(40):
            self.pipeline.clock.advance(A_WHILE_S)
            for _ in range(len(self.pipeline.jobs.messages)):
                self.run_worker(Plan())
            self.redrive()
            if not self.pipeline.jobs.messages:
                break
        self.nothing_was_breached()
        self.nothing_is_announced_that_is_not_stored()
        self.an_image_is_announced_once_within_the_deduplication_window()
        for image_id in self.accepted:
            self.judge(image_id)

    def judge(self, image_id: str) -> None:
        rounds = [number for announced, number in self.announced if announced == image_id]
        assert rounds, f"{image_id} was accepted and never announced"
        _, status = self.announced[image_id, max(rounds)][-1]
        state = self.pipeline.store.find(uuid.UUID(image_id)).status
        assert state == status, f"{image_id} is {state}, announced as {status}"

    # --- workers -------------------------------------------------------------------------------

    def run_worker(self, plan: Plan) -> None:
        """Receive and handle messages once, as `Consumer` does, under *plan*."""
        pipeline = self.pipeline
        leases = self.new_leases()
        must_come = self.something_must_come()
        deliveries = pipeline.jobs.receive(
            max_messages=2, wait_time_s=0, visibility_timeout_s=VISIBILITY_TIMEOUT_S
        )
        self.must(deliveries or not must_come, "an image waits for one of another group")
        groups: dict[str, list[Lease]] = {}
        for lease in leases.hold(deliveries, asked_at=pipeline.clock()):
            groups.setdefault(lease.delivery.group, []).append(lease)
        run = Run(plan, leases)
        with self.watching(run):
            for group in groups.values():
                self.consumer(run)._do_group(group)

    def new_leases(self) -> Leases:
        return Leases(
            self.pipeline.jobs,
            visibility_timeout_s=VISIBILITY_TIMEOUT_S,
            metrics=WorkerMetrics(),
            clock=self.pipeline.clock,
        )

    def consumer(self, run: Run) -> Consumer:
        consumer = Consumer(
            jobs=self.pipeline.jobs,
            handle=lambda lease: self.handle(run, lease),
            probe=lambda: None,
            threads=1,
            visibility_timeout_s=VISIBILITY_TIMEOUT_S,
            poll_wait_s=1,
            metrics=WorkerMetrics(),
        )
        consumer._leases = run.leases
        return consumer

    def handle(self, run: Run, lease: Lease) -> Ending:
        run.steps.clear()
        ending = self.pipeline.worker.handle(lease)
        is_done = run.steps[-1:] == ["delete job"]
        if is_done and run.plan.event is not Event.FAIL:
            self.must(ending.outcome in FINISHED, f"finished, and reported as {ending.outcome}")
        return ending

    @contextmanager
    def watching(self, run: Run) -> Iterator[None]:
        before = self.pipeline.on_step
        self.pipeline.on_step = lambda step, is_done: self.meet(run, step)
        self.runs.append(run)
        self.awake.append(run.leases)
        try:
            yield
        except Killed:
            pass
        finally:
            self.runs.remove(run)
            self.awake.remove(run.leases)
            self.pipeline.on_step = before

    def meet(self, run: Run, step: str) -> None:
        """Apply the plan of *run* if this call, before or after its effect, is the planned one."""
        run.steps.append(step)
        run.calls += 1
        if run.calls - 1 != run.plan.at:
            return
        if run.plan.event is Event.KILL:
            raise Killed
        if run.plan.event is Event.FAIL and step != "compute":
            is_queue = step.endswith((" job", " announcement"))
            raise QueueUnavailableError("x") if is_queue else StorageUnavailableError("x")
        if run.plan.event is Event.FREEZE:
            self.freeze(run)
        if run.plan.event is Event.DAWDLE:
            for _ in range(3):
                self.live_through(VISIBILITY_TIMEOUT_S * 0.6)
                self.run_worker(run.plan.other or Plan())

    def freeze(self, run: Run) -> None:
        """Let the other workers go on while *run* neither computes nor renews."""
        computing, self.computing = self.computing, self.computing - run.computing
        self.awake.remove(run.leases)
        self.live_through(A_WHILE_S)
        self.run_worker(run.plan.other or Plan())
        self.awake.append(run.leases)
        self.computing = computing

    def live_through(self, seconds: float) -> None:
        """Let time pass while the workers that are not frozen renew their leases."""
        for _ in range(4):
            self.pipeline.clock.advance(seconds / 4)
            for leases in self.awake:
                leases.renew()

    def compute(self, data: bytes, job: Job) -> Binarized:
        image_id = str(job.image_id)
        self.must(image_id not in self.computing, f"two workers compute {image_id} at once")
        self.computing.add(image_id)
        self.runs[-1].computing.add(image_id)
        try:
            self.pipeline.on_step("compute", False)
            return to_page(data, job)
        finally:
            self.computing.discard(image_id)

    def note(self) -> None:
        """Record the announcements since the last call."""
        for message in self.pipeline.announced.messages[sum(map(len, self.announced.values())) :]:
            said = json.loads(message.body)
            key = said["image_id"], said["redrive"]
            self.announced[key].append((self.pipeline.clock(), said["status"]))

    def something_must_come(self) -> bool:
        """Whether a message is visible whose group has no message in flight."""
        now_s, messages = self.pipeline.clock(), self.pipeline.jobs.messages
        in_work = {_group_of(m.body) for m in messages if m.visible_at > now_s}
        return any(
            m.visible_at <= now_s
            and m.receive_count < MAX_RECEIVES
            and _group_of(m.body) not in in_work
            for m in messages
        )


def _group_of(body: str) -> str:
    job = Job.parse(body)
    return job.group or str(job.image_id)


def check(machine: type[Pipeline], phases: Sequence[Phase] = tuple(Phase)) -> None:
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=EXAMPLES,
            phases=phases,
            report_multiple_bugs=False,
            stateful_step_count=15,
            database=None,
            derandomize=True,
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_no_interleaving_loses_or_doubles_an_image() -> None:
    check(Pipeline)


# --- seeded bugs ---------------------------------------------------------------------------------


class DeleteBeforeAnnounce(Worker):
    def _announce_and_delete(
        self, lease: Lease, announcement: Announcement, outcome: Outcome
    ) -> Outcome:
        lease.check()
        self._jobs.delete(lease.delivery)
        self._announce(announcement)
        return outcome


class _AnnouncesFirst(Records):
    announce: Callable[[Announcement], None]

    def put_processed(self, image: Image, data: bytes, job: Job) -> Announcement:
        type(self).announce(self.announcement(image, job.key))
        return super().put_processed(image, data, job)


class AnnounceBeforeStore(Worker):
    def __init__(self, *, store: ImageStore, **rest: Any) -> None:
        eager = type("Eager", (_AnnouncesFirst,), {"announce": staticmethod(self._announce)})
        records = property(lambda store: eager(store.originals, store.results))
        of_eager = type("Store", (ImageStore,), {"records": records})
        super().__init__(store=of_eager(store.originals, store.results), **rest)


class FreshDeduplicationIds(Worker):
    def _announce(self, announcement: Announcement) -> None:
        unique = uuid.uuid4().hex
        group = str(announcement.image_id)
        self._announcements.send(Message(announcement.to_json(), group, unique))


class RetriesOff(Worker):
    def _try_later(self, lease: Lease, exc: Exception) -> Ending:
        self._jobs.delete(lease.delivery)
        return Ending(Outcome.GIVEN_UP)


class StaleDeleteIsAFailure(Worker):
    def _announce_and_delete(
        self, lease: Lease, announcement: Announcement, outcome: Outcome
    ) -> Outcome:
        lease.check()
        self._announce(announcement)
        self._jobs.delete(lease.delivery)
        return outcome


class SwallowOnTaken(Worker):
    """Assumes that a stored result was announced."""

    def _complete(self, lease: Lease) -> Outcome:
        if finished := self._find_finished(self._parse(lease.delivery)):
            self._jobs.delete(lease.delivery)
            del finished
            return Outcome.ANNOUNCED_AGAIN
        return super()._complete(lease)


class NoHeartbeat(Pipeline):
    def new_leases(self) -> Leases:
        leases = super().new_leases()
        leases.renew = lambda: None
        return leases


class OneSharedGroup(Pipeline):
    def __init__(self) -> None:
        super().__init__()
        send = self.pipeline.jobs.send
        self.pipeline.jobs.send = lambda message: send(
            Message(message.body, "all", message.deduplication_id)
        )


def _with(worker: type[Worker]) -> type[Pipeline]:
    return type(worker.__name__, (Pipeline,), {"worker": lambda _: worker})


@pytest.mark.parametrize(
    "machine",
    [
        _with(DeleteBeforeAnnounce),
        _with(AnnounceBeforeStore),
        _with(FreshDeduplicationIds),
        _with(RetriesOff),
        _with(StaleDeleteIsAFailure),
        _with(SwallowOnTaken),
        NoHeartbeat,
        OneSharedGroup,
    ],
    ids=lambda machine: machine.__name__,
)
def test_a_seeded_bug_is_found(machine: type[Pipeline]) -> None:
    with pytest.raises(AssertionError) as found:
        check(machine, phases=(Phase.generate,))
    print(f"{machine.__name__}: {found.value}")
