"""Turn the environment into checked values, once, at the start.

A wrong value refuses to start and every fault is named at once. Names, units and bounds are
listed in docs/settings.md; a test compares.
"""

from __future__ import annotations

import os
from typing import Annotated, Final, Self

from pydantic import AliasChoices, BeforeValidator, Field, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from .errors import SettingsError
from .png import PngLimits

#: https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
_BUCKET_NAME: Final = r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$"
#: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/fifo-queue-message-identifiers.html
_FIFO_QUEUE_NAME: Final = r"^[A-Za-z0-9_-]{1,75}\.fifo$"

BucketName = Annotated[str, Field(pattern=_BUCKET_NAME)]
QueueName = Annotated[str, Field(pattern=_FIFO_QUEUE_NAME)]


class Settings(BaseSettings):
    """What can be set from outside; the defaults serve one machine and nobody needs to set one."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", env_ignore_empty=True)

    host: str = Field("127.0.0.1", description="Address that the web server listens on.")
    port: int = Field(5000, ge=1, le=65535, description="TCP port of the web server.")
    web_threads: int = Field(8, ge=1, le=256, description="Requests answered at the same time.")

    aws_endpoint_url: Annotated[str | None, BeforeValidator(lambda v: v or None)] = Field(
        None, pattern=r"^https?://", description="URL of an AWS emulator; unset means real AWS."
    )
    aws_region: str | None = Field(
        None,
        pattern=r"^[a-z]{2}(-[a-z]+)+-\d$",
        validation_alias=AliasChoices("aws_region", "aws_default_region"),
        description=(
            "AWS region; else `AWS_DEFAULT_REGION`, else the profile's, else `us-east-1`."
        ),
    )

    input_bucket: BucketName = Field("image-input", description="Bucket of the originals.")
    processed_bucket: BucketName = Field("image-processed", description="Bucket of the results.")
    input_queue: QueueName = Field("new-image-input.fifo", description="Queue of the jobs.")
    processed_queue: QueueName = Field(
        "new-image-processed.fifo", description="Queue of the announcements."
    )
    input_dead_letter_queue: QueueName = Field(
        "new-image-input-dlq.fifo", description="Queue of the jobs that were given up."
    )

    max_upload_bytes: int = Field(
        32 * 1024 * 1024, ge=1024, le=1024**3, description="Largest PNG, in bytes."
    )
    max_pixels: int = Field(
        40_000_000, ge=1, le=1_000_000_000, description="Most pixels an image may have."
    )
    max_side: int = Field(
        20_000, ge=1, le=1_000_000, description="Longest width or height, in pixels."
    )
    max_png_chunks: int = Field(
        4096, ge=3, le=1_000_000, description="Most chunks a PNG may be made of."
    )
    max_png_metadata_bytes: int = Field(
        2 * 1024 * 1024, ge=0, le=1024**3, description="Most bytes of a PNG that are not pixels."
    )
    retention_days: int = Field(
        7, ge=0, le=3650, description="Days until S3 expires images and results; 0 keeps them."
    )

    worker_concurrency: int | None = Field(
        None,
        ge=1,
        le=256,
        description=(
            "Images that one worker process has in hand at the same time: being fetched, computed "
            "or stored; unset means 6 a CPU. As many as there are CPUs are computed at once."
        ),
    )
    max_pixels_in_flight: int = Field(
        160_000_000,
        ge=1,
        le=10_000_000_000,
        description=(
            "Pixels that are computed at the same time; each takes 6 bytes. A larger image goes "
            "alone."
        ),
    )
    visibility_timeout_s: int = Field(
        60,
        ge=2,
        le=43_200,
        description="Seconds until a job is seen again whose worker has died; renewed at half.",
    )
    poll_wait_s: int = Field(
        1, ge=1, le=20, description="Seconds of a long poll; also the longest an idle stop takes."
    )
    grace_period_s: int = Field(
        25,
        ge=0,
        le=3600,
        description="Seconds that a stop waits for the images in hand; the rest is given back.",
    )
    batch_linger_ms: int = Field(
        40,
        ge=0,
        le=1000,
        description="Milliseconds that an announcement or a delete waits for nine others.",
    )
    max_receives: int = Field(
        5, ge=2, le=1000, description="Receives of a job before it goes to the dead-letter queue."
    )
    log_level: str = Field(
        "INFO", pattern=r"^(DEBUG|INFO|WARNING|ERROR)$", description="Least severe line logged."
    )

    @model_validator(mode="after")
    def _names_differ(self) -> Self:
        buckets = (self.input_bucket, self.processed_bucket)
        queues = (self.input_queue, self.processed_queue, self.input_dead_letter_queue)
        if len({*buckets}) < len(buckets) or len({*queues}) < len(queues):
            raise ValueError(
                f"INPUT_BUCKET and PROCESSED_BUCKET {buckets}, and INPUT_QUEUE, PROCESSED_QUEUE "
                f"and INPUT_DEAD_LETTER_QUEUE {queues}, must all be different"
            )
        return self

    @property
    def worker_threads(self) -> int:
        """Images in hand at once: enough that the CPUs compute while others wait for AWS."""
        return self.worker_concurrency or 6 * usable_cpus()

    @model_validator(mode="after")
    def _lease_outlives_poll(self) -> Self:
        # A lease counts from when we ask.
        if self.visibility_timeout_s <= self.poll_wait_s:
            raise ValueError(
                f"VISIBILITY_TIMEOUT_S ({self.visibility_timeout_s} s) must be over POLL_WAIT_S "
                f"({self.poll_wait_s} s)"
            )
        return self

    @classmethod
    def from_env(cls) -> Self:
        """Read and check the environment.

        Raises:
            SettingsError: one or more values are wrong; the message names them all.
        """
        try:
            return cls()
        except ValidationError as exc:
            faults = [_fault(error["loc"], error["msg"]) for error in exc.errors()]
            raise SettingsError("; ".join(faults)) from None

    @property
    def png_limits(self) -> PngLimits:
        return PngLimits(
            max_bytes=self.max_upload_bytes,
            max_pixels=self.max_pixels,
            max_side=self.max_side,
            max_chunks=self.max_png_chunks,
            max_metadata_bytes=self.max_png_metadata_bytes,
        )


def usable_cpus() -> int:
    """The CPUs that this process may run on, which can be fewer than the machine has."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # only Linux has it
        return os.cpu_count() or 1


def _fault(location: tuple[int | str, ...], message: str) -> str:
    return f"{str(location[0]).upper()}: {message}" if location else message
