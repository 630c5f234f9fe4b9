"""The product's name and this release's version; a test compares them with pyproject.toml."""

from typing import Final

NAME: Final = "Alvura"
VERSION: Final = "0.2.0"
