"""Write the JSON Schemas of both messages to docs/schemas/, from the models that validate them.

./.venv/bin/python -m scripts.generate.write_schemas
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal

from app.domain.messages import Announcement, Job
from scripts import usage

SCHEMAS = Path(__file__).resolve().parents[2] / "docs" / "schemas"
MODELS: dict[str, type[Job] | type[Announcement]] = {
    "new-image-input": Job,
    "new-image-processed": Announcement,
}


def schema(name: str) -> str:
    """The JSON Schema of the message *name*: a job to send, or an announcement to receive."""
    mode: Literal["validation", "serialization"]
    mode = "validation" if name == "new-image-input" else "serialization"
    document = MODELS[name].model_json_schema(by_alias=True, mode=mode)
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": name}
    return json.dumps(head | {k: v for k, v in document.items() if k != "title"}, indent=2) + "\n"


def main() -> None:
    SCHEMAS.mkdir(parents=True, exist_ok=True)
    for name in MODELS:
        (SCHEMAS / f"{name}.json").write_text(schema(name))


if __name__ == "__main__":
    usage.check(__doc__)
    main()
