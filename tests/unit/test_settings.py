"""The environment becomes checked values, or a refusal that names every fault."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from pydantic import ValidationError

from app.aws import clients as aws
from app.errors import SettingsError
from app.png.limits import PngLimits
from app.settings import Settings
from testkit.root import ROOT


def test_nobody_has_to_set_anything() -> None:
    settings = Settings.from_env()

    assert (settings.host, settings.port) == ("127.0.0.1", 5000)
    assert settings.aws_endpoint_url is None


def test_every_fault_is_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORT", "banana")
    monkeypatch.setenv("MAX_PIXELS", "-1")
    monkeypatch.setenv("INPUT_QUEUE", "not-a-fifo")

    with pytest.raises(SettingsError) as caught:
        Settings.from_env()

    assert [
        name for name in ("PORT", "MAX_PIXELS", "INPUT_QUEUE") if name in str(caught.value)
    ] == [
        "PORT",
        "MAX_PIXELS",
        "INPUT_QUEUE",
    ]


@pytest.mark.parametrize(
    ("given", "region"),
    [
        ({"AWS_DEFAULT_REGION": "sa-east-1"}, "sa-east-1"),
        ({"AWS_DEFAULT_REGION": "sa-east-1", "AWS_REGION": "eu-west-1"}, "eu-west-1"),
        ({}, "us-east-1"),
    ],
)
def test_the_region_comes_from_the_names_that_the_sdk_knows(
    monkeypatch: pytest.MonkeyPatch, given: dict[str, str], region: str
) -> None:
    for name, value in given.items():
        monkeypatch.setenv(name, value)

    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)

    assert aws.region(Settings.from_env()) == region


def test_an_empty_variable_counts_as_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "")
    monkeypatch.setenv("PORT", "")

    settings = Settings.from_env()

    assert (settings.aws_endpoint_url, settings.port) == (None, 5000)


def test_a_region_of_the_profile_counts_where_none_is_set(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "config").write_text("[default]\nregion = eu-west-1\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))

    assert aws.region(Settings.from_env()) == "eu-west-1"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PROCESSED_BUCKET", "image-input"),
        ("PROCESSED_QUEUE", "new-image-input.fifo"),
        ("INPUT_DEAD_LETTER_QUEUE", "new-image-input.fifo"),
    ],
)
def test_two_names_for_one_thing_are_refused(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    """The same key would be an original and its own result."""
    monkeypatch.setenv(name, value)

    with pytest.raises(SettingsError, match="must all be different"):
        Settings.from_env()


def test_the_defaults_of_the_limits_are_those_of_the_check() -> None:
    assert Settings().png_limits == PngLimits()


def test_settings_cannot_be_changed_while_running() -> None:
    with pytest.raises(ValidationError):
        Settings().port = 1  # type: ignore[misc]


def test_docs_list_every_setting_with_its_default_and_bounds() -> None:
    rows = dict(
        re.findall(r"^\| `([A-Z0-9_]+)` \| +([^|]*\|[^|]*\|[^|]*) \|$", documented(), re.MULTILINE)
    )

    assert rows == {name.upper(): expected_row(name) for name in Settings.model_fields}


def documented() -> str:
    return (ROOT / "docs" / "settings.md").read_text()


def expected_row(name: str) -> str:
    field = Settings.model_fields[name]
    bounds = {type(m).__name__: m for m in field.metadata}
    low, high = bounds.get("Ge"), bounds.get("Le")
    within = f"{low.ge} to {high.le}" if low and high else ""
    default = "" if field.default is None else f"`{field.default}`"
    return f"{default} | {within} | {field.description}".lstrip()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("API_TOKENS", ","),
        ("API_TOKENS", "# nobody yet"),
        ("API_TOKENS", " "),
        ("CORS_ORIGINS", "http://[::1]:3000"),
        ("CORS_ORIGINS", "https://*.example"),
        ("RATE_LIMIT", "0/minute"),
    ],
)
def test_what_would_let_in_more_than_it_says_is_refused(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)

    with pytest.raises(SettingsError, match=name):
        Settings.from_env()


@pytest.mark.parametrize(
    ("settings", "limit"),
    [
        ({}, None),
        ({"host": "localhost"}, None),
        ({"host": "0.0.0.0"}, 600),
        ({"host": "*"}, 600),
        ({"host": "0.0.0.0", "rate_limit": "none"}, None),
        ({"rate_limit": "5/hour"}, 5),
    ],
)
def test_beyond_loopback_there_is_a_rate_limit_unless_told_otherwise(
    settings: dict[str, str], limit: int | None
) -> None:
    rate = Settings(**settings).rate

    assert (rate.limit if rate else None) == limit
