"""The S3 keys of an image's objects, and the image that a key belongs to."""

from __future__ import annotations

import posixpath
import re
import unicodedata
from typing import Final
from urllib.parse import unquote_plus
from uuid import UUID

FAILURES: Final = "failures/"
#: https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html
MAX_KEY_BYTES: Final = 1024
#: The key of an original stored by the API; the id may be in upper or lower case.
_ID_KEY: Final = re.compile(r"([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\.png", re.IGNORECASE)


def fits_s3(key: str) -> bool:
    """Whether *key* is short enough for S3, which answers a longer key like an outage."""
    return 1 <= len(key.encode(errors="replace")) <= MAX_KEY_BYTES


def original_key(image_id: UUID) -> str:
    return f"{image_id}.png"


def processed_key(image_id: UUID) -> str:
    return f"{image_id}.png"


def failure_key(image_id: UUID) -> str:
    return f"{FAILURES}{image_id}.json"


def aside_key(image_id: UUID, digest: str) -> str:
    """The key of the failure record of a message that has no claim to the image it names."""
    return f"{FAILURES}{image_id}/{digest}.json"


def image_of_key(key: str) -> UUID | None:
    """The image whose id *key* spells, or None; reads no metadata."""
    # Some S3 implementations resolve `x/../KEY`, `/KEY` and `KEY/` to KEY.
    found = _ID_KEY.fullmatch(posixpath.normpath(f"/{key}").strip("/"))
    return UUID(found[1]) if found else None


def spellings(key: str, image_id: UUID) -> tuple[str, ...]:
    """*key* and its other spellings: percent-decoded, Unicode-normalised, the id in lower case."""
    own = original_key(image_id) if image_of_key(key) == image_id else key
    decoded = unquote_plus(key, errors="strict") if _is_encoded(key) else key
    forms = [unicodedata.normalize(form, decoded) for form in ("NFC", "NFD")]
    # Unicode decomposition can turn a character of two bytes into six.
    return tuple(form for form in dict.fromkeys((key, own, decoded, *forms)) if fits_s3(form))


def _is_encoded(key: str) -> bool:
    try:
        return unquote_plus(key, errors="strict") not in ("", key)
    except UnicodeDecodeError:
        return False


def names_another(key: str, image_id: UUID) -> bool:
    """Whether any spelling of *key* belongs to an image other than *image_id*."""
    return any(image_of_key(k) not in (None, image_id) for k in spellings(key, image_id))
