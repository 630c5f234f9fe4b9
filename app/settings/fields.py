"""The fields of the settings, each with its bounds, default and description."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import AliasChoices, BeforeValidator, Field, FilePath, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from ..domain.rates import RATE_PATTERN
from .faults import parse_bytes

#: https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
_BUCKET_NAME: Final = r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$"
#: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/fifo-queue-message-identifiers.html
_FIFO_QUEUE_NAME: Final = r"^[A-Za-z0-9_-]{1,75}\.fifo$"

BucketName = Annotated[str, Field(pattern=_BUCKET_NAME)]
Bytes = Annotated[int, BeforeValidator(parse_bytes)]
QueueName = Annotated[str, Field(pattern=_FIFO_QUEUE_NAME)]


class WebFields(BaseSettings):
    """The settings of the web server and of access to it."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", env_ignore_empty=True)

    host: str = Field("127.0.0.1", description="Address on which the web server listens.")
    port: int = Field(5000, ge=1, le=65535, description="TCP port of the web server.")
    web_threads: int = Field(8, ge=1, le=256, description="Requests processed in parallel.")
    metrics_host: str = Field(
        "127.0.0.1", description="Address on which `METRICS_PORT` listens; never a public one."
    )
    metrics_port: int | None = Field(
        None,
        ge=1,
        le=65535,
        description=(
            "TCP port of `/metrics`, `/healthz` and `/readyz`. Unset: `PORT` has them, "
            "`/metrics` on loopback only; a `worker` listens nowhere."
        ),
    )
    cloudwatch_cell: str | None = Field(
        None,
        pattern=r"^[A-Za-z0-9_.-]{1,128}$",
        description=(
            "CloudWatch's dimension `cell`, which names this pipeline. If set, each process "
            "writes its counts to stdout every minute."
        ),
    )

    allow_anonymous: bool = Field(
        False, description="Whether the server may listen beyond loopback without `API_TOKENS`."
    )
    api_tokens: str | None = Field(
        None,
        description=(
            "Tokens that may use the API: `name:sha256` of each, separated by commas (`python "
            "-m app.main token NAME`). Unset: everybody may."
        ),
    )
    api_tokens_file: FilePath | None = Field(
        None,
        description="File of more tokens, one per line, read again within a second of a change.",
    )
    idempotency_secret: SecretStr | None = Field(
        None,
        min_length=16,
        description=(
            "Secret that, with the `Idempotency-Key`, gives an image's id; one for the whole "
            "fleet. Set it where keys can be guessed."
        ),
    )
    rate_limit: str | None = Field(
        None,
        pattern=rf"{RATE_PATTERN}|^none$",
        description=(
            "Uploads per token, or per address without tokens, to one process: `60/minute`, or "
            "`none`. Unset: `none` on loopback, else `600/minute`."
        ),
    )
    max_buffered_bytes: Annotated[int | None, BeforeValidator(parse_bytes)] = Field(
        None,
        ge=1024 * 1024,
        le=1024**4,
        description=(
            "Bytes of unsent responses and incoming bodies in one process, in memory and in "
            "`/tmp`. Unset: 256 MiB, or twice `MAX_UPLOAD_BYTES` if that is more."
        ),
    )
    max_connections_per_client: int = Field(
        256,
        ge=1,
        le=1000,
        description=(
            "Connections of one address or IPv6 /64; behind proxies, its requests in progress."
        ),
    )
    max_queue_depth: int = Field(
        10_000,
        ge=0,
        le=1_000_000_000,
        description="Waiting jobs above which uploads are refused; 0: no limit.",
    )
    max_group_depth: int = Field(
        1000,
        ge=0,
        le=100_000,
        description=(
            "Waiting images of one group above which a web process refuses more; it counts "
            "what it accepted itself. 0: no limit."
        ),
    )
    max_owner_depth: int = Field(
        2000,
        ge=0,
        le=100_000,
        description="Waiting images of one token, likewise. 0: no limit.",
    )
    trusted_proxy_hops: int = Field(
        0,
        ge=0,
        le=10,
        description="Proxies in front of the server that add to `X-Forwarded-For`; 0 ignores it.",
    )
    cors_origins: str | None = Field(
        None,
        description="Web origins whose pages may use the API, separated by commas.",
    )


