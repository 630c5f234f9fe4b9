"""Map each exception of boto3 or obstore to one of the causes in `faults`.

For boto3 the exception class or AWS's error code decides, for obstore the text of the exception.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

from botocore import exceptions as boto
from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

from .faults import Cause, Fault

#: Error codes without the prefixes AWS.SimpleQueueService. and KMS., and the suffix Exception.
#: https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
#: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/CommonErrors.html
_CODES: Final[Mapping[Cause, str]] = {
    Cause.WRONG_CREDENTIALS: (
        "InvalidAccessKeyId InvalidClientTokenId UnrecognizedClient SignatureDoesNotMatch "
        "InvalidSignature IncompleteSignature MissingAuthenticationToken MissingSecurityHeader "
        "AuthFailure InvalidToken InvalidSecurity InvalidSecurityToken MissingAuthentication"
    ),
    Cause.EXPIRED_CREDENTIALS: "ExpiredToken RequestExpired TokenRefreshRequired",
    Cause.CLOCK: "RequestTimeTooSkewed RequestInTheFuture",
    Cause.REGION: (
        "PermanentRedirect TemporaryRedirect Redirect AuthorizationHeaderMalformed 301 307 "
        "IllegalLocationConstraint InvalidLocationConstraint InvalidRegion"
    ),
    Cause.DENIED: "AccessDenied AllAccessDisabled AccountProblem AuthorizationError OptInRequired",
    Cause.FORBIDDEN: "400 403",
    Cause.NOT_AWS: "404 405",
    Cause.NO_BUCKET: "NoSuchBucket",
    Cause.NO_QUEUE: "NonExistentQueue QueueDoesNotExist",
    Cause.BUSY: (
        "SlowDown Throttling ThrottledRequest RequestThrottled TooManyRequests OverLimit Busy "
        "RequestLimitExceeded ServiceUnavailable InternalError InternalFailure InternalServerError "
        "500 502 503 504"
    ),
}
_CAUSE_OF: Final = {code: cause for cause, codes in _CODES.items() for code in codes.split()}
#: The message of AWS for a signature whose date is too old or too new.
_SIGNED_AT: Final = re.compile(r"Signature (expired|not yet current)", re.IGNORECASE)
_NO_KEY_ID: Final = "non-empty Access Key"
_NOT_RENEWED: Final = (
    boto.UnauthorizedSSOTokenError,
    boto.SSOTokenLoadError,
    boto.TokenRetrievalError,
    boto.CredentialRetrievalError,
    boto.SSOError,
)
#: Searched in this order, because the text of obstore contains the whole chain of errors.
_SIGNS: Final[tuple[tuple[Cause, re.Pattern[str]], ...]] = (
    (Cause.EXPIRED_CREDENTIALS, re.compile(r"credential provider: (.*)")),
    (Cause.REGION, re.compile(r"(redirect without LOCATION)")),
    (Cause.REFUSED, re.compile(r"kind: (ConnectionRefused)")),
    (Cause.NO_SUCH_HOST, re.compile(r"dns error[^}]*error: \"([^\"]*)\"", re.DOTALL)),
    (Cause.SILENT, re.compile(r"(TimedOut|kind: Timeout|timed out)")),
    (Cause.TLS, re.compile(r"((?i:certificate|InvalidMessage|InvalidContentType|handshake)\w*)")),
    (Cause.NOT_AWS, re.compile(r"(Header missing|HTTP error|error sending request)")),
)
_IN_XML: Final = {
    name: re.compile(f"<{name}>([^<]*)</{name}>") for name in ("Code", "Message", "Region")
}
#: The text in which obstore quotes the error of one key in a DeleteObjects response.
_IN_ENTRY: Final = re.compile(r"request failed for key .*\(code: (\w+)\)")
_STATUS: Final = re.compile(r"status code: (\d{3})")
_MAX_SAID: Final = 300


def fault_of(exc: BaseException) -> Fault:
    """The cause of *exc*, an exception of boto3 or obstore, with the text that names it."""
    if isinstance(exc, ClientError):
        return _of_answer(_members(exc), _header(exc, "date"))
    if isinstance(exc, KeyError):
        return Fault(Cause.NOT_AWS, f"an answer without {exc}")
    if isinstance(exc, BotoCoreError | RuntimeError | ValueError):
        return _of_boto(exc)
    text = str(exc)
    found = _quoted(text)
    return _of_answer(found, None) if "Code" in found else _of_text(text)


def is_of_aws(exc: BaseException) -> bool:
    """Whether the response has the headers of S3; any web server can answer 404."""
    headers = (
        exc.response["ResponseMetadata"]["HTTPHeaders"] if isinstance(exc, ClientError) else {}
    )
    return any(name.startswith("x-amz") for name in headers)


def code_of(exc: BaseException) -> str | None:
    """The error code of AWS: the HTTP status for HEAD, None without a response."""
    if isinstance(exc, ClientError):
        return exc.response["Error"]["Code"]
    return _quoted(str(exc)).get("Code")


def _quoted(text: str) -> dict[str, str]:
    """The members of the AWS error that obstore quotes in *text*."""
    found = {name: match[1] for name, pattern in _IN_XML.items() if (match := pattern.search(text))}
    code = _IN_ENTRY.search(text) or _STATUS.search(text)
    return {"Code": code[1], **found} if code else found


def _members(exc: ClientError) -> dict[str, str]:
    found = {name: str(value) for name, value in exc.response.get("Error", {}).items()}
    if (region := _header(exc, "x-amz-bucket-region")) is not None:
        found.setdefault("Region", region)
    return found


def _header(exc: ClientError, name: str) -> str | None:
    headers: Mapping[str, str] = exc.response.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    return headers.get(name)


def _of_answer(error: Mapping[str, str], date: str | None) -> Fault:
    # Only the first line: the others quote the request, with its session token.
    code, message = error["Code"], error.get("Message", "").partition("\n")[0]
    cause = _CAUSE_OF.get(code.rpartition(".")[2].removesuffix("Exception"), Cause.OTHER)
    if _SIGNED_AT.search(message):
        cause = Cause.CLOCK
    if cause is Cause.REGION and _NO_KEY_ID in message:
        cause = Cause.WRONG_CREDENTIALS
    said = [code]
    if cause is Cause.CLOCK and date:
        said.append(_offset(date))
    if cause is Cause.REGION and "Region" in error:
        said.append(f"it is {error['Region']}")
    elif message and message != code:
        said.append(message)
    return Fault(cause, _short(": ".join(said)))


def _offset(date: str) -> str:
    """A sentence part with this clock's offset from *date*, a response header."""
    try:
        theirs = parsedate_to_datetime(date)
    except ValueError:
        return f"AWS has {date}"
    ahead_s = round((datetime.now(UTC) - theirs).total_seconds())
    return f"it is {abs(ahead_s)} s {'ahead of' if ahead_s > 0 else 'behind'} that of AWS"


