"""Odd job messages as other producers may send them, by seed."""

from __future__ import annotations

import base64
import json
import random
import re
import unicodedata
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

BUCKET: Final = "image-input"
#: Characters that SQS accepts in a message.
#: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html
SENDABLE: Final = re.compile("[\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]+")
Fields = dict[str, Any]


@dataclass(frozen=True)
class Odd:
    """A *body*, the id readable in it, and the location of its original."""

    kind: str
    body: str
    image_id: uuid.UUID | None
    key: str


ODD_VALUES: Final[tuple[Any, ...]] = (
    *(None, True, False, 0, -1, 1, 2, 1.5, 2**31, 2**63, 2**64, -(2**70), 10**300, 1e308, 5e-324),
    *("", " ", "0", "1", "null", "NaN", "true"),
    *("x", "\n", "\t", "\x00", "\x1b[2J", "\x7f", "\uffff"),
    *("\ufffe", "\u202e", "\u2028", "é", "e\u0301", "日本語", "🎉"),
    *("../..", "/", "//", ".", "%", "%00"),
    *("a" * 64, "a" * 65, "a" * 129, "a" * 1025, "ü" * 513),
    *("日" * 1024, "\u0390" * 512, "\x01" * 1024, "a" * 20_000),
    *([], [[]], [None], {}, {"a": {}}, {"image_id": "x"}, [1] * 1000, {"": 0}),
    *("2026-11-28", "0001-01-01T00:00:00+14:00", "0001-01-01T00:00:00Z", "1970-01-01T00:00:00Z"),
    *("9999-12-31T23:59:59.999999-14:00", "9999-12-31T23:59:59Z", "2026-02-30T00:00:00Z"),
    *("2026-11-28T00:00:00", "10000-01-01T00:00:00Z", "-1", 1764288000, 1764288000000, -(10**12)),
    *("2026-11-28T23:59:60Z", "2026-11-28T24:00:00Z", "2026-11-28t00:00:00z", "20261128T000000Z"),
)
FIELDS: Final = (
    *("version", "bucket", "key", "method", "parameters", "sha256", "group", "uploaded_at"),
    *("owner", "redrive", "colour"),
)


def an_odd_value(chance: random.Random, job: Fields) -> str:
    name = chance.choice(FIELDS)
    job[name] = chance.choice(ODD_VALUES)
    return name


def a_missing_field(chance: random.Random, job: Fields) -> str:
    name = chance.choice(("bucket", "key"))
    job.pop(name, None)
    return f"no {name}"


def nulls(_: random.Random, job: Fields) -> str:
    job |= dict.fromkeys(name for name in FIELDS if name not in ("bucket", "key"))
    return "nulls"


def odd_parameters(chance: random.Random, job: Fields) -> str:
    names = ("threshold", "window", "", "\x01" * 64, "ü" * 64, "n" * 65, "\ufffe", "k")
    count = chance.choice((1, 2, 32, 33))
    job["parameters"] = {
        f"{chance.choice(names)}{n or ''}": chance.choice(ODD_VALUES[:20]) for n in range(count)
    }
    return "parameters"


def another_spelling_of_the_key(chance: random.Random, job: Fields) -> str:
    key = str(job.get("key"))
    spell: Callable[[str], str] = chance.choice(
        (
            lambda k: quote(k, safe=""),
            lambda k: quote(k).replace("%20", "+"),
            str.upper,
            lambda k: f"/{k}",
            lambda k: f"./{k}",
            lambda k: f"{k}/",
            lambda k: f"s3://{BUCKET}/{k}",
            lambda k: f" {k} ",
            lambda k: unicodedata.normalize("NFD", k),
            lambda k: k.encode().decode("latin-1"),
            lambda k: quote(quote(k, safe=""), safe=""),
        )
    )
    job["key"] = spell(key)
    return "key"


def the_key_of_another(chance: random.Random, job: Fields) -> str:
    other = str(uuid.UUID(int=chance.getrandbits(128), version=4))
    job["key"] = chance.choice((f"{other}.png", f"{other.upper()}.png", f"x/../{other}.png"))
    return "another's key"


def another_spelling_of_the_hash(chance: random.Random, job: Fields) -> str:
    digest = bytes.fromhex(job["true sha256"])
    forms = (
        digest.hex(),
        digest.hex().upper(),
        base64.b64encode(digest).decode(),
        f" {digest.hex()}\n",
    )
    job["sha256"] = chance.choice(forms)
    return "sha256"


def another_spelling_of_the_id(chance: random.Random, job: Fields) -> str:
    own = job["image_id"]
    forms = (own.upper(), own.replace("-", ""), f"{{{own}}}", f"urn:uuid:{own}", f" {own} ")
    job["image_id"] = chance.choice(forms)
    return "id"


def no_id(chance: random.Random, job: Fields) -> str:
    job["image_id"] = chance.choice([*ODD_VALUES[:40], job["image_id"][:-1], [job["image_id"]]])
    return "no id"


CHANGES: Final = (
    *(an_odd_value,) * 6,
    a_missing_field,
    nulls,
    odd_parameters,
    another_spelling_of_the_key,
    another_spelling_of_the_key,
    the_key_of_another,
    another_spelling_of_the_hash,
)
ID_CHANGES: Final = (another_spelling_of_the_id, no_id)


# --- the spelling of a message ---------------------------------------------------------------


def _plain(chance: random.Random, job: Fields) -> str:
    return json.dumps(job, ensure_ascii=chance.random() < 0.5, indent=chance.choice((None, 1)))


