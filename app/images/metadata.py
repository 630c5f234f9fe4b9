"""Convert between an image and the S3 metadata of its objects.

Metadata has ASCII values under names such as "section-field"; unknown fields are left out.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import quote, unquote
from uuid import UUID

from ..domain.filenames import clean_filename
from ..domain.ports import StoredObject
from ..domain.representation import Image, ImageStatus
from .ownership import as_metadata, owner_of

#: S3 limits the metadata of an object to 2 KB, names and values together.
#: https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingMetadata.html
MAX_METADATA_BYTES: Final = 2048
#: The fields to drop, in this order, when a long key leaves too few bytes.
_LEAST_NEEDED: Final = (
    "original-filename",
    "processed-processing-ms",
    "processed-black-ratio",
    "processed-threshold",
    "original-dpi",
    "processed-dpi",
    "page",
)
_SECTIONS: Final = ("original", "processed")
_NOT_METADATA: Final = {
    "image_id", "status", "expires_at", "error", "parameters", "ignored", "page", *_SECTIONS
}  # fmt: skip


def original_href(image_id: UUID) -> str:
    return f"/images/{image_id}/original"


def processed_href(image_id: UUID) -> str:
    return f"/images/{image_id}/processed"


def filename_of(stored: StoredObject) -> str | None:
    """The client's name of the original file, from the metadata of the original or the result."""
    # Cleaned again, since other producers and earlier versions also write this field.
    return clean_filename(unquote(stored.metadata.get("original-filename", "")))


def to_metadata(image: Image, key: str | None = None) -> dict[str, str]:
    """The fields of *image* as metadata; *key* is its original's unless that is the usual key."""
    content = image.model_dump(mode="json", by_alias=True)
    flat = {name: value for name, value in content.items() if name not in _NOT_METADATA}
    for section in _SECTIONS:
        about = content[section] or {}
        flat |= {f"{section}-{name}": about[name] for name in about if name != "href"}
    flat["parameters"] = json.dumps(image.parameters, separators=(",", ":"))
    flat["page"] = image.page.to_json() if image.page else None
    name = clean_filename(flat.get("original-filename") or "")
    flat["original-filename"] = quote(name, safe="") if name else None
    known = {k.replace("_", "-"): str(v) for k, v in flat.items() if v is not None}
    fitting = _fitted_to_limit(known | as_metadata(key=key, owner=image.owner))
    return _with_ignored(fitting, image.ignored)


def _fitted_to_limit(metadata: dict[str, str]) -> dict[str, str]:
    for name in _LEAST_NEEDED:
        if _size(metadata) <= MAX_METADATA_BYTES:
            break
        metadata.pop(name, None)
    return metadata


def _with_ignored(metadata: dict[str, str], lines: Sequence[str]) -> dict[str, str]:
    """*metadata* with as many of *lines* as fit into 2 KB, and "and more" if some do not."""
    for count in range(len(lines), 0, -1):
        kept = [*lines[:count], *(["and more"] if count < len(lines) else [])]
        complete = metadata | {"ignored": json.dumps(kept, separators=(",", ":"))}
        if _size(complete) <= MAX_METADATA_BYTES:
            return complete
    return metadata


def _size(metadata: Mapping[str, str]) -> int:
    return sum(len(name) + len(value) for name, value in metadata.items())


def from_metadata(image_id: UUID, stored: StoredObject, status: ImageStatus) -> Image:
    """The image that *stored* holds, with the fields of its metadata."""
    # Other producers may use the same names with another meaning. If the metadata is not valid,
    # only the owner is kept.
    owned = {"owner": owner} if (owner := owner_of(stored)) else {}
    for metadata in (stored.metadata, owned):
        try:
            return _read(image_id, stored, metadata, status)
        except (ValueError, RecursionError):
            continue
    return _read(image_id, stored, {}, status)


def _read(
    image_id: UUID, stored: StoredObject, metadata: Mapping[str, str], status: ImageStatus
) -> Image:
    flat: dict[str, Any] = {k.replace("-", "_"): v for k, v in metadata.items()}
    original = _section(flat, "original") | {"href": original_href(image_id)}
    original["filename"] = filename_of(stored)
    if status is ImageStatus.QUEUED:
        original["bytes"] = stored.size_bytes
    processed = {"bytes": stored.size_bytes} | _section(flat, "processed")
    processed["href"] = processed_href(image_id)
    content = flat | {
        "image_id": image_id,
        "status": status,
        "parameters": json.loads(flat.get("parameters", "{}")),
        "ignored": json.loads(flat.get("ignored", "[]")),
        "page": json.loads(flat.get("page", "null")) if status is ImageStatus.PROCESSED else None,
        "expires_at": stored.expires_at,
        "original": original,
        "processed": processed if status is ImageStatus.PROCESSED else None,
        "error": None,
    }
    return Image.model_validate(content)


def _section(flat: Mapping[str, Any], section: str) -> dict[str, Any]:
    prefix = section + "_"
    return {k.removeprefix(prefix): v for k, v in flat.items() if k.startswith(prefix)}
