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
from app.settings import ClientSettings, Settings, misspelt
from testkit.root import ROOT


def test_no_setting_is_required() -> None:
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
    ("name", "value", "said"),
    [
        ("RATE_LIMIT", "lots", "RATE_LIMIT='lots': use 60/minute or none"),
        ("PORT", "banana", "PORT='banana': use 1 to 65535"),
        ("PORT", "70000", "PORT='70000': use 1 to 65535"),
        ("LOG_LEVEL", "loud", "LOG_LEVEL='loud': use DEBUG, INFO, WARNING or ERROR"),
        ("ALLOW_ANONYMOUS", "maybe", "ALLOW_ANONYMOUS='maybe': use 1 or 0"),
        ("INPUT_QUEUE", "jobs", "INPUT_QUEUE='jobs': use a value such as new-image-input.fifo"),
        (
            "MAX_UPLOAD_BYTES",
            "32 apples",
            "MAX_UPLOAD_BYTES='32 apples': use 1024 to 1073741824, such as 32MiB",
        ),
        (
            "CORS_ORIGINS",
            "scan",
            "CORS_ORIGINS='scan': 'scan' is no origin such as https://scan.example",
        ),
        ("METRICS_PORT", "5000", "METRICS_PORT and PORT are both 5000"),
        ("AWS_DEFAULT_REGION", "x", "AWS_REGION='x': use eu-west-1"),
    ],
)
def test_a_fault_shows_the_value_and_a_valid_one(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, said: str
) -> None:
    monkeypatch.setenv(name, value)

    with pytest.raises(SettingsError) as caught:
        Settings.from_env()

    assert str(caught.value) == said


@pytest.mark.parametrize(
    ("name", "secret"), [("IDEMPOTENCY_SECRET", "hush"), ("API_TOKENS", "a,b")]
)
def test_a_fault_in_a_secret_does_not_show_it(
    monkeypatch: pytest.MonkeyPatch, name: str, secret: str
) -> None:
    monkeypatch.setenv(name, secret)

    with pytest.raises(SettingsError) as caught:
        Settings.from_env()

    assert name in str(caught.value)
    assert secret not in str(caught.value)


@pytest.mark.parametrize(
    ("given", "size"),
    [
        ("33554432", 33_554_432),
        ("32MiB", 33_554_432),
        ("32MB", 32_000_000),
        ("32 mb", 32_000_000),
        ("1.5MB", 1_500_000),
        ("2048 B", 2048),
        ("1GiB", 1024**3),
        ("64kB", 64_000),
    ],
)
def test_a_size_may_have_a_unit(monkeypatch: pytest.MonkeyPatch, given: str, size: int) -> None:
    monkeypatch.setenv("MAX_UPLOAD_BYTES", given)

    assert Settings.from_env().max_upload_bytes == size


@pytest.mark.parametrize("given", ["32M", "-1MB", "MB", "32 MB each", "0x20"])
def test_a_size_that_could_mean_two_things_is_refused(
    monkeypatch: pytest.MonkeyPatch, given: str
) -> None:
    monkeypatch.setenv("MAX_UPLOAD_BYTES", given)

    with pytest.raises(SettingsError, match="such as 32MiB"):
        Settings.from_env()


def test_names_that_are_nearly_those_of_settings_are_found() -> None:
    names = [
        "MAX_UPLOAD_BYTE",
        "RATE_LIMITS",
        "LOCALSTACK_PORTS",
        "PORT",
        "HOME",
        "MY_OWN",
        "APP_URL",
    ]

    assert misspelt(names) == {
        "MAX_UPLOAD_BYTE": "MAX_UPLOAD_BYTES",
        "RATE_LIMITS": "RATE_LIMIT",
        "LOCALSTACK_PORTS": "LOCALSTACK_PORT",
    }


@pytest.mark.parametrize(
    ("given", "url", "old_name"),
    [
        ({}, "http://127.0.0.1:5000", None),
        ({"PORT": "5001"}, "http://127.0.0.1:5001", None),
        ({"APP_URL": "http://a", "PORT": "5001"}, "http://a", "APP_URL"),
        ({"IMAGE_PIPELINE_URL": "http://b"}, "http://b", "IMAGE_PIPELINE_URL"),
        ({"ALVURA_URL": "http://c", "APP_URL": "http://a"}, "http://c", None),
    ],
)
def test_the_address_has_one_name_and_the_earlier_ones_are_still_read(
    monkeypatch: pytest.MonkeyPatch, given: dict[str, str], url: str, old_name: str | None
) -> None:
    for name, value in given.items():
        monkeypatch.setenv(name, value)

    client = ClientSettings()

    assert (client.url, client.old_name) == (url, old_name)


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
    table = documented().partition("\n## ")[0]
    pattern = r"^\| `([A-Z0-9_]+)` \| +([^|]*\|[^|]*\|[^|]*) \|$"
    rows = dict(re.findall(pattern, table, re.MULTILINE))

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
def test_an_access_setting_whose_meaning_is_unclear_is_refused(
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
