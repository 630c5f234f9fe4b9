"""Give the engine what a job asks for, and no more images at once than there is room for."""

from __future__ import annotations

from contextlib import ExitStack

from ..consumer.admission import Admission
from ..domain.messages import Job
from ..domain.ports import Binarize, Binarized, Process
from ..observability import tracing
from ..observability.worker_metrics import WorkerMetrics
from ..png.check import claimed_pixels


def as_job_asks(binarize: Binarize, data: bytes, job: Job) -> Binarized:
    """What *binarize* makes of *data* by the method and the parameters of *job*."""
    return binarize(data, method=job.method, parameters=job.parameters)


def admitted(
    process: Process, admission: Admission, max_pixels: int, metrics: WorkerMetrics
) -> Process:
    """*process*, once there is room for the pixels that the image claims to have."""

    def wait_and_process(data: bytes, job: Job) -> Binarized:
        # What claims more than is allowed is refused at once, and needs no room.
        claimed = claimed_pixels(data)
        pixels = claimed if claimed <= max_pixels else 0
        with ExitStack() as room:
            with tracing.step("admit"), metrics.step("admit"):
                room.enter_context(admission.of(pixels))
            with tracing.step("compute"), metrics.computing(pixels):
                return process(data, job)

    return wait_and_process
