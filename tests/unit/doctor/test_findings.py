"""How findings are printed, and which exit code they give."""

from __future__ import annotations

import pytest

from app.doctor.findings import failed, ok, show, skipped

ALL = [ok("Python", "3.11"), failed("clock", "wrong:\nset it"), skipped("rights", "need a clock")]


def test_each_finding_is_a_line_with_its_state(capsys: pytest.CaptureFixture[str]) -> None:
    assert show(ALL) == 1
    assert [line.split(maxsplit=2) for line in capsys.readouterr().out.splitlines()] == [
        ["ok", "Python", "3.11"],
        ["FAIL", "clock", "wrong: set it"],
        ["-", "rights", "need a clock"],
    ]


def test_passed_and_skipped_checks_are_no_failure() -> None:
    assert show([ALL[0], ALL[2]]) == 0


def test_with_failing_each_line_names_the_doctor(capsys: pytest.CaptureFixture[str]) -> None:
    assert show(ALL, only_failed=True) == 1
    assert capsys.readouterr().out == "doctor: clock: wrong: set it\n"
