"""What the Dockerfile makes beside the application: machine code, start and health check."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from testkit.deploy.templates import template
from testkit.root import ROOT

DOCKERFILE = (ROOT / "Dockerfile").read_text()
#: A module with few loops, for which the test takes seconds.
MODULE = "app.png.chroma"
HITS = f"""
import importlib
module = importlib.import_module("{MODULE}")
loops = [each for each in vars(module).values() if hasattr(each, "stats")]
print(sum(sum(each.stats.cache_hits.values()) for each in loops), len(loops))
"""


def compiling() -> str:
    """The command of the image's build that compiles, for one module."""
    (found,) = re.findall(r"^RUN (?:.*; )?(find app .*(?:\n .*)*)", DOCKERFILE, re.MULTILINE)
    text = found.replace("\\\n", " ")
    one = f"echo {MODULE.replace('.', '/')}.py | sed"
    assert 'grep -rl --include="*.py" "^@compiled(" app | sed' in text
    return text.replace('grep -rl --include="*.py" "^@compiled(" app | sed', one)


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """/srv of the image, with the machine code of one module."""
    srv = tmp_path_factory.mktemp("srv")
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "app", srv / "app", ignore=ignored)
    shutil.copy(ROOT / "deploy" / "start.sh", srv / "start")
    command = compiling().replace("/srv/numba", str(srv / "numba"))
    subprocess.run(["bash", "-c", command], cwd=srv, env=variables(srv), check=True, timeout=120)
    return srv


def variables(srv: Path) -> dict[str, str]:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return {"PATH": path, "PYTHONPATH": str(srv), "PYTHONDONTWRITEBYTECODE": "1"}


