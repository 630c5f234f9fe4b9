"""The packages of each role's image are enough for the role, and its SBOM lists exactly those."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.check import image_packages
from testkit.network.ports import free_port
from testkit.root import ROOT
from testkit.timing.waiting import is_alive, wait_until

MB = 1_000_000


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """An environment with the packages of the image with ROLE=web."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(image_packages, "PLACE", tmp_path_factory.mktemp("image"))
        yield image_packages.installed("web")


def test_the_packages_of_web_are_a_tenth_of_all_and_answer_requests(web: Path) -> None:
    port, nobody = free_port(), f"http://127.0.0.1:{free_port()}"
    own = {"PORT": str(port), "AWS_ENDPOINT_URL": nobody, "PYTHONPATH": str(ROOT)}
    own |= {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x", "PATH": os.environ["PATH"]}
    process = subprocess.Popen([web / "bin" / "python", "-m", "app.main", "web"], cwd=ROOT, env=own)
    try:
        wait_until(lambda: is_alive(f"http://127.0.0.1:{port}"))
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    finally:
        process.kill()

    assert image_packages.sizes_of(web).total() < 60 * MB


def test_a_bill_of_materials_lists_the_installed_packages_with_their_licences(
    web: Path, tmp_path: Path
) -> None:
    writer = image_packages.WRITER
    install = [sys.executable, "scripts/install", str(writer), "requirements/sbom.txt"]
    subprocess.run(install, cwd=ROOT, check=True)

    image_packages.write_bill(web, tmp_path / "bill.json")
    bill = json.loads((tmp_path / "bill.json").read_text())

    locked = re.findall(r"^([a-z0-9-]+)==(\S+)", web.with_suffix(".txt").read_text(), re.MULTILINE)
    urls = {each["purl"] for each in bill["components"]}
    assert bill["bomFormat"] == "CycloneDX"
    assert bill["metadata"]["component"]["name"] == "alvura"
    assert urls <= {f"pkg:pypi/{name}@{version}" for name, version in locked}
    assert len(urls) > 30
    # The wheel names no licence; the package is under the BSD licence.
    assert {e["name"] for e in bill["components"] if "licenses" not in e} <= {"protobuf"}