class Fields(WebFields):
    """Also the settings of AWS, images, worker, log and traces, in docs/settings.md's order."""

    aws_endpoint_url: Annotated[str | None, BeforeValidator(lambda v: v or None)] = Field(
        None, pattern=r"^https?://", description="URL of an AWS emulator. Unset: real AWS."
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
        "new-image-input-dlq.fifo",
        description="Queue of the jobs that failed `MAX_RECEIVES` times.",
    )

    max_upload_bytes: Bytes = Field(
        32 * 1024 * 1024, ge=1024, le=1024**3, description="Maximum size of a PNG, in bytes."
    )
    max_pixels: int = Field(
        40_000_000, ge=1, le=1_000_000_000, description="Maximum pixels of an image."
    )
    max_side: int = Field(
        20_000, ge=1, le=1_000_000, description="Maximum width or height, in pixels."
    )
    max_png_chunks: int = Field(
        16 * 1024,
        ge=3,
        le=1_000_000,
        description="Maximum chunks of a PNG; each takes about 2 µs.",
    )
    retention_days: int = Field(
        7,
        ge=0,
        le=3650,
        description="Days after which S3 deletes originals and results; 0 keeps them.",
    )

    worker_concurrency: int | None = Field(
        None,
        ge=1,
        le=256,
        description=(
            "Images that a worker fetches, computes or stores at the same time; it computes "
            "one per CPU. Unset: 6 per CPU."
        ),
    )
    max_pixels_in_flight: int = Field(
        160_000_000,
        ge=1,
        le=10_000_000_000,
        description=(
            "Pixels computed at the same time, 6 bytes each. A larger image is computed alone."
        ),
    )
    visibility_timeout_s: int = Field(
        60,
        ge=2,
        le=43_200,
        description=(
            "Seconds after which SQS redelivers the job of a dead worker; a live one renews at "
            "half."
        ),
    )
    poll_wait_s: int = Field(
        1,
        ge=1,
        le=20,
        description="Seconds of a long poll; also the maximum duration of an idle stop.",
    )
    grace_period_s: int = Field(
        25,
        ge=0,
        le=3600,
        description=(
            "Seconds that a stop waits for images and requests in progress; then messages "
            "are returned and connections cut."
        ),
    )
    batch_linger_ms: int = Field(
        40,
        ge=0,
        le=1000,
        description=(
            "Milliseconds that an announcement or a delete waits for others, to fill a batch."
        ),
    )
    max_receives: int = Field(
        5, ge=2, le=1000, description="Receives after which a job moves to the dead-letter queue."
    )
    log_level: str = Field(
        "INFO", pattern=r"^(DEBUG|INFO|WARNING|ERROR)$", description="Minimum level logged."
    )
    log_format: str | None = Field(
        None,
        pattern=r"^(json|text)$",
        description="`json` or `text`. Unset: `text` on a terminal, `json` elsewhere.",
    )

    otel_exporter_otlp_endpoint: str | None = Field(
        None,
        pattern=r"^https?://",
        description="URL of an OpenTelemetry collector, which turns traces on (OTLP).",
    )
    otel_exporter_otlp_traces_endpoint: str | None = Field(
        None,
        pattern=r"^https?://",
        description="Collector URL for traces, complete with `/v1/traces`.",
    )
    otel_exporter_otlp_protocol: str = Field(
        "http/protobuf",
        pattern=r"^http/protobuf$",
        description="The collector's protocol; no other is supported.",
    )
    otel_traces_exporter: str | None = Field(
        None,
        pattern=r"^(otlp|console|none)$",
        description=(
            "`otlp`, `console` (a line of JSON per span on stdout) or `none`. Unset: `otlp` if "
            "an endpoint is set, else `none`."
        ),
    )
    otel_sdk_disabled: bool = Field(False, description="Whether traces are off.")