def _marked(chance: random.Random, job: Fields) -> str:
    return chance.choice(("\ufeff", "ï»¿")) + json.dumps(job)


def _doubled(_: random.Random, job: Fields) -> str:
    return json.dumps(job)[:-1] + f', "key": {json.dumps(job.get("key"))}, "owner": null}}'


def _numbers(chance: random.Random, job: Fields) -> str:
    number = chance.choice(
        ("NaN", "Infinity", "-Infinity", "1e999", "9" * 5000, "-0", "1E+2", "0x10")
    )
    name = chance.choice(("redrive", "colour", "uploaded_at", "version"))
    return json.dumps(job)[:-1] + f', "{name}": {number}}}'


def _nested(chance: random.Random, job: Fields) -> str:
    depth = chance.choice((10, 150, 1000, 50_000))
    opening, closing = chance.choice((("[", "]"), ('{"a":', "}")))
    inner = opening * depth + "1" + closing * depth
    return json.dumps(job)[:-1] + f', "colour": {inner}}}'


def _cut(chance: random.Random, job: Fields) -> str:
    return json.dumps(job)[: chance.randrange(70, 90)]


def _surrogates(chance: random.Random, job: Fields) -> str:
    name = chance.choice(("owner", "group", "colour", "key"))
    return json.dumps(job)[:-1] + f', "{name}": "a\\ud800b"}}'


def _trailing(chance: random.Random, job: Fields) -> str:
    return json.dumps(job) + chance.choice(
        ("}", ",", "\n" + json.dumps(job), "\x00", " //", "\ufeff")
    )


def _padded(chance: random.Random, job: Fields) -> str:
    size = chance.choice((250_000, 1_000_000))
    return json.dumps(job | {"colour": "x" * size})


def _sns(_: random.Random, job: Fields) -> str:
    topic = "arn:aws:sns:eu-west-1:000000000000:scans.fifo"
    return json.dumps({"Type": "Notification", "TopicArn": topic, "Message": json.dumps(job)})


def _event_bridge(_: random.Random, job: Fields) -> str:
    return json.dumps({"version": "0", "detail-type": "Scan", "source": "x", "detail": job})


def _string(_: random.Random, job: Fields) -> str:
    return json.dumps(json.dumps(job))


def _wrapped(chance: random.Random, job: Fields) -> str:
    return json.dumps({chance.choice(("data", "payload", "job", "body")): job})


def _s3(_: random.Random, job: Fields) -> str:
    place = {"bucket": {"name": BUCKET}, "object": {"key": job.get("key"), "size": 4}}
    return json.dumps({"Records": [{"eventSource": "aws:s3", "s3": place}]})


def _celery(_: random.Random, job: Fields) -> str:
    body = base64.b64encode(json.dumps([[job], {}, {}]).encode()).decode()
    return json.dumps({"body": body, "headers": {"task": "scan"}, "properties": {}})


def _no_object(chance: random.Random, job: Fields) -> str:
    bodies = (
        "",
        " ",
        "{",
        "[",
        "[]",
        "null",
        "true",
        "0",
        '"x"',
        "NaN",
        "[" * 5000,
        "<job/>",
        "a=1&b=2",
    )
    more = (
        "\x00",
        "\ufeff",
        "key: x\n",
        repr(["x"]),
        json.dumps([job["colour"]]),
        "{}",
        "\ufeff{}",
        "9" * 9,
    )
    return chance.choice(bodies + more)


#: Whether the id is still readable.
WAYS: Final[tuple[tuple[Callable[[random.Random, Fields], str], bool, int], ...]] = (
    (_plain, True, 60),
    (_marked, True, 6),
    (_doubled, True, 4),
    (_numbers, True, 6),
    (_nested, True, 4),
    (_cut, True, 4),
    (_surrogates, True, 4),
    (_trailing, True, 4),
    (_sns, True, 4),
    (_event_bridge, True, 2),
    (_string, True, 3),
    (_wrapped, True, 4),
    (_s3, False, 3),
    (_celery, False, 3),
    (_no_object, False, 6),
)
#: One message out of this many has a quarter of a megabyte or a megabyte.
_LARGE_EVERY: Final = 250


def odd_messages(count: int, seed: int, *, sha256: str) -> Iterator[Odd]:
    """*count* odd messages; their originals have the hash *sha256*."""
    chance = random.Random(seed)
    for number in range(count):
        image_id = uuid.UUID(int=chance.getrandbits(128), version=4)
        key = chance.choice((f"{image_id}.png", f"scans/{number} é+%.png"))
        job: Fields = {"image_id": str(image_id), "bucket": BUCKET, "key": key, "colour": "blue"}
        job["true sha256"] = sha256
        kinds = chance.choices(CHANGES, k=chance.choice((0, 1, 1, 2, 3)))
        kinds += chance.choices(ID_CHANGES, k=chance.choice((0, 0, 0, 0, 1)))
        changes = [change(chance, job) for change in kinds]
        ways, keep, weights = zip(*WAYS, strict=True)
        (place,) = chance.choices(range(len(ways)), weights)
        write = _padded if number % _LARGE_EVERY == _LARGE_EVERY - 1 else ways[place]
        is_named = (write is _padded or keep[place]) and "no id" not in changes
        del job["true sha256"]
        kind = f"{write.__name__.strip('_')}: {', '.join(changes) or 'sound'}"
        yield Odd(kind, write(chance, job), image_id if is_named else None, key)
