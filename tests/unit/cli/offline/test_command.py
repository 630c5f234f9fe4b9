"""The command `binarize`, as a user has it: files in, files out, a summary, an exit code."""

from __future__ import annotations

import errno
import io
import os
import re
from pathlib import Path

import pytest
from PIL import Image
from PIL.TiffImagePlugin import TiffImageFile

from app.formats import files
from app.main import main
from testkit.images.image_files import colored, encoded, tiff_of
from testkit.images.photographs import jpeg, sheet, shows_sheet
from testkit.png.scans import page_png
from tests.unit.cli.unreadable import refuse_folder


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Four pages in a folder, which is the current one."""
    (tmp_path / "sub").mkdir()
    (tmp_path / "a.png").write_bytes(page_png(200, 100))
    jpeg(tmp_path / "photo.jpg", orientation=6)
    (tmp_path / "sub" / "two.tif").write_bytes(tiff_of(sheet(), sheet().rotate(180)))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def binarize(*arguments: str) -> int:
    return main(["binarize", "--method", "otsu", *arguments])


def picture(path: Path) -> Image.Image:
    return Image.open(io.BytesIO(path.read_bytes()))


def files_in(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_a_folder_becomes_pages_beside_its_files(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = files_in(folder)

    code = binarize(".")

    assert code == 0
    assert files_in(folder) - before == {
        "a-bw.png",
        "photo-bw.png",
        "sub/two-p01-bw.png",
        "sub/two-p02-bw.png",
    }
    assert shows_sheet(picture(folder / "photo-bw.png"))
    assert shows_sheet(picture(folder / "sub/two-p02-bw.png").rotate(180))
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("4 pages in ")
    assert lines[0].endswith(" pages a second; 4 files written")
    assert lines[1].split() == ["writing", "4"]
    assert lines[2].split() == ["turned", "1", "photo.jpg"]


def test_a_second_run_leaves_existing_results_alone(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    binarize(".")
    (folder / "a-bw.png").write_text("mine")
    (folder / "photo-bw.png").unlink()
    capsys.readouterr()

    code = binarize(".")

    out = capsys.readouterr().out
    assert code == 1
    assert (folder / "a-bw.png").read_text() == "mine"
    assert (folder / "photo-bw.png").exists()
    assert "1 page in" in out
    assert "left alone: 3 files that exist already; --force overwrites them" in out
    assert "left out: 3 results of earlier runs" in out

    assert binarize("a.png", "--force") == 0
    assert picture(folder / "a-bw.png").size == (200, 100)


def test_a_pattern_of_the_shell_does_not_process_earlier_results(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "lone-bw.png").write_bytes(page_png())
    binarize("a.png", "photo.jpg", "sub/two.tif")
    capsys.readouterr()
    before = files_in(folder)

    code = binarize(*sorted(before), "--force")

    assert code == 0
    assert files_in(folder) - before == {"lone-bw-bw.png"}
    assert "left out: 4 results of earlier runs" in capsys.readouterr().out


def test_a_dry_run_says_what_it_would_write_and_writes_nothing(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "a-bw.png").touch()
    before = files_in(folder)

    code = binarize(".", "--pdf", "all.pdf", "-o", ".", "--dry-run")

    assert code == 1
    assert files_in(folder) == before
    assert capsys.readouterr().out.splitlines() == [
        "a-bw.png exists already",
        "photo.jpg -> photo-bw.png",
        "sub/two.tif, page 1 -> sub/two-p01-bw.png",
        "sub/two.tif, page 2 -> sub/two-p02-bw.png",
        "4 pages, from a.png, -> all.pdf",
    ]


def test_a_bad_file_is_reported_in_one_line_and_the_others_are_processed(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "bad.jpg").write_bytes(encoded(colored(), "JPEG")[:2000])
    (folder / "none.png").touch()
    (folder / "words\n.png").write_text("words")

    code = binarize(".", "-o", "out", "--max-pixels", "55000")

    captured = capsys.readouterr()
    assert code == 1
    assert files_in(folder / "out") == {"a-bw.png"}
    assert sorted(captured.err.splitlines()) == [
        "binarize: bad.jpg: 200 x 280 is over 55000 pixels.",
        "binarize: none.png: The file is empty.",
        "binarize: photo.jpg: 280 x 200 is over 55000 pixels.",
        "binarize: sub/two.tif: 200 x 280 is over 55000 pixels.",
        "binarize: words?.png: The file is no image of a known kind; "
        "PNG, JPEG, TIFF, WebP and BMP are read.",
    ]
    assert captured.out.splitlines()[-1] == "failed: 5"


@pytest.mark.parametrize("fault", ["cut", "large"])
def test_a_tiff_with_a_bad_page_after_a_good_one_is_a_failure(
    folder: Path, fault: str, capsys: pytest.CaptureFixture[str]
) -> None:
    large = sheet().resize((400, 560))
    whole = tiff_of(sheet(), large if fault == "large" else sheet(), sheet())
    (folder / "bad.tif").write_bytes(whole[: 2 * len(whole) // 3] if fault == "cut" else whole)

    code = binarize("bad.tif", "--max-pixels", "60000")

    assert code == 1
    assert capsys.readouterr().err.startswith("binarize: bad.tif")


@pytest.mark.parametrize("name", ["all.pdf", "all.tif"])
def test_a_document_that_misses_a_page_is_not_written(
    folder: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "bad.jpg").write_bytes(encoded(colored(), "JPEG")[:2000])

    code = binarize(".", "-o", name)

    assert code == 1
    assert not (folder / name).exists()
    assert f"binarize: {name} is not written: 1 of 5 pages are missing" in capsys.readouterr().err


def test_all_pages_become_one_tiff_in_the_order_of_the_files(folder: Path) -> None:
    assert binarize("sub", "photo.jpg", "a.png", "-o", "all.tif") == 0

    with Image.open("all.tif") as image:
        assert isinstance(image, TiffImageFile)
        assert image.n_frames == 4
        image.seek(2)
        assert shows_sheet(image)
        image.seek(3)
        assert image.size == (200, 100)
        assert image.info["dpi"] == (300, 300)


def test_all_pages_become_one_pdf_in_the_order_of_the_files(folder: Path) -> None:
    assert binarize("sub", "photo.jpg", "a.png", "--pdf", "all.pdf", "--jobs", "2") == 0

    heights = re.findall(rb"/Height (\d+)", (folder / "all.pdf").read_bytes())
    assert heights == [b"280", b"280", b"280", b"100"]
    assert not (folder / "a-bw.png").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nowhere.png"], "nowhere.png: no image was found"),
        (["a.png", "--method", "magic"], "method='magic' is not one of auto"),
        (["a.png", "--set", "threshold=1"], "Method otsu takes no parameter 'threshold'"),
        (["a.png", "photo.jpg", "-o", "one.png"], "2 pages do not fit into one PNG"),
        (["a.png", "-o", "photo.jpg/out"], "a file has this name; a folder is needed"),
        (["a.png", "--pdf", "sub"], "a folder has this name; a file is needed"),
    ],
)
def test_wrong_usage_is_reported_in_one_line_before_any_computation(
    folder: Path, arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = files_in(folder)

    code = binarize(*arguments)

    captured = capsys.readouterr()
    assert code == 2
    assert words in captured.err
    assert len(captured.err.splitlines()) == 1
    assert files_in(folder) == before


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_reported_in_one_line_and_ends_the_run(
    folder: Path,
    number: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    before = files_in(folder)

    def refuse(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(files, "_move_to_free_place", refuse)
    code = binarize(".", "--jobs", "1")

    captured = capsys.readouterr()
    assert code == 1
    assert files_in(folder) == before
    assert captured.err == f"binarize: stopped: a-bw.png: {os.strerror(number)}\n"
    assert "; 0 files written" in captured.out


def test_a_name_too_long_for_its_result_is_reported_and_the_others_are_processed(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    long = f"{'x' * 250}.png"
    (folder / "a.png").rename(folder / long)

    assert binarize(long, "photo.jpg") == 1
    assert (folder / "photo-bw.png").exists()
    assert capsys.readouterr().err.splitlines() == [
        f"binarize: {'x' * 250}-bw.png: {os.strerror(errno.ENAMETOOLONG)}"
    ]


def test_a_page_whose_own_file_cannot_be_written_is_still_in_the_document(
    folder: Path,
) -> None:
    long = f"{'x' * 250}.png"
    (folder / "a.png").rename(folder / long)

    assert binarize(long, "photo.jpg", "-o", "out", "--pdf", "all.pdf") == 1
    assert b"/Count 2" in (folder / "all.pdf").read_bytes()


def test_an_unreadable_folder_is_reported_and_the_others_are_processed(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    refuse_folder(monkeypatch, "sub")

    assert binarize(".") == 1
    assert files_in(folder) >= {"a-bw.png", "photo-bw.png"}
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("binarize: sub: ")


def test_a_hidden_folder_is_not_read(folder: Path) -> None:
    (folder / ".trash").mkdir()
    (folder / "a.png").rename(folder / ".trash" / "a.png")

    assert binarize(".") == 0
    assert not list((folder / ".trash").glob("*-bw*"))


def test_one_pdf_that_is_named_twice_is_written_once(folder: Path) -> None:
    assert binarize("a.png", "photo.jpg", "-o", "all.pdf", "--pdf", "./all.pdf") == 0

    assert b"/Count 2" in (folder / "all.pdf").read_bytes()


def test_two_results_with_the_same_name_are_refused_before_any_computation(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = binarize(".", "--format", "pdf", "-o", "out", "--pdf", "out/a-bw.pdf", "--force")

    assert code == 2
    assert "out/a-bw.pdf: two different results have this path" in capsys.readouterr().err
    assert not (folder / "out").exists()
