"""The version of this release, as pyproject.toml has it (a test compares)."""

from typing import Final

VERSION: Final = "0.1.0"
