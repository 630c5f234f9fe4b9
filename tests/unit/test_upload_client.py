"""What the command `upload` makes of its arguments, before anything is sent."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.upload_client import Report, Source, _table, find_sources


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("b.png", "a.PNG", "notes.txt", "sub/a.png"):
        path = tmp_path / "scans" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    monkeypatch.chdir(tmp_path)
    return tmp_path / "scans"


def names(sources: list[Source], folder: Path) -> list[str]:
    return [str(source.path.relative_to(folder)) for source in sources]


def test_a_folder_stands_for_all_pngs_below_it(folder: Path) -> None:
    assert names(find_sources(["scans"], None), folder) == ["a.PNG", "b.png", "sub/a.png"]


def test_a_pattern_that_no_shell_has_expanded_is_expanded(folder: Path) -> None:
    assert names(find_sources(["scans/**/a.*"], None), folder) == ["a.PNG", "sub/a.png"]


def test_a_file_that_is_named_is_sent_whatever_it_is_called(folder: Path) -> None:
    assert names(find_sources(["scans/notes.txt"], None), folder) == ["notes.txt"]


def test_a_file_that_is_named_twice_is_sent_once(folder: Path) -> None:
    assert names(find_sources(["scans/b.png", "./scans/b.png", "scans"], None), folder) == [
        "b.png",
        "a.PNG",
        "sub/a.png",
    ]


@pytest.mark.parametrize("argument", ["nowhere.png", "scans/*.gif"])
def test_an_argument_that_names_nothing_is_an_error(folder: Path, argument: str) -> None:
    with pytest.raises(FileNotFoundError, match="no PNG is there"):
        find_sources([argument], None)


def test_each_result_has_a_place_of_its_own(folder: Path) -> None:
    sources = find_sources(["scans", "scans/b.png"], Path("out"))

    assert [str(source.target) for source in sources] == [
        "out/a-bw.png",
        "out/b-bw.png",
        "out/sub/a-bw.png",
    ]


def test_results_of_the_same_name_do_not_overwrite_each_other(folder: Path) -> None:
    sources = find_sources(["scans/a.PNG", "scans/sub/a.png"], Path("out"))

    assert [str(source.target) for source in sources] == ["out/a-bw.png", "out/a-bw-2.png"]


def test_the_summary_has_a_row_a_file_and_the_sums(folder: Path) -> None:
    reports = [
        Report(folder / "b.png", "processed", "id-b", is_replay=True),
        Report(folder / "a.PNG", "refused", detail="not-a-png: The file is a GIF."),
    ]

    lines = _table(reports).splitlines()

    assert lines[0].startswith("scans/a.PNG  refused")
    assert lines[1].startswith("scans/b.png  processed  id-b")
    assert lines[-1] == "1 processed, 1 refused, 1 of them sent before"


def test_a_name_that_cannot_be_printed_breaks_neither_line_nor_program(folder: Path) -> None:
    reports = [Report(folder / "a\n\udcff.png", "queued")]

    assert _table(reports).splitlines()[0].startswith("scans/a??.png")
