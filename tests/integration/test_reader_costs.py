"""The costs of reading a page with `auto`: memory, CPU time, and a process's first page."""

from __future__ import annotations

import subprocess
import sys
import time

import numpy as np
import pytest

from app.binarize.auto.reader import read
from testkit.images.pages import shadowed_page
from testkit.root import ROOT
from testkit.timing.waiting import assert_within

MEMORY = """
import re
from pathlib import Path
import numpy as np
from app.binarize.auto.reader import read
from testkit.images.pages import noise, printed, scanned, text

def peak():
    return 1000 * int(re.search(r"VmHWM:\\s+([0-9]+) kB", Path("/proc/self/status").read_text())[1])

small = scanned({sign} * printed(text()) + {base} + noise((500, 600), 4))
read(small)
page = np.tile(small, (12, 10))
before = peak()
read(page)
print((peak() - before) / page.size)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize(("sign", "base"), [(1, 0), (-1, 255)])
def test_a_page_of_36_megapixels_takes_at_most_four_bytes_a_pixel(sign: int, base: int) -> None:
    run = subprocess.run(
        [sys.executable, "-c", MEMORY.format(sign=sign, base=base)],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip

    bytes_a_pixel = float(run.stdout)
    assert 1 < bytes_a_pixel <= 4


def test_the_first_page_of_a_process_is_ready_soon_after_the_import() -> None:
    read(shadowed_page())  # fills the cache of machine code
    program = (
        "import time, numpy as np\n"
        "from app.binarize.auto.reader import read\nstarted = time.process_time()\n"
        "read(np.full((200, 200), 255, np.uint8))\nprint(time.process_time() - started)"
    )

    run = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )

    assert_within(float(run.stdout), 0.3)


def test_auto_takes_less_than_a_hundredth_of_a_second_per_megapixel() -> None:
    large = np.tile(shadowed_page(), (7, 6))
    read(large)
    started = time.thread_time()

    read(large)

    assert_within((time.thread_time() - started) / (large.size / 1e6), 0.01)
