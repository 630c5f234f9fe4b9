"""The shell scripts on a machine where something is missing: one clear line, non-zero exit."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import HTTPServer, SimpleHTTPRequestHandler
from pathlib import Path

import psutil
import pytest

from app.cli.arguments import parser
from testkit.network.http_servers import serving
from testkit.network.ports import free_port
from testkit.processes.command_lines import commands_below
from testkit.root import ROOT
from testkit.timing.waiting import wait_until

SCRIPTS = sorted((ROOT / "scripts").rglob("*.py"))


def run(
    command: Sequence[str | Path], *, cwd: Path = ROOT, **variables: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, cwd=cwd, env=os.environ | variables, capture_output=True, text=True, timeout=120
    )


def script(path: Path, body: str) -> Path:
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    return path


def only_line_of(answer: subprocess.CompletedProcess[str]) -> str:
    assert len(answer.stderr.splitlines()) == 1, answer.stderr
    return answer.stderr.strip()


@contextmanager
def silent_server() -> Iterator[int]:
    """A port that takes connections and never says a word."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        yield server.getsockname()[1]


def command_lines() -> list[str]:
    return [" ".join(p.info["cmdline"] or []) for p in psutil.process_iter(["cmdline"])]


def only_line(answer: subprocess.CompletedProcess[str]) -> str:
    assert answer.returncode != 0
    return only_line_of(answer)


@pytest.fixture
def busy_port() -> Iterator[int]:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        yield other.getsockname()[1]


@pytest.mark.parametrize("root_script", ["start_app.sh", "start_localstack.sh", "run_tests.sh"])
def test_an_unsupported_python_is_named(tmp_path: Path, root_script: str) -> None:
    for name in ("python3.13", "python3.12", "python3.11", "python3", "python"):
        script(tmp_path / name, '[ "$1" = --version ] && echo "Python 3.8.18" || exit 1')

    answer = run([ROOT / root_script], PATH=f"{tmp_path}:/usr/bin:/bin", PYTHON="")

    assert "Python 3.11 or newer is needed; Python 3.8.18 is here" in only_line(answer)


def test_a_busy_port_is_reported_before_anything_is_installed(
    busy_port: int, tmp_path: Path
) -> None:
    tree = copy_of_scripts(tmp_path)

    answer = run([tree / "start_app.sh"], PORT=str(busy_port), PYTHON=sys.executable)

    assert only_line(answer) == (
        f"start_app.sh: cannot listen on 127.0.0.1:{busy_port}: Address already in use; "
        "set PORT or HOST"
    )
    assert not (tree / ".venv").exists()


def test_a_missing_venv_module_is_reported_with_the_package_to_install(tmp_path: Path) -> None:
    # A Python as Debian ships it: everything there but ensurepip.
    program = (
        "import sys; sys.modules['ensurepip'] = None\n"
        "sys.argv = ['install', 'venv', 'lock']\n"
        "import runpy; runpy.run_path('scripts/install', run_name='__main__')"
    )

    answer = run([sys.executable, "-c", program])

    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    assert f"apt install python{version}-venv" in only_line(answer)


def test_without_a_network_an_installation_fails_in_one_line_and_leaves_no_stamp(
    tmp_path: Path,
) -> None:
    lock = tmp_path / "lock.txt"
    lock.write_text(f"no-such-thing==1.0 --hash=sha256:{'0' * 64}\n")
    command: list[str | Path] = [sys.executable, ROOT / "scripts/install", tmp_path / "v", lock]

    answer = run(
        command,
        PIP_CONFIG_FILE=os.devnull,
        PIP_INDEX_URL="http://127.0.0.1:9/simple",
        PIP_FIND_LINKS="",
    )

    first, *_, last = answer.stderr.splitlines()
    assert answer.returncode != 0
    assert first.startswith("Installing ")
    assert "Traceback" not in answer.stderr
    assert "(no network?)" in last
    assert not list((tmp_path / "v").glob(".installed*"))


