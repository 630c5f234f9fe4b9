"""Call the engine with the parameters of a job, and bound the pixels in flight."""

from __future__ import annotations

from contextlib import ExitStack

from ..consumer.admission import Admission
from ..domain.messages import Job
from ..domain.ports import Binarize, Binarized, Process
from ..observability import tracing
from ..observability.worker_metrics import WorkerMetrics
from ..png.check import claimed_pixels


def as_job_asks(binarize: Binarize, data: bytes, job: Job) -> Binarized:
    """The result of *binarize* on *data*, with the method and the parameters of *job*."""
    return binarize(data, method=job.method, parameters=job.parameters)


def admitted(
    process: Process, admission: Admission, max_pixels: int, metrics: WorkerMetrics
) -> Process:
    """*process*, but each call first waits until *admission* admits the image's claimed pixels."""

    def wait_and_process(data: bytes, job: Job) -> Binarized:
        # An image over the limit is refused before decoding, so it need not wait for pixels.
        claimed = claimed_pixels(data)
        pixels = claimed if claimed <= max_pixels else 0
        with ExitStack() as admitted_pixels:
            with tracing.step("admit"), metrics.step("admit"):
                admitted_pixels.enter_context(admission.of(pixels))
            with tracing.step("compute"), metrics.computing(pixels):
                return process(data, job)

    return wait_and_process
