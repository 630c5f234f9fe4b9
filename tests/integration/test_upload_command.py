"""`python -m app.main upload` against the whole pipeline: many files, repeats, interruptions."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.access.tokens import hash_token
from app.aws import clients as aws
from app.cli.pdf_pages import write_pdf
from app.file_processor import FileProcessor
from app.settings import Settings
from app.setup_aws_resources import ensure_resources
from testkit.images.image_files import tiff_of
from testkit.images.photographs import jpeg, sheet
from testkit.network.ports import free_port
from testkit.network.scripted_api import Answer, Asked, image, server
from testkit.png.pngs import SIGNATURE
from testkit.png.scans import page_png
from testkit.processes.fleet import role
from testkit.root import ROOT
from testkit.timing.waiting import is_alive, wait_until


@pytest.fixture
def settings(aws_settings: Settings) -> Settings:
    return prepared(aws_settings)


@pytest.fixture(scope="module")
def pipeline(endpoint: str) -> Iterator[Settings]:
    """One pipeline for all tests; each test has its own files and paths."""
    tag = uuid.uuid4().hex[:12]
    settings = prepared(
        Settings(
            aws_endpoint_url=endpoint,
            input_bucket=f"input-{tag}",
            processed_bucket=f"processed-{tag}",
            input_queue=f"input-{tag}.fifo",
            processed_queue=f"processed-{tag}.fifo",
            input_dead_letter_queue=f"input-dlq-{tag}.fifo",
        )
    )
    with role("all", settings):
        wait_until(lambda: is_alive(f"http://127.0.0.1:{settings.port}"))
        yield settings


def prepared(settings: Settings) -> Settings:
    ensure_resources(settings, s3=aws.s3_client(settings), sqs=aws.sqs_client(settings))
    return settings.model_copy(
        update={"port": free_port(), "api_tokens": f"ana:{hash_token('one')}"}
    )


@pytest.fixture
def scans(tmp_path: Path) -> Path:
    folder = tmp_path / "scans"
    folder.mkdir()
    for n in range(6):
        (folder / f"page {n}.png").write_bytes(page_png(width=40 + n))
    return folder


def command(settings: Settings, *arguments: str | Path) -> tuple[list[str], dict[str, str]]:
    client = {
        "ALVURA_URL": f"http://127.0.0.1:{settings.port}",
        "IMAGE_PIPELINE_TOKEN": "one",
    }
    return [sys.executable, "-m", "app.main", "upload", *map(str, arguments)], os.environ | client


def upload(settings: Settings, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    line, environment = command(settings, *arguments)
    return subprocess.run(
        line, env=environment, cwd=ROOT, capture_output=True, text=True, timeout=120
    )


@pytest.fixture
def before(pipeline: Settings) -> int:
    return stored(pipeline)


def stored(settings: Settings) -> int:
    found = aws.s3_client(settings).list_objects_v2(Bucket=settings.input_bucket)
    return len(found.get("Contents", []))


def test_the_pages_of_a_folder_are_processed_and_saved(
    pipeline: Settings, scans: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"

    done = upload(pipeline, scans, "--out", out, "--method", "otsu")

    assert done.returncode == 0, done.stderr
    assert sorted(p.name for p in out.iterdir()) == [f"page {n}-bw.png" for n in range(6)]
    assert all(p.read_bytes().startswith(SIGNATURE) for p in out.iterdir())
    assert done.stdout.splitlines()[-1] == "6 processed"


def test_photographs_and_the_pages_of_a_tiff_come_out_as_binarize_would_make_them(
    pipeline: Settings, tmp_path: Path
) -> None:
    photo, two, out = tmp_path / "photo.jpg", tmp_path / "two.tif", tmp_path / "out"
    jpeg(photo, orientation=6, dpi=(200, 200))
    two.write_bytes(tiff_of(sheet(), sheet().rotate(180), dpi=(300, 300)))

    done = upload(pipeline, photo, two, "--out", out)

    assert done.returncode == 0, done.stderr
    page = FileProcessor().page
    assert {path.name: path.read_bytes() for path in out.iterdir()} == {
        "photo-bw.png": page(photo).png,
        "two-p01-bw.png": page(two, 1).png,
        "two-p02-bw.png": page(two, 2).png,
    }
    assert re.search(r"photo\.jpg +processed .*turned 90 degrees", done.stdout)


def test_a_second_run_sends_no_file_twice(pipeline: Settings, scans: Path, before: int) -> None:
    first = upload(pipeline, scans, "--json", "--wait")
    again = upload(pipeline, scans, "--json", "--wait")

    ids = [
        {json.loads(line)["image_id"] for line in done.stdout.splitlines()}
        for done in (first, again)
    ]
    assert ids[0] == ids[1]
    assert all(json.loads(line)["replayed"] for line in again.stdout.splitlines())
    assert stored(pipeline) == before + 6


def test_the_same_files_with_another_method_are_other_images(
    pipeline: Settings, scans: Path, before: int
) -> None:
    upload(pipeline, scans)
    simple = upload(pipeline, scans, "--method", "simple", "--set", "threshold=90")

    assert simple.returncode == 0, simple.stdout
    assert stored(pipeline) == before + 12


def test_a_copy_with_another_name_is_another_image(
    pipeline: Settings, scans: Path, before: int
) -> None:
    shutil.copy(scans / "page 0.png", scans / "copy.png")

    assert upload(pipeline, scans).returncode == 0
    assert stored(pipeline) == before + 7


def test_refused_files_are_named_with_the_reason_and_the_others_are_sent(
    pipeline: Settings, scans: Path
) -> None:
    (scans / "photo.png").write_bytes(b"GIF89a")

    done = upload(pipeline, scans, "--wait")

    assert done.returncode == 1
    assert "not-a-png" in next(line for line in done.stdout.splitlines() if "photo.png" in line)
    assert done.stdout.splitlines()[-1] == "6 processed, 1 refused"


def test_a_file_whose_name_is_not_utf_8_is_sent(
    pipeline: Settings, scans: Path, tmp_path: Path
) -> None:
    os.rename(scans / "page 0.png", os.fsencode(scans) + b"/x\xff.png")

    done = upload(pipeline, scans, "--out", tmp_path / "out")

    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "6 processed"
    assert os.path.exists(os.fsencode(tmp_path) + b"/out/x\xff-bw.png")


def test_an_unfinished_image_is_not_reported_as_processed(
    settings: Settings, scans: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    with role("web", settings):  # no worker will ever come
        wait_until(lambda: is_alive(f"http://127.0.0.1:{settings.port}"))
        done = upload(settings, scans, "--out", out, "--timeout", "1")

    assert done.returncode == 1
    assert done.stdout.count("not finished after 1 s") == 6
    assert done.stdout.splitlines()[-1] == "6 queued"
    assert str(out) not in done.stdout


def test_a_wrong_token_is_reported_for_each_file(pipeline: Settings, scans: Path) -> None:
    done = upload(pipeline, scans, "--token", "two")

    assert done.returncode == 1
    assert done.stdout.count("unauthorized") == 6


def test_an_interrupted_run_is_completed_by_the_next(settings: Settings, scans: Path) -> None:
    for n in range(20):
        (scans / f"more {n}.png").write_bytes(page_png(height=30 + n))
    # The rate is so low that there is time to interrupt the run.
    with role("web", settings.model_copy(update={"rate_limit": "8/second"})):
        wait_until(lambda: is_alive(f"http://127.0.0.1:{settings.port}"))
        line, environment = command(settings, scans, "--parallel", "2")
        with subprocess.Popen(line, env=environment, cwd=ROOT, stdout=subprocess.PIPE) as cut:
            wait_until(lambda: stored(settings) > 5)
            cut.send_signal(signal.SIGINT)
            assert cut.wait(20) == 130
        taken = stored(settings)
        again = upload(settings, scans)

    assert 5 < taken < 26
    assert again.returncode == 0
    assert stored(settings) == 26


def test_upload_waits_for_a_server_that_starts_and_for_the_quota(
    settings: Settings, scans: Path
) -> None:
    line, environment = command(settings, scans)
    limited = settings.model_copy(update={"rate_limit": "3/second"})
    with (
        subprocess.Popen(line, env=environment, cwd=ROOT, stdout=subprocess.PIPE) as early,
        role("web", limited),
    ):
        assert early.wait(60) == 0
    assert stored(settings) == 6


def test_all_results_can_be_saved_as_one_pdf(
    pipeline: Settings, scans: Path, tmp_path: Path
) -> None:
    out, pdf = tmp_path / "out", tmp_path / "all.pdf"

    done = upload(pipeline, scans, "--out", out, "--pdf", pdf)

    assert done.returncode == 0, done.stderr
    pages = [(out / f"page {n}-bw.png").read_bytes() for n in range(6)]
    assert pdf.read_bytes() == write_pdf(pages)


# --- a silent server --------------------------------------------------------------------------


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_ctrl_c_does_not_wait_for_a_silent_server(tmp_path: Path, options: list[str]) -> None:
    scans = tmp_path / "scans"
    for name in ("b.png", "a.PNG", "sub/a.png"):
        (scans / name).parent.mkdir(parents=True, exist_ok=True)
        (scans / name).write_bytes(b"x")
    is_over = threading.Event()

    def answer(asked: Asked) -> Answer:
        if b"b.png" in asked.body:
            is_over.wait(120)
        return image("queued")

    line = [sys.executable, "-m", "app.main", "upload", str(scans), *options]
    with server(answer) as api:
        with subprocess.Popen(
            [*line, "--url", api.url], cwd=ROOT, stdout=subprocess.PIPE, text=True
        ) as cut:
            wait_until(lambda: len(api.asked) == 3)
            cut.send_signal(signal.SIGINT)
            said, _ = cut.communicate(timeout=60)
        is_over.set()

    assert cut.returncode == 130
    assert said.count("queued") >= 1
    assert "stopped before it was answered" in next(x for x in said.splitlines() if "b.png" in x)
    assert all(name in said for name in ("a.PNG", "b.png", "sub/a.png"))
