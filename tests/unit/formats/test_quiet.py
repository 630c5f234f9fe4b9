"""What libtiff prints of a damaged file does not reach the user; what Python says does."""

from __future__ import annotations

import os
import sys

import pytest

from app.errors import PipelineError
from app.formats.kinds import FILE_LIMITS
from app.formats.pictures import open_picture
from app.formats.quiet import quiet_libraries
from testkit.images.image_files import colored, encoded


def read_damaged_tiff() -> None:
    data = bytearray(encoded(colored(), "TIFF", compression="tiff_adobe_deflate"))
    data[8:200] = bytes(192)
    with (
        pytest.raises(PipelineError),
        open_picture(bytes(data), 1, FILE_LIMITS) as picture,
    ):
        picture.load()


def test_output_of_libtiff_is_suppressed_and_output_of_python_is_not(
    capfd: pytest.CaptureFixture[str],
) -> None:
    read_damaged_tiff()
    loud = capfd.readouterr().err

    with quiet_libraries():
        read_damaged_tiff()
        print("a line of ours", file=sys.stderr)
    quiet = capfd.readouterr().err
    os.write(2, b"as before")

    assert loud
    assert quiet == "a line of ours\n"
    assert capfd.readouterr().err == "as before"


def test_a_replaced_standard_error_stays_in_place(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with quiet_libraries():
        print("a line of ours", file=sys.stderr)

    assert capsys.readouterr().err == "a line of ours\n"
