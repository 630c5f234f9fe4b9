"""app.main with an engine that delays or kills its process, depending on the image width.

The engine appends the id of each image that it begins to the file NOTES. With SLOW_START the start
of the process lasts until the file has an id, as on a busy machine.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

from app.consumer.consumer import Consumer
from app.domain.messages import Job
from app.domain.ports import Binarize, Binarized
from app.main import main
from app.wiring import worker as worker_service
from app.wiring.processing import as_job_asks

SLOW_WIDTH, DEADLY_WIDTH = 61, 62


def follow_script(binarize: Binarize, data: bytes, job: Job) -> Binarized:
    width = int.from_bytes(data[16:20])
    with Path(os.environ["NOTES"]).open("a") as notes:
        notes.write(f"{job.image_id}\n")
    if width == SLOW_WIDTH:
        time.sleep(float(os.environ["SLOW_S"]))
    if width == DEADLY_WIDTH:
        os.kill(os.getpid(), signal.SIGKILL)
    return as_job_asks(binarize, data, job)


class SlowStarter(Consumer):
    """Simulates a busy machine: other threads already work while the main thread waits."""

    def start(self) -> None:
        super().start()
        while not Path(os.environ["START_UNTIL"]).exists():
            time.sleep(0.01)


# The child process of the sandbox imports this module under the second name and gets the same
# engine. A test that imports a name from here keeps the real engine.
if __name__ in ("__main__", "__mp_main__"):
    worker_service.as_job_asks = follow_script  # type: ignore[attr-defined]
    if "START_UNTIL" in os.environ:
        worker_service.Consumer = SlowStarter  # type: ignore[attr-defined]

if __name__ == "__main__":
    sys.exit(main())
