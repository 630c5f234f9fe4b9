"""Say under which key an object lies, and which image a key belongs to."""

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
#: The key of an original that the API has stored, in whatever case its id is written.
_ID_KEY: Final = re.compile(r"([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\.png", re.IGNORECASE)


def fits_s3(key: str) -> bool:
    """Whether there can be an object under *key*; S3 answers a longer one as if it were ill."""
    return 1 <= len(key.encode(errors="replace")) <= MAX_KEY_BYTES


def original_key(image_id: UUID) -> str:
    return f"{image_id}.png"


def processed_key(image_id: UUID) -> str:
    return f"{image_id}.png"


def failure_key(image_id: UUID) -> str:
    return f"{FAILURES}{image_id}.json"


def aside_key(image_id: UUID, digest: str) -> str:
    """Of the record of a message that had no right to the image it names."""
    return f"{FAILURES}{image_id}/{digest}.json"


def image_of_key(key: str) -> UUID | None:
    """The image that an object under *key* belongs to by its name alone."""
    # Some take `x/../KEY`, `/KEY` and `KEY/` for KEY.
    found = _ID_KEY.fullmatch(posixpath.normpath(f"/{key}").strip("/"))
    return UUID(found[1]) if found else None


def spellings(key: str, image_id: UUID) -> tuple[str, ...]:
    """*key* and what it may mean besides: percent-encoded, composed or not, an id in capitals."""
    own = original_key(image_id) if image_of_key(key) == image_id else key
    decoded = unquote_plus(key, errors="strict") if _is_encoded(key) else key
    forms = [unicodedata.normalize(form, decoded) for form in ("NFC", "NFD")]
    # Taken apart, a character of two bytes can have six.
    return tuple(form for form in dict.fromkeys((key, own, decoded, *forms)) if fits_s3(form))


def _is_encoded(key: str) -> bool:
    try:
        return unquote_plus(key, errors="strict") not in ("", key)
    except UnicodeDecodeError:
        return False


def names_another(key: str, image_id: UUID) -> bool:
    """Whether *key*, however it is read, is that of another image."""
    return any(image_of_key(k) not in (None, image_id) for k in spellings(key, image_id))