def started(srv: Path, cache: Path, tmp_path: Path) -> list[str]:
    """What the process is given: its arguments in the first line, its environment in the others."""
    shim = tmp_path / "bin" / "python"
    shim.parent.mkdir(exist_ok=True)
    shim.write_text('#!/bin/bash\necho "$@"\nenv\n')
    shim.chmod(0o755)
    own = variables(srv) | {"NUMBA_CACHE_DIR": str(cache)}
    own["PATH"] = f"{shim.parent}{os.pathsep}{own['PATH']}"
    said = subprocess.run(
        ["bash", srv / "start", "worker"],
        cwd=srv,
        env=own,
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    return said.stdout.splitlines()


def test_a_container_compiles_nothing_that_the_build_has_compiled(
    image: Path, tmp_path: Path
) -> None:
    cache = tmp_path / "numba"

    arguments, *environment = started(image, cache, tmp_path)
    given = dict(each.partition("=")[::2] for each in environment if each.startswith("NUMBA_"))
    if "NUMBA_CPU_NAME" not in given:
        pytest.skip("this processor lacks what the build compiles for")
    said = subprocess.run(
        [sys.executable, "-c", HITS],
        cwd=image,
        env=variables(image) | given,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    hits, loops = map(int, said.stdout.split())

    assert arguments == "-m app.main worker"
    assert hits == loops > 0


def test_a_container_with_a_full_disk_starts_anyway(image: Path, tmp_path: Path) -> None:
    arguments, *_ = started(image, Path("/proc/numba"), tmp_path)

    assert arguments == "-m app.main worker"


def test_code_that_a_container_has_compiled_itself_is_kept(image: Path, tmp_path: Path) -> None:
    cache = tmp_path / "numba"
    cache.mkdir()

    started(image, cache, tmp_path)

    assert list(cache.iterdir()) == []


def test_the_build_compiles_for_the_processors_that_the_start_looks_for() -> None:
    start = (ROOT / "deploy" / "start.sh").read_text()
    looked_for = set(re.findall(r"NUMBA_CPU_NAME=([\w-]+)", start))

    assert looked_for == set(re.findall(r"\becho ([\w]+-[\w-]+)", DOCKERFILE))
    assert looked_for == {"x86-64-v3", "neoverse-n1"}
    assert "NUMBA_CPU_NAME=x86-64-v3 NUMBA_CPU_FEATURES=+avx2" in start


def test_the_image_is_pinned_where_dependabot_renews_a_digest_and_says_what_it_is_made_of() -> None:
    """Dependabot updates the first FROM, and none that an ARG names."""
    first, *others = re.findall(r"^FROM (.+)", DOCKERFILE, re.MULTILINE)
    (default,) = re.findall(r"^ARG BASE=(\S+)", DOCKERFILE, re.MULTILINE)
    labels = dict(re.findall(r'org\.opencontainers\.image\.([\w.]+)="([^"]*)"', DOCKERFILE))
    (renewed,) = yaml.safe_load((ROOT / ".github" / "dependabot.yml").read_text())["updates"]

    assert re.fullmatch(rf"python:3\.13-slim@sha256:[0-9a-f]{{64}} AS {default}", first)
    assert others == ["${BASE} AS build", "${BASE}"]
    assert {"title", "version", "licenses", "revision"} <= labels.keys()
    assert (renewed["package-ecosystem"], renewed["directory"]) == ("docker", "/")


def described_build() -> str:
    readme = (ROOT / "deploy" / "README.md").read_text()
    (command,) = re.findall(r"^base=.*\ndocker buildx build (?:.*\\\n)*.*", readme, re.MULTILINE)
    return command


def test_the_build_that_is_described_is_for_both_processors_with_a_bill() -> None:
    command = described_build()
    taken = template()["Parameters"]["CpuArchitecture"]["AllowedValues"]

    assert "--platform linux/amd64,linux/arm64" in command
    assert sorted(taken) == ["ARM64", "X86_64"]
    assert "--sbom=true" in command


def test_the_build_that_is_described_labels_the_image_with_its_base() -> None:
    """As OCI annotations do: a full name without the digest, and the digest."""
    shown = "docker() { printf '%s\\n' \"$@\"; }\n" + described_build()

    said = subprocess.run(
        ["bash", "-c", shown], cwd=ROOT, capture_output=True, text=True, timeout=30, check=True
    ).stdout

    labels = dict(re.findall(r"^org\.opencontainers\.image\.base\.(\w+)=(.*)$", said, re.MULTILINE))
    assert labels.keys() == {"name", "digest"}
    assert labels["name"] == "docker.io/library/python:3.13-slim"
    assert f"FROM python:3.13-slim@{labels['digest']} AS " in DOCKERFILE


def test_the_build_installs_the_lock_of_its_role_and_no_machine_code_for_web() -> None:
    install, compile_ = re.findall(r"^RUN (python .*(?:\n .*)*|\[.*;)", DOCKERFILE, re.MULTILINE)

    assert 'scripts/install/role_lock.py /tmp/requirements.txt "${ROLE}" > /tmp/lock.txt' in install
    assert "--require-hashes -r /tmp/lock.txt" in install
    assert compile_.startswith('[ "${ROLE}" = web ] && exit;')
    assert DOCKERFILE.count("\nARG ROLE") == 3  # before the stages, and in each that reads it


def test_every_copied_file_is_in_the_build_context() -> None:
    sent = (ROOT / ".dockerignore").read_text().splitlines()
    copied = re.findall(r"^COPY (?!--from)(?:--\S+ )?(.+) \S+$", DOCKERFILE, re.MULTILINE)

    assert copied
    for names in copied:
        for name in names.split():
            assert f"!{name}" in sent, name


@pytest.mark.parametrize("script", ["prune.py", "role_lock.py"])
def test_a_script_of_the_build_has_what_it_imports(script: str, tmp_path: Path) -> None:
    copies = re.findall(r"^COPY (scripts/.*) /tmp/(scripts/.*)$", DOCKERFILE, re.MULTILINE)
    for names, folder in copies:
        (tmp_path / folder).mkdir(parents=True)
        for name in names.split():
            shutil.copy(ROOT / name, tmp_path / folder)

    assert f"python /tmp/scripts/install/{script} " in DOCKERFILE
    command = [sys.executable, f"scripts/install/{script}", "--help"]
    answer = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)

    assert (answer.returncode, answer.stderr) == (0, "")
    assert script in answer.stdout
