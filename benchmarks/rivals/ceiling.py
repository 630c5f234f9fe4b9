"""Our worker with no image work: what LocalStack and the calls themselves allow."""

from __future__ import annotations

import os
import sys

from app import worker_service
from app.main import main
from app.messages import Job
from app.png import PngLimits
from app.ports import Binarized

_PAGE = os.urandom(40_000)


def no_work(data: bytes, job: Job, *, limits: PngLimits) -> Binarized:
    return Binarized(_PAGE, 1654, 2339, 200, "none", {}, None, 0.1, 0)


worker_service.binarize_job = no_work

if __name__ == "__main__":
    sys.exit(main(["worker"]))
