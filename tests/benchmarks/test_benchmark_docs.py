"""The figures in the documents are those of the results that lie beside the benchmarks."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from benchmarks.quality import tables as quality_tables
from benchmarks.report import tables

IMAGES = tables.ROOT / "docs" / "images"


@pytest.mark.parametrize("document", tables.DOCUMENTS, ids=lambda path: path.name)
def test_the_tables_are_those_of_the_results(document: Path) -> None:
    """After a change: python -m benchmarks.report.plots."""
    text = document.read_text()

    assert text == tables.rendered(text, *tables.results())


def test_the_tables_of_quality_are_those_of_its_results() -> None:
    """After a change: python -m benchmarks.quality.tables."""
    text = quality_tables.DOCUMENT.read_text()

    assert text == quality_tables.rendered(text, quality_tables.results())
    assert re.findall(r"<!-- table: ([a-z-]+) -->", text) == [*quality_tables.TABLES]


def test_of_the_kinds_trained_on_those_with_the_least_f_are_shown_and_the_mean_is_of_all() -> None:
    kinds = {f"kind{n}": {"auto": [90.0, 50.0 + n]} for n in range(30)}
    others = [*quality_tables.SHOWN, *(f"{name} x" for name in quality_tables.LIBRARIES)]
    none = {name: [0.0, 0.0] for name in others}
    each = {kind: none | found for kind, found in kinds.items()}

    _, _, *body = quality_tables.by_kind("drawn", {"pages": {"drawn": each}}, hardest=3)

    assert [row.split(" | ")[0].strip("| ") for row in body] == [
        "kind0", "kind1", "kind2", "**mean of all 30**",
    ]  # fmt: skip
    assert "90.0/**64.5**" in body[-1]


def test_kinds_that_no_method_gets_wrong_are_left_out_and_count_in_the_mean() -> None:
    names = [*quality_tables.BY_KIND, *(f"{name} x" for name in quality_tables.LIBRARIES)]
    easy = {name: [100.0, quality_tables.EASY_F] for name in names}
    hard = easy | {"otsu": [100.0, quality_tables.EASY_F - 1]}

    _, _, *body = quality_tables.by_kind("print", {"pages": {"print": {"a": easy, "b": hard}}})

    assert [row.split(" | ")[0].strip("| ") for row in body] == ["b", "**mean of all 2**"]
    assert f"100.0/{quality_tables.EASY_F - 0.5}" in body[-1]


def test_every_table_is_shown_once() -> None:
    shown = [
        name
        for document in tables.DOCUMENTS
        for name in re.findall(r"<!-- table: ([a-z-]+) -->", document.read_text())
    ]

    assert sorted(shown) == sorted(tables.TABLES)


def test_a_figure_that_was_changed_by_hand_is_noticed() -> None:
    text = tables.DOCUMENTS[0].read_text()
    changed = re.sub(r"(<!-- table: pipelines -->.*?\d)\.", r"\g<1>9.", text, count=1, flags=re.S)

    assert changed != text
    assert tables.rendered(changed, *tables.results()) == text


def test_plots_are_small_and_without_a_date() -> None:
    plots = sorted(IMAGES.glob("*.svg"))
    shown = "".join(page.read_text() for page in IMAGES.parent.rglob("*.md"))

    assert plots
    for plot in plots:
        assert plot.stat().st_size < 100_000
        assert ElementTree.parse(plot).find(".//{*}date") is None
        assert f"images/{plot.name}" in shown