def test_an_installed_environment_is_left_alone_and_a_broken_one_is_rebuilt(tmp_path: Path) -> None:
    venv, lock = tmp_path / "v e n v", tmp_path / "lock.txt"
    lock.write_text("")
    command: list[str | Path] = [sys.executable, ROOT / "scripts" / "install", venv, lock]

    first = run(command)
    second = run(command)
    shutil.rmtree(venv / "lib")  # as an interrupted run, or a Python that was removed, leaves it
    third = run(command)

    assert [r.returncode for r in (first, second, third)] == [0, 0, 0]
    assert [bool(r.stderr) for r in (first, second, third)] == [True, False, True]


def test_localstack_that_ends_shows_the_end_of_its_log(tmp_path: Path) -> None:
    python = tmp_path / "venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    script(python, "echo 'something is broken'; exit 3")

    answer = start_localstack(tmp_path, free_port())

    assert answer.returncode != 0
    assert "something is broken" in answer.stderr
    assert "LocalStack ended with exit code 3" in answer.stderr.splitlines()[-1]
    assert not (tmp_path / "state" / "localstack.pid").exists()


def test_a_port_taken_by_another_program_is_reported_in_one_line(
    tmp_path: Path, busy_port: int
) -> None:
    assert f"port {busy_port} is taken" in only_line(start_localstack(tmp_path, busy_port))


def test_stopping_never_kills_another_process_with_a_reused_id(tmp_path: Path) -> None:
    (tmp_path / "localstack.pid").write_text(str(os.getpid()))

    answer = run([sys.executable, ROOT / "scripts" / "local" / "localstack.py", "stop", tmp_path])

    assert answer.returncode == 0  # and this test goes on


