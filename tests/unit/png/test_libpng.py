"""What libpng makes of a file, we make of it: the same pixels, and no file that it refuses."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

import pytest

from app.errors import PipelineError
from app.png.check import inspect
from app.png.decode import decode
from app.png.limits import PngLimits
from testkit.corpora import mutated_pngs, odd_pngs
from testkit.corpora.png_cases import ACCEPT, REJECT, Case
from testkit.corpora.png_verdicts import COLLECTIONS, STRICTER, collection, damaged, verdict
from testkit.png.libpng import Libpng, Reading

LIMITS = PngLimits()
ODD = list(odd_pngs.cases())


@pytest.fixture(scope="module")
def libpng() -> Iterator[Libpng]:
    with Libpng() as reader:
        yield reader


def verdicts(libpng: Libpng, files: Iterable[bytes]) -> Counter[tuple[str, str]]:
    return Counter(verdict(data, libpng.read(data)) for data in files)


def only_agreed(counts: Counter[tuple[str, str]]) -> bool:
    """Whether all pictures are equal, and only files are refused that have to be."""
    unequal = {what for what, _ in counts} & {"DIFFERENT", "ONLY WE ACCEPT"}
    reasons = {reason for what, reason in counts if what == "only libpng accepts"}
    return not unequal and reasons <= STRICTER


@pytest.mark.parametrize("name", COLLECTIONS)
def test_of_every_collection_verdicts_and_pixels_are_those_of_libpng(libpng, name) -> None:
    counts = verdicts(libpng, collection(name))

    assert only_agreed(counts), counts
    assert counts["both accept, equal", ""] > 50


def test_of_damaged_files_verdicts_and_pixels_are_those_of_libpng(libpng) -> None:
    counts = verdicts(libpng, damaged(400))

    assert only_agreed(counts), counts
    assert counts["both accept, equal", ""] > 80
    assert counts["both refuse", ""] > 100


def test_the_same_numbers_make_the_same_damaged_files() -> None:
    originals = [case.data for case in ODD if mutated_pngs.fit(case.data)]

    whole = list(mutated_pngs.mutated(originals, 20))

    assert whole[12:] == list(mutated_pngs.mutated(originals, 8, first=12))
    assert len(set(whole)) > 15


def ignored_in(data: bytes) -> list[str]:
    """What is ignored in a file that is read."""
    info, behind = inspect(data, LIMITS), list[str]()
    decode(data, info, behind.append)
    return [*behind, *info.ignored]


@pytest.mark.parametrize("case", ODD, ids=lambda case: case.name)
def test_an_odd_file_is_read_unless_a_critical_part_of_it_is_wrong(case: Case) -> None:
    if case.expect == REJECT:
        with pytest.raises(PipelineError):
            ignored_in(case.data)
    else:
        assert all(line.isascii() for line in ignored_in(case.data))


def test_the_collection_of_odd_files_is_complete() -> None:
    assert Counter(case.expect for case in ODD) == {ACCEPT: 63, REJECT: 5}


def test_the_libpng_reader_returns_the_stored_pixels(libpng) -> None:
    case = next(case for case in ODD if case.name == "phys_twice")

    reading = libpng.read(case.data)

    assert isinstance(reading, Reading)
    assert (reading.width, reading.height) == (odd_pngs.WIDTH, odd_pngs.HEIGHT)
    assert reading.physical_size == (11811, 11811, 1)
    assert libpng.read(case.data[:-1]) == "Read Error"
    assert isinstance(libpng.read(case.data), Reading)  # a refusal ends one process, not all
