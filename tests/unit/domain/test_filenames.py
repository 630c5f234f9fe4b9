"""What becomes of the names that clients give their files."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.filenames import (
    MAX_FILENAME_BYTES,
    clean_filename,
    original_filename,
    result_filename,
)


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("scan.png", "scan.png"),
        (r"C:\scans\a.png", "a.png"),
        ("/home/ana/scans/a.png", "a.png"),
        ("../../etc/passwd", "passwd"),
        (r"..\..\a.png", "a.png"),
        ("a.png/", "a.png"),
        ("página 1.png", "página 1.png"),
        ("👩‍👧.png", "👩‍👧.png"),  # joined by a format character that is none of those refused
        ("a\0b.png", "a_b.png"),
        ("a\r\nb.png", "a__b.png"),
        ("a\x85b\u2028c.png", "a_b_c.png"),
        ("\u202egnp.exe", "_gnp.exe"),
        ("\ud800.png", "_.png"),
        ("  a.png ", "a.png"),
        ("x" * 10_000 + ".png", "x" * 251 + ".png"),
        ("ç" * 300 + ".png", "ç" * 125 + ".png"),
        ("a." + "b" * 300, "a." + "b" * 253),
        (".png", ".png"),
        ("", None),
        ("/", None),
        ("..", None),
        ("scans/..", None),
        ("   ", None),
    ],
)
def test_a_name_becomes_one_that_can_be_shown_and_saved_under(name: str, kept: str | None) -> None:
    assert clean_filename(name) == kept


@given(st.text(st.characters(exclude_categories=()), max_size=400))
def test_any_text_becomes_a_short_name_without_control_characters_or_none(name: str) -> None:
    kept = clean_filename(name)

    if kept is not None:
        assert 1 <= len(kept.encode()) <= MAX_FILENAME_BYTES
        assert not {"/", "\\"} & set(kept)
        assert not [c for c in kept if unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp")]
        assert clean_filename(kept) == kept


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("scan.png", "scan-bw.png"),
        ("scan", "scan-bw.png"),
        (".png", ".png-bw.png"),
        ("ç" * 125 + ".png", "ç" * 124 + "-bw.png"),
    ],
)
def test_a_result_has_the_name_of_its_original_and_fits_into_a_directory(
    name: str, expected: str
) -> None:
    assert result_filename(name) == expected
    assert len(expected.encode()) <= MAX_FILENAME_BYTES


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("scan.png", "scan.png"),
        ("SCAN.PNG", "SCAN.PNG"),
        ("photo.jpg", "photo.png"),
        ("scan", "scan.png"),
        ("ç" * 125 + ".jpeg", "ç" * 125 + ".png"),
        ("x" * 253 + ".a", "x" * 251 + ".png"),
    ],
)
def test_an_original_is_saved_with_the_suffix_png(name: str, expected: str) -> None:
    assert original_filename(name) == expected
    assert len(expected.encode()) <= MAX_FILENAME_BYTES
