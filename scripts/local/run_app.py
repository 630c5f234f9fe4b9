"""Run web and worker for start_app.sh: `python -m scripts.local.run_app [PORT]`.

Loads the application while LocalStack starts, waits for LocalStack on PORT, creates the buckets and
queues, and serves.
"""

from __future__ import annotations

import faulthandler
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path

if not __package__:
    sys.exit("run_app.py: type ./alvura start")

from app import installed
from scripts import usage
from scripts.local import compiling

ROOT = Path(__file__).resolve().parents[2]
PAUSE_S = 0.05


def main() -> int:
    os.setsid()  # Ctrl-C reaches this process once, through start_app.sh
    signal.signal(signal.SIGTERM, end)  # until the application has its own handler
    faulthandler.register(signal.SIGUSR1)  # the probe asks where a start hangs
    tell_misspelt(os.environ.get("DOTENV_NAMES", "").split())
    with compiling_beside():
        from app import image_processor, main, routes, setup_aws_resources  # noqa: F401
        from app.openapi import document  # noqa: F401
        from app.server import server  # noqa: F401
        from app.wiring import processing, worker  # noqa: F401
    if len(sys.argv) > 1:
        wait_for_localstack(int(sys.argv[1]))
    return setup_aws_resources.main() or main.main(["all"])


def tell_misspelt(names: Sequence[str]) -> None:
    from app.settings import misspelt

    for name, meant in misspelt(names).items():
        print(f"start_app.sh: .env: {name} is no setting; {meant} is", file=sys.stderr)


def end(*_: object) -> None:
    """End this process and the one that compiles beside it.

    Python would drop an exception that a signal handler raises inside a finalizer, and numba runs
    many. An exception inside Popen would leave the process that Popen has just started.
    """
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    compiling.tell_end()
    os.killpg(0, signal.SIGTERM)
    os._exit(143)


@contextmanager
def compiling_beside() -> Iterator[None]:
    """A block that begins once the engine's loops are compiled, the first time by two processes.

    The processes begin at the two ends of the list, and each loads from numba's cache what the
    other has compiled. One process alone takes twice as long as LocalStack's start.
    """
    from app.numeric.compiled import is_first_time

    modules, is_first = modules_with_loops(), is_first_time()
    program = "import sys; from scripts.local import run_app; run_app.load(sys.argv[1:])"
    command = [sys.executable, "-c", program, *reversed(modules)]
    if is_first:
        step = os.environ.get("STEP", "")
        print(f"{step}Compiling the engine for this machine, once ...", file=sys.stderr)
    other = subprocess.Popen(command, cwd=ROOT) if is_first else None
    try:
        # Also later: an interrupted start has compiled some of them.
        for number, module in enumerate(modules, 1):
            compiling.tell(f"part {number} of {len(modules)}")
            import_module(module)
        compiling.tell_end()
        yield
    finally:
        compiling.tell_end()
        if other:
            other.kill()
            other.wait()


def modules_with_loops() -> list[str]:
    sources = sorted((ROOT / "app").rglob("*.py"))
    chosen = [path.relative_to(ROOT) for path in sources if "\n@compiled(" in path.read_text()]
    return [".".join(path.with_suffix("").parts) for path in chosen]


def load(modules: Sequence[str]) -> None:
    for module in modules:
        import_module(module)


def wait_for_localstack(port: int) -> None:
    """Wait for LocalStack, without a limit: start_app.sh ends this process if it fails to start."""
    from scripts.local import localstack

    while not localstack.answers(port):
        time.sleep(PAUSE_S)


if __name__ == "__main__":
    usage.check(__doc__, most=1)
    if fault := installed.fault("run_app"):
        sys.exit(fault)
    sys.exit(main())
