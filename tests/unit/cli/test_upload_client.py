"""What the command `upload` makes of its arguments, and of servers that are not our API."""

from __future__ import annotations

import io
import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from app.cli.pdf_pages import write_pdf
from app.cli.upload_client import DONE, FAILED, upload
from app.cli.upload_files import Source, find_sources, left_out
from app.cli.upload_report import Order, Report, say, table
from app.main import main
from testkit.network.scripted_api import IMAGE_ID, Answer, Asked, image, server
from testkit.png.pngs import SIGNATURE
from testkit.png.scans import result_png as result
from tests.unit.cli.unreadable import refuse_folder


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


def test_a_folder_stands_for_all_images_below_it(folder: Path) -> None:
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


def test_other_files_of_a_folder_are_counted_by_kind(folder: Path) -> None:
    for name in ("c.gif", "sub/d.GIF", "README", ".hidden.jpg", ".git/config"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).touch()

    said = left_out(["scans"], find_sources(["scans"], None))

    assert said.startswith("not sent")
    kinds = said.partition(": ")[2].split(", ")
    assert sorted(kinds) == ["1 .txt", "1 without an ending", "2 .gif"]


def test_without_other_files_nothing_is_reported(folder: Path) -> None:
    named = ["scans", "scans/notes.txt"]

    assert left_out(named, find_sources(named, None)) == ""