def test_settings_in_a_file_are_read_literally_and_do_not_override(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(
        "\ufeff# a comment\nA=one two $HOME `id`\r\nB=from-file\n\nnot a setting\n"
        "  export C='quoted'\nD=\"twice\""
    )
    program = f'. "{ROOT}/scripts/common.sh"; load_env_file; echo "$A|$B|$C|$D"'

    answer = run(["bash", "-euc", program], cwd=tmp_path, B="from-environment")

    assert answer.stdout == "one two $HOME `id`|from-environment|quoted|twice\n"
    assert only_line_of(answer) == "bash: .env: not a NAME=value: not a setting"


@pytest.mark.parametrize("port", ["abc", "0", "99999", "-1", "5000 "])
@pytest.mark.parametrize("name", ["PORT", "LOCALSTACK_PORT"])
def test_an_invalid_port_is_reported_before_anything_is_done(name: str, port: str) -> None:
    answer = run([ROOT / "start_app.sh"], **{"PORT": str(free_port()), name: port})

    assert only_line(answer) == f"start_app.sh: {name}={port} is not a port, 1 to 65535"


def test_loopback_needs_no_proxy_in_either_spelling() -> None:
    program = f'. "{ROOT}/scripts/common.sh"; use_emulator http://x; echo "$no_proxy|$NO_PROXY"'

    answer = run(["bash", "-euc", program], no_proxy="example.com", NO_PROXY="")

    expected = "example.com,127.0.0.1,localhost"
    assert answer.stdout.strip() == f"{expected}|{expected}"


@pytest.mark.parametrize("at_once", [1, 2])
def test_an_installation_that_is_cut_short_leaves_no_process(tmp_path: Path, at_once: int) -> None:
    lock = tmp_path / "lock.txt"
    lock.write_text(f"no-such-thing==1.0 --hash=sha256:{'0' * 64}\n")
    pairs = [str(path) for n in range(at_once) for path in (tmp_path / f"v{n}", lock)]
    command = [sys.executable, str(ROOT / "scripts" / "install"), *pairs]
    with silent_server() as port:
        process = subprocess.Popen(
            command, env=os.environ | {"PIP_INDEX_URL": f"http://127.0.0.1:{port}"}
        )
        try:
            wait_until(lambda: at_once == sum("pip" in c for c in commands_below(process.pid)))

            process.terminate()

            assert process.wait(30) == 143
        finally:
            process.kill()
            process.wait()

    wait_until(lambda: not any(str(tmp_path) in line for line in command_lines()), within_s=60)


@pytest.mark.parametrize("when", ["start", "block", "finalizer"])
def test_a_signal_ends_the_installer_and_its_process_whenever_it_comes(when: str) -> None:
    program = """if True:
        import signal, subprocess, sys
        from scripts.install import ending

        class Finalized:
            def __del__(self):
                signal.raise_signal(signal.SIGTERM)

        def start():
            process = subprocess.Popen(["sleep", "300"], start_new_session=True)
            print(process.pid, flush=True)
            if when == "start":
                signal.raise_signal(signal.SIGTERM)
            return process

        when = sys.argv[1]
        ending.on_signals()
        with ending.started(start, ending.kill_group):
            if when == "block":
                signal.raise_signal(signal.SIGTERM)
            Finalized()
        print("still here")
    """
    answer = run([sys.executable, "-c", program, when])

    assert (answer.returncode, answer.stderr) == (143, "")
    assert not psutil.pid_exists(int(answer.stdout))


def test_a_signal_ends_the_application_that_loads_even_inside_a_finalizer() -> None:
    program = """if True:
        import os, signal
        from scripts.local import run_app

        class Finalized:
            def __del__(self):
                signal.raise_signal(signal.SIGTERM)

        os.setsid()
        signal.signal(signal.SIGTERM, run_app.end)
        Finalized()
        print("still here")
    """
    answer = run([sys.executable, "-c", program])

    assert (answer.returncode, answer.stdout, answer.stderr) == (143, "", "")


def test_sending_without_a_server_is_reported() -> None:
    answer = run([ROOT / "test_upload.sh"], ALVURA_URL="http://127.0.0.1:9")

    assert answer.returncode == 2
    assert only_line_of(answer) == (
        "test_upload.sh: nobody answers at http://127.0.0.1:9; is ./start_app.sh running?"
    )


def test_sending_runs_the_upload_command_and_saves_next_to_the_file(tmp_path: Path) -> None:
    tree, active = copy_of_scripts(tmp_path), tmp_path / "active"
    for name in ("test_upload.sh", "alvura"):
        shutil.copy(ROOT / name, tree)
    (active / "bin").mkdir(parents=True)
    script(active / "bin" / "python", 'for given; do echo "$given"; done; pwd')
    fields = ["method=nick", "group=a b", "k=-0.2"]

    with serving(HTTPServer(("127.0.0.1", 0), SimpleHTTPRequestHandler)) as url:
        answer = run(
            [tree / "test_upload.sh", "my scan.png", *fields],
            cwd=tmp_path,
            ALVURA_URL=url,
            VIRTUAL_ENV=str(active),
        )

    assert answer.stdout.splitlines() == [
        *("-P", "-m", "app", "upload", "--wait", "--timeout", "60"),
        *("--out", str(tmp_path), "--method=nick", "--group=a b", "--set", "k=-0.2"),
        *("--", str(tmp_path / "my scan.png"), str(tree)),
    ]


def copy_of_scripts(target: Path) -> Path:
    tree = target / "a tree"
    shutil.copytree(ROOT / "scripts", tree / "scripts")
    shutil.copy(ROOT / "start_app.sh", tree)
    return tree


def start_localstack(place: Path, port: int) -> subprocess.CompletedProcess[str]:
    command: list[str | Path] = [
        sys.executable,
        ROOT / "scripts" / "local" / "localstack.py",
        "start",
    ]
    return run([*command, str(port), place / "venv", place / "state"])


@pytest.mark.parametrize(
    "root_script",
    ["alvura", "start_app.sh", "start_localstack.sh", "run_tests.sh", "test_upload.sh"],
)
def test_help_explains_a_script_and_has_no_effect(root_script: str, tmp_path: Path) -> None:
    answer = run([ROOT / root_script, "--help"], cwd=tmp_path)

    assert (answer.returncode, answer.stderr) == (0, "")
    assert f"./{root_script}" in answer.stdout
    assert not answer.stdout.startswith("#")


@pytest.mark.parametrize(
    ("root_script", "argument"),
    [
        ("alvura", "strat"),
        ("start_app.sh", "--port=5001"),
        ("start_localstack.sh", "restart"),
        ("test_upload.sh", "--wait"),
    ],
)
def test_a_script_refuses_an_argument_that_it_does_not_know(
    root_script: str, argument: str
) -> None:
    line = only_line(run([ROOT / root_script, argument]))

    assert line.startswith(f"{root_script}: un")
    assert repr(argument) in line


@pytest.mark.parametrize("script", ["renew_locks.sh", "check/lint_deploy.sh"])
def test_a_maintainer_s_script_explains_itself_and_refuses_what_it_does_not_know(
    script: str,
) -> None:
    explained, refused = (run([ROOT / "scripts" / script, a]) for a in ("--help", "--helpp"))

    assert (explained.returncode, explained.stderr) == (0, "")
    assert f"./scripts/{script}" in explained.stdout
    assert only_line(refused).startswith(f"{Path(script).name}: unknown argument '--helpp'")


def module_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts)


