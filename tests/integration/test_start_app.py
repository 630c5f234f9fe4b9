"""start_app.sh, alvura and test_upload.sh for a user who has only the repository and Python.

The tree is a fresh copy of the files that git tracks, in a directory with spaces in its name. The
scripts are started from another directory and install everything that they need.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from app.aws import clients as aws
from app.settings import Settings
from scripts.install.environment import WEIGHTS
from testkit.network.http_requests import http_request
from testkit.processes.start_app import RunningApp, processes_of, start_app
from testkit.root import ROOT
from testkit.timing.waiting import assert_within, wait_until

INSTALL_S = 400.0
START_S = 120.0
STOP_S = 15.0
#: A process may still be about to end when the script has ended.
ENDING_S = 5.0


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("fresh") / "a clean clone"
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    for name in listed.stdout.rstrip("\0").split("\0"):
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, target / name, follow_symlinks=False)
    return target


@pytest.fixture(scope="module")
def app(tree: Path) -> Iterator[RunningApp]:
    with start_app(tree) as app:
        seconds = app.wait_until_ready(within_s=INSTALL_S)
        print(f"first start, installation included: {seconds:.1f} s")
        yield app
        seconds = app.send(signal.SIGTERM)
        print(f"stop: {seconds:.1f} s")
        assert_within(seconds, STOP_S)
        assert_only({}, tree)


def settings_for(app: RunningApp) -> Settings:
    return Settings(aws_endpoint_url=app.endpoint)


def upload(app: RunningApp, **fields: str) -> dict[str, Any]:
    body: dict[str, Any] = {"image": ("image.png", (ROOT / "image.png").read_bytes()), **fields}
    answer = http_request("POST", f"{app.url}/upload", fields=body)
    assert answer.status == 202, answer.data
    image: dict[str, Any] = answer.json()
    return image


def finished(app: RunningApp, image_id: str) -> dict[str, Any]:
    def look() -> dict[str, Any]:
        image: dict[str, Any] = http_request("GET", f"{app.url}/images/{image_id}").json()
        return image if image["status"] != "queued" else {}

    return wait_until(look)


def receive(app: RunningApp, queue: str) -> list[dict[str, Any]]:
    sqs = aws.sqs_client(settings_for(app))
    url = sqs.get_queue_url(QueueName=queue)["QueueUrl"]
    answer = sqs.receive_message(
        QueueUrl=url,
        MaxNumberOfMessages=10,
        WaitTimeSeconds=0,
        MessageSystemAttributeNames=["All"],
    )
    messages: list[dict[str, Any]] = [dict(m) for m in answer.get("Messages", [])]
    for message in messages:
        sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    return messages


def test_the_start_prints_the_address_and_a_first_command(app: RunningApp) -> None:
    assert f"The pipeline is ready on http://localhost:{app.port}" in app.text
    assert "./test_upload.sh" in app.text


def test_the_first_start_numbers_its_steps_and_announces_their_sizes(app: RunningApp) -> None:
    lines = app.text.splitlines()
    weights = [WEIGHTS["requirements.txt"], WEIGHTS["localstack.txt"]]

    assert lines[0] == (
        "To install, once: the application and LocalStack; "
        f"at most {sum(weight.download_mb for weight in weights)} MB to download, "
        f"{sum(weight.disk_mb for weight in weights)} MB on disk"
    )
    assert {line[:5] for line in lines if line.startswith("[")} == {f"[{n}/4]" for n in range(1, 5)}


@pytest.mark.parametrize("lock", ["requirements.txt", "localstack.txt"])
def test_an_installed_environment_has_the_announced_size(app: RunningApp, lock: str) -> None:
    weight = WEIGHTS[lock]

    (disk_mb,) = re.findall(rf"Installed {weight.name}: (\d+) MB on disk", app.text)

    assert 0.9 * weight.disk_mb <= int(disk_mb) <= weight.disk_mb


@pytest.mark.usefixtures("app")
@pytest.mark.parametrize("venv", [".venv", ".venv-localstack"])
def test_every_package_works_without_the_pruned_files(tree: Path, venv: str) -> None:
    command = [*tree.glob(".local/uv/*/bin/uv"), "pip", "check", "--python", tree / venv]

    answer = subprocess.run(command, capture_output=True, text=True)

    assert "All installed packages are compatible" in answer.stderr


@pytest.mark.usefixtures("app")
def test_pruning_keeps_the_fast_compression_libraries(tree: Path) -> None:
    """The application runs without them, but slower."""
    names = "from app.png import zlibs; print(zlibs._isal.__name__, zlibs._zlib_ng.__name__)"

    answer = subprocess.run(
        [tree / ".venv/bin/python", "-c", names], cwd=tree, capture_output=True, text=True
    )

    assert answer.stdout.split() == ["isal.isal_zlib", "zlib_ng.zlib_ng"]


def test_the_start_creates_exactly_the_documented_buckets_and_queues(app: RunningApp) -> None:
    settings = settings_for(app)
    buckets = aws.s3_client(settings).list_buckets()["Buckets"]
    queues = aws.sqs_client(settings).list_queues()["QueueUrls"]

    assert [bucket["Name"] for bucket in buckets] == ["image-input", "image-processed"]
    assert sorted(url.rsplit("/", 1)[1] for url in queues) == [
        "new-image-input-dlq.fifo",
        "new-image-input.fifo",
        "new-image-processed.fifo",
    ]


def test_an_upload_becomes_a_page_and_one_announcement_in_its_group(app: RunningApp) -> None:
    image = upload(app, group="invoice-42")

    final = finished(app, image["image_id"])

    s3 = aws.s3_client(settings_for(app))
    original = s3.get_object(Bucket="image-input", Key=f"{image['image_id']}.png")
    result = s3.get_object(Bucket="image-processed", Key=f"{image['image_id']}.png")
    assert original["Body"].read() == (ROOT / "image.png").read_bytes()
    assert len(result["Body"].read()) == final["processed"]["bytes"]
    (message,) = wait_until(lambda: receive(app, "new-image-processed.fifo"))
    attributes, body = message["Attributes"], json.loads(message["Body"])
    assert attributes["MessageGroupId"] == "invoice-42"
    assert attributes["MessageDeduplicationId"] == image["image_id"]
    assert (body["image_id"], body["status"], body["version"]) == (
        image["image_id"],
        "processed",
        1,
    )
    assert body["original"]["key"] == body["processed"]["key"] == f"{image['image_id']}.png"
    assert receive(app, "new-image-input.fifo") == []


def test_a_job_with_three_fields_is_processed(app: RunningApp) -> None:
    image_id = "0e0d4b8e-7d7a-4b8b-8f53-52f2f6d2c0aa"
    settings = settings_for(app)
    s3, sqs = aws.s3_client(settings), aws.sqs_client(settings)
    s3.put_object(Bucket="image-input", Key="their/a.png", Body=(ROOT / "image.png").read_bytes())

    sqs.send_message(
        QueueUrl=sqs.get_queue_url(QueueName="new-image-input.fifo")["QueueUrl"],
        MessageBody=json.dumps(
            {"image_id": image_id, "bucket": "image-input", "key": "their/a.png"}
        ),
        MessageGroupId=image_id,
        MessageDeduplicationId=image_id,
    )

    (message,) = wait_until(lambda: receive(app, "new-image-processed.fifo"))
    body = json.loads(message["Body"])
    assert (body["status"], body["original"]["key"]) == ("processed", "their/a.png")
    assert finished(app, image_id)["original"]["width"] == 1240


def test_invalid_messages_do_not_stop_other_images(app: RunningApp) -> None:
    sqs = aws.sqs_client(settings_for(app))
    url = sqs.get_queue_url(QueueName="new-image-input.fifo")["QueueUrl"]
    sqs.send_message(QueueUrl=url, MessageBody="{", MessageGroupId="g", MessageDeduplicationId="x")

    image = upload(app)

    assert finished(app, image["image_id"])["status"] == "processed"
    seen: list[str] = []

    def both() -> bool:
        bodies = [json.loads(m["Body"]) for m in receive(app, "new-image-processed.fifo")]
        seen.extend(body["status"] for body in bodies)
        return len(seen) == 2

    wait_until(both)
    assert sorted(seen) == ["failed", "processed"]


def test_the_sample_script_saves_the_page_next_to_the_image(app: RunningApp, tree: Path) -> None:
    environment = os.environ | {"ALVURA_URL": app.url}

    answer = subprocess.run(
        [tree / "test_upload.sh"], env=environment, capture_output=True, text=True, timeout=60
    )

    assert answer.returncode == 0, answer.stderr
    assert str(tree / "image-bw.png") in answer.stdout
    assert (tree / "image-bw.png").read_bytes().startswith(b"\x89PNG")


def test_the_sample_script_shows_why_a_file_is_refused(app: RunningApp, tree: Path) -> None:
    answer = subprocess.run(
        [tree / "test_upload.sh", tree / "README.md"],
        env=os.environ | {"ALVURA_URL": app.url},
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert answer.returncode == 1
    assert "not-a-png" in answer.stdout


def test_the_printed_curl_command_works(app: RunningApp, tree: Path) -> None:
    command = next(part for part in app.text.splitlines() if "curl" in part).strip()

    answer = subprocess.run(
        ["bash", "-c", command.replace("localhost", "127.0.0.1")],
        cwd=tree,
        capture_output=True,
        text=True,
    )

    assert json.loads(answer.stdout)["status"] == "queued"


def test_every_command_of_the_readme_works_unchanged(app: RunningApp, tree: Path) -> None:
    """In the order of the page; run_tests.sh and start_app.sh run already."""
    blocks = re.findall(r"^```sh\n(.*?)^```", (tree / "README.md").read_text(), re.M | re.S)
    assert [line.split()[0] for line in blocks[0].splitlines()] == [
        "./start_app.sh",
        "./run_tests.sh",
    ]

    answers = {block: run_block(block, app, tree) for block in blocks[1:]}

    first_curl = next(answer for block, answer in answers.items() if block.startswith("curl"))
    shown = re.search(r"^```json\n(.*?)^```", (tree / "README.md").read_text(), re.M | re.S)
    assert shown is not None
    assert shape(json.loads(shown[1])) <= shape(json.loads(first_curl))
    assert (tree / "image-bw.png").read_bytes().startswith(b"\x89PNG")
    assert (tree / "pages" / "image-bw.png").read_bytes().startswith(b"\x89PNG")
    assert "processed" in list(answers.values())[-1]


def ports_of(app: RunningApp) -> dict[str, str]:
    return {"PORT": str(app.port), "LOCALSTACK_PORT": str(app.localstack_port)}


def alvura(
    tree: Path, *arguments: str, cwd: Path, **variables: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [tree / "alvura", *arguments],
        cwd=cwd,
        env=os.environ | variables,
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_alvura_sends_files_of_the_current_folder(
    app: RunningApp, tree: Path, tmp_path: Path
) -> None:
    shutil.copy(ROOT / "image.png", tmp_path / "scan.png")
    (tmp_path / "app").mkdir()  # the caller's folder, which must not hide our package

    answer = alvura(tree, "upload", "scan.png", "--out", "pages", cwd=tmp_path, **ports_of(app))

    assert answer.returncode == 0, answer.stderr
    assert (tmp_path / "pages" / "scan-bw.png").read_bytes().startswith(b"\x89PNG")


def test_alvura_finds_the_running_localstack_and_names_it(
    app: RunningApp, tree: Path, tmp_path: Path
) -> None:
    made = alvura(tree, "setup", cwd=tmp_path, **ports_of(app))
    dry = alvura(tree, "redrive", "--dry-run", cwd=tmp_path, **ports_of(app))

    assert f"alvura: with LocalStack on {app.endpoint}" in made.stderr
    assert "queue new-image-input.fifo is there" in made.stderr
    assert (made.returncode, dry.returncode) == (0, 0), dry.stderr


def test_alvura_uses_aws_when_the_endpoint_is_empty(
    app: RunningApp, tree: Path, tmp_path: Path
) -> None:
    answer = alvura(
        tree,
        "setup",
        cwd=tmp_path,
        AWS_ENDPOINT_URL="",
        AWS_EC2_METADATA_DISABLED="true",
        AWS_ACCESS_KEY_ID="",  # so that boto3 asks no other source
        AWS_SHARED_CREDENTIALS_FILE=os.devnull,
        AWS_CONFIG_FILE=os.devnull,
        **ports_of(app),
    )

    assert answer.returncode == 1
    assert "there are no AWS credentials" in answer.stderr


@pytest.mark.usefixtures("app")  # so that uv is there
def test_an_active_environment_with_all_packages_is_used_as_it_is(
    tree: Path, tmp_path: Path
) -> None:
    copy, venv = tmp_path / "clone", tmp_path / "clone" / "venv"
    shutil.copytree(
        tree, copy, symlinks=True, ignore=shutil.ignore_patterns(".venv*", ".local", "__pycache__")
    )
    subprocess.run([sys.executable, "-m", "venv", venv], check=True)
    (uv,) = tree.glob(".local/uv/*/bin/uv")
    install: list[str | Path] = [uv, "pip", "install", "--quiet", "--no-deps", "--python", venv]

    subprocess.run([*install, "-r", copy / "requirements.txt"], check=True)
    answer = alvura(copy, "token", "ana", cwd=tmp_path, VIRTUAL_ENV=str(venv))
    there = {path.name for path in copy.iterdir()}
    subprocess.run([uv, "pip", "uninstall", "--quiet", "--python", venv, "flask"], check=True)
    incomplete = subprocess.run(
        [venv / "bin/python", "scripts/install/has_lock.py", "requirements.txt"], cwd=copy
    )

    assert answer.returncode == 0, answer.stderr
    assert answer.stdout.splitlines()[1].startswith("ana:")
    assert not {".venv", ".local"} & there
    assert incomplete.returncode == 1


def run_block(block: str, app: RunningApp, tree: Path) -> str:
    """Run the commands of *block* until one fails; returns their output."""
    places = {"http://localhost:5000": app.url, "http://localhost:4566": app.endpoint}
    for usual, here in places.items():
        block = block.replace(usual, here)
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", block],
        cwd=tree,
        env=os.environ | {"ALVURA_URL": app.url, **ports_of(app)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, f"{block}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def shape(value: Any, name: str = "") -> set[str]:
    """The paths of all fields of a JSON value."""
    if not isinstance(value, dict):
        return {name}
    return {path for key, part in value.items() for path in shape(part, f"{name}.{key}")}


def test_a_second_start_on_the_same_port_is_refused_in_one_line(
    app: RunningApp, tree: Path
) -> None:
    answer = subprocess.run(
        [tree / "start_app.sh"],
        env=os.environ | {"PORT": str(app.port)},
        capture_output=True,
        text=True,
    )

    assert answer.returncode != 0
    assert answer.stderr.splitlines() == [
        f"start_app.sh: cannot listen on 127.0.0.1:{app.port}: Address already in use; "
        "set PORT or HOST"
    ]


def test_a_second_app_shares_the_running_localstack_and_does_not_stop_it(
    app: RunningApp, tree: Path
) -> None:
    with start_app(tree, LOCALSTACK_PORT=str(app.localstack_port)) as second:
        seconds = second.wait_until_ready(within_s=START_S)
        print(f"second start beside a running LocalStack: {seconds:.1f} s")
        second.send(signal.SIGTERM)

    assert app.is_ready


@pytest.mark.usefixtures("app")  # so that everything is installed
@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_a_later_start_is_fast_and_a_signal_ends_all_its_processes(tree: Path, signum: int) -> None:
    before = processes_of(tree)
    with start_app(tree) as second:
        seconds = second.wait_until_ready(within_s=START_S)
        stopped_s = second.send(signum)

    print(f"later start: {seconds:.1f} s, stop: {stopped_s:.1f} s")
    assert_only(before, tree)
    assert_within(stopped_s, STOP_S)


@pytest.mark.usefixtures("app")
def test_a_signal_during_the_start_of_localstack_leaves_no_process(tree: Path) -> None:
    before = processes_of(tree)
    with start_app(tree) as second:
        wait_until(lambda: "Starting LocalStack" in second.text)
        wait_until(lambda: "localstack_on_loopback" in new_since(before, tree))
        second.send(signal.SIGTERM)

    assert_only(before, tree)


@pytest.mark.usefixtures("app")
def test_a_second_interrupt_leaves_no_process(tree: Path) -> None:
    before = processes_of(tree)
    with start_app(tree) as second:
        second.wait_until_ready(within_s=START_S)
        os.killpg(second.process.pid, signal.SIGINT)
        second.send(signal.SIGINT)

    assert_only(before, tree)


@pytest.mark.usefixtures("app")
def test_localstack_ends_with_an_app_that_was_killed(tree: Path) -> None:
    before = processes_of(tree)
    with start_app(tree) as second:
        second.wait_until_ready(within_s=START_S)
        assert "scripts.local.run_app" in new_since(before, tree)
        second.application.kill()
        assert second.process.wait(STOP_S) != 0

    assert_only(before, tree)


@pytest.mark.usefixtures("app")
def test_a_signal_during_compilation_leaves_no_process(tree: Path) -> None:
    for folder in tree.glob("app/__pycache__/numba-*"):
        shutil.rmtree(folder)
    before = processes_of(tree)
    with start_app(tree) as second:
        wait_until(lambda: "run_app.load" in new_since(before, tree))
        second.send(signal.SIGTERM)

    assert_only(before, tree)


def assert_only(before: dict[int, str], tree: Path) -> None:
    """Check that no other processes run from *tree*; the last one may just be ending."""
    with suppress(AssertionError):
        wait_until(lambda: processes_of(tree).keys() == before.keys(), within_s=ENDING_S)
    now = processes_of(tree)
    assert now.keys() == before.keys(), now


def new_since(before: dict[int, str], tree: Path) -> str:
    return "\n".join(line for pid, line in processes_of(tree).items() if pid not in before)
