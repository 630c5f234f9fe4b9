"""What is decided from the head of a request alone."""

from __future__ import annotations

import pytest

from app.access.tokens import hash_token
from app.errors import QueueFullError
from app.server.gate import Gate, Head, Pass, client_address
from app.settings import MULTIPART_OVERHEAD_BYTES, Settings

TOKENS = f"ana:{hash_token('one')},bia:{hash_token('two')}"


def head(
    method: str = "POST", path: str = "/upload", peer: str = "192.0.2.1", **headers: str
) -> Head:
    return Head(method, path, headers, peer)


def make_gate(**settings: object) -> Gate:
    return Gate(Settings(**settings), check_queue_depth=lambda: None)


def code(granted: Pass) -> str | None:
    return granted.refusal.code if granted.refusal else None


# --- who -----------------------------------------------------------------------------------------


def test_without_tokens_every_request_is_admitted_without_an_owner() -> None:
    gate = make_gate()

    assert gate.admit(head()) == Pass("/upload", gate.max_body_bytes)


@pytest.mark.parametrize(
    ("authorization", "owner"),
    [
        ("Bearer one", "ana"),
        ("bearer two", "bia"),
        ("Bearer  one ", "ana"),
        ("Bearer three", None),
        ("Basic one", None),
        ("one", None),
        ("", None),
    ],
)
def test_with_tokens_only_requests_with_a_token_are_admitted(
    authorization: str, owner: str | None
) -> None:
    granted = make_gate(api_tokens=TOKENS).admit(head(AUTHORIZATION=authorization))

    assert (granted.owner, code(granted)) == (owner, None if owner else "unauthorized")


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/status",
        "/healthz",
        "/readyz",
        "/service",
        "/openapi.json",
        "/docs",
        "/static/upload/page.js",
    ],
)
def test_page_openapi_document_and_probes_need_no_token(path: str) -> None:
    assert code(make_gate(api_tokens=TOKENS).admit(head("GET", path))) is None


@pytest.mark.parametrize(
    "path", ["/upload", "/images/1", "/new-route", "//healthz", "/static", "/HEALTHZ", "/upload/"]
)
def test_a_path_that_is_not_listed_as_public_needs_a_token(path: str) -> None:
    assert code(make_gate(api_tokens=TOKENS).admit(head("GET", path))) == "unauthorized"


def test_a_preflight_needs_no_token_because_browsers_send_none() -> None:
    assert code(make_gate(api_tokens=TOKENS).admit(head("OPTIONS"))) is None


# --- how much ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "length", "expected"),
    [
        ("/upload", 10_000 + MULTIPART_OVERHEAD_BYTES, None),
        ("/upload", 10_001 + MULTIPART_OVERHEAD_BYTES, "file-too-large"),
        ("/upload", 10**30, "file-too-large"),
        ("/images/1", MULTIPART_OVERHEAD_BYTES, None),
        ("/images/1", MULTIPART_OVERHEAD_BYTES + 1, "file-too-large"),
    ],
)
def test_a_body_is_refused_by_its_content_length(
    path: str, length: int, expected: str | None
) -> None:
    gate = make_gate(max_upload_bytes=10_000)

    assert code(gate.admit(head(path=path, CONTENT_LENGTH=str(length)))) == expected


# --- how fast ------------------------------------------------------------------------------------


def test_each_token_has_a_quota_of_its_own_and_sees_it_shrink() -> None:
    gate = make_gate(api_tokens=TOKENS, rate_limit="2/minute")

    passes = [gate.admit(head(AUTHORIZATION="Bearer one")) for _ in range(3)]
    other = gate.admit(head(AUTHORIZATION="Bearer two"))

    assert [code(granted) for granted in (*passes, other)] == [None, None, "rate-limited", None]
    quotas = [granted.quota for granted in passes]
    assert [quota and (quota.limit, quota.remaining, quota.window_s) for quota in quotas] == [
        (2, 1, 60),
        (2, 0, 60),
        (2, 0, 60),
    ]
    refusal = passes[2].refusal
    assert refusal is not None
    assert 1 <= int(str(refusal.facts["retry_after_s"])) <= 120


def test_without_tokens_the_quota_is_per_address() -> None:
    gate = make_gate(rate_limit="1/minute")

    codes = [code(gate.admit(head(peer=peer))) for peer in ("192.0.2.1", "192.0.2.1", "192.0.2.2")]

    assert codes == [None, "rate-limited", None]


def test_only_uploads_count_in_the_quota() -> None:
    gate = make_gate(rate_limit="1/minute")

    codes = [code(gate.admit(head("GET", "/images/1"))) for _ in range(5)]

    assert codes == [None] * 5


def test_a_wrong_token_uses_no_quota() -> None:
    gate = make_gate(api_tokens=TOKENS, rate_limit="1/minute")
    gate.admit(head(AUTHORIZATION="Bearer three"))

    assert code(gate.admit(head(AUTHORIZATION="Bearer one"))) is None


@pytest.mark.parametrize(
    ("peer", "forwarded", "hops", "expected"),
    [
        ("192.0.2.1", "198.51.100.7", 0, "192.0.2.1"),
        ("192.0.2.1", "198.51.100.7", 1, "198.51.100.7"),
        ("192.0.2.1", "203.0.113.9, 198.51.100.7", 1, "198.51.100.7"),
        ("192.0.2.1", "203.0.113.9, 198.51.100.7", 2, "203.0.113.9"),
        ("192.0.2.1", "198.51.100.7", 2, "192.0.2.1"),
        ("192.0.2.1", "", 1, "192.0.2.1"),
        ("192.0.2.1", "unknown", 1, "192.0.2.1"),
        ("192.0.2.1", "198.51.100.7:4711", 1, "198.51.100.7"),
        ("192.0.2.1", "[2001:db8::7]:4711", 1, "2001:db8::/64"),
        ("2001:db8::1:2:3:4", "", 0, "2001:db8::/64"),
        ("::ffff:192.0.2.1", "", 0, "192.0.2.1"),
    ],
)
def test_the_address_is_the_one_that_the_outermost_trusted_proxy_saw(
    peer: str, forwarded: str, hops: int, expected: str
) -> None:
    assert client_address(peer, forwarded, hops) == expected


def test_a_forged_address_does_not_change_who_is_counted() -> None:
    gate = make_gate(rate_limit="1/minute", trusted_proxy_hops=1)

    codes = [
        code(gate.admit(head(X_FORWARDED_FOR=f"203.0.113.{n}, 198.51.100.7"))) for n in range(2)
    ]

    assert codes == [None, "rate-limited"]


def test_only_uploads_are_refused_while_the_queue_is_full() -> None:
    def refuse() -> None:
        raise QueueFullError("4 images wait; at most 3 may.")

    gate = Gate(Settings(), check_queue_depth=refuse)

    assert code(gate.admit(head())) == "queue-full"
    assert code(gate.admit(head("GET", "/"))) is None
