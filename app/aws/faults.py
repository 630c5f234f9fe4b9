"""The causes of failed calls to S3 and SQS, each with its remedy for an operator.

The sentences name endpoints and resources: they are for the log and the command line, never for
clients.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

#: https://docs.aws.amazon.com/general/latest/gr/rande.html; VPC endpoints, with vpce, do not match.
_AWS: Final = re.compile(r"https://(s3|sqs)(\.[a-z0-9-]+)?\.amazonaws\.com(\.cn)?/?")


class Cause(Enum):
    """The cause of a failed call; each cause has a remedy of its own."""

    NO_CREDENTIALS = auto()
    WRONG_CREDENTIALS = auto()
    EXPIRED_CREDENTIALS = auto()
    CLOCK = auto()
    REGION = auto()
    REFUSED = auto()
    NO_SUCH_HOST = auto()
    SILENT = auto()
    TLS = auto()
    NOT_AWS = auto()
    DENIED = auto()
    #: A 400 or 403 in response to HEAD, which has no body to name the cause.
    FORBIDDEN = auto()
    NO_BUCKET = auto()
    NO_QUEUE = auto()
    BUSY = auto()
    OTHER = auto()


@dataclass(frozen=True)
class Place:
    """The endpoint of a call, and *what* it was about: a bucket, an object or a queue."""

    service: str
    endpoint: str
    region: str
    what: str

    @property
    def is_aws(self) -> bool:
        """Whether the endpoint is AWS's default, so that none was set."""
        return bool(_AWS.fullmatch(self.endpoint))


@dataclass(frozen=True)
class Fault:
    """A cause, with a detail: AWS's error code, a number or the message of an exception."""

    cause: Cause
    said: str = ""

    @property
    def advice(self) -> str:
        """The cause and its remedy, for a fault without a known endpoint."""
        if self.cause is Cause.OTHER:
            return self.said
        wrong, remedy = _WORDS[self.cause]
        said = f" ({self.said})" if self.said else ""
        return f"{wrong}{said}. {remedy}"

    def sentence(self, place: Place) -> str:
        """The cause, the endpoint and the remedy, for operators."""
        wrong, remedy = _WORDS[self.cause]
        said = f" ({self.said})" if self.said else ""
        hint = _HINT if place.is_aws else ""
        return (
            f"{place.what}: {wrong}{said}. {remedy} "
            f"Asked: {place.service} at {place.endpoint}, region {place.region}.{hint}"
        )


_HINT: Final = (
    " AWS_ENDPOINT_URL is unset, so this is AWS itself; ./start_app.sh sets it to an emulator on "
    "this machine."
)
_RESOURCES: Final = "Run `python -m app.setup_aws_resources`, or set"
_WORDS: Final[Mapping[Cause, tuple[str, str]]] = {
    Cause.NO_CREDENTIALS: (
        "there are no AWS credentials",
        "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, or give the machine an "
        "IAM role.",
    ),
    Cause.WRONG_CREDENTIALS: (
        "the AWS credentials are wrong",
        "Check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN, or the profile that "
        "AWS_PROFILE names.",
    ),
    Cause.EXPIRED_CREDENTIALS: (
        "the AWS credentials have expired and were not renewed",
        "Renew them: `aws sso login`, a new AWS_SESSION_TOKEN, or the role that hands them out.",
    ),
    Cause.CLOCK: (
        "the clock of this machine is wrong",
        "Set it with NTP; AWS accepts requests that are at most five minutes off.",
    ),
    Cause.REGION: (
        "the region is wrong",
        "Set AWS_REGION to the region of the buckets and queues.",
    ),
    Cause.REFUSED: (
        "nobody listens at the endpoint: the connection was refused",
        "Start the server at this address, or set AWS_ENDPOINT_URL.",
    ),
    Cause.NO_SUCH_HOST: (
        "the host of the endpoint is not known",
        "Check AWS_ENDPOINT_URL, AWS_REGION and the DNS of this machine.",
    ),
    Cause.SILENT: (
        "the endpoint did not answer in time",
        "Check the network, its proxies and security groups, and AWS_ENDPOINT_URL.",
    ),
    Cause.TLS: (
        "TLS with the endpoint failed",
        "Check http:// or https:// in AWS_ENDPOINT_URL, and AWS_CA_BUNDLE where a proxy has "
        "certificates of its own.",
    ),
    Cause.NOT_AWS: (
        "the server at the endpoint does not answer as AWS does",
        "Check AWS_ENDPOINT_URL, its port, and proxies on the way.",
    ),
    Cause.DENIED: (
        "AWS denies access",
        "Allow the identity what deploy/README.md lists; a bucket can also belong to another "
        "account.",
    ),
    Cause.FORBIDDEN: (
        "S3 refused without a reason",
        "Credentials, clock or region are wrong, or a policy denies access; /readyz finds out.",
    ),
    Cause.NO_BUCKET: (
        "there is no such bucket",
        f"{_RESOURCES} INPUT_BUCKET and PROCESSED_BUCKET.",
    ),
    Cause.NO_QUEUE: (
        "there is no such queue in this region",
        f"{_RESOURCES} AWS_REGION, or INPUT_QUEUE, PROCESSED_QUEUE and INPUT_DEAD_LETTER_QUEUE.",
    ),
    Cause.BUSY: ("the service is overloaded or down", "It is tried again."),
    Cause.OTHER: ("the call failed", "The words in brackets are AWS's, or its library's."),
}
