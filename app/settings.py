"""Turn the environment into checked values, once, at the start.

A wrong value refuses to start and every fault is named at once. Names, units and bounds are
listed in docs/settings.md; a test compares.
"""

from __future__ import annotations

import os
import re
import socket
from ipaddress import ip_address
from typing import Annotated, Final, Self

from pydantic import (
    AliasChoices,
    BeforeValidator,
    Field,
    FilePath,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, SettingsConfigDict

from .errors import SettingsError
from .png_limits import PngLimits
from .rates import RATE_PATTERN, Rate
from .tokens import parse_tokens

#: https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
_BUCKET_NAME: Final = r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$"
#: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/fifo-queue-message-identifiers.html
_FIFO_QUEUE_NAME: Final = r"^[A-Za-z0-9_-]{1,75}\.fifo$"
#: RFC 6454, section 6.2.
_ORIGIN: Final = re.compile(r"https?://[a-z0-9.-]+(:\d{1,5})?")
#: Room for the boundary, the headers of the parts and the other fields around the file.
MULTIPART_OVERHEAD_BYTES: Final = 64 * 1024
#: A quarter of the smallest container in deploy/; the threads' copies of uploads take the half.
_MIN_BUFFERED_BYTES: Final = 256 * 1024 * 1024
_RATE_BEYOND_LOOPBACK: Final = Rate(600, 60)

BucketName = Annotated[str, Field(pattern=_BUCKET_NAME)]
QueueName = Annotated[str, Field(pattern=_FIFO_QUEUE_NAME)]


class Settings(BaseSettings):
    """What can be set from outside; the defaults serve one machine and nobody needs to set one."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", env_ignore_empty=True)

    host: str = Field("127.0.0.1", description="Address that the web server listens on.")
    port: int = Field(5000, ge=1, le=65535, description="TCP port of the web server.")
    web_threads: int = Field(8, ge=1, le=256, description="Requests answered at the same time.")
    metrics_host: str = Field(
        "127.0.0.1", description="Address that `METRICS_PORT` is opened on; never a public one."
    )
    metrics_port: int | None = Field(
        None,
        ge=1,
        le=65535,
        description=(
            "TCP port of `/metrics`, `/healthz` and `/readyz`, in every role; `/readyz` is then "
            "served there only. Unset, the web server has `/metrics` while nobody but this machine "
            "reaches it, and the role `worker` listens nowhere."
        ),
    )

    allow_anonymous: bool = Field(
        False, description="Whether to listen beyond loopback without `API_TOKENS`."
    )
    api_tokens: str | None = Field(
        None,
        description=(
            "Who may use the API: `name:sha256` of each token, separated by commas; "
            "`python -m app.main token NAME` makes one. Unset means everybody."
        ),
    )
    api_tokens_file: FilePath | None = Field(
        None,
        description="A file of more of them, one a line, read again within a second of a change.",
    )
    idempotency_secret: SecretStr | None = Field(
        None,
        min_length=16,
        description=(
            "What ids are made from, beside the `Idempotency-Key`; the same in the whole fleet. "
            "Set it where the API is open and keys can be guessed."
        ),
    )
    rate_limit: str | None = Field(
        None,
        pattern=rf"{RATE_PATTERN}|^none$",
        description=(
            "Uploads that one token, or without tokens one address, may send to one process, such "
            "as `60/minute`, or `none`; unset means none on loopback, elsewhere `600/minute`."
        ),
    )
    max_buffered_bytes: int | None = Field(
        None,
        ge=1024 * 1024,
        le=1024**4,
        description=(
            "Bytes of responses that wait for clients and of bodies that come in, in memory and in "
            "`/tmp`, for one process; unset means 256 MiB, or twice `MAX_UPLOAD_BYTES` if that is "
            "more."
        ),
    )
    max_connections_per_client: int = Field(
        256,
        ge=1,
        le=1000,
        description=(
            "Connections that one address, or one IPv6 network of 64 bits, may have open; behind "
            "`TRUSTED_PROXY_HOPS` proxies, its requests in progress."
        ),
    )
    max_queue_depth: int = Field(
        10_000,
        ge=0,
        le=1_000_000_000,
        description="Jobs that may wait before uploads are refused for now; 0 means any number.",
    )
    trusted_proxy_hops: int = Field(
        0,
        ge=0,
        le=10,
        description="Proxies in front that each add to `X-Forwarded-For`; 0 ignores the header.",
    )
    cors_origins: str | None = Field(
        None,
        description=(
            "Web origins whose pages may use the API, such as `https://scan.example`, separated "
            "by commas."
        ),
    )

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
        16 * 1024,
        ge=3,
        le=1_000_000,
        description="Most chunks a PNG may be made of; each takes about 2 µs to check.",
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
        description=(
            "Seconds that a stop waits for the images in hand, and for requests that are being "
            "received or answered; the rest is given back, or cut."
        ),
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
    log_format: str | None = Field(
        None,
        pattern=r"^(json|text)$",
        description="`json` or `text`; unset means `text` on a terminal and `json` elsewhere.",
    )

    otel_exporter_otlp_endpoint: str | None = Field(
        None,
        pattern=r"^https?://",
        description="URL of an OpenTelemetry collector; set, traces are sent to it (OTLP).",
    )
    otel_exporter_otlp_traces_endpoint: str | None = Field(
        None, pattern=r"^https?://", description="The same, whole, with its `/v1/traces`."
    )
    otel_exporter_otlp_protocol: str = Field(
        "http/protobuf",
        pattern=r"^http/protobuf$",
        description="How the collector is spoken to; there is no other way.",
    )
    otel_traces_exporter: str | None = Field(
        None,
        pattern=r"^(otlp|console|none)$",
        description=(
            "`otlp`, `console` (a line of JSON a span on stdout) or `none`; unset means `otlp` "
            "where an endpoint is set, else `none`."
        ),
    )
    otel_sdk_disabled: bool = Field(False, description="Whether there are no traces at all.")

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

    @model_validator(mode="after")
    def _ports_differ(self) -> Self:
        if self.metrics_port == self.port:
            raise ValueError(f"METRICS_PORT and PORT are both {self.port}")
        return self

    @field_validator("api_tokens")
    @classmethod
    def _tokens_are_sound(cls, text: str | None) -> str | None:
        if text is not None and not parse_tokens(text):
            raise ValueError("there is no entry name:sha256 in it")
        return text

    @field_validator("cors_origins")
    @classmethod
    def _origins_are_sound(cls, text: str | None) -> str | None:
        for origin in _words(text):
            if not _ORIGIN.fullmatch(origin):
                raise ValueError(f"{origin!r} is no origin such as https://scan.example")
        return text

    @model_validator(mode="after")
    def _buffers_hold_an_upload(self) -> Self:
        if self.buffered_bytes < self.max_upload_bytes + MULTIPART_OVERHEAD_BYTES:
            raise ValueError(
                f"MAX_BUFFERED_BYTES ({self.buffered_bytes}) must hold MAX_UPLOAD_BYTES "
                f"({self.max_upload_bytes}) and {MULTIPART_OVERHEAD_BYTES} bytes around the file"
            )
        return self

    @property
    def buffered_bytes(self) -> int:
        """The bytes that may wait for clients in this process."""
        default = max(_MIN_BUFFERED_BYTES, 2 * self.max_upload_bytes + MULTIPART_OVERHEAD_BYTES)
        return self.max_buffered_bytes or default

    @property
    def has_tokens(self) -> bool:
        return bool(self.api_tokens or self.api_tokens_file)

    @property
    def rate(self) -> Rate | None:
        if self.rate_limit is None:
            return None if is_loopback(self.host) else _RATE_BEYOND_LOOPBACK
        return None if self.rate_limit == "none" else Rate.parse(self.rate_limit)

    @property
    def has_metrics_on_api(self) -> bool:
        """Whether the web server answers /metrics: while only this machine can ask."""
        # A proxy on this machine speaks for the world.
        is_private = is_loopback(self.host) and self.trusted_proxy_hops == 0
        return self.metrics_port is None and is_private

    @property
    def allowed_origins(self) -> list[str]:
        return _words(self.cors_origins)

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
    def trace_exporter(self) -> str | None:
        """The exporter of traces; None, the default, for none at all."""
        endpoint = self.otel_exporter_otlp_endpoint or self.otel_exporter_otlp_traces_endpoint
        exporter = self.otel_traces_exporter or ("otlp" if endpoint else "none")
        return None if self.otel_sdk_disabled or exporter == "none" else exporter

    @property
    def png_limits(self) -> PngLimits:
        return PngLimits(
            max_bytes=self.max_upload_bytes,
            max_pixels=self.max_pixels,
            max_side=self.max_side,
            max_chunks=self.max_png_chunks,
        )


class ClientSettings(BaseSettings):
    """What `python -m app.main upload` takes from outside."""

    model_config = SettingsConfigDict(env_ignore_empty=True)

    image_pipeline_url: str = "http://127.0.0.1:5000"
    image_pipeline_token: SecretStr | None = None

    @property
    def token(self) -> str | None:
        secret = self.image_pipeline_token
        return secret.get_secret_value() if secret else None


def is_loopback(host: str) -> bool:
    """Whether all that *host* stands for can be reached from this machine only."""
    if host == "*":
        return False
    try:
        found = socket.getaddrinfo(host.strip("[]"), None)
    except OSError:
        return True  # nobody can listen there; that is for the server to say
    return all(ip_address(str(place[4][0]).partition("%")[0]).is_loopback for place in found)


def _words(text: str | None) -> list[str]:
    return [word.strip() for word in (text or "").split(",") if word.strip()]


def usable_cpus() -> int:
    """The CPUs that this process may run on, which can be fewer than the machine has."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # only Linux has it
        return os.cpu_count() or 1


def _fault(location: tuple[int | str, ...], message: str) -> str:
    return f"{str(location[0]).upper()}: {message}" if location else message
