"""Find the images of whoever asks; another's image looks as if it had never been there."""

from __future__ import annotations

import time
from dataclasses import dataclass
from uuid import UUID

from flask import request

from ..domain.representation import Image, ImageStatus
from ..errors import ImageDeletedError, unknown_image
from . import request_context, uploads
from .services import services


@dataclass(frozen=True)
class Waited:
    """An image, and the wait that its client preferred and got."""

    image: Image
    #: As in `Prefer: wait=N`; None where nobody waited.
    granted_s: int | None = None

    @property
    def headers(self) -> dict[str, str]:
        """Say that the preference was applied (RFC 7240, section 3)."""
        if self.granted_s is None:
            return {}
        return {"Preference-Applied": f"wait={self.granted_s}"}

    @property
    def was_granted(self) -> bool:
        return self.granted_s is not None

    @property
    def is_finished(self) -> bool:
        return self.image.status is not ImageStatus.QUEUED


def find(image_id: UUID) -> Image:
    """The image in its present state.

    Raises:
        NotFoundError: there is none, or it is another's.
        ImageDeletedError: it was deleted.
    """
    store = services().store
    try:
        image = store.find(image_id)
    except ImageDeletedError:
        if services().gate.tokens.are_required:
            store.find_in_vain(image_id, None)
        raise
    if not is_mine(image.owner):
        store.find_in_vain(image_id, image.status)
        raise unknown_image(image_id)
    return image


def find_if_owned(image_id: UUID) -> None:
    """Raise as `find` where images have owners: not even the state of another's may show."""
    if services().gate.tokens.are_required:
        find(image_id)


def check_owner(owner: str | None, image_id: UUID) -> None:
    """Raise as for an image that never was, unless *owner* is who asks."""
    if not is_mine(owner):
        raise unknown_image(image_id)


def is_mine(owner: str | None) -> bool:
    """Whether who asks may see and erase what belongs to *owner*."""
    return not services().gate.tokens.are_required or owner == request_context.current().owner


def wait_for(image: Image) -> Waited:
    """*image* as it is, or once it is finished if the client prefers to wait and may."""
    wait_s = uploads.wait_asked_s(request)
    if wait_s is None:
        return Waited(image)
    began_at = time.monotonic()
    found = services().waits.wait(
        lambda: services().store.find(image.image_id),
        lambda found: found.status is not ImageStatus.QUEUED,
        wait_s,
    )
    request_context.current().waited_s = time.monotonic() - began_at
    return Waited(image) if found is None else Waited(found, wait_s)
