"""The command line as a process: help, and errors in one line."""

from __future__ import annotations

import os
import socket
import subprocess
import sys

import pytest

from app.access.tokens import hash_token
from testkit.network.ports import free_port
from testkit.root import ROOT


def run(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "app.main", *arguments],
        cwd=ROOT,
        env=os.environ | variables,
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_help_names_the_roles_and_the_verbs() -> None:
    answer = run("--help")

    assert answer.returncode == 0
    for command in ("all", "web", "worker", "reconcile", "redrive", "announce-again", "watch"):
        assert f"    {command}" in answer.stdout


@pytest.mark.parametrize("verb", ["reconcile", "redrive", "announce-again", "watch"])
def test_the_help_of_each_verb_explains_its_exit_codes(verb: str) -> None:
    answer = run(verb, "--help")

    assert answer.returncode == 0
    assert "exit code: 0 done" in answer.stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ("reconcile", "--older-than", "-1"),
        ("redrive", "--limit", "0"),
        ("watch", "--count", "x"),
        ("announce-again",),
        ("announce-again", "7"),
        ("announce-again", "--since", "yesterday"),
        ("announce-again", "--all", "6b1c6fb4-9d4a-4b57-a7a3-0d3f3ef0a7de"),
    ],
)
def test_invalid_options_of_a_verb_are_a_usage_error(arguments: tuple[str, ...]) -> None:
    assert run(*arguments).returncode == 2


@pytest.mark.parametrize(
    "verb", [("reconcile",), ("redrive",), ("announce-again", "--all"), ("watch",)]
)
def test_a_verb_that_cannot_reach_aws_reports_it_in_one_line(verb: tuple[str, ...]) -> None:
    answer = run(*verb, AWS_ENDPOINT_URL="http://127.0.0.1:9")

    assert answer.returncode == 1
    assert len(answer.stderr.splitlines()) == 1
    assert "the connection was refused" in answer.stderr


def test_an_unknown_role_is_a_usage_error() -> None:
    assert run("everything").returncode == 2


def test_wrong_settings_prevent_the_start_with_one_line_that_names_them_all() -> None:
    answer = run("web", PORT="banana", MAX_PIXELS="0")

    assert answer.returncode == 2
    assert len(answer.stderr.splitlines()) == 1
    assert "PORT" in answer.stderr
    assert "MAX_PIXELS" in answer.stderr


@pytest.mark.parametrize(
    ("variables", "complaint"),
    [
        ({"AWS_ENDPOINT_URL": "http://"}, "cannot start: Invalid endpoint"),
        ({"AWS_PROFILE": "nope"}, "cannot start: The config profile (nope)"),
        ({"HOST": "no such host"}, "cannot listen on no such host:"),
    ],
)
def test_impossible_settings_are_reported_in_one_line(
    variables: dict[str, str], complaint: str
) -> None:
    answer = run("web", **variables)

    assert answer.returncode == 1
    assert len(answer.stderr.splitlines()) == 1
    assert complaint in answer.stderr


def test_a_busy_port_is_reported_in_one_line() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = str(other.getsockname()[1])

        answer = run("web", PORT=port)

    assert answer.returncode == 1
    assert answer.stderr.splitlines() == [
        f"app.main: cannot listen on 127.0.0.1:{port}: Address already in use"
    ]


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "*", "[::]"])
def test_a_server_without_tokens_refuses_to_listen_beyond_loopback(host: str) -> None:
    answer = run("web", HOST=host, PORT=str(free_port()))

    assert answer.returncode == 2
    assert f"HOST={host} would let anybody in" in answer.stderr
    assert len(answer.stderr.splitlines()) == 1


def test_a_token_is_labelled_on_a_terminal_and_bare_in_a_pipe() -> None:
    answer = run("token", "ana")

    token, entry = answer.stdout.splitlines()
    assert token.startswith("ipt_")
    assert entry == f"ana:{hash_token(token)}"
    assert len(answer.stderr.splitlines()) == 2
