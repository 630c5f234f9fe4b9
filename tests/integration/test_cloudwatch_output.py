"""The metrics that a role writes to stdout for CloudWatch while S3 and SQS are unreachable."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys

import pytest

from testkit.network.ports import free_port
from testkit.root import ROOT
from testkit.timing.waiting import is_alive, wait_until

METRICS = {"web": {"ValidUploads", "FailedUploads"}, "worker": {"Announcements", "OpenBreaker"}}


@pytest.mark.parametrize("role", METRICS)
def test_a_role_with_a_cell_writes_its_last_counts_to_stdout_when_it_stops(role: str) -> None:
    port, nobody = free_port(), f"http://127.0.0.1:{free_port()}"
    own = {"CLOUDWATCH_CELL": "lisbon", "PORT": str(free_port()), "METRICS_PORT": str(port)}
    own |= {"LOG_LEVEL": "ERROR", "LOG_FORMAT": "text", "AWS_ENDPOINT_URL": nobody}
    own |= {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x"}
    process = subprocess.Popen(
        [sys.executable, "-m", "app.main", role],
        cwd=ROOT,
        env=os.environ | own,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        wait_until(lambda: is_alive(f"http://127.0.0.1:{port}"), within_s=120)
        process.send_signal(signal.SIGTERM)
        output, _ = process.communicate(timeout=120)
    finally:
        process.kill()

    documents = [json.loads(each) for each in output.splitlines()]
    assert documents
    for document in documents:
        assert document["cell"] == "lisbon"
        assert METRICS[role] <= document.keys()
