"""Take a job, do it, say that it is done.

Store, then announce, then delete the message: a crash anywhere means "again", never "lost".
This room knows no AWS, no OpenCV and no signals; it is given what it needs.
"""

from __future__ import annotations

import hashlib
import json
import logging
import math
import random
import threading
import time
from collections.abc import Callable
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

from .domain import (
    Announcement,
    Binarized,
    Delivery,
    Failure,
    Image,
    ImageStatus,
    Job,
    Original,
    Processed,
    Queue,
    message_group,
    now,
)
from .errors import (
    CorruptPngError,
    InternalError,
    InvalidMessageError,
    NotFoundError,
    PermanentError,
    PipelineError,
)
from .image_store import ImageStore, original_href, processed_href

logger = logging.getLogger(__name__)

Process = Callable[[bytes, Job], Binarized]

#: Full jitter: a random wait up to a bound that doubles, so that a fleet does not return at once.
#: https://aws.amazon.com/builders-library/timeouts-retries-and-backoff-with-jitter/
_FIRST_BACKOFF_S: Final = 2.0
_MAX_RETRY_BACKOFF_S: Final = 300.0
_MAX_POLL_BACKOFF_S: Final = 10.0


class Outcome(StrEnum):
    """How one delivery ended."""

    PROCESSED = "processed"
    FAILED = "failed"
    ANNOUNCED_AGAIN = "announced-again"
    DROPPED = "dropped"
    RETRIED = "retried"
    GIVEN_UP = "given-up"


class Worker:
    """Poll, process, announce. `run` may be called by several threads at once."""

    def __init__(
        self,
        *,
        jobs: Queue,
        store: ImageStore,
        announcements: Queue,
        process: Process,
        poll_wait_s: int,
        max_receives: int,
    ) -> None:
        self._jobs = jobs
        self._store = store
        self._announcements = announcements
        self._process = process
        self._poll_wait_s = poll_wait_s
        self._max_receives = max_receives
        self._stopping = threading.Event()
        self._last_sign_of_life = time.monotonic()
        #: Set when S3 or SQS failed a job; nothing is received until both answer again.
        self._is_in_doubt = False

    def run(self) -> None:
        """Do jobs until `stop`; no error ends it."""
        failures = 0
        while not self._stopping.is_set():
            try:
                self.run_once()
                failures = 0
            except Exception as exc:
                # A worker that ends because its queue was away for a minute is the loudest
                # complaint about workers of this kind.
                failures += 1
                delay_s = _jittered(failures, cap_s=_MAX_POLL_BACKOFF_S)
                logger.warning("polling failed, next in %.1f s: %s", delay_s, exc)
                self._stopping.wait(delay_s)

    def stop(self) -> None:
        """Let `run` return after the poll or the job in hand."""
        self._stopping.set()

    @property
    def idle_s(self) -> float:
        """Seconds since the last answered poll or finished job."""
        return time.monotonic() - self._last_sign_of_life

    def run_once(self) -> list[Outcome]:
        """Poll once and do what came. Raises TransientError when S3 or SQS is away."""
        self._wait_out_an_outage()
        # One at a time: what waits behind a slow image would use up its visibility timeout here
        # while another worker is free.
        deliveries = self._jobs.receive(max_messages=1, wait_time_s=self._poll_wait_s)
        self._last_sign_of_life = time.monotonic()
        return [self.handle(delivery) for delivery in deliveries]

    def _wait_out_an_outage(self) -> None:
        """Receive nothing while S3 is away: five receives are gone in half a minute, and with
        them every waiting image, to the dead-letter queue and without a record."""
        if self._is_in_doubt:
            self._store.check()
            self._announcements.check()
            self._is_in_doubt = False

    def handle(self, delivery: Delivery) -> Outcome:
        """Bring one delivery to its end, whatever it holds; raises nothing."""
        try:
            outcome = self._complete_or_fail(delivery)
        except Exception as exc:
            outcome = self._try_later(delivery, exc)
        self._last_sign_of_life = time.monotonic()
        return outcome

    def _complete_or_fail(self, delivery: Delivery) -> Outcome:
        try:
            return self._complete(delivery)
        except PermanentError as error:
            return self._fail(delivery, error)

    def _complete(self, delivery: Delivery) -> Outcome:
        """The protocol, step by step. A crash between two steps repeats them, harmlessly."""
        job = self._parse(delivery)

        # 0. Somebody may have died between storing and deleting: then only the rest is left.
        if delivery.receive_count > 1 and (finished := self._find_finished(job)):
            return self._conclude(delivery, finished, Outcome.ANNOUNCED_AGAIN)

        # 1. Fetch. An original that is gone was deleted by its owner while it waited.
        try:
            image, data = self._store.get_original(job)
        except NotFoundError:
            return self._without_original(delivery, job)

        # 2. Compute.
        page = self._process(_intact(data, job), job)

        # 3. Store, once: a result that is there already is the one that counts.
        announcement = self._store.put_processed(_processed(image, data, page), page.png, job)
        logger.info("image %s processed in %d ms", job.image_id, page.processing_ms)

        # 4. Announce, 5. delete.
        return self._conclude(delivery, announcement, Outcome.PROCESSED)

    def _conclude(
        self, delivery: Delivery, announcement: Announcement, outcome: Outcome
    ) -> Outcome:
        self._announce(announcement)
        # Last, so that a crash anywhere above means "again", never "lost".
        self._jobs.delete(delivery)
        return outcome

    def _announce(self, announcement: Announcement) -> None:
        image_id = announcement.image_id
        self._announcements.send(
            announcement.to_json(),
            group=message_group(image_id, announcement.group),
            # The same on every resend, so that SQS drops repetitions for five minutes.
            deduplication_id=str(image_id),
        )

    def _parse(self, delivery: Delivery) -> Job:
        job = Job.parse(delivery.body)
        self._check_bucket(job)
        return job

    def _check_bucket(self, job: Job) -> None:
        if job.bucket != self._store.originals.name:
            raise InvalidMessageError(
                f"bucket is {job.bucket[:63]!r}; only {self._store.originals.name!r} is read."
            )

    def _find_finished(self, job: Job) -> Announcement | None:
        try:
            return self._store.find_finished(job.image_id)
        except NotFoundError:
            return None

    def _without_original(self, delivery: Delivery, job: Job) -> Outcome:
        if finished := self._find_finished(job):
            return self._conclude(delivery, finished, Outcome.ANNOUNCED_AGAIN)
        logger.warning("image %s dropped: %s is not there (deleted?)", job.image_id, job.key)
        self._jobs.delete(delivery)
        return Outcome.DROPPED

    # --- failures ----------------------------------------------------------------

    def _fail(self, delivery: Delivery, error: PermanentError) -> Outcome:
        """The image can never be processed: record it, announce it, be done with it."""
        announcement = self._record(delivery, error)
        return self._conclude(delivery, announcement, Outcome.FAILED)

    def _try_later(self, delivery: Delivery, exc: Exception) -> Outcome:
        """Give the message back; on the last receive leave it to the dead-letter queue."""
        if not isinstance(exc, PipelineError):
            logger.exception("message %s: a fault of ours", delivery.message_id)
        elif exc.is_transient:
            self._is_in_doubt = True
        is_last = delivery.receive_count >= self._max_receives
        try:
            if is_last:
                self._announce(self._record(delivery, _reason(exc)))
            cap_s = 0 if is_last else _MAX_RETRY_BACKOFF_S
            delay_s = math.ceil(_jittered(delivery.receive_count, cap_s=cap_s))
            self._jobs.release(delivery, delay_s=delay_s)
            logger.warning("message %s back in %d s: %s", delivery.message_id, delay_s, exc)
        except Exception as error:
            # It comes back by itself when its visibility timeout ends.
            logger.warning("message %s not given back: %s", delivery.message_id, error)
        return Outcome.GIVEN_UP if is_last else Outcome.RETRIED

    def _record(self, delivery: Delivery, error: PipelineError) -> Announcement:
        job = _job_or_none(delivery.body)
        image = self._failed_image(delivery, job, error)
        logger.error("image %s failed: %s: %s", image.image_id, error.code, error.detail)
        return self._store.put_failure(image, job)

    def _failed_image(self, delivery: Delivery, job: Job | None, error: PipelineError) -> Image:
        outcome = {
            "status": ImageStatus.FAILED,
            "processed_at": now(),
            "error": Failure(code=error.code, detail=error.detail),
        }
        if job is None:
            return Image(image_id=_best_id(delivery), **outcome)
        return self._known_image(job).model_copy(update=outcome)

    def _known_image(self, job: Job) -> Image:
        try:
            self._check_bucket(job)
            image, _ = self._store.get_original(job)
        except PipelineError:
            # The reason of the failure matters more than what the original was called.
            asked = job.model_dump(include={"image_id", "method", "parameters", "group"})
            return Image(status=ImageStatus.FAILED, uploaded_at=job.uploaded_at, **asked)
        return image


