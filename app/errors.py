"""Name each thing that can go wrong; the base class says whether to try again."""

from __future__ import annotations

from typing import ClassVar

JsonValue = str | int | float | bool | None


class PipelineError(Exception):
    """Base of every error raised on purpose.

    *detail* is shown to clients, so it says what, which and the limit, and
    nothing private. *facts* are the same numbers for machines: they become
    members of the problem document (RFC 9457, section 3.2).
    """

    code: ClassVar[str]
    title: ClassVar[str]
    status: ClassVar[int]
    #: Whether the same request can succeed later without being changed.
    is_transient: ClassVar[bool]

    def __init__(self, detail: str, **facts: JsonValue) -> None:
        super().__init__(detail)
        self.detail = detail
        self.facts = facts

    def to_problem(self) -> dict[str, JsonValue]:
        """The problem document of RFC 9457; *code* is the part to program against."""
        return {
            "type": f"urn:image-pipeline:problem:{self.code}",
            "title": self.title,
            "status": self.status,
            "code": self.code,
            "detail": self.detail,
            **self.facts,
        }


class PermanentError(PipelineError):
    """Trying again with the same input gives the same answer."""

    is_transient = False


class TransientError(PipelineError):
    """The same input can succeed later: back off and try again."""

    is_transient = True


# --- the request ---------------------------------------------------------------


class BadRequestError(PermanentError):
    """The request breaks HTTP in a way that no other code names."""

    code, title, status = "bad-request", "The request is not valid", 400


class MethodNotAllowedError(PermanentError):
    """The path exists, for other methods."""

    code, title, status = "method-not-allowed", "The method is not allowed here", 405


class TargetTooLongError(PermanentError):
    """The request target is over the limit (RFC 9110, section 15.5.15)."""

    code, title, status = "target-too-long", "The request target is too long", 414


class HeadTooLargeError(PermanentError):
    """The head of the request has too many bytes or fields (RFC 6585, section 5)."""

    code, title, status = "head-too-large", "The head of the request is too large", 431


class ContentCodingError(PermanentError):
    """The body is compressed (Content-Encoding)."""

    code, title, status = "unsupported-content-coding", "The content coding is unknown", 415


class TransferCodingError(PermanentError):
    """A Transfer-Encoding other than chunked (RFC 9112, section 6.1)."""

    code, title, status = "unsupported-transfer-coding", "The transfer coding is unknown", 501


class RangeNotSatisfiableError(PermanentError):
    """The bytes asked for lie outside the file."""

    code, title, status = "range-not-satisfiable", "The range is outside the file", 416


class MalformedMultipartError(PermanentError):
    """The body is not multipart/form-data, or it breaks off."""

    code, title, status = "malformed-multipart", "Malformed multipart body", 400


class MissingImageError(PermanentError):
    """No part is named `image`."""

    code, title, status = "missing-image", "No image was sent", 400


class MultipleImagesError(PermanentError):
    """More than one part is named `image`."""

    code, title, status = "multiple-images", "More than one image was sent", 400


class EmptyImageError(PermanentError):
    """The image part holds no byte."""

    code, title, status = "empty-image", "The image is empty", 400


class UnauthorizedError(PermanentError):
    """No bearer token, or none that we know (RFC 6750)."""

    code, title, status = "unauthorized", "A valid token is needed", 401


class CrossSiteError(PermanentError):
    """A form that only our own pages may send comes from somewhere else."""

    code, title, status = "cross-site", "The form comes from another site", 403


class FileTooLargeError(PermanentError):
    """The file is over the limit in bytes."""

    code, title, status = "file-too-large", "The file is too large", 413


class InvalidParameterError(PermanentError):
    """A field or header is unknown or out of range."""

    code, title, status = "invalid-parameter", "A parameter is not valid", 422


class IdempotencyKeyReusedError(PermanentError):
    """The Idempotency-Key belongs to another request, or to an image that was deleted."""

    code, title, status = "idempotency-key-reused", "The idempotency key was used before", 422


class RateLimitedError(TransientError):
    """More uploads than one token or address may send (RFC 6585, section 4)."""

    code, title, status = "rate-limited", "Too many uploads", 429


# --- the image -----------------------------------------------------------------


class NotAPngError(PermanentError):
    """The first eight bytes are not the PNG signature."""

    code, title, status = "not-a-png", "The file is not a PNG", 415