def _of_boto(exc: Exception) -> Fault:
    said = _short(str(getattr(exc, "kwargs", {}).get("error", exc)))
    if isinstance(exc, boto.NoCredentialsError):
        return Fault(Cause.NO_CREDENTIALS)
    if isinstance(exc, boto.PartialCredentialsError):
        return Fault(Cause.NO_CREDENTIALS, said)
    if isinstance(exc, _NOT_RENEWED) or "still expired" in said:
        return Fault(Cause.EXPIRED_CREDENTIALS, said)
    if isinstance(exc, boto.SSLError):
        return Fault(Cause.TLS, said)
    if isinstance(exc, boto.ConnectTimeoutError | boto.ReadTimeoutError):
        return Fault(Cause.SILENT)
    if isinstance(exc, boto.EndpointConnectionError | boto.ProxyConnectionError):
        return _of_connection(said)
    if isinstance(exc, boto.HTTPClientError | ResponseParserError):
        return Fault(Cause.NOT_AWS, said)
    return Fault(Cause.OTHER, said)


def _of_connection(said: str) -> Fault:
    if "resolve" in said:
        return Fault(Cause.NO_SUCH_HOST, said)
    # urllib3 prefixes the message with a class name and an address.
    return Fault(Cause.REFUSED, said.rpartition(": ")[2])


def _of_text(text: str) -> Fault:
    for cause, pattern in _SIGNS:
        if found := pattern.search(text):
            return Fault(cause, _short(found[1]))
    return Fault(Cause.OTHER, _short(text.partition("\n")[0]))


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _MAX_SAID else f"{line[:_MAX_SAID]}..."
