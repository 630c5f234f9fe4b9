"""Our worker without image processing: the upper limit set by LocalStack and the AWS calls."""

from __future__ import annotations

import os
import sys

from app.domain.messages import Job
from app.domain.ports import Binarize, Binarized
from app.main import main
from app.wiring import worker as worker_service

_PAGE = os.urandom(40_000)


def no_work(binarize: Binarize, data: bytes, job: Job) -> Binarized:
    return Binarized(_PAGE, 1654, 2339, 200, "none", {}, None, 0.1, 0)


worker_service.as_job_asks = no_work  # type: ignore[attr-defined]

if __name__ == "__main__":
    sys.exit(main(["worker"]))
