"""Find the images of the requesting owner; another owner's image looks as if it never existed."""

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
    """An image, and the wait that its client asked for and was granted."""

    image: Image
    #: N of `Prefer: wait=N`; None if the client did not wait.
    granted_s: int | None = None

    @property
    def headers(self) -> dict[str, str]:
        """Preference-Applied, if the client waited (RFC 7240, section 3)."""
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
        NotFoundError: it does not exist, or it belongs to another owner.
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
    """Raise as `find` if images have owners: not even the state of another's image may show."""
    if services().gate.tokens.are_required:
        find(image_id)


def check_owner(owner: str | None, image_id: UUID) -> None:
    """Raise NotFoundError, as for an unknown image, unless the request comes from *owner*."""
    if not is_mine(owner):
        raise unknown_image(image_id)


def is_mine(owner: str | None) -> bool:
    """Whether the request may read and delete images of *owner*."""
    return not services().gate.tokens.are_required or owner == request_context.current().owner


def wait_for(image: Image) -> Waited:
    """*image* as it is, or once it is finished if the client asked to wait and was granted it."""
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
