"""A server that refuses every request as S3 and SQS do, with AWS's error documents.

https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-making-api-requests-json.html
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from xml.sax.saxutils import escape

from testkit.network.http_servers import serving


@dataclass(frozen=True)
class Refusal:
    """The error response to every request; SQS's has a *query_code* for old clients."""

    status: int
    code: str
    message: str = ""
    members: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    query_code: str = ""

    def to_xml(self) -> bytes:
        members = {"Code": self.code, "Message": self.message, **self.members, "RequestId": "R"}
        inner = "".join(f"<{name}>{escape(value)}</{name}>" for name, value in members.items())
        return f'<?xml version="1.0" encoding="UTF-8"?>\n<Error>{inner}</Error>'.encode()

    def to_json(self) -> bytes:
        return json.dumps(
            {"__type": f"com.amazonaws.sqs#{self.code}", "message": self.message}
        ).encode()


class RefusingAws(ThreadingHTTPServer):
    """A server with the error responses *s3* and *sqs*, which can be changed while it serves."""

    s3: Refusal
    sqs: Refusal
    #: Answer nothing, like a server behind a firewall that drops packets.
    is_silent = False
    #: The response of a web server that is not AWS.
    page: bytes | None = None
    clock_ahead_s = 0.0
    daemon_threads = True
    request_queue_size = 100

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.may_end = threading.Event()
        self.calls = 0


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: RefusingAws

    def _refuse(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.server.calls += 1
        if self.server.is_silent:
            self.server.may_end.wait(60)
            self.close_connection = True
            return
        if self.server.page is not None:
            self._answer(200, "text/html", self.server.page, {})
        elif "X-Amz-Target" in self.headers:
            refusal = self.server.sqs
            query = (
                {"x-amzn-query-error": f"{refusal.query_code};Sender"} if refusal.query_code else {}
            )
            headers = {"x-amzn-RequestId": "R", **query, **refusal.headers}
            self._answer(refusal.status, "application/x-amz-json-1.0", refusal.to_json(), headers)
        else:
            refusal = self.server.s3
            headers = {"x-amz-request-id": "R", **refusal.headers}
            self._answer(refusal.status, "application/xml", refusal.to_xml(), headers)

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = _refuse  # noqa: N815 (the parent's names)

    def _answer(self, status: int, mime: str, body: bytes, headers: Mapping[str, str]) -> None:
        self.send_response_only(status)
        self.send_header("Date", formatdate(self._now(), usegmt=True))
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Type", mime)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _now(self) -> float:
        return time.time() - self.server.clock_ahead_s

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 (the parent's name)
        pass


@contextmanager
def refusing() -> Iterator[tuple[RefusingAws, str]]:
    """The server and its URL."""
    server = RefusingAws()
    server.s3 = server.sqs = Refusal(503, "SlowDown")
    with serving(server) as url:
        try:
            yield server, url
        finally:
            server.may_end.set()


@dataclass(frozen=True)
class Case:
    """A fault, its response from each service, and words that operators must see."""

    s3: Refusal
    sqs: Refusal
    words: tuple[str, ...]
    clock_ahead_s: float = 0.0
    #: The words for S3, if those for SQS differ.
    s3_words: tuple[str, ...] = ()


#: The text that SQS appends for a wrong signature: the request with its session token.
CANONICAL = (
    "\n\nThe Canonical String for this request should have been\n'POST\n/\n\n"
    "x-amz-security-token:IQoJb3JpZ2luX2VjSECRET\n'"
)
_SIGNATURE = "The request signature we calculated does not match the signature you provided."

CASES: dict[str, Case] = {
    "an unknown key": Case(
        Refusal(403, "InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist."),
        Refusal(403, "InvalidClientTokenId", "The security token in the request is invalid."),
        ("credentials are wrong", "AWS_ACCESS_KEY_ID"),
    ),
    "an unknown client": Case(
        Refusal(400, "InvalidToken", "The provided token is malformed or otherwise invalid."),
        Refusal(400, "UnrecognizedClientException", "The security token is invalid."),
        ("credentials are wrong", "AWS_PROFILE"),
    ),
    "a wrong secret": Case(
        Refusal(403, "SignatureDoesNotMatch", _SIGNATURE + CANONICAL),
        Refusal(403, "InvalidSignatureException", _SIGNATURE + CANONICAL),
        ("credentials are wrong", "AWS_SECRET_ACCESS_KEY"),
    ),
    "an expired token": Case(
        Refusal(400, "ExpiredToken", "The provided token has expired."),
        Refusal(403, "ExpiredTokenException", "The security token in the request is expired"),
        ("credentials have expired", "AWS_SESSION_TOKEN"),
    ),
    "an expired request": Case(
        Refusal(400, "RequestExpired", "Request has expired."),
        Refusal(400, "RequestExpired", "Request has expired."),
        ("credentials have expired", "aws sso login"),
    ),
    "a clock that is off": Case(
        Refusal(403, "RequestTimeTooSkewed", "The difference between the times is too large."),
        Refusal(
            403,
            "SignatureDoesNotMatch",
            "Signature expired: 20261128T120000Z is now earlier than 20261128T124500Z",
        ),
        ("the clock of this machine is wrong", "s ahead of that of AWS", "NTP"),
        clock_ahead_s=3600,
    ),
    "a clock that is early": Case(
        Refusal(403, "RequestTimeTooSkewed", "The difference between the times is too large."),
        Refusal(
            403,
            "InvalidSignatureException",
            "Signature not yet current: 20261128T140000Z is still later than 20261128T124500Z",
        ),
        ("the clock of this machine is wrong", "s behind that of AWS", "NTP"),
        clock_ahead_s=-3600,
    ),
    "a bucket elsewhere": Case(
        Refusal(
            301,
            "PermanentRedirect",
            "The bucket must be addressed using the specified endpoint.",
            headers={"x-amz-bucket-region": "eu-west-1"},
        ),
        Refusal(400, "QueueDoesNotExist", query_code="AWS.SimpleQueueService.NonExistentQueue"),
        ("AWS_REGION",),
        s3_words=("region", "AWS_REGION"),
    ),
    "a request signed for another region": Case(
        Refusal(
            400,
            "AuthorizationHeaderMalformed",
            "the region 'us-east-1' is wrong; expecting 'eu-west-1'",
            {"Region": "eu-west-1"},
        ),
        Refusal(400, "QueueDoesNotExist", query_code="AWS.SimpleQueueService.NonExistentQueue"),
        ("AWS_REGION",),
        s3_words=("region", "it is eu-west-1", "AWS_REGION"),
    ),
    "no permission": Case(
        Refusal(403, "AccessDenied", "Access Denied"),
        Refusal(403, "AccessDeniedException", "User: arn:aws:iam::1:user/x is not authorized"),
        ("AWS denies access", "deploy/README.md"),
        s3_words=("another",),
    ),
    "nothing made yet": Case(
        Refusal(404, "NoSuchBucket", "The specified bucket does not exist"),
        Refusal(400, "QueueDoesNotExist", query_code="AWS.SimpleQueueService.NonExistentQueue"),
        ("there is no such", "python -m app.setup_aws_resources"),
    ),
    "too many requests": Case(
        Refusal(503, "SlowDown", "Please reduce your request rate."),
        Refusal(400, "ThrottlingException", "Rate exceeded"),
        ("overloaded",),
    ),
}
