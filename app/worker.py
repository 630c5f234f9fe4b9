"""Process one delivery to its end, whatever its message contains.

The worker stores the result, announces it, then deletes the message: a crash at any point repeats
the job and never loses it. This module uses no AWS, OpenCV, threads or signals directly; the caller
passes in the parts that do.
"""

from __future__ import annotations

import hashlib
import math
from contextlib import AbstractContextManager
from typing import Final, Protocol

from .consumer.leases import Lease
from .consumer.observer import Observer, harmless
from .consumer.outcome import Ending, Outcome, as_failed, as_processed
from .domain.backoff import Backoff
from .domain.keys import names_another
from .domain.messages import NO_JOB, Announcement, Job
from .domain.methods import DEFAULT_METHOD, METHODS, choose_method
from .domain.ports import Delivery, Message, Process, announcing
from .domain.representation import Image, ImageStatus
from .errors import (
    CorruptPngError,
    ForeignOriginalError,
    ImageDeletedError,
    InternalError,
    InvalidMessageError,
    InvalidParameterError,
    LeaseLostError,
    NotFoundError,
    OriginalMissingError,
    PermanentError,
    PipelineError,
    QueueUnavailableError,
    StorageUnavailableError,
    UnsupportedJobError,
)
from .images.ownership import Claim
from .images.store import ImageStore
from .observability import logs, tracing
from .observability.worker_metrics import WorkerMetrics

logger = logs.get_logger(__name__)

#: A retry must send its announcement within SQS's deduplication window of 5 minutes, so that SQS
#: drops the duplicate.
_BACKOFF: Final = Backoff(first_s=2.0, longest_s=60.0)
#: A job that this release does not know waits for a worker of a later one. With the default
#: `MAX_RECEIVES` that is four minutes, in which a rolling update replaces the workers.
_UPGRADE_S: Final = 60


class Jobs(Protocol):
    """The methods of the input queue that the worker uses."""

    @property
    def name(self) -> str: ...

    def delete(self, delivery: Delivery) -> None: ...


class Announcements(Protocol):
    """The methods of the processed queue that the worker uses."""

    def send(self, message: Message) -> None: ...


