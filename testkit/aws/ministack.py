"""Run MiniStack, an emulator with CloudFormation and IAM, which the free LocalStack lacks.

    with ministack() as url: ...

With AUTH=true it evaluates the policies of identities, buckets and queues on every request:
https://pypi.org/project/ministack/ (MIT). The access key `test` is the account's root.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from testkit.network.ports import free_port
from testkit.root import ROOT
from testkit.timing.waiting import is_ok, wait_until

#: ./run_tests.sh installs requirements/ministack.txt there.
_PYTHON = ROOT / ".venv-ministack" / "bin" / "python"


@contextmanager
def ministack() -> Iterator[str]:
    """The URL of a MiniStack with AUTH=true; ended with the block."""
    assert _PYTHON.exists(), "there is no .venv-ministack; ./run_tests.sh makes it"
    port = free_port()
    with tempfile.TemporaryDirectory() as state, tempfile.TemporaryFile() as output:
        process = subprocess.Popen(
            [_PYTHON, "-m", "ministack"],
            cwd=state,
            env=os.environ | _variables(port, Path(state)),
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        try:
            url = f"http://127.0.0.1:{port}"
            wait_until(lambda: _answers(url, process), within_s=60)
            yield url
        finally:
            process.terminate()
            process.wait(20)


def _variables(port: int, state: Path) -> dict[str, str]:
    return {
        "AUTH": "true",
        "BIND_HOST": "127.0.0.1",
        "MINISTACK_HOST": "127.0.0.1",
        "GATEWAY_PORT": str(port),
        "IOT_MTLS_ENABLED": "0",  # it would listen on a second port
        "TMPDIR": str(state),
    }


def _answers(url: str, process: subprocess.Popen[bytes]) -> bool:
    assert process.poll() is None, f"MiniStack ended with {process.returncode}"
    return is_ok(f"{url}/_ministack/health")
