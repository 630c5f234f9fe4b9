"""What commands print of messages that anybody may have written."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from contextlib import redirect_stdout

import pytest

from app.cli.output import say, say_json


def on_ascii(print_: Callable[[str], None], text: str) -> bytes:
    """What *print_* writes of *text* to a standard output that knows ASCII only."""
    target = io.BytesIO()
    with redirect_stdout(io.TextIOWrapper(target, encoding="ascii")):
        print_(text)
        return target.getvalue()


@pytest.mark.parametrize("text", ["a\nb", "a\x1bb", "a\x9bb", "a\u202eb", "a\ud800b", "açb"])
def test_a_sentence_is_one_line_that_any_terminal_can_show(text: str) -> None:
    assert on_ascii(say, text) == b"a?b\n"


@pytest.mark.parametrize("value", ["ação", "\U0001f4c4", "\x7f\x9b31m", "\u202e", "line\nline"])
def test_json_is_one_line_with_the_same_value(value: str) -> None:
    document = json.dumps({"name": value}, ensure_ascii=False, indent=1)

    (line,) = on_ascii(say_json, document).splitlines()
    assert json.loads(line) == {"name": value}
    assert line.decode().isprintable()


def test_printable_json_is_shown_unchanged(capsys: pytest.CaptureFixture[str]) -> None:
    say_json('{"name": "ação"}')

    assert capsys.readouterr().out == '{"name": "ação"}\n'
