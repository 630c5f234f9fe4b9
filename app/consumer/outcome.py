"""The outcome of a delivery, and the representation of its image afterwards."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import StrEnum

from ..domain.ports import Binarized
from ..domain.representation import Failure, Image, ImageStatus, Original, Processed, now
from ..errors import PipelineError
from ..images.metadata import original_href, processed_href


class Outcome(StrEnum):
    """The outcome of one delivery."""

    PROCESSED = "processed"
    FAILED = "failed"
    ANNOUNCED_AGAIN = "announced-again"
    #: The message becomes visible again after a delay.
    RETRIED = "retried"
    #: The failure is recorded, and SQS moves the message to the dead-letter queue.
    GIVEN_UP = "given-up"
    #: The owner has deleted the image; nothing is announced.
    DELETED = "deleted"
    #: The visibility timeout has passed; another worker may have the message.
    LEASE_LOST = "lease-lost"


@dataclass(frozen=True)
class Ending:
    """The outcome of one delivery; for RETRIED with the delay before the next attempt."""

    outcome: Outcome
    delay_s: int = 0
    #: Whether S3 or SQS failed, rather than the image or this program.
    is_outage: bool = False


def as_failed(image: Image, error: PipelineError) -> Image:
    """The failed *image*, with *error* as its cause."""
    outcome = {
        "status": ImageStatus.FAILED,
        "processed_at": now(),
        "error": Failure(code=error.code, detail=error.detail),
    }
    return image.model_copy(update=outcome)


def as_processed(image: Image, data: bytes, page: Binarized) -> Image:
    """The processed *image*, whose original *data* became *page*."""
    outcome = {
        "status": ImageStatus.PROCESSED,
        "method": page.method,
        "parameters": page.parameters,
        "processed_at": now(),
        "original": _original(image, data, page),
        "processed": _processed(image, page),
        "ignored": page.ignored,
        "page": page.page,
    }
    return image.model_copy(update=outcome)


def _original(image: Image, data: bytes, page: Binarized) -> Original:
    return Original(
        href=original_href(image.image_id),
        filename=image.original.filename if image.original else None,
        size_bytes=len(data),
        width=page.width,
        height=page.height,
        dpi=page.dpi,
        sha256=hashlib.sha256(data).hexdigest(),
    )


def _processed(image: Image, page: Binarized) -> Processed:
    return Processed(
        href=processed_href(image.image_id),
        size_bytes=len(page.png),
        width=page.width,
        height=page.height,
        dpi=page.dpi,
        sha256=hashlib.sha256(page.png).hexdigest(),
        threshold=page.threshold,
        black_ratio=page.black_ratio,
        processing_ms=page.processing_ms,
    )
