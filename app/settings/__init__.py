"""The settings, read from the environment and checked once at start.

A wrong value prevents the start; the error names all wrong values at once. docs/settings.md lists
the names, units and bounds, and a test compares it.
"""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Iterable
from ipaddress import ip_address
from typing import Final, Self

from pydantic import SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from ..access.tokens import parse_tokens
from ..domain.rates import Rate
from ..errors import SettingsError
from ..png.limits import PngLimits
from . import faults
from .fields import Fields

#: RFC 6454, section 6.2.
_ORIGIN: Final = re.compile(r"https?://[a-z0-9.-]+(:\d{1,5})?")
#: Bytes allowed for the boundary, the part headers and the other fields around the file.
MULTIPART_OVERHEAD_BYTES: Final = 64 * 1024
#: A quarter of the memory of the smallest container in deploy/; the threads' copies of uploads
#: take another half.
_MIN_BUFFERED_BYTES: Final = 256 * 1024 * 1024
_RATE_BEYOND_LOOPBACK: Final = Rate(600, 60)
_OF_SCRIPTS: Final = frozenset(
    ("PYTHON", "LOCALSTACK_PORT", "LOCALSTACK_DOCKER", "PROMETHEUS_PORT", "GRAFANA_PORT")
)


class Settings(Fields):
    """All settings; the defaults suit a single machine, so that none is required."""

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
        """The maximum bytes of unsent responses and incoming bodies in this process."""
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
        """Whether the web server serves /metrics: only while no other machine can reach it."""
        # A proxy on this machine forwards requests of other machines.
        is_private = is_loopback(self.host) and self.trusted_proxy_hops == 0
        return self.metrics_port is None and is_private

    @property
    def allowed_origins(self) -> list[str]:
        return _words(self.cors_origins)

    @property
    def worker_threads(self) -> int:
        """Images in progress at once: enough to keep the CPUs busy while others wait for AWS."""
        return self.worker_concurrency or 6 * usable_cpus()

    @model_validator(mode="after")
    def _lease_outlives_poll(self) -> Self:
        # A lease begins when the poll is sent, so it must outlast the poll.
        if self.visibility_timeout_s <= self.poll_wait_s:
            raise ValueError(
                f"VISIBILITY_TIMEOUT_S ({self.visibility_timeout_s} s) must be over POLL_WAIT_S "
                f"({self.poll_wait_s} s)"
            )
        return self

    @classmethod
    def from_env(cls) -> Self:
        """The settings in the environment, checked.

        Raises:
            SettingsError: one or more values are wrong; the message names them all.
        """
        try:
            return cls()
        except ValidationError as exc:
            found = [faults.sentence(error, cls.model_fields) for error in exc.errors()]
            raise SettingsError("; ".join(found)) from None

    @property
    def trace_exporter(self) -> str | None:
        """The exporter of traces; None, the default, when traces are off."""
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
    """The settings of `./alvura upload`."""

    model_config = SettingsConfigDict(env_ignore_empty=True)

    alvura_url: str | None = None
    #: Earlier names of `ALVURA_URL`.
    app_url: str | None = None
    image_pipeline_url: str | None = None
    port: str = "5000"
    image_pipeline_token: SecretStr | None = None
    #: The variables that .env sets, from scripts/common.sh.
    dotenv_names: str = ""

    @property
    def url(self) -> str:
        given = self.alvura_url or self.app_url or self.image_pipeline_url
        return given or f"http://127.0.0.1:{self.port}"

    @property
    def old_name(self) -> str | None:
        """The earlier name by which the URL is set."""
        if self.alvura_url:
            return None
        return "APP_URL" if self.app_url else self.image_pipeline_url and "IMAGE_PIPELINE_URL"

    @property
    def token(self) -> str | None:
        secret = self.image_pipeline_token
        return secret.get_secret_value() if secret else None


def is_loopback(host: str) -> bool:
    """Whether every address of *host* is a loopback address."""
    if host == "*":
        return False
    try:
        found = socket.getaddrinfo(host.strip("[]"), None)
    except OSError:
        return True  # an unknown host; the server reports it when it tries to listen
    return all(ip_address(str(place[4][0]).partition("%")[0]).is_loopback for place in found)


def _words(text: str | None) -> list[str]:
    return [word.strip() for word in (text or "").split(",") if word.strip()]


def usable_cpus() -> int:
    """The number of CPUs that this process may use, which can be fewer than the machine has."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on Linux
        return os.cpu_count() or 1


def misspelt(names: Iterable[str]) -> dict[str, str]:
    """The misspelt *names*, each with the name of the setting that it resembles."""
    fields = (*Settings.model_fields, *ClientSettings.model_fields)
    known = {field.upper() for field in fields} | _OF_SCRIPTS
    return faults.misspelt(frozenset(names) - known, known)
