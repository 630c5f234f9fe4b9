"""The causes for which S3 or SQS do not do what was asked, and what an operator has to set.

The sentences name endpoints and resources: they are for the log and the command line, not for
clients.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

#: https://docs.aws.amazon.com/general/latest/gr/rande.html; those in a VPC have vpce in the name.
_AWS: Final = re.compile(r"https://(s3|sqs)(\.[a-z0-9-]+)?\.amazonaws\.com(\.cn)?/?")


class Cause(Enum):
    """What is wrong; each asks for another remedy."""

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
    #: An answer to HEAD, which has no words.
    FORBIDDEN = auto()
    NO_BUCKET = auto()
    NO_QUEUE = auto()
    BUSY = auto()
    OTHER = auto()


@dataclass(frozen=True)
class Place:
    """Where a call went, and *what* it was about: a bucket, an object or a queue."""

    service: str
    endpoint: str
    region: str
    what: str

    @property
    def is_aws(self) -> bool:
        """Whether nobody has set an endpoint."""
        return bool(_AWS.fullmatch(self.endpoint))


@dataclass(frozen=True)
class Fault:
    """A cause, and what was said of it: a code of AWS's, a number, the words of an exception."""

    cause: Cause
    said: str = ""

    @property
    def advice(self) -> str:
        """What is wrong and what to set, where it is not known who would have been asked."""
        if self.cause is Cause.OTHER:
            return self.said
        wrong, remedy = _WORDS[self.cause]
        said = f" ({self.said})" if self.said else ""
        return f"{wrong}{said}. {remedy}"

    def sentence(self, place: Place) -> str:
        """What is wrong, where, and what to set; names the endpoint."""
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
        "Set it, with NTP; AWS takes requests that are at most five minutes off.",
    ),
    Cause.REGION: (
        "the region is wrong",
        "Set AWS_REGION to the region of the buckets and queues.",
    ),
    Cause.REFUSED: (
        "nobody listens at the endpoint, the connection was refused",
        "Start what should answer there, or set AWS_ENDPOINT_URL.",
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
        "what answers at the endpoint does not speak as AWS does",
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
