"""Accept a checked upload: store the original, then send its job."""

from __future__ import annotations

from dataclasses import replace

from ..domain.ports import Message
from ..domain.representation import Image, ImageStatus
from ..errors import IdempotencyKeyReusedError, ImageDeletedError
from ..observability import logs, tracing
from . import uploads
from .services import services
from .uploads import Upload

logger = logs.get_logger(__name__)


def accept(sent: Upload) -> tuple[Image, bool]:
    """The accepted image, and whether it is a replay of an earlier upload.

    Stores before it sends: a crash in between leaves an object without a message, never the
    reverse.
    """
    services().backlogs.check_room(sent.image)
    image = services().store.put_original(sent.image, sent.data)
    is_replay = image is None
    if image is None:
        image = _known(sent.image)
    if image.status is ImageStatus.QUEUED:
        # A replay sends too: the first request may have crashed between storing and sending.
        _send(services().store.job_message(image))
        services().backlogs.add(image)
    event = "image replayed" if is_replay else "image queued"
    logger.info(event, bytes=len(sent.data), image_method=image.method)
    services().counted.uploaded(len(sent.data), is_replay=is_replay)
    return image, is_replay


def _send(message: Message) -> None:
    jobs = services().jobs
    with tracing.sending(jobs.name) as attributes:
        jobs.send(replace(message, attributes=attributes))


def _known(image: Image) -> Image:
    """The stored image that *image* repeats, in its present state."""
    try:
        known = services().store.find_upload(image.image_id)
        if uploads.is_same_request(image, known):
            return services().store.find(image.image_id)
    except ImageDeletedError:
        raise IdempotencyKeyReusedError(
            "The image that was sent under this Idempotency-Key was deleted; use another key."
        ) from None
    raise IdempotencyKeyReusedError(
        "Another file, or the same one with another method or group, was sent under this "
        "Idempotency-Key; use another key."
    )
