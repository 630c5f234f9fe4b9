"""Bearer tokens: known by their hashes alone, and changed while we run."""

from __future__ import annotations

import hashlib
import time
from pathlib import Path

import pytest

from app.access.tokens import Tokens, hash_token, make_token, parse_tokens
from testkit.timing.waiting import assert_within, wait_until


def entry(name: str, token: str) -> str:
    return f"{name}:{hash_token(token)}"


def test_a_new_token_has_256_random_bits_and_a_prefix_to_find_it_by() -> None:
    first, second = make_token(), make_token()

    assert first != second
    assert first.startswith("ipt_")
    assert len(first) == 4 + 43  # 32 bytes in base64


def test_the_hash_is_plain_sha256_so_that_any_tool_can_make_it() -> None:
    assert hash_token("secret") == hashlib.sha256(b"secret").hexdigest()


def test_a_token_is_known_by_the_name_of_its_entry() -> None:
    tokens = Tokens(f"{entry('ana', 'one')}, {entry('bia', 'two')}")

    assert [tokens.owner_of(token) for token in ("one", "two", "three", "")] == [
        "ana",
        "bia",
        None,
        None,
    ]


def test_a_name_can_have_two_tokens_while_it_changes_them() -> None:
    tokens = Tokens(f"{entry('ana', 'old')},{entry('ana', 'new')}")

    assert tokens.owner_of("old") == tokens.owner_of("new") == "ana"


def test_without_entries_no_token_is_required() -> None:
    assert not Tokens().are_required
    assert not Tokens(" , ").are_required


@pytest.mark.parametrize(
    "text", ["ana", "ana:", "ana:abc", f":{'0' * 64}", f"a b:{'0' * 64}", f"ana:{'G' * 64}"]
)
def test_anything_but_name_and_hash_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not name:sha256"):
        parse_tokens(text)


def test_the_refusal_never_shows_what_may_be_a_token() -> None:
    with pytest.raises(ValueError, match="without a name") as caught:
        parse_tokens("ipt_a-token-put-there-by-mistake")

    assert "mistake" not in str(caught.value)


def test_a_file_takes_one_entry_a_line_and_comments(tmp_path: Path) -> None:
    path = tmp_path / "tokens"
    path.write_text(f"# ours\n{entry('ana', 'one')}  # until May\n\n{entry('bia', 'two')}\n")

    tokens = Tokens(None, path)

    assert (tokens.owner_of("one"), tokens.owner_of("two")) == ("ana", "bia")


def test_a_change_of_the_file_takes_effect_without_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "tokens"
    path.write_text(entry("ana", "old"))
    tokens = Tokens(None, path)

    path.write_text(entry("ana", "new"))

    wait_until(lambda: tokens.owner_of("new") == "ana", within_s=60)
    assert tokens.owner_of("old") is None


def test_a_file_that_is_emptied_lets_nobody_in_rather_than_everybody(tmp_path: Path) -> None:
    path = tmp_path / "tokens"
    path.write_text(entry("ana", "one"))
    tokens = Tokens(None, path)

    path.write_text("")

    wait_until(lambda: tokens.owner_of("one") is None, within_s=60)
    assert tokens.are_required


def test_an_invalid_file_leaves_the_tokens_unchanged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "tokens"
    path.write_text(entry("ana", "one"))
    tokens = Tokens(None, path)

    path.write_text("half a line")

    def has_complained() -> bool:
        assert tokens.owner_of("one") == "ana"
        return "not reloaded" in caplog.text

    wait_until(has_complained, within_s=60)


def test_every_entry_is_compared_whatever_the_position_of_the_token(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    compared: list[str] = []
    tokens = Tokens(",".join(entry(f"n{i}", str(i)) for i in range(5)))

    def compare(left: str, right: str) -> bool:
        compared.append(right)
        return left == right

    monkeypatch.setattr("app.access.tokens.hmac.compare_digest", compare)
    tokens.owner_of("0")

    assert len(compared) == 5


def test_a_lookup_among_a_hundred_is_cheap_enough_for_the_servers_loop() -> None:
    tokens = Tokens(",".join(entry(f"n{i}", str(i)) for i in range(100)))
    started = time.process_time()

    for _ in range(100):
        tokens.owner_of("nobody")

    assert_within((time.process_time() - started) / 100, 0.002)
