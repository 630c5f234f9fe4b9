"""Two complete languages: every text is there, is used, and is chosen as people expect."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from io import BytesIO

import pytest
from babel.messages.pofile import read_po

from app import errors
from app.domain.methods import METHODS, Method, Parameter
from app.domain.representation import ImageStatus
from app.pages.languages import LANGUAGES, choose, language
from app.settings import Settings
from testkit.browser.page_scripts import page_scripts
from testkit.in_memory.site import Site
from testkit.root import ROOT

CATALOGUES = sorted(ROOT.glob("translations/*/LC_MESSAGES/messages.po"))
TEMPLATES = sorted((ROOT / "templates").glob("*.html"))
SCRIPTS = page_scripts()
#: What the page can find out before the API does.
FOUND_BY_BROWSERS = {
    "canvas-blocked",
    "heic-android",
    "heic-ios",
    "heic-mac",
    "heic-windows",
    "part-missing",
    "pdf-password",
    "too-many-pages",
    "unreadable-file",
    "unreadable-image",
    "unreadable-pdf",
    "unreadable-tiff",
}
#: What a quoted word must look like to be taken for the key of a text.
KEY = re.compile(r"""["'`]((?:[a-z]+)\.[a-z0-9.-]+)["'`]""")
ROOMS = {key.partition(".")[0] for key in language("en").catalogue}


def codes() -> set[str]:
    return {
        error.code
        for error in vars(errors).values()
        if isinstance(error, type) and issubclass(error, errors.PipelineError)
        if "code" in vars(error)
    }


def made_of_names() -> set[str]:
    """The keys that code puts together: one a problem, a state, a method and a parameter."""
    alone = {f"problem.{code}" for code in FOUND_BY_BROWSERS}
    keys = alone | {f"problem.{code}" for code in codes()} | {f"method.{name}" for name in METHODS}
    keys |= {f"state.{status}" for status in ImageStatus}
    states = re.search(
        r"const MARKS = \{(.*?)\}", (ROOT / "static/upload/card.js").read_text(), re.DOTALL
    )
    assert states
    keys |= {f"state.{name}" for name in re.findall(r"(\w+):", states[1])}
    for method in METHODS.values():
        for parameter in method.parameters:
            keys.add(f"label.{parameter.name}")
            own = f"parameter.{method.name}.{parameter.name}"
            keys.add(own if parameter.name == "k" else f"parameter.{parameter.name}")
    return keys


def written() -> set[str]:
    """The keys that templates, scripts and code name."""
    found = set()
    for path in (*TEMPLATES, *SCRIPTS, ROOT / "app/pages/languages.py"):
        text = path.read_text()
        found |= {key for key in KEY.findall(text) if key.partition(".")[0] in ROOMS}
        for key in re.findall(r'counted\("([a-z.-]+)"', text):
            found |= {f"{key}.one", f"{key}.other"}
            found.discard(key)
    return {key for key in found if not key.endswith((".js", ".html", ".css"))}


#: What `/service` says, and what its silence means.
SERVICE = {f"service.{status}" for status in ("up", "degraded", "unreachable")}
USED = written() | made_of_names() | SERVICE


def test_there_is_a_catalogue_for_each_language_and_no_other() -> None:
    tags = [path.parts[-3].replace("_", "-") for path in CATALOGUES]

    assert sorted(tags) == sorted(LANGUAGES)


@pytest.mark.parametrize("tag", LANGUAGES)
def test_no_text_is_missing(tag: str) -> None:
    assert USED - language(tag).catalogue.keys() == set()


@pytest.mark.parametrize("tag", LANGUAGES)
def test_no_text_is_unused(tag: str) -> None:
    names = {key for key in language(tag).catalogue if key.startswith("name.")}

    assert {key.removeprefix("name.") for key in names} <= METHODS.keys()
    assert language(tag).catalogue.keys() - USED - names == set()


def test_both_languages_have_the_same_keys_and_placeholders() -> None:
    portuguese, english = (language(tag).catalogue for tag in LANGUAGES)

    assert portuguese.keys() == english.keys()
    for key, text in english.items():
        assert gaps(portuguese[key]) == gaps(text), key


def gaps(text: str) -> set[str]:
    return set(re.findall(r"\{(\w+)\}", text))


@pytest.mark.parametrize("path", CATALOGUES, ids=lambda path: path.parts[-3])
def test_every_text_is_translated_and_occurs_once(path) -> None:
    keys = re.findall(r'^msgid "(.+)"$', path.read_text(), re.MULTILINE)

    assert len(keys) == len(set(keys))
    catalogue = read_po(BytesIO(path.read_bytes()))
    assert [m.id for m in catalogue if not m.string or m.fuzzy] == []


def test_texts_that_are_the_same_in_both_languages_are_known() -> None:
    """Otherwise somebody forgot to translate."""
    portuguese, english = (language(tag).catalogue for tag in LANGUAGES)
    same = {key for key, text in english.items() if portuguese[key] == text}

    assert same == {
        "page.api",
        "image.original",
        "label.k",
        "say.changed",
        "say.original",
        "say.shares",
    }


# --- which language ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "kept", "accepted", "expected"),
    [
        ("en", "pt-BR", ["pt-BR"], "en"),
        (None, "en", ["pt-BR"], "en"),
        (None, None, ["en-GB", "pt-BR"], "en"),
        (None, None, ["pt"], "pt-BR"),
        (None, None, ["pt-PT", "en"], "pt-BR"),
        (None, None, ["de", "en;q=0.5"], "pt-BR"),
        (None, None, ["de", "EN-US"], "en"),
        (None, None, ["de", "*"], "pt-BR"),
        (None, None, [], "pt-BR"),
        ("../../etc", "xx", [], "pt-BR"),
    ],
)
def test_the_language_is_the_requested_kept_accepted_or_default_one(
    asked: str | None, kept: str | None, accepted: list[str], expected: str
) -> None:
    assert choose(asked, kept, accepted).tag == expected


