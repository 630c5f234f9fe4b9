"""Decide from the head of a request whether to read its body: token, rate limit, size, backlog.

The gate never blocks, so the server can ask it before it reads a body.
Every path that is not listed as public needs a token.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Final

from ..access.rate_limit import Limiter, Quota
from ..access.tokens import Tokens
from ..errors import (
    ContentCodingError,
    FileTooLargeError,
    PipelineError,
    RateLimitedError,
    UnauthorizedError,
)
from ..settings import MULTIPART_OVERHEAD_BYTES, Settings

#: The WSGI environment key of a request's Pass.
ENVIRON_KEY: Final = "image_pipeline.pass"
#: The WSGI environment key of a function that reserves bytes for a response or raises BusyError.
RESERVE_KEY: Final = "image_pipeline.reserve"
UPLOAD_PATH: Final = "/upload"
_PROBES: Final = frozenset(("/healthz", "/readyz"))
_PUBLIC: Final = _PROBES | {
    "/",
    "/status",
    "/service",
    "/openapi.json",
    "/docs",
    "/robots.txt",
    "/favicon.ico",
    "/sw.js",
}
_PUBLIC_FOLDER: Final = "/static/"


@dataclass(frozen=True)
class Head:
    """The head of a request. *headers* have their WSGI names without the prefix HTTP_."""

    method: str
    path: str
    headers: Mapping[str, str]
    peer: str

    @property
    def is_upload(self) -> bool:
        return self.path == UPLOAD_PATH and self.method == "POST"

    @property
    def is_probe(self) -> bool:
        """Whether the request asks for the health of the process."""
        return self.path in _PROBES


@dataclass(frozen=True)
class Pass:
    """The gate's decision on one request, which is admitted unless *refusal* is set."""

    path: str
    body_limit_bytes: int
    owner: str | None = None
    quota: Quota | None = None
    refusal: PipelineError | None = None


class Gate:
    """Admits or refuses requests. Thread-safe.

    *check_queue_depth* raises QueueFullError while too many images wait; it must not block.
    """

    def __init__(self, settings: Settings, check_queue_depth: Callable[[], None]) -> None:
        self.tokens = Tokens(settings.api_tokens, settings.api_tokens_file)
        self._check_queue_depth = check_queue_depth
        self._max_upload_bytes = settings.max_upload_bytes
        self._hops = settings.trusted_proxy_hops
        self._limiter = Limiter(settings.rate) if settings.rate else None

    def admit(self, head: Head) -> Pass:
        """The decision on *head*; raises nothing. A refused upload still counts in the quota."""
        owner, quota = None, None
        refusal: PipelineError | None = None
        try:
            owner = self._authenticate(head)
            if head.is_upload and self._limiter:
                is_within, quota = self._limiter.take(self._key(head, owner))
                self._check_rate(quota, is_within=is_within)
            self._check_size(head)
            _check_coding(head)
            if head.is_upload:
                self._check_queue_depth()
        except PipelineError as error:
            refusal = error
        return Pass(head.path, self.body_limit_bytes(head), owner, quota, refusal)

    @property
    def max_body_bytes(self) -> int:
        return MULTIPART_OVERHEAD_BYTES + self._max_upload_bytes

    def body_limit_bytes(self, head: Head) -> int:
        """The largest body that the request may have; only an upload may carry a file."""
        return self.max_body_bytes if head.is_upload else MULTIPART_OVERHEAD_BYTES

    def too_large(self, actual: int | None = None) -> FileTooLargeError:
        """The error for a body over the limit; *actual* is its size in bytes, if known."""
        limit = self._max_upload_bytes
        said = "The body is over the limit" if actual is None else f"The body has {actual} bytes"
        facts = {} if actual is None else {"actual": actual}
        return FileTooLargeError(f"{said}; a file may have {limit}.", limit=limit, **facts)

    def _authenticate(self, head: Head) -> str | None:
        if not self.tokens.are_required or _is_public(head):
            return None
        scheme, _, token = head.headers.get("AUTHORIZATION", "").partition(" ")
        owner = self.tokens.owner_of(token.strip()) if scheme.lower() == "bearer" else None
        if owner is None:
            raise UnauthorizedError("Send the header Authorization: Bearer and a valid token.")
        return owner

    @staticmethod
    def _check_rate(quota: Quota, *, is_within: bool) -> None:
        if not is_within:
            raise RateLimitedError(
                f"More than {quota.limit} uploads in {quota.window_s} s; "
                f"try again in {quota.reset_s} s.",
                limit=quota.limit,
                retry_after_s=quota.reset_s,
            )

    def client_of(self, head: Head) -> str:
        """The client's address as the outermost trusted proxy saw it."""
        return client_address(head.peer, head.headers.get("X_FORWARDED_FOR", ""), self._hops)

    def _key(self, head: Head, owner: str | None) -> str:
        return f"token {owner}" if owner else self.client_of(head)

    def _check_size(self, head: Head) -> None:
        length = head.headers.get("CONTENT_LENGTH", "")
        if length.isdecimal() and int(length[:20]) > self.body_limit_bytes(head):
            raise self.too_large(int(length[:20]))


def client_address(peer: str, forwarded_for: str, hops: int) -> str:
    """The client's address as the outermost of *hops* trusted proxies saw it.

    Each proxy appends its caller's address at the right; the client may have forged every entry
    further left. An IPv6 host has 2**64 addresses, so its /64 network is returned instead.
    """
    chain = [part.strip() for part in forwarded_for.split(",")]
    claimed = chain[-hops] if 0 < hops <= len(chain) else peer
    try:
        address = ip_address(_without_port(claimed))
    except ValueError:
        return peer
    if isinstance(address, IPv6Address):
        return str(address.ipv4_mapped or ip_network((address, 64), strict=False))
    return str(address)


def _check_coding(head: Head) -> None:
    coding = head.headers.get("CONTENT_ENCODING", "").strip()
    if coding.lower() not in ("", "identity"):
        raise ContentCodingError(
            f"The body has the Content-Encoding {coding[:40]}; send the PNG as it is."
        )


def _without_port(address: str) -> str:
    if address.startswith("["):
        return address[1:].partition("]")[0]
    return address.partition(":")[0] if address.count(":") == 1 else address


def _is_public(head: Head) -> bool:
    # Browsers send no credentials with a CORS preflight (Fetch, section 4.8).
    is_preflight = head.method == "OPTIONS"
    return is_preflight or head.path in _PUBLIC or head.path.startswith(_PUBLIC_FOLDER)
