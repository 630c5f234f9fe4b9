"""A rolling update under load, from the last release to this tree and back."""

from __future__ import annotations

import subprocess
import tarfile
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path

import pytest
import urllib3

from app.settings import Settings
from testkit.network.http_requests import http_request
from testkit.network.ports import free_port
from testkit.png.scans import page_png
from testkit.processes.fleet import Announcements, Role, record_of, role, wait_until_empty
from testkit.root import ROOT
from testkit.timing.waiting import is_alive, wait_until

#: The last commit of 0.1.0.
LAST_RELEASE = "e924405"
#: Forms that both releases accept.
FORMS: tuple[dict[str, str], ...] = (
    {"method": "otsu"},
    {"method": "sauvola", "window": "31", "k": "0.3"},
    {"method": "simple", "threshold": "90", "group": "book"},
    {},
)
UPLOADS_PER_STAGE = 12


@pytest.fixture(scope="module")
def old_tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The last release, or this tree if the clone has no history."""
    archive = subprocess.run(
        ["git", "archive", LAST_RELEASE, "app", "static", "templates"],
        cwd=ROOT,
        capture_output=True,
        check=False,
    )
    if archive.returncode:
        print(f"{LAST_RELEASE} is not in this clone")
        return ROOT
    tree = tmp_path_factory.mktemp("last release")
    with tarfile.open(fileobj=BytesIO(archive.stdout)) as files:
        files.extractall(tree, filter="data")
    return tree


@dataclass
class Clients:
    """Clients behind a load balancer, which knows the ports of the running servers."""

    ports: list[int] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)
    is_over: threading.Event = field(default_factory=threading.Event)

    def send(self) -> None:
        while not self.is_over.wait(0.05):
            number = len(self.ids)
            key = {"Idempotency-Key": f"page-{uuid.uuid4()}"}
            while not (self.ports and self._upload(FORMS[number % len(FORMS)], key)):
                if self.is_over.wait(0.05):
                    return

    def _upload(self, form: dict[str, str], headers: dict[str, str]) -> bool:
        fields = {"image": ("page.png", page_png(), "image/png"), **form}
        url = f"http://127.0.0.1:{self.ports[-1]}/upload"
        try:
            answer = http_request("POST", url, fields=fields, headers=headers, retries=False)
        except urllib3.exceptions.HTTPError:
            return False  # the process has just ended; the next one gets the same key
        if answer.status != 202:
            self.refusals.append(f"{answer.status}: {answer.data!r}")
            return False
        self.ids.append(answer.json()["image_id"])
        return True

    @contextmanager
    def running(self) -> Iterator[None]:
        thread = threading.Thread(target=self.send)
        thread.start()
        try:
            yield
        finally:
            self.is_over.set()
            thread.join()


@dataclass
class Fleet:
    """One web process and one worker, each replaced as in a rolling update."""

    settings: Settings
    clients: Clients
    stack: ExitStack
    web: Role | None = None
    worker: Role | None = None

    def roll_web(self, tree: Path) -> None:
        settings = self.settings.model_copy(update={"port": free_port()})
        new = self.stack.enter_context(role("web", settings, tree=tree))
        wait_until(lambda: is_alive(f"http://127.0.0.1:{settings.port}"), within_s=60)
        self.clients.ports.append(settings.port)
        if self.web:
            self.clients.ports.pop(0)
            end(self.web)
        self.web = new

    def roll_worker(self, tree: Path) -> None:
        new = self.stack.enter_context(role("worker", self.settings, tree=tree))
        wait_until(lambda: "worker polls" in new.output, within_s=120)
        if self.worker:
            end(self.worker)
        self.worker = new

    def serve(self) -> None:
        """Wait until this combination has accepted some uploads."""
        before = len(self.clients.ids)
        wait_until(lambda: len(self.clients.ids) >= before + UPLOADS_PER_STAGE, within_s=60)


def end(process: Role) -> None:
    process.process.terminate()
    assert process.process.wait(60) == 0


def test_an_upgrade_and_its_rollback_lose_fail_and_double_nothing(
    fault_settings: Settings, old_tree: Path
) -> None:
    settings, clients, began_at = fault_settings, Clients(), time.monotonic()
    with Announcements(settings) as announcements, ExitStack() as stack:
        fleet = Fleet(settings, clients, stack)
        fleet.roll_worker(old_tree)
        fleet.roll_web(old_tree)
        with clients.running():
            fleet.serve()  # old web, old worker
            fleet.roll_worker(ROOT)
            fleet.serve()  # old web, new worker
            fleet.roll_web(ROOT)
            fleet.serve()  # new web, new worker
            fleet.roll_worker(old_tree)
            fleet.serve()  # new web, old worker: a rollback in the wrong order
            fleet.roll_web(old_tree)
            fleet.serve()
        wait_until_empty(settings)
        ids = list(clients.ids)
        wait_until(lambda: {i for i, _ in announcements.seen} >= set(ids), within_s=60)

    record = record_of(settings, ids, announcements, sent_at=began_at)
    print(f"\n{'this tree' if old_tree == ROOT else LAST_RELEASE} and this tree: {record}")
    assert not clients.refusals
    assert record.holds
    assert record.failed == 0
    assert len(ids) >= 5 * UPLOADS_PER_STAGE
