"""The API with real clients: requests, curl and Node's fetch; for browsers see tests/browser."""

from __future__ import annotations

import hashlib
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import playwright
import pytest
import requests

from testkit.processes.fleet import role
from testkit.root import ROOT
from testkit.timing.waiting import is_alive, wait_until
from tests.conftest import provisioned

IMAGE = ROOT / "image.png"
#: Playwright contains a Node, so nothing needs to be installed.
NODE = Path(playwright.__file__).parent / "driver" / "node"


@pytest.fixture(scope="module")
def url(endpoint: str) -> Iterator[str]:
    settings = provisioned(endpoint)
    url = f"http://127.0.0.1:{settings.port}"
    with role("all", settings):
        wait_until(lambda: is_alive(url))
        yield url


def test_requests(url: str) -> None:
    with IMAGE.open("rb") as file:
        sent = requests.post(
            f"{url}/upload", files={"image": file}, headers={"Prefer": "wait=30"}, timeout=60
        )
    page = requests.get(url + sent.json()["processed"]["href"], timeout=60)

    assert (sent.status_code, sent.json()["original"]["filename"]) == (201, "image.png")
    assert (page.status_code, page.headers["Content-Type"]) == (200, "image/png")


def test_requests_reads_the_refusal_of_a_body_over_the_limit(url: str) -> None:
    body = b"\0" * 60_000_000

    answer = requests.post(f"{url}/upload", files={"image": body}, timeout=60)

    assert (answer.status_code, answer.json()["code"]) == (413, "file-too-large")


@pytest.mark.parametrize(
    ("form", "filename"),
    [
        (("-F", f"image=@{IMAGE}"), "image.png"),
        (("-F", f"image=@{IMAGE};filename=C:\\scans\\a.png"), "a.png"),
        (("-F", f'image=@{IMAGE};filename=a"b.png'), 'a"b.png'),
        (("-F", f"image=<{IMAGE};type=image/png"), None),  # without a filename
        (("-F", f"image=@{IMAGE}", "-F", "submit=Send", "-F", "_charset_=UTF-8"), "image.png"),
        (("-F", f"image=@{IMAGE}", "-F", "image=@/dev/null;filename="), "image.png"),
    ],
)
def test_curl(url: str, form: tuple[str, ...], filename: str | None) -> None:
    command = ["curl", "-sS", "-H", "Expect:", *form, f"{url}/upload"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)

    original = json.loads(done.stdout)["original"]
    assert original["filename"] == filename
    assert original["sha256"] == hashlib.sha256(IMAGE.read_bytes()).hexdigest()


def test_requests_with_a_field_among_its_files(url: str) -> None:
    with IMAGE.open("rb") as file:
        sent = requests.post(
            f"{url}/upload", files={"image": (None, file), "method": "otsu"}, timeout=60
        )

    assert (sent.status_code, sent.json()["method"]) == (202, "otsu")


def test_fetch_of_node(url: str) -> None:
    program = """
        const fs = require("fs");
        const [url, path] = process.argv.slice(1);
        (async () => {
          const form = new FormData();
          form.set("image", new Blob([fs.readFileSync(path)], {type: "image/png"}), "a página.png");
          const headers = {Prefer: "wait=30"};
          const sent = await fetch(url + "/upload", {method: "POST", body: form, headers});
          const image = await sent.json();
          const page = await fetch(url + image.processed.href);
          const bytes = (await page.arrayBuffer()).byteLength;
          console.log(JSON.stringify({status: sent.status, image, bytes}));
        })();
    """
    done = subprocess.run(
        [NODE, "-e", program, url, IMAGE], capture_output=True, text=True, check=True, timeout=60
    )

    found = json.loads(done.stdout)
    assert (found["status"], found["image"]["original"]["filename"]) == (201, "a página.png")
    assert found["bytes"] == found["image"]["processed"]["bytes"]
