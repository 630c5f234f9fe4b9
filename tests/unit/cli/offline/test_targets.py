"""Which files are written for which pages."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.cli.offline.inputs import Page
from app.cli.offline.targets import Target, Wish, plan_targets


def pages(*names: str, counts: dict[str, int] | None = None, root: str = "in") -> list[Page]:
    return [
        Page(Path(root) / name, f"{root}/{name}", Path(name), number, count)
        for name in names
        for count in [(counts or {}).get(name, 1)]
        for number in range(1, count + 1)
    ]


def written(found: list[Target]) -> dict[str, list[int]]:
    return {str(target.path): [*target.pages] for target in found}


def test_a_result_is_saved_beside_its_file() -> None:
    assert written(plan_targets(pages("a.jpg", "sub/b.png"), Wish())) == {
        "in/a-bw.png": [0],
        "in/sub/b-bw.png": [1],
    }


def test_in_a_folder_of_results_each_keeps_its_relative_path(tmp_path: Path) -> None:
    assert written(plan_targets(pages("a.jpg", "sub/b.png"), Wish(out=f"{tmp_path}/out"))) == {
        f"{tmp_path}/out/a-bw.png": [0],
        f"{tmp_path}/out/sub/b-bw.png": [1],
    }


def test_the_pages_of_a_file_become_numbered_pngs_or_one_file() -> None:
    found = pages("a.tif", "b.png", counts={"a.tif": 2})

    assert written(plan_targets(found, Wish())) == {
        "in/a-p01-bw.png": [0],
        "in/a-p02-bw.png": [1],
        "in/b-bw.png": [2],
    }
    assert written(plan_targets(found, Wish(format="tiff"))) == {
        "in/a-bw.tif": [0, 1],
        "in/b-bw.tif": [2],
    }
    assert written(plan_targets(found, Wish(format="pdf"))) == {
        "in/a-bw.pdf": [0, 1],
        "in/b-bw.pdf": [2],
    }


def test_files_that_differ_only_in_suffix_keep_it_in_the_results_name() -> None:
    assert [*written(plan_targets(pages("a.jpg", "a.png", "b.png"), Wish()))] == [
        "in/a-jpg-bw.png",
        "in/a-png-bw.png",
        "in/b-bw.png",
    ]


def test_files_with_the_same_name_keep_their_paths_below_the_common_folder(tmp_path: Path) -> None:
    found = [*pages("1.png", root="in/a/img"), *pages("1.png", "2.png", root="in/b/img")]

    assert [*written(plan_targets(found, Wish(out=str(tmp_path))))] == [
        f"{tmp_path}/a/img/1-bw.png",
        f"{tmp_path}/b/img/1-bw.png",
        f"{tmp_path}/b/img/2-bw.png",
    ]


def test_two_files_never_share_a_result() -> None:
    """Where the file system knows no case, these are one."""
    assert [*written(plan_targets(pages("A.png", "a.png"), Wish()))] == [
        "in/A-bw.png",
        "in/a-bw-2.png",
    ]


@pytest.mark.parametrize(
    ("name", "format_"), [("x.pdf", "pdf"), ("x.tif", "tiff"), ("x.TIFF", "tiff")]
)
def test_all_pages_go_into_one_file_of_the_kind_its_name_ends_with(
    tmp_path: Path, name: str, format_: str
) -> None:
    path = tmp_path / name

    assert plan_targets(pages("a.jpg", "b.png"), Wish(out=str(path))) == [
        Target(path, format_, (0, 1))
    ]


def test_a_pdf_can_be_the_only_result_or_an_additional_one(tmp_path: Path) -> None:
    pdf = tmp_path / "all.pdf"

    assert written(plan_targets(pages("a.jpg", "b.png"), Wish(pdf=pdf))) == {str(pdf): [0, 1]}
    assert written(plan_targets(pages("a.jpg"), Wish(out=str(tmp_path), pdf=pdf))) == {
        f"{tmp_path}/a-bw.png": [0],
        str(pdf): [0],
    }


def test_the_result_of_a_piped_file_goes_to_standard_output() -> None:
    pipe = [Page(b"...", "standard input", Path("stdin"))]

    assert plan_targets(pipe, Wish()) == [Target(None, "png", (0,))]
    assert plan_targets(pipe, Wish(format="pdf")) == [Target(None, "pdf", (0,))]
    assert written(plan_targets([*pipe, *pages("a.jpg")], Wish())) == {
        "stdin-bw.png": [0],
        "in/a-bw.png": [1],
    }


@pytest.mark.parametrize("out", ["one.png", "-"])
def test_several_pages_do_not_fit_into_one_png(out: str) -> None:
    with pytest.raises(ValueError, match=r"2 pages do not fit into one PNG; name a folder"):
        plan_targets(pages("a.jpg", "b.jpg"), Wish(out=out))


def test_a_name_and_a_format_that_contradict_each_other_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="contradict"):
        plan_targets(pages("a.jpg"), Wish(out=f"{tmp_path}/a.pdf", format="tiff"))


def test_a_folder_that_is_called_like_a_file_is_a_folder(tmp_path: Path) -> None:
    folder = tmp_path / "book.pdf"
    folder.mkdir()

    assert [*written(plan_targets(pages("a.jpg"), Wish(out=str(folder))))] == [f"{folder}/a-bw.png"]


def test_a_target_below_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(NotADirectoryError):
        plan_targets(pages("a.jpg"), Wish(out=f"{tmp_path}/file"))
    with pytest.raises(NotADirectoryError):
        plan_targets(pages("a.jpg"), Wish(pdf=tmp_path / "file" / "x.pdf"))