def test_a_folder_that_cannot_be_read_is_reported_and_the_rest_is_sent(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    refuse_folder(monkeypatch, "sub")
    with server(lambda _: image("queued")) as api:
        code = upload(find_sources(["scans"], None), Order(api.url))

    said = rows(capsys.readouterr().out)
    assert code == FAILED
    assert {name: row.split("  ")[0] for name, row in said.items()} == {
        "a.PNG": "queued",
        "b.png": "queued",
        "sub": "not sent",
    }


@pytest.mark.parametrize("argument", ["nowhere.png", "scans/*.gif"])
def test_an_argument_that_matches_no_file_is_an_error(folder: Path, argument: str) -> None:
    with pytest.raises(FileNotFoundError, match="no image was found"):
        find_sources([argument], None)


def test_each_result_has_a_path_of_its_own(folder: Path) -> None:
    sources = find_sources(["scans", "scans/b.png"], Path("out"))

    assert [str(source.target) for source in sources] == [
        "out/a-bw.png",
        "out/b-bw.png",
        "out/sub/a-bw.png",
    ]


def test_results_of_the_same_name_do_not_overwrite_each_other(folder: Path) -> None:
    sources = find_sources(["scans/a.PNG", "scans/sub/a.png"], Path("out"))

    assert [str(source.target) for source in sources] == ["out/a-bw.png", "out/a-bw-2.png"]


def test_the_summary_has_one_row_per_file_and_totals(folder: Path) -> None:
    reports = [
        Report(folder / "b.png", "processed", "id-b", is_replay=True),
        Report(folder / "a.PNG", "refused", detail="not-a-png: The file is a GIF."),
    ]

    lines = table(reports).splitlines()

    assert lines[0].startswith("scans/a.PNG  refused")
    assert lines[1].startswith("scans/b.png  processed  id-b")
    assert lines[-1] == "1 processed, 1 refused, 1 of them sent before"


def test_a_name_that_cannot_be_printed_breaks_neither_line_nor_program(folder: Path) -> None:
    reports = [Report(folder / "a\n\udcff.png", "queued")]

    assert table(reports).splitlines()[0].startswith("scans/a??.png")


def test_characters_that_the_terminal_cannot_show_do_not_end_the_program(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shown = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(shown, encoding="ascii"))

    say("é.png  queued")

    assert shown.getvalue() == b"?.png  queued\n"


# --- servers that are not our API ----------------------------------------------------------------


def rows(text: str) -> dict[str, str]:
    """What the summary says of each file."""
    lines = text.splitlines()[:-2]
    return {Path(line.split()[0]).name: line.split(maxsplit=1)[1] for line in lines}


@pytest.mark.parametrize(
    "bad",
    [
        Answer(200, b"<html>Please log in</html>"),
        Answer(204),
        Answer(304),
        Answer(200, b"[]"),
        Answer(200, b"\xff\xfe"),
        Answer(200, b"[" * 200_000),
        image("queued", image_id="../../elsewhere"),
        image("who knows"),
        Answer(302, headers={"Location": "/login"}),
        Answer(418, b"[]"),
    ],
)
def test_a_response_of_another_server_fails_only_its_own_file(
    folder: Path, bad: Answer, capsys: pytest.CaptureFixture[str]
) -> None:
    with server(lambda asked: bad if b"b.png" in asked.body else image("queued")) as proxy:
        code = upload(find_sources(["scans"], None), Order(proxy.url))

    said = rows(capsys.readouterr().out)
    assert code == FAILED
    assert not said["b.png"].startswith(("queued", "processed"))
    assert len(said["b.png"].split()) > 2  # with a reason
    assert said["a.PNG"].startswith("queued")
    assert said["a.png"].startswith("queued")


def test_the_summary_has_the_unusual_properties_of_a_page(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pages: list[dict[str, object] | None] = [
        {"kind": "writing", "inverted": False, "turned": 0},
        {"kind": "photograph", "inverted": True, "turned": 90},
        None,
    ]
    names = (b"a.png", b"b.png", b"a.PNG")
    answers = {n: image("processed", page=p) for n, p in zip(names, pages, strict=True)}
    with server(lambda asked: next(a for n, a in answers.items() if n in asked.body)) as proxy:
        code = upload(find_sources(["scans"], None), Order(proxy.url))

    said = rows(capsys.readouterr().out)
    assert code == DONE
    assert said["b.png"].endswith("photograph, light on dark, turned 90 degrees")
    assert said["a.png"].split() == said["a.PNG"].split() == ["processed", IMAGE_ID]


def test_the_summary_has_the_ignored_faults_of_a_file(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    odd = image("queued", ignored=["iCCP: wrong CRC", "2 bytes after IEND"])
    with server(lambda asked: odd if b"b.png" in asked.body else image("queued")) as proxy:
        code = upload(find_sources(["scans"], None), Order(proxy.url))

    said = rows(capsys.readouterr().out)
    assert code == DONE
    assert said["b.png"].endswith("ignored iCCP: wrong CRC, 2 bytes after IEND")
    assert "ignored" not in said["a.png"]


def test_a_redirect_is_named_and_the_token_does_not_follow_it(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with server(lambda _: image("queued")) as other:
        to_other = Answer(301, headers={"Location": f"{other.url}/prefix/upload"})
        with server(lambda _: to_other) as proxy:
            upload(find_sources(["scans/b.png"], None), Order(proxy.url, token="secret"))

    assert rows(capsys.readouterr().out)["b.png"].startswith("refused")
    assert other.asked == []


def test_a_redirect_to_the_same_path_says_which_url_to_use(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    moved = Answer(301, headers={"Location": "https://example.org/prefix/upload"})
    with server(lambda _: moved) as proxy:
        upload(find_sources(["scans/b.png"], None), Order(proxy.url))

    assert "use --url https://example.org/prefix\n" in capsys.readouterr().out


def test_a_file_that_has_disappeared_is_reported_as_not_sent(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sources = find_sources(["scans"], None)
    (folder / "b.png").unlink()

    with server(lambda _: image("queued")) as api:
        code = upload(sources, Order(api.url))

    assert code == FAILED
    assert capsys.readouterr().out.endswith("1 not sent, 2 queued\n")


def processed_elsewhere(href: str) -> Callable[[Asked], Answer]:
    """Our API, but for the place at which it says the result is."""

    def answer(asked: Asked) -> Answer:
        if asked.line.endswith("/processed"):
            return Answer(200, SIGNATURE)
        return image("processed", processed={"href": href})

    return answer


def test_the_token_is_sent_to_no_other_server_and_the_prefix_of_the_url_is_kept(
    folder: Path,
) -> None:
    with (
        server(lambda _: Answer(200, SIGNATURE)) as other,
        server(processed_elsewhere(f"{other.url}/images/1/processed")) as api,
    ):
        order = Order(f"{api.url}/prefix/", token="secret", is_waiting=True)
        upload(find_sources(["scans/b.png"], folder / "out"), order)

    assert [asked.line for asked in api.asked] == [
        "POST /prefix/upload",
        f"GET /prefix/images/{IMAGE_ID}/processed",
    ]
    assert {asked.token for asked in api.asked} == {"Bearer secret"}
    assert other.asked == []
    assert (folder / "out" / "b-bw.png").read_bytes() == SIGNATURE


def test_a_result_that_cannot_be_saved_is_a_status_of_its_own(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "out").mkdir()
    (folder / "out" / "sub").write_bytes(b"in the way")
    with server(processed_elsewhere("")) as api:
        sources = find_sources(["scans"], folder / "out")
        code = upload(sources, Order(api.url, is_waiting=True))

    said = rows(capsys.readouterr().out)
    assert code == FAILED
    assert said["a.png"].startswith(f"not saved  {IMAGE_ID}")
    assert said["b.png"] == f"processed  {IMAGE_ID}  {folder}/out/b-bw.png"


def test_a_result_that_is_not_a_png_is_not_saved(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def answer(asked: Asked) -> Answer:
        return Answer(200, b"<html>") if "GET" in asked.line else image("processed")

    with server(answer) as api:
        sources = find_sources(["scans/b.png"], folder / "out")
        code = upload(sources, Order(api.url, is_waiting=True))

    assert code == FAILED
    assert rows(capsys.readouterr().out)["b.png"].startswith(f"not saved  {IMAGE_ID}")
    assert not (folder / "out").exists()


# --- one PDF -------------------------------------------------------------------------------------


def api_of_results(asked: Asked) -> Answer:
    """Every image is processed; each result is as wide as its file's name is long."""
    if "GET" in asked.line:
        return Answer(200, result(int(asked.line.split("/")[2][-2:], 16)))
    name = re.search(rb'filename="([^"]+)"', asked.body)
    assert name
    image_id = f"{IMAGE_ID[:-2]}{ord(name[1][:1]):02x}"
    return image("processed", image_id=image_id)


def test_all_results_become_one_pdf_in_the_order_of_the_files(folder: Path) -> None:
    with server(api_of_results) as api:
        code = main(
            ["upload", "scans/b.png", "scans/sub", "--url", api.url, "--pdf", "out/all.pdf"]
        )

    assert code == 0
    assert Path("out/all.pdf").read_bytes() == write_pdf([result(ord("b")), result(ord("a"))])
    assert [path.name for path in Path("out").iterdir()] == ["all.pdf"]


def test_a_pdf_with_a_page_missing_is_not_written(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def answer(asked: Asked) -> Answer:
        return Answer(415) if b"b.png" in asked.body else api_of_results(asked)

    with server(answer) as api:
        code = main(["upload", "scans", "--url", api.url, "--pdf", "all.pdf"])

    assert code == 1
    assert "all.pdf is not written: 1 of 3 pages are missing" in capsys.readouterr().err
    assert not Path("all.pdf").exists()


def test_a_page_whose_own_file_cannot_be_saved_is_still_in_the_pdf(folder: Path) -> None:
    Path("out").mkdir()
    Path("out/sub").write_bytes(b"in the way")
    arguments = ["upload", "scans/b.png", "scans", "--out", "out", "--pdf", "all.pdf"]
    with server(api_of_results) as api:
        code = main([*arguments, "--url", api.url])

    assert code == 1
    assert b"/Count 3" in Path("all.pdf").read_bytes()


@pytest.mark.parametrize("pdf", ["scans", "scans/b.png/all.pdf"])
def test_an_impossible_path_of_the_pdf_is_refused_before_any_upload(
    folder: Path, pdf: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with server(api_of_results) as api:
        assert main(["upload", "scans", "--url", api.url, "--pdf", pdf]) == 2

    assert capsys.readouterr().err.startswith(f"app.main: {pdf}: a f")
    assert api.asked == []


# --- wrong usage ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    [
        "localhost:5000",
        "127.0.0.1",
        "ftp://localhost",
        "http://",
        "http://[::1",
        "http://localhost:99999",
        "http://exa mple",
        "http://a..b",
        "http://ana:one@localhost",
        "http://localhost/?page=1",
    ],
)
def test_an_invalid_url_is_wrong_usage(
    folder: Path,
    url: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["upload", "scans", "--url", url]) == 2
    monkeypatch.setenv("ALVURA_URL", url)
    assert main(["upload", "scans"]) == 2

    assert capsys.readouterr().err.count("URL") == 2


def test_an_old_name_of_the_setting_is_read_with_a_warning(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("IMAGE_PIPELINE_URL", "no-url")

    assert main(["upload", "scans"]) == 2

    assert "IMAGE_PIPELINE_URL is an old name; it is ALVURA_URL now" in capsys.readouterr().err


@pytest.mark.parametrize("token", ["one\ntwo", "clé"])
def test_a_token_that_no_header_can_carry_is_wrong_usage_and_not_shown(
    folder: Path, token: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["upload", "scans", "--token", token]) == 2

    assert token not in capsys.readouterr().err


@pytest.mark.parametrize("out", ["scans/b.png", "scans/b.png/below"])
def test_a_file_in_place_of_the_results_folder_is_refused_before_any_upload(
    folder: Path, out: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with server(lambda _: image("queued")) as api:
        assert main(["upload", "scans", "--url", api.url, "--out", out]) == 2

    assert capsys.readouterr().err.startswith(f"app.main: {out}: a file has this name")
    assert api.asked == []
