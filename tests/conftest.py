"""What several folders share, and their order; unit/ needs nothing, most others a LocalStack."""

from __future__ import annotations

import os
import tempfile
import uuid
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import hypothesis
import pytest

from app.aws import clients as aws
from app.settings import Settings
from app.setup_aws_resources import ensure_resources
from testkit.aws import aws_calls
from testkit.network.ports import free_port
from testkit.root import ROOT
from testkit.timing.machine_lock import MachineLock

#: ./run_tests.sh sets it to the LocalStack that it has started.
ENDPOINT_VARIABLE = "TEST_AWS_ENDPOINT_URL"
#: xdist's processes inherit it: the folder of their MachineLock.
LOCK_VARIABLE = "TEST_MACHINE_LOCK"
MACHINE = pytest.StashKey[MachineLock]()

# Hypothesis fails examples that take over 200 ms of the wall clock, or that are drawn slowly, but
# other tests run at the same time.
hypothesis.settings.register_profile(
    "alvura", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("alvura")


#: Files and folders, begun in this order: xdist gives the next file to the process that is free,
#: and a long one near the end would keep the other process waiting: unit/, with the shortest files,
#: is last. A folder stays together, so that its fixtures are started once.
ORDER = (
    "tests/integration/test_start_app.py",
    "tests/integration/test_installing.py",
    "tests/browser/test_page.py",
    "tests/browser",
    "tests/fault/test_faults.py",
    "tests/fault/test_crashes.py",
    "tests/fault",
    "tests/integration",
    "tests/contract",
    "tests/deploy",
    "tests/benchmarks",
    "tests/project",
    "tests/unit",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        _name_in_full(item)
    ids = Counter(item.nodeid for item in items)
    # xdist runs one test of each id.
    assert not (doubled := [name for name, count in ids.items() if count > 1]), doubled
    items.sort(key=lambda item: _place(item.path))


def _name_in_full(item: pytest.Item) -> None:
    """Without this, Schemathesis 4.32 gives pytest 9.2 one id for all operations of a test."""
    assert item.parent
    if not item.nodeid.endswith("]") and item.name.endswith("]"):
        name, _, operation = item.name.removesuffix("]").partition("[")
        item._id = item.parent.id.child(name).with_params(operation)


@cache
def _place(file: Path) -> int:
    places = (n for n, path in enumerate(ORDER) if file.is_relative_to(ROOT / path))
    return next(places, len(ORDER))


def pytest_configure(config: pytest.Config) -> None:
    """Nothing of the caller's environment reaches the settings under test."""
    for name in Settings.model_fields:
        os.environ.pop(name.upper(), None)
    for name in ("AWS_DEFAULT_REGION", "AWS_PROFILE", "AWS_SESSION_TOKEN"):
        os.environ.pop(name, None)
    os.environ |= {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
    aws_calls.watch(_own_folder(config, "aws-calls-"))
    if not hasattr(config, "workerinput"):
        os.environ[LOCK_VARIABLE] = str(_own_folder(config, "machine-lock-"))
    config.stash[MACHINE] = MachineLock(Path(os.environ[LOCK_VARIABLE]))


def _own_folder(config: pytest.Config, prefix: str) -> Path:
    folder = tempfile.TemporaryDirectory(prefix=prefix)
    config.add_cleanup(folder.cleanup)
    return Path(folder.name)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> Iterator[None]:
    """A test that was too slow is repeated while no other test runs."""
    machine = item.config.stash[MACHINE]
    if getattr(item, "execution_count", 1) > 1:
        machine.take()
    else:
        machine.share()
    yield


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_teardown(item: pytest.Item) -> Iterator[None]:
    try:
        yield
    finally:
        item.config.stash[MACHINE].release()


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Whatever ran, the application has done nothing that deploy/ does not allow."""
    if denied := aws_calls.not_granted(aws_calls.all_performed()):
        print(f"\nAWS calls that no policy of deploy/ grants: {', '.join(denied)}")
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.fixture(scope="session")
def endpoint() -> str:
    url = os.environ.get(ENDPOINT_VARIABLE)
    # A test that is skipped when something is missing will be skipped for ever.
    assert url, f"{ENDPOINT_VARIABLE} is not set; ./run_tests.sh starts a LocalStack and sets it"
    return url


@pytest.fixture
def settings() -> Settings:
    return Settings()


@pytest.fixture
def aws_settings(endpoint: str) -> Settings:
    return own_settings(endpoint)


def own_settings(endpoint: str) -> Settings:
    """Settings for resources of a test's own, in LocalStack."""
    tag = uuid.uuid4().hex[:12]
    return Settings(
        aws_endpoint_url=endpoint,
        input_bucket=f"input-{tag}",
        processed_bucket=f"processed-{tag}",
        input_queue=f"input-{tag}.fifo",
        processed_queue=f"processed-{tag}.fifo",
        input_dead_letter_queue=f"input-dlq-{tag}.fifo",
        poll_wait_s=1,
    )


def provisioned(endpoint: str, **settings: Any) -> Settings:
    """Settings of a test's own, a free port among them, with their buckets and queues made."""
    own = own_settings(endpoint).model_copy(update={"port": free_port(), **settings})
    ensure_resources(own, s3=aws.s3_client(own), sqs=aws.sqs_client(own))
    return own
