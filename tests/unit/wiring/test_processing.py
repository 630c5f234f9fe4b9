"""The engine takes the parameters of the job, and waits for the pixels of the image."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from app.consumer.admission import Admission
from app.domain.messages import Job
from app.domain.ports import Binarized
from app.errors import CorruptPngError
from app.observability.worker_metrics import WorkerMetrics
from app.wiring.processing import admitted, as_job_asks
from testkit.png.scans import page_png

PAGE = Binarized(b"page", 4, 3, None, "sauvola", {}, None, 0.5, 1)
MAX_PIXELS = 1200


class NotingAdmission(Admission):
    def __init__(self) -> None:
        super().__init__(slots=1, max_pixels=MAX_PIXELS)
        self.admitted: list[int] = []
        self.is_open = False

    @contextmanager
    def of(self, pixels: int) -> Iterator[None]:
        self.admitted.append(pixels)
        self.is_open = True
        with super().of(pixels):
            yield
        self.is_open = False


def job(**fields: object) -> Job:
    image_id = uuid.uuid4()
    known = {"image_id": image_id, "bucket": "image-input", "key": f"{image_id}.png"}
    return Job.model_validate(known | fields)


def test_the_engine_gets_the_method_and_the_parameters_of_the_job() -> None:
    given: list[object] = []

    def binarize(data: bytes, *, method: str | None, parameters: object) -> Binarized:
        given.extend((data, method, parameters))
        return PAGE

    asked = job(method="sauvola", parameters={"window": 31, "k": 0.3})

    assert as_job_asks(binarize, b"data", asked) is PAGE
    assert given == [b"data", "sauvola", {"window": 31, "k": 0.3}]


@pytest.mark.parametrize(
    ("width", "height", "pixels"),
    [(40, 30, MAX_PIXELS), (40, 31, 0)],
    ids=["at the limit", "over the limit, to be refused before decoding"],
)
def test_an_image_occupies_its_pixels_while_it_is_processed_unless_it_has_too_many(
    width: int, height: int, pixels: int
) -> None:
    admission, was_open = NotingAdmission(), []

    def process(data: bytes, job: Job) -> Binarized:
        was_open.append(admission.is_open)
        return PAGE

    processing = admitted(process, admission, MAX_PIXELS, WorkerMetrics())

    assert processing(page_png(width, height), job()) is PAGE
    assert admission.admitted == [pixels]
    assert (was_open, admission.is_open) == ([True], False)


def test_a_failed_image_occupies_no_pixels_afterwards() -> None:
    def fail(data: bytes, job: Job) -> Binarized:
        raise CorruptPngError("It breaks off.")

    admission = Admission(slots=1, max_pixels=MAX_PIXELS)
    processing = admitted(fail, admission, MAX_PIXELS, WorkerMetrics())

    for _ in range(2):  # the second would wait for ever
        with pytest.raises(CorruptPngError):
            processing(page_png(40, 30), job())
