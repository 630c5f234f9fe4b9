"""Describe the faults of settings: the given value, and an example of a valid one."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Any, Final

from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

#: Settings whose values must not be logged.
_SECRETS: Final = frozenset(("api_tokens", "idempotency_secret"))
#: Examples for the settings whose bounds and default do not show a valid value.
_EXAMPLES: Final = {
    "api_tokens_file": "the path of a file that exists",
    "aws_endpoint_url": "http://127.0.0.1:4566",
    "aws_region": "eu-west-1",
    "idempotency_secret": "16 characters or more",
    "log_format": "json or text",
    "log_level": "DEBUG, INFO, WARNING or ERROR",
    "max_buffered_bytes": "512MiB",
    "max_upload_bytes": "32MiB",
    "otel_exporter_otlp_endpoint": "http://127.0.0.1:4318",
    "otel_exporter_otlp_traces_endpoint": "http://127.0.0.1:4318/v1/traces",
    "otel_traces_exporter": "otlp, console or none",
    "rate_limit": "60/minute or none",
}
#: Similarity from which a name counts as a misspelt setting.
_LIKENESS: Final = 0.85
_UNITS: Final = {"": 1, "B": 1} | {
    f"{prefix}{infix}B": base**power
    for power, prefix in enumerate("KMGT", 1)
    for infix, base in (("", 1000), ("I", 1024))
}


def parse_bytes(value: Any) -> Any:
    """The bytes that a text such as `32MB` or `32 MiB` spells; anything else as it is."""
    if not isinstance(value, str):
        return value
    found = re.fullmatch(r"(\d+(?:\.\d+)?) ?([A-Za-z]*)", value.strip())
    factor = _UNITS.get(found[2].upper()) if found else None
    return int(float(found[1]) * factor) if found and factor else value


def sentence(error: ErrorDetails, fields: Mapping[str, FieldInfo]) -> str:
    """One fault that pydantic has found in *fields*, for the person who sets them."""
    said = error["msg"].removeprefix("Value error, ")
    if not error["loc"]:  # several settings that contradict each other
        return said
    name = str(error["loc"][0]).lower()
    shown = name.upper() if name in _SECRETS else f"{name.upper()}={error['input']!r}"
    field = fields.get(name)
    if error["type"] == "value_error" or field is None:
        return f"{shown}: {said}"
    return f"{shown}: use {_right_value(name, field)}"


def _right_value(name: str, field: FieldInfo) -> str:
    bounds = {type(limit).__name__: limit for limit in field.metadata}
    low, high = bounds.get("Ge"), bounds.get("Le")
    example = _EXAMPLES.get(name)
    if low and high:
        within = f"{low.ge} to {high.le}"
        return f"{within}, such as {example}" if example else within
    return example or ("1 or 0" if field.annotation is bool else f"a value such as {field.default}")


def misspelt(names: Iterable[str], known: Iterable[str]) -> dict[str, str]:
    """The misspelt *names*, each with the *known* name that it resembles."""
    settings = sorted(known)
    near = {name: get_close_matches(name, settings, 1, _LIKENESS) for name in names}
    return {name: found[0] for name, found in near.items() if found and found[0] != name}
