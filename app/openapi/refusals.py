"""The errors that each operation of the API can return."""

from __future__ import annotations

from typing import Final

from .. import errors
from .parts import Refusal

_Refusals = tuple[Refusal, ...]

ALWAYS: Final[_Refusals] = (
    errors.BadRequestError,
    errors.TooManyConnectionsError,
    errors.HeadTooLargeError,
    errors.InternalError,
)
#: The errors of each operation, in addition to ALWAYS.
UPLOAD: Final[_Refusals] = (
    errors.MalformedMultipartError,
    errors.MissingImageError,
    errors.MultipleImagesError,
    errors.EmptyImageError,
    errors.FileTooLargeError,
    errors.NotAPngError,
    errors.ContentCodingError,
    errors.CorruptPngError,
    errors.UnsupportedPngError,
    errors.TooManyPixelsError,
    errors.InvalidParameterError,
    errors.IdempotencyKeyReusedError,
    errors.RateLimitedError,
    errors.StorageUnavailableError,
    errors.QueueUnavailableError,
    errors.QueueFullError,
    errors.GroupFullError,
    errors.OwnerFullError,
    errors.BusyError,
)
STORED: Final[_Refusals] = (errors.NotFoundError, errors.StorageUnavailableError)
FILE: Final[_Refusals] = (*STORED, errors.RangeNotSatisfiableError, errors.BusyError)
RESULT: Final[_Refusals] = (*FILE, errors.NotReadyError, errors.ProcessingFailedError)
PROBES: Final[_Refusals] = (errors.StorageUnavailableError, errors.QueueUnavailableError)
#: Errors of the server itself, and of paths and methods outside the API, such as the pages' forms.
_ELSEWHERE: Final[_Refusals] = (
    errors.MethodNotAllowedError,
    errors.TargetTooLongError,
    errors.TransferCodingError,
    errors.CrossSiteError,
)


def documented_errors() -> set[str]:
    """The error codes in the document, and those of requests that it does not describe."""
    known: _Refusals = (*ALWAYS, *UPLOAD, *RESULT, *PROBES, *_ELSEWHERE, errors.UnauthorizedError)
    return {error.code for error in known}
