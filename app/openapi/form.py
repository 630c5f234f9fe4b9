"""Describe the upload form in OpenAPI, with one variant per method of the engine."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from ..domain.methods import Method, Parameter
from ..domain.representation import GROUP_PATTERN
from ..settings import MULTIPART_OVERHEAD_BYTES, Settings
from .parts import Json

#: API explorers fill fields with examples. Without empty ones they would send the parameters of all
#: methods together, which no method accepts.
_LEFT_EMPTY: Final = [""]


def form(methods: Mapping[str, Method], default: str, settings: Settings) -> Json:
    """The request body of an upload, with the limits of *settings*."""
    image = {
        "type": "string",
        "format": "binary",  # tools recognise a file by it
        "contentMediaType": "image/png",
        "description": (
            f"At most {settings.max_upload_bytes} bytes, {settings.max_pixels} pixels and "
            f"{settings.max_side} pixels a side."
        ),
    }
    group = {
        "type": "string",
        # Like every field of the form, an empty group counts as not sent.
        "pattern": f"^$|{GROUP_PATTERN}",
        "description": "Images of one group are processed and announced in upload order.",
        "examples": _LEFT_EMPTY,
    }
    names = sorted({p.name for method in methods.values() for p in method.parameters})
    schema = {
        "type": "object",
        "required": ["image"],
        "properties": {
            "image": image,
            "method": {"type": "string", "enum": list(methods), "default": default},
            **{name: _parameter_of_some(methods, name) for name in names},
            "group": group,
        },
        "oneOf": [_variant(method, is_default=name == default) for name, method in methods.items()],
    }
    media = {"schema": schema, "encoding": {"image": {"contentType": "image/png"}}}
    return {
        "required": True,
        "description": (
            f"The file, and at most {MULTIPART_OVERHEAD_BYTES} bytes around it. "
            "An empty field counts as not sent."
        ),
        "content": {"multipart/form-data": media},
    }


def _parameter_of_some(methods: Mapping[str, Method], name: str) -> Json:
    takers = [m.name for m in methods.values() if name in {p.name for p in m.parameters}]
    return {
        "type": "number",
        "description": f"For {', '.join(takers)}; an empty field means the default of the method.",
        "examples": _LEFT_EMPTY,
    }


def _variant(method: Method, *, is_default: bool) -> Json:
    own = {parameter.name: _schema_of(parameter) for parameter in method.parameters}
    return {
        "title": method.name,
        "description": method.description,
        "properties": {"method": {"const": method.name}, **own},
        "propertyNames": {"enum": ["image", "method", "group", *own]},
        **({} if is_default else {"required": ["method"]}),
    }


def _schema_of(parameter: Parameter) -> Json:
    return {
        "type": "integer" if parameter.kind is int else "number",
        "minimum": parameter.minimum,
        "maximum": parameter.maximum,
        "default": parameter.default,
        "description": parameter.description,
    }
