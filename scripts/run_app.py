"""Run web and worker for start_app.sh: `python -m scripts.run_app [PORT]`.

Loads the application while LocalStack starts, waits for LocalStack on PORT, creates the buckets and
queues, and serves.
"""

from __future__ import annotations

import os
import sys
import time

PAUSE_S = 0.05


def main() -> int:
    os.setsid()  # Ctrl-C reaches this process once, through start_app.sh
    # The first load compiles the engine's loops, which takes longer than LocalStack's start.
    from app import image_processor, main, routes, setup_aws_resources  # noqa: F401
    from app.openapi import document  # noqa: F401
    from app.server import server  # noqa: F401
    from app.wiring import processing, worker  # noqa: F401

    if len(sys.argv) > 1:
        wait_for_localstack(int(sys.argv[1]))
    return setup_aws_resources.main() or main.main(["all"])


def wait_for_localstack(port: int) -> None:
    """Wait for LocalStack, without a limit: start_app.sh ends this process if it fails to start."""
    from scripts import localstack

    while not localstack.answers(port):
        time.sleep(PAUSE_S)


if __name__ == "__main__":
    sys.exit(main())
