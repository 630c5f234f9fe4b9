"""Every error of the pipeline; its base class says whether a retry can succeed."""

# Longer than 300 lines: one list of all errors, which a test compares with docs/errors.md.

from __future__ import annotations

from typing import ClassVar

JsonValue = str | int | float | bool | None


class PipelineError(Exception):
    """Base of every error raised on purpose.

    *detail* is shown to clients: it names the fault, the object and the limit,
    and nothing private. *facts* are the same numbers for machines: they become
    members of the problem document (RFC 9457, section 3.2).
    """

    code: ClassVar[str]
    title: ClassVar[str]
    status: ClassVar[int]
    #: Whether the same request can succeed later, unchanged.
    is_transient: ClassVar[bool]

    def __init__(self, detail: str, **facts: JsonValue) -> None:
        super().__init__(detail)
        self.detail = detail
        self.facts = facts

    def to_problem(self) -> dict[str, JsonValue]:
        """The problem document of RFC 9457; clients should test its *code*."""
        return {
            "type": f"urn:image-pipeline:problem:{self.code}",
            "title": self.title,
            "status": self.status,
            "code": self.code,
            "detail": self.detail,
            **self.facts,
        }


class PermanentError(PipelineError):
    """A retry with the same input fails in the same way."""

    is_transient = False


class TransientError(PipelineError):
    """A retry with the same input can succeed: back off and try again."""

    is_transient = True


# --- the request ---------------------------------------------------------------


class BadRequestError(PermanentError):
    """The request breaks HTTP in a way that no other code names."""

    code, title, status = "bad-request", "The request is not valid", 400


class MethodNotAllowedError(PermanentError):
    """The path exists, but not for this method."""

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
    """The requested bytes are outside the file."""

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
    """The image part is empty."""

    code, title, status = "empty-image", "The image is empty", 400


class UnauthorizedError(PermanentError):
    """The bearer token is missing or unknown (RFC 6750)."""

    code, title, status = "unauthorized", "A valid token is needed", 401


class CrossSiteError(PermanentError):
    """Another site sends a form that only the pages of this server may send."""

    code, title, status = "cross-site", "The form comes from another site", 403


class FileTooLargeError(PermanentError):
    """The file is over the limit in bytes."""

    code, title, status = "file-too-large", "The file is too large", 413


class InvalidParameterError(PermanentError):
    """A field or header is unknown or out of range."""

    code, title, status = "invalid-parameter", "A parameter is not valid", 422


class IdempotencyKeyReusedError(PermanentError):
    """The Idempotency-Key belongs to another request, or to a deleted image."""

    code, title, status = "idempotency-key-reused", "The idempotency key was used before", 422


class RateLimitedError(TransientError):
    """One token or address sends too many uploads (RFC 6585, section 4)."""

    code, title, status = "rate-limited", "Too many uploads", 429


# --- the image -----------------------------------------------------------------


class NotAPngError(PermanentError):
    """The first eight bytes are not the PNG signature."""

    code, title, status = "not-a-png", "The file is not a PNG", 415


class CorruptPngError(PermanentError):
    """The file has the PNG signature but breaks the PNG specification."""

    code, title, status = "corrupt-png", "The PNG is damaged", 422


class UnsupportedPngError(PermanentError):
    """A PNG of a kind that is refused on purpose."""

    code, title, status = "unsupported-png", "This kind of PNG is not supported", 422


class TooManyPixelsError(PermanentError):
    """Width, height or their product is over the limit."""

    code, title, status = "too-many-pixels", "The image has too many pixels", 422


# --- the pipeline --------------------------------------------------------------


class NotFoundError(PermanentError):
    """The image is unknown, deleted or expired; the response does not say which."""

    code, title, status = "not-found", "Not found", 404


class ImageDeletedError(PermanentError):
    """The owner has deleted the image. The HTTP response is the same as for `not-found`."""

    code, title, status = "deleted", "The image was deleted", 404

    def __init__(self, image_id: object, owner: str | None = None) -> None:
        super().__init__(f"Image {image_id} was deleted.")
        self.image_id = image_id
        self.owner = owner