def _intact(data: bytes, job: Job) -> bytes:
    if job.sha256 and job.sha256 != hashlib.sha256(data).hexdigest():
        raise CorruptPngError("The stored file is not the one that was uploaded (SHA-256 differs).")
    return data


def _processed(image: Image, data: bytes, page: Binarized) -> Image:
    """*image* with all that is known once it has become *page*."""
    image_id = image.image_id
    original = Original(
        href=original_href(image_id),
        filename=image.original.filename if image.original else None,
        size_bytes=len(data),
        width=page.width,
        height=page.height,
        dpi=page.dpi,
        sha256=hashlib.sha256(data).hexdigest(),
    )
    processed = Processed(
        href=processed_href(image_id),
        size_bytes=len(page.png),
        width=page.width,
        height=page.height,
        dpi=page.dpi,
        sha256=hashlib.sha256(page.png).hexdigest(),
        threshold=page.threshold,
        black_ratio=page.black_ratio,
        processing_ms=page.processing_ms,
    )
    return image.model_copy(
        update={
            "status": ImageStatus.PROCESSED,
            "method": page.method,
            "parameters": page.parameters,
            "processed_at": now(),
            "original": original,
            "processed": processed,
        }
    )


def _reason(exc: Exception) -> PipelineError:
    if isinstance(exc, PipelineError):
        return exc
    return InternalError("The image could not be processed because of a fault of ours.")


def _job_or_none(body: str) -> Job | None:
    try:
        return Job.parse(body)
    except InvalidMessageError:
        return None


def _best_id(delivery: Delivery) -> UUID:
    """The image id of a message that cannot be read; SQS's own message id when it has none."""
    try:
        body: Any = json.loads(delivery.body)
        return UUID(body["image_id"])
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return UUID(delivery.message_id)


def _jittered(attempt: int, *, cap_s: float) -> float:
    bound_s: float = min(cap_s, _FIRST_BACKOFF_S * 2 ** min(attempt - 1, 16))
    return random.uniform(0, bound_s)  # noqa: S311 (spreading load, not hiding anything)