#: A module of functions has nothing below its definitions that runs.
PROGRAMS = [
    module_of(path)
    for path in SCRIPTS
    if '__name__ == "__main__"' in path.read_text() or "runpy" in path.read_text()
]


@pytest.mark.parametrize("module", PROGRAMS)
def test_a_python_script_explains_itself_and_refuses_what_it_does_not_know(module: str) -> None:
    command = [sys.executable, "-m", module]

    explained, refused = (run([*command, argument]) for argument in ("--help", "--helpp"))

    assert (explained.returncode, explained.stderr) == (0, "")
    assert len(explained.stdout.splitlines()) > 2
    assert refused.returncode == 2
    assert refused.stdout == ""
    assert "--helpp" in refused.stderr.splitlines()[-1]


@pytest.mark.parametrize("words", [["answers"], ["start", "4566"], ["stp", "folder"]])
def test_a_misspelt_verb_or_a_missing_argument_of_a_script_is_refused(
    words: list[str],
) -> None:
    for name in ("localstack", "probe"):
        answer = run([sys.executable, ROOT / "scripts" / "local" / f"{name}.py", *words])

        assert answer.returncode == 2
        assert only_line(answer).endswith("--help has the usage")


def test_one_command_has_every_verb_of_the_command_line() -> None:
    listed = run([ROOT / "alvura"]).stdout
    commands = parser("alvura").parse_args  # it has no public list of its commands
    verbs = set(re.findall(r"^  ./alvura ([\w-]+)", listed, re.MULTILINE))

    assert verbs >= {"start", "setup", "test", "upload", "watch", "reconcile", "redrive", "token"}
    assert "announce-again" in verbs
    for verb in verbs - {"start", "setup", "test"}:
        with pytest.raises(SystemExit) as ended:
            commands([verb, "--help"])
        assert ended.value.code == 0


@pytest.mark.parametrize(
    "first_try",
    [
        ["app/main.py"],
        ["-m", "app"],
        ["-m", "flask", "--app", "app", "run"],
    ],
)
def test_a_natural_first_try_is_answered_with_what_to_type(first_try: list[str]) -> None:
    assert "type ./alvura start" in only_line(run([sys.executable, *first_try]))


def test_a_python_without_the_packages_is_answered_with_what_to_type(tmp_path: Path) -> None:
    run([sys.executable, "-m", "venv", "--without-pip", tmp_path])

    line = only_line(run([tmp_path / "bin/python", "-m", "app.main", "--help"]))

    assert line == "app.main: the packages are not installed here; type ./alvura start"


def test_a_name_in_the_file_that_is_nearly_a_setting_is_reported(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("MAX_UPLOAD_BYTE=1\nMY_OWN=1\n")
    tell = (
        "import os; from scripts.local.run_app import tell_misspelt; "
        "tell_misspelt(os.environ['NAMES'].split())"
    )
    tell = f'NAMES=$DOTENV_NAMES "{sys.executable}" -c "{tell}"'
    program = f'. "{ROOT}/scripts/common.sh"; load_env_file; {tell}'

    answer = run(["bash", "-euc", program], cwd=tmp_path, PYTHONPATH=str(ROOT))

    expected = "start_app.sh: .env: MAX_UPLOAD_BYTE is no setting; MAX_UPLOAD_BYTES is"
    assert only_line_of(answer) == expected


@pytest.mark.parametrize("folder", ["venv/", "pages/"])
def test_git_ignores_the_folders_that_the_documents_have_users_create(folder: str) -> None:
    assert run(["git", "check-ignore", "--quiet", folder + "x"]).returncode == 0
