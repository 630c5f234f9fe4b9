"""Answer requests that the server refuses before Flask sees them, as problem documents."""

from __future__ import annotations

import json
from uuid import uuid4

from waitress.task import ErrorTask
from waitress.utilities import Error

from ..errors import (
    BadRequestError,
    BusyError,
    FileTooLargeError,
    HeadTooLargeError,
    InternalError,
    PipelineError,
    StorageUnavailableError,
    TargetTooLongError,
    TransferCodingError,
)
from ..observability import logs
from .reader import NoRoomError
from .request_head import MAX_FIELDS, MAX_HEAD_BYTES, MAX_TARGET_BYTES
from .security_headers import SECURITY_HEADERS

logger = logs.get_logger(__name__)


class ProblemTask(ErrorTask):
    """The response to a request that waitress refuses: a problem document, not plain text."""

    def execute(self) -> None:
        error = _as_problem(self.request.error)
        request_id = uuid4().hex
        logs.begin(request_id=request_id)
        document = error.to_problem() | {"request_id": request_id}
        body = json.dumps(document).encode()
        logger.info("request refused", status=error.status, code=error.code, bytes=len(body))
        self.status = f"{error.status} {error.title}"
        self.response_headers.extend(SECURITY_HEADERS.items())
        self.response_headers.append(("Content-Type", "application/problem+json"))
        self.response_headers.append(("Cache-Control", "no-store"))
        self.response_headers.append(("X-Request-ID", request_id))
        if error.status == 503:
            self.response_headers.append(("Retry-After", "5"))
        self.set_close_on_finish()
        self.content_length = len(body)
        self.write(body)


def _as_problem(refusal: Error) -> PipelineError:
    status = refusal.code
    if isinstance(refusal, NoRoomError):
        return BusyError("Too many bytes wait for clients; try again later.")
    if status == 413:
        return FileTooLargeError("The body is over the limit.")
    if status == 414:
        return TargetTooLongError(
            f"The request target may have {MAX_TARGET_BYTES} bytes.", limit=MAX_TARGET_BYTES
        )
    if status == 431:
        return HeadTooLargeError(
            f"The head may have {MAX_HEAD_BYTES} bytes in {MAX_FIELDS} fields.",
            limit=MAX_HEAD_BYTES,
        )
    if status == 501:
        return TransferCodingError("The only supported transfer coding is chunked.")
    if status == 503:
        return StorageUnavailableError("There is no room for the request body; try again later.")
    if status < 500:
        return BadRequestError("The request is not valid HTTP.")
    return InternalError("The server cannot answer this request.")
