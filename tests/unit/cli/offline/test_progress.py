"""How far a run is: in a log, a line now and then."""

from __future__ import annotations

import pytest

from app.cli.offline.progress import Progress


def test_the_lines_in_a_log_become_rarer(capsys: pytest.CaptureFixture[str]) -> None:
    now_s = 0.0

    with Progress(1000, clock=lambda: now_s) as progress:
        for _ in range(1000):
            now_s += 1
            progress.step()

    assert capsys.readouterr().err.splitlines() == [
        f"binarize: {done} of 1000 pages, 1.0 a second" for done in (10, 30, 70, 150, 310, 610, 910)
    ]


def test_a_short_run_prints_no_progress(capsys: pytest.CaptureFixture[str]) -> None:
    with Progress(2) as progress:
        progress.step()
        progress.step()

    assert capsys.readouterr() == ("", "")