def unknown_image(image_id: object) -> NotFoundError:
    """The error for an image that is unknown, deleted, expired or another owner's."""
    return NotFoundError(f"There is no image {image_id}; it is unknown, deleted or expired.")


class NotReadyError(TransientError):
    """The result does not exist yet."""

    code, title, status = "not-ready", "The image is not ready yet", 409


class ProcessingFailedError(PermanentError):
    """The image has failed, so its result will never exist."""

    code, title, status = "processing-failed", "The image could not be processed", 409


class InvalidMessageError(PermanentError):
    """A message on the input queue is not a valid job."""

    code, title, status = "invalid-message", "The message is not valid", 422


class UnsupportedJobError(TransientError):
    """A job asks for a version, method or parameter that only a later release may know."""

    code, title, status = "unsupported-job", "No worker knows what the message asks for", 501


class OriginalMissingError(PermanentError):
    """A message names an object that is not in the bucket."""

    code, title, status = "original-missing", "The original is missing", 404


class ForeignOriginalError(PermanentError):
    """A message names an object of another image or another owner."""

    code, title, status = "foreign-original", "The original is somebody else's", 403


class ImageIdTakenError(PermanentError):
    """A message names an image id that has another original or another owner."""

    code, title, status = "image-id-taken", "The image id belongs to another original", 409


class ProcessingCrashedError(PermanentError):
    """The image crashed the child process that processed it, or exceeded its memory."""

    code, title, status = "processing-crashed", "The image cannot be processed safely", 422


class TooExpensiveError(PermanentError):
    """The image exceeded the limit of CPU time."""

    code, title, status = "too-expensive", "The image takes too long to process", 422


class LeaseLostError(TransientError):
    """The visibility timeout has passed, so that another worker may have the message."""

    code, title, status = "lease-lost", "Another worker has the message", 503


class UnavailableError(TransientError):
    """A service that the pipeline depends on refused a request or did not respond.

    *detail* is for clients, as in every error. *reason* is for operators: it names the resource,
    the endpoint and the cause. str() returns it. *endpoint* is the URL that was called.
    """

    def __init__(
        self, detail: str, *, reason: str = "", endpoint: str | None = None, **facts: JsonValue
    ) -> None:
        super().__init__(detail, **facts)
        self.args = (reason or detail,)
        self.endpoint = endpoint


class StorageUnavailableError(UnavailableError):
    """S3 refused a request or did not respond."""

    code, title, status = "storage-unavailable", "Storage is unavailable", 503


class QueueUnavailableError(UnavailableError):
    """SQS refused a request or did not respond."""

    code, title, status = "queue-unavailable", "The queue is unavailable", 503


class BusyError(TransientError):
    """The bytes that wait for slow clients have reached `MAX_BUFFERED_BYTES`."""

    code, title, status = "busy", "Too many transfers are waiting", 503


class TooManyConnectionsError(TransientError):
    """One client has too many requests in progress (RFC 6585, section 4)."""

    code, title, status = "too-many-connections", "Too many requests at the same time", 429


class QueueFullError(TransientError):
    """The number of waiting images has reached its limit."""

    code, title, status = "queue-full", "Too many images are waiting", 503


class GroupFullError(TransientError):
    """The number of waiting images of one group has reached its limit."""

    code, title, status = "group-full", "Too many images of this group are waiting", 429


class OwnerFullError(TransientError):
    """The number of waiting images of one token has reached its limit."""

    code, title, status = "owner-full", "Too many of your images are waiting", 429


class InternalError(TransientError):
    """A fault of this program; the log has its details under the id of the request or image."""

    code, title, status = "internal-error", "Something went wrong on our side", 500


# --- starting up ---------------------------------------------------------------


class SettingsError(PermanentError):
    """The environment has invalid settings."""

    code, title, status = "invalid-settings", "The settings are not valid", 500


class ResourceError(PermanentError):
    """A bucket or queue cannot be created, or cannot get the required attributes."""

    code, title, status = "resource-conflict", "An AWS resource is in the way", 500
