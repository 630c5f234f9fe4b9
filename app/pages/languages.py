"""Choose the reader's language; provide its texts and format numbers, sizes and dates.

The texts are gettext catalogues in `translations/`, read on first use. Their keys are names, not
sentences, so that a sentence can be corrected without a change of code.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Final

from babel import Locale
from babel.dates import format_datetime
from babel.messages.pofile import read_po
from babel.numbers import format_decimal

from ..domain.methods import Method, Parameter

#: Language tags as in HTML and HTTP (BCP 47); the first one is the default.
LANGUAGES: Final = ("pt-BR", "en")
_CATALOGUES: Final = Path(__file__).resolve().parents[2] / "translations"
#: SI prefixes, with symbols that both languages use (Babel writes MByte in Portuguese).
_SIZES: Final = ((1_000_000, "MB"), (1_000, "kB"))
_MEBIBYTE: Final = 2**20
_NO_BREAK: Final = "\N{NO-BREAK SPACE}"


@dataclass(frozen=True)
class Language:
    """A language of the page; *tag* is its name in HTML and HTTP."""

    tag: str
    locale: Locale
    catalogue: Mapping[str, str] = field(repr=False)

    def text(self, key: str, **values: object) -> str:
        """The text of *key* with *values* filled in. Raises KeyError if the key is unknown."""
        return self.catalogue[key].format_map(values)

    def texts(self, *prefixes: str) -> dict[str, str]:
        """Every text whose key begins with one of *prefixes* and a dot."""
        chosen = frozenset(prefixes)
        return {k: v for k, v in self.catalogue.items() if k.partition(".")[0] in chosen}

    def why(self, code: str) -> str:
        """The meaning of the error *code*; a general text for a code of another producer."""
        return self.catalogue.get(f"problem.{code}") or self.text("problem.internal-error")

    def name_of(self, method: Method) -> str:
        """The display name of *method*; without a translation, its identifier in title case."""
        return self.catalogue.get(f"name.{method.name}") or method.name.replace("-", " ").title()

    def about(self, method: Method) -> str:
        """A sentence about *method*; without a translation, the engine's own."""
        return self.catalogue.get(f"method.{method.name}") or method.description

    def label_of(self, parameter: Parameter) -> str:
        return self.catalogue.get(f"label.{parameter.name}") or parameter.name

    def about_parameter(self, method: Method, parameter: Parameter) -> str:
        """A sentence about *parameter*: *method*'s text, or the general one, or the engine's."""
        own = self.catalogue.get(f"parameter.{method.name}.{parameter.name}")
        general = self.catalogue.get(f"parameter.{parameter.name}")
        return own or general or parameter.description

    def number(self, value: float) -> str:
        return format_decimal(value, locale=self.locale)

    def size(self, size_bytes: int) -> str:
        """*size_bytes* in bytes, kB or MB; static/shared/texts.js formats by the same rule."""
        for unit_bytes, unit in _SIZES:
            if size_bytes >= unit_bytes:
                value = size_bytes / unit_bytes
                digits = 1 if value < 10 or unit == "MB" else 0
                return f"{self.number(round(value, digits))}{_NO_BREAK}{unit}"
        return f"{self.number(size_bytes)}{_NO_BREAK}bytes"

    def limit(self, size_bytes: int) -> str:
        """A limit of *size_bytes*; N MiB is written as N MB.

        Programs display 32 MiB as 32 MB or as 33.6 MB. A file of 32 MB is within the limit in both
        units.
        """
        if size_bytes % _MEBIBYTE:
            return self.size(size_bytes)
        return f"{self.number(size_bytes // _MEBIBYTE)}{_NO_BREAK}MB"

    def moment(self, moment: datetime) -> str:
        """Date and time in UTC: only the browser knows the reader's time zone."""
        return format_datetime(moment, "long", locale=self.locale)


@cache
def language(tag: str) -> Language:
    """The language with *tag*, one of LANGUAGES."""
    locale = Locale.parse(tag, sep="-")
    with (_CATALOGUES / str(locale) / "LC_MESSAGES" / "messages.po").open("rb") as file:
        catalogue = read_po(file, locale=locale)
    texts = {str(message.id): str(message.string) for message in catalogue if message.id}
    return Language(tag, locale, texts)


def choose(asked: str | None, kept: str | None, accepted: Iterable[str]) -> Language:
    """The language *asked* for, or *kept* in the cookie, or first of the *accepted*, best first."""
    wanted = [tag for tag in (asked, kept) if tag in LANGUAGES]
    wanted += [match for tag in accepted if (match := _match(tag))]
    return language(wanted[0] if wanted else LANGUAGES[0])


def _match(accepted: str) -> str | None:
    """The available language for *accepted*: pt-PT gets pt-BR, en-GB gets en."""
    primary = accepted.partition("-")[0].lower()
    return next((tag for tag in LANGUAGES if tag.partition("-")[0] == primary), None)