class Worker:
    """Processes deliveries. Thread-safe: it keeps no state between deliveries."""

    def __init__(
        self,
        *,
        jobs: Jobs,
        store: ImageStore,
        announcements: Announcements,
        process: Process,
        process_apart: Process,
        max_receives: int,
        metrics: WorkerMetrics,
    ) -> None:
        self._jobs = jobs
        self._store = store
        self._announcements = announcements
        self._process = process
        self._process_apart = process_apart
        self._max_receives = max_receives
        self._observer = Observer(jobs.name, metrics)

    def handle(self, lease: Lease) -> Ending:
        """The ending of one delivery; raises nothing.

        After RETRIED and GIVEN_UP, the caller must return the message to the queue.
        """
        ending = None
        with harmless(), self._observer.delivery(lease.delivery) as ended:
            ending = self._end(lease)
            ended(ending.outcome)
        # If a bug in the observer prevented the processing, process without the observer.
        return ending or self._end(lease)

    def _end(self, lease: Lease) -> Ending:
        """Complete the job or handle its exception; this is the only method that decides which."""
        try:
            try:
                return Ending(self._complete(lease))
            except ImageDeletedError:
                raise
            except PermanentError as error:
                return Ending(self._fail(lease, error))
        except ImageDeletedError as exc:
            return self._drop(lease, exc)
        except LeaseLostError as exc:
            logger.warning("message left to another worker", reason=str(exc))
            return Ending(Outcome.LEASE_LOST)
        except Exception as exc:
            return self._try_later(lease, exc)

    def _complete(self, lease: Lease) -> Outcome:
        """The outcome after all steps. A crash between two steps repeats them without harm."""
        job = self._parse(lease.delivery)
        is_repeat = lease.delivery.receive_count > 1 or job.redrive > 0
        if not is_repeat:
            self._observer.started(job)

        # 0. If a worker crashed after storing, only the steps from announcing on are left.
        if is_repeat and (finished := self._find_finished(job)):
            return self._announce_and_delete(lease, finished, Outcome.ANNOUNCED_AGAIN)

        # 1. Fetch.
        try:
            with self._step("fetch"):
                fetched = self._store.get_original(job)
        except NotFoundError:
            return self._without_original(lease, job)
        job, image, data = fetched.job, fetched.image, fetched.data

        # 2. Compute. An image that may have killed a worker runs in a child process.
        process = self._process_apart if is_repeat else self._process
        page = process(_intact(data, job), job)

        # 3. Store, once. An existing result is kept and announced: it may be this worker's own,
        # stored by a request whose response was lost.
        lease.check()
        with self._step("store"):
            result = as_processed(image, data, page)
            announcement = self._store.records.put_processed(result, page.png, job)
        logger.info("image processed", image_method=page.method, duration_ms=page.processing_ms)

        # 4. Announce, 5. delete.
        return self._announce_and_delete(lease, announcement, Outcome.PROCESSED)

    def _announce_and_delete(
        self, lease: Lease, announcement: Announcement, outcome: Outcome
    ) -> Outcome:
        lease.check()
        self._announce(announcement)
        self._observer.finished(announcement, is_new=outcome is not Outcome.ANNOUNCED_AGAIN)
        # Delete last, so that a crash at any step above repeats the job and never loses it.
        self._delete(lease)
        return outcome

    def _delete(self, lease: Lease) -> None:
        try:
            with self._step("delete"):
                self._jobs.delete(lease.delivery)
        except LeaseLostError as exc:
            # Harmless: the worker that now holds the message finds the job finished.
            logger.warning("message no longer held when it was finished", reason=str(exc))

    def _announce(self, announcement: Announcement) -> None:
        with self._step("announce"):
            self._announcements.send(announcing(announcement))
        self._observer.announced(announcement)

    def _step(self, name: str) -> AbstractContextManager[None]:
        return self._observer.step(name)

    def _parse(self, delivery: Delivery) -> Job:
        job = Job.parse(delivery.body)
        _check_is_known(job)
        self._check_bucket(job)
        if names_another(job.key, job.image_id):
            raise ForeignOriginalError(f"{job.key!r} is the original of another image.")
        return job

    def _check_bucket(self, job: Job) -> None:
        if job.bucket != self._store.originals.name:
            raise InvalidMessageError(
                f"bucket is {job.bucket[:63]!r}; only {self._store.originals.name!r} is read."
            )

    def _find_finished(self, job: Job) -> Announcement | None:
        try:
            return self._store.records.find_of_job(job)
        except NotFoundError:
            return None

    def _without_original(self, lease: Lease, job: Job) -> Outcome:
        if finished := self._find_finished(job):
            return self._announce_and_delete(lease, finished, Outcome.ANNOUNCED_AGAIN)
        raise OriginalMissingError(f"There is no {job.key[:200]!r} in bucket {job.bucket}.")

    # --- failures ----------------------------------------------------------------

    def _fail(self, lease: Lease, error: PermanentError) -> Outcome:
        """Record and announce that the image can never be processed, then delete the message."""
        lease.check()
        announcement = self._record(lease.delivery, error)
        return self._announce_and_delete(lease, announcement, Outcome.FAILED)

    def _drop(self, lease: Lease, reason: ImageDeletedError) -> Ending:
        logger.info("message dropped", reason=str(reason))
        try:
            self._delete(lease)
        except Exception as exc:
            return self._try_later(lease, exc)
        return Ending(Outcome.DELETED)

    def _try_later(self, lease: Lease, exc: Exception) -> Ending:
        """Return the message for a retry; on its last receive record the failure instead."""
        is_outage = isinstance(exc, StorageUnavailableError | QueueUnavailableError)
        if not isinstance(exc, PipelineError):
            logger.exception("internal error")
        if lease.delivery.receive_count >= self._max_receives:
            self._give_up(lease, exc)
            return Ending(Outcome.GIVEN_UP, is_outage=is_outage)
        tracing.fail(exc.code if isinstance(exc, PipelineError) else type(exc).__name__)
        delay_s = _delay_s(lease.delivery, exc)
        logger.warning("message will be retried", delay_s=delay_s, reason=str(exc))
        return Ending(Outcome.RETRIED, delay_s, is_outage=is_outage)

    def _give_up(self, lease: Lease, exc: Exception) -> None:
        try:
            lease.check()
            announcement = self._record(lease.delivery, _reason(exc))
            self._announce(announcement)
            self._observer.finished(announcement, is_new=announcement.status is ImageStatus.FAILED)
        except Exception as error:
            # The message still goes to the dead-letter queue, and `reconcile` finds the image.
            logger.error("message given up without a failure record", reason=str(error))

    def _record(self, delivery: Delivery, error: PipelineError) -> Announcement:
        image, claim = self._known_image(delivery)
        logger.error("image failed", code=error.code, detail=str(error))
        tracing.fail(error.code)
        with self._step("store"):
            return self._store.records.put_failure(as_failed(image, error), claim)

    def _known_image(self, delivery: Delivery) -> tuple[Image, Claim]:
        """The image of *delivery*, as far as the message tells, and the message's claim to it."""
        claim = Claim.read(delivery, self._store.originals.name)
        try:
            job = Job.parse(delivery.body)
        except NO_JOB:
            asked = {"image_id": claim.image_id, "group": claim.group, "owner": claim.owner}
            return Image(status=ImageStatus.FAILED, **asked), claim
        try:
            fetched = self._store.get_original(self._parse(delivery))
        except PipelineError:
            # Report the failure even if the original's file name cannot be read.
            asked = job.model_dump(include={"image_id", "method", "parameters", "group", "owner"})
            return Image(status=ImageStatus.FAILED, uploaded_at=job.uploaded_at, **asked), claim
        return fetched.image, Claim.of(fetched.job)


def _check_is_known(job: Job) -> None:
    try:
        choose_method(METHODS, job.method or DEFAULT_METHOD).check_names(job.parameters)
    except InvalidParameterError as exc:
        raise UnsupportedJobError(exc.detail) from None


def _delay_s(delivery: Delivery, exc: Exception) -> int:
    if isinstance(exc, UnsupportedJobError):
        return _UPGRADE_S
    return math.ceil(_BACKOFF.full_jitter_s(delivery.receive_count))


def _intact(data: bytes, job: Job) -> bytes:
    if job.sha256 and job.sha256 != hashlib.sha256(data).hexdigest():
        raise CorruptPngError("The stored file is not the one that was uploaded (SHA-256 differs).")
    return data


def _reason(exc: Exception) -> PipelineError:
    if isinstance(exc, PipelineError):
        return exc
    return InternalError("The image could not be processed because of an internal error.")