class CorruptPngError(PermanentError):
    """The file claims to be a PNG and breaks the PNG specification."""

    code, title, status = "corrupt-png", "The PNG is damaged", 422


class UnsupportedPngError(PermanentError):
    """A PNG of a kind that is refused on purpose."""

    code, title, status = "unsupported-png", "This kind of PNG is not supported", 422


class TooManyPixelsError(PermanentError):
    """Width, height or their product is over the limit."""

    code, title, status = "too-many-pixels", "The image has too many pixels", 422


# --- the pipeline --------------------------------------------------------------


class NotFoundError(PermanentError):
    """Unknown, deleted or expired: nobody can tell these apart."""

    code, title, status = "not-found", "Not found", 404


class ImageDeletedError(PermanentError):
    """Its sender has erased it. Over HTTP nobody can tell that from `not-found`."""

    code, title, status = "deleted", "The image was deleted", 404

    def __init__(self, image_id: object, owner: str | None = None) -> None:
        super().__init__(f"Image {image_id} was deleted.")
        self.image_id = image_id
        self.owner = owner


def unknown_image(image_id: object) -> NotFoundError:
    """What is said of an image that is unknown, deleted, expired or somebody else's."""
    return NotFoundError(f"There is no image {image_id}; it is unknown, deleted or expired.")


class NotReadyError(TransientError):
    """The result is asked for before it exists."""

    code, title, status = "not-ready", "The image is not ready yet", 409


class ProcessingFailedError(PermanentError):
    """The result is asked for and will never exist."""

    code, title, status = "processing-failed", "The image could not be processed", 409


class InvalidMessageError(PermanentError):
    """A message on the input queue is not one of ours."""

    code, title, status = "invalid-message", "The message is not valid", 422


class OriginalMissingError(PermanentError):
    """The object that a message names is not in the bucket."""

    code, title, status = "original-missing", "The original is missing", 404


class ForeignOriginalError(PermanentError):
    """A message names an object of another image, or of an owner that it does not claim."""

    code, title, status = "foreign-original", "The original is somebody else's", 403


class ImageIdTakenError(PermanentError):
    """A message names an image that has another original, or another owner."""

    code, title, status = "image-id-taken", "The image id belongs to another original", 409


class ProcessingCrashedError(PermanentError):
    """The image ended the process that worked on it, or used up its memory."""

    code, title, status = "processing-crashed", "The image cannot be processed safely", 422


class TooExpensiveError(PermanentError):
    """The image took more CPU time than any image may."""

    code, title, status = "too-expensive", "The image takes too long to process", 422


class LeaseLostError(TransientError):
    """The message is no longer ours: its visibility timeout has ended."""

    code, title, status = "lease-lost", "Another worker has the message", 503


class UnavailableError(TransientError):
    """What we depend on refused or did not answer.

    *detail* is for clients, as everywhere. *reason* is for operators, names the resource, the
    endpoint and the cause, and is what str() gives.
    """

    def __init__(self, detail: str, *, reason: str = "", **facts: JsonValue) -> None:
        super().__init__(detail, **facts)
        self.args = (reason or detail,)


class StorageUnavailableError(UnavailableError):
    """S3 refused or did not answer."""

    code, title, status = "storage-unavailable", "Storage is unavailable", 503


class QueueUnavailableError(UnavailableError):
    """SQS refused or did not answer."""

    code, title, status = "queue-unavailable", "The queue is unavailable", 503


class BusyError(TransientError):
    """So many bytes wait for slow clients that there is no room for another transfer."""

    code, title, status = "busy", "Too many transfers are waiting", 503


class TooManyConnectionsError(TransientError):
    """One client has too many requests in progress (RFC 6585, section 4)."""

    code, title, status = "too-many-connections", "Too many requests at the same time", 429


class QueueFullError(TransientError):
    """So many images wait that another one would wait too long."""

    code, title, status = "queue-full", "Too many images are waiting", 503


class InternalError(TransientError):
    """A fault of ours; the log has the rest, under the request's or the image's id."""

    code, title, status = "internal-error", "Something went wrong on our side", 500


# --- starting up ---------------------------------------------------------------


class SettingsError(PermanentError):
    """The environment holds values that the program cannot run with."""

    code, title, status = "invalid-settings", "The settings are not valid", 500


class ResourceError(PermanentError):
    """A bucket or queue cannot be made, or cannot be made as it must be."""

    code, title, status = "resource-conflict", "An AWS resource is in the way", 500
