"""Say how a delivery ended, and what is known of its image then."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import StrEnum

from ..domain.ports import Binarized
from ..domain.representation import Failure, Image, ImageStatus, Original, Processed, now
from ..errors import PipelineError
from ..images.metadata import original_href, processed_href


class Outcome(StrEnum):
    """How one delivery ended."""

    PROCESSED = "processed"
    FAILED = "failed"
    ANNOUNCED_AGAIN = "announced-again"
    #: To be seen again after a while.
    RETRIED = "retried"
    #: Recorded as failed and left to the dead-letter queue.
    GIVEN_UP = "given-up"
    #: Its sender has erased the image; there is nothing to say.
    DELETED = "deleted"
    #: Somebody else has it by now.
    LEASE_LOST = "lease-lost"


@dataclass(frozen=True)
class Ending:
    """How one delivery ended, and for RETRIED in how many seconds it is to be seen again."""

    outcome: Outcome
    delay_s: int = 0
    #: It was S3 or SQS that failed, not the image and not we.
    is_outage: bool = False


def as_failed(image: Image, error: PipelineError) -> Image:
    """*image* as it is known once *error* has ended it."""
    outcome = {
        "status": ImageStatus.FAILED,
        "processed_at": now(),
        "error": Failure(code=error.code, detail=error.detail),
    }
    return image.model_copy(update=outcome)


def as_processed(image: Image, data: bytes, page: Binarized) -> Image:
    """*image* as it is known once its original *data* has become *page*."""
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