def test_only_a_switch_of_language_sets_a_cookie_and_every_page_varies() -> None:
    client = Site(Settings()).client

    plain = client.get("/", headers={"Accept-Language": "en;q=0.8, pt;q=0.9"})
    switched = client.get("/?lang=en")
    kept = client.get("/")
    nonsense = client.get("/?lang=xx", headers={"Cookie": ""})

    assert '<html lang="pt-BR">' in plain.text
    assert "Set-Cookie" not in plain.headers
    assert {"Accept-Language", "Cookie"} <= set(plain.vary)
    assert '<html lang="en">' in switched.text
    assert "SameSite=Lax" in switched.headers["Set-Cookie"]
    assert "HttpOnly" in switched.headers["Set-Cookie"]
    assert '<html lang="en">' in kept.text
    assert "Set-Cookie" not in nonsense.headers


# --- in the words of the language ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("size_bytes", "portuguese", "english"),
    [
        (999, "999 bytes", "999 bytes"),
        (6_412, "6,4 kB", "6.4 kB"),
        (61_400, "61 kB", "61 kB"),
        (7_449_000, "7,4 MB", "7.4 MB"),
        (33_554_432, "33,6 MB", "33.6 MB"),
    ],
)
def test_sizes_are_those_of_the_language(size_bytes: int, portuguese: str, english: str) -> None:
    said = [language(tag).size(size_bytes).replace("\N{NO-BREAK SPACE}", " ") for tag in LANGUAGES]

    assert said == [portuguese, english]


@pytest.mark.parametrize(
    ("size_bytes", "said"), [(33_554_432, "32 MB"), (1_048_576, "1 MB"), (2_000_000, "2 MB")]
)
def test_a_limit_is_written_as_the_smaller_of_both_units(size_bytes: int, said: str) -> None:
    assert language("en").limit(size_bytes).replace("\N{NO-BREAK SPACE}", " ") == said


def test_moments_are_those_of_the_language() -> None:
    moment = datetime(2026, 12, 2, 15, 4, tzinfo=UTC)

    assert "dezembro" in language("pt-BR").moment(moment)
    assert "December" in language("en").moment(moment)


def test_a_method_without_a_translation_is_described_by_the_engine() -> None:
    sharpness = Parameter("sharpness", int, 3, 1, 9, "How sharp.")
    new = Method("brand-new", "A new one.", (sharpness,))

    for tag in LANGUAGES:
        spoken = language(tag)
        assert (spoken.name_of(new), spoken.about(new)) == ("Brand New", "A new one.")
        assert spoken.label_of(sharpness) == "sharpness"
        assert spoken.about_parameter(new, sharpness) == "How sharp."


def test_a_parameter_of_a_new_method_is_not_described_by_another_methods_words() -> None:
    k = Parameter("k", float, 1, 0, 2, "What it means here.")

    assert language("en").about_parameter(Method("new", "", (k,)), k) == "What it means here."


def test_an_unknown_code_has_a_general_text() -> None:
    assert language("en").why("of-the-future") == language("en").text("problem.internal-error")


def test_every_method_has_a_picture() -> None:
    pictures = {path.stem for path in (ROOT / "static" / "methods").glob("*.png")}

    assert pictures == METHODS.keys()
