"""Render the HTML pages in the reader's language, with the data that their scripts need."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from flask import Response, current_app, render_template, request
from jinja2.utils import htmlsafe_json_dumps
from markupsafe import Markup

from ..domain.methods import Method
from ..errors import CrossSiteError
from ..observability.version import NAME
from ..png.limits import PngLimits
from . import languages
from .languages import LANGUAGES, Language

#: The product's name in every language; it is Portuguese for whiteness.
_COOKIE: Final = "lang"
_COOKIE_S: Final = 365 * 24 * 3600
#: The key prefixes of the texts that the upload page's scripts use.
_UPLOAD_TEXTS: Final = ("say", "state", "problem", "service", "pdf", "straighten")
#: Errors that the page's scripts can never receive; the page is smaller without their texts.
_NEVER_IN_SCRIPTS: Final = frozenset(
    f"problem.{code}"
    for code in (
        "cross-site",
        "deleted",
        "invalid-settings",
        "lease-lost",
        "method-not-allowed",
        "head-too-large",
        "missing-image",
        "multiple-images",
        "range-not-satisfiable",
        "resource-conflict",
        "target-too-long",
        "unsupported-content-coding",
        "unsupported-transfer-coding",
    )
)
_STATUS_TEXTS: Final = ("service",)
_INDENTATION: Final = re.compile(r"\n\s+")


def show(template: str, *, status: int = 200, **context: object) -> Response:
    """*template* rendered in the reader's language; a language in the query is kept in a cookie."""
    asked = request.args.get(_COOKIE)
    language = _choose(asked)
    body = render_template(
        template, language=language, languages=LANGUAGES, t=language.text, name=NAME, **context
    )
    # Indentation helps authors of templates; readers need not download it.
    response = Response(_INDENTATION.sub("\n", body), status, mimetype="text/html")
    response.vary.update(("Accept", "Accept-Language", "Cookie"))
    response.headers["Content-Language"] = language.tag
    response.headers["Cache-Control"] = "private, no-cache"
    # With no-referrer, a browser hides the origin of the page's own forms; see `check_own_form`.
    response.headers["Referrer-Policy"] = "same-origin"
    if asked in LANGUAGES:
        response.set_cookie(_COOKIE, language.tag, max_age=_COOKIE_S, httponly=True, samesite="Lax")
    return response


def show_upload(methods: Mapping[str, Method], limits: PngLimits, *, needs_token: bool) -> Response:
    """The upload page."""
    language = _choose(request.args.get(_COOKIE))
    texts = language.texts(*_UPLOAD_TEXTS)
    facts: dict[str, Any] = {
        "texts": {k: v for k, v in texts.items() if k not in _NEVER_IN_SCRIPTS},
        "needsToken": needs_token,
        "limits": {
            "bytes": limits.max_bytes,
            "pixels": limits.max_pixels,
            "side": limits.max_side,
        },
        "methods": {name: language.name_of(method) for name, method in methods.items()},
        "labels": {p.name: language.label_of(p) for m in methods.values() for p in m.parameters},
    }
    return show(
        "index.html",
        facts=_for_script(facts),
        methods=methods.values(),
        pictures=_pictures(),
        limits=limits,
        needs_token=needs_token,
        is_deleted="deleted" in request.args,
    )


def show_status() -> Response:
    """The page with the state of the service."""
    language = _choose(request.args.get(_COOKIE))
    return show("status.html", facts=_for_script({"texts": language.texts(*_STATUS_TEXTS)}))


def check_own_form() -> None:
    """Check that a page of this service sends the form, as a defence against CSRF.

    Browsers send Sec-Fetch-Site (W3C, Fetch Metadata Request Headers, section 2.4) only over https
    and to localhost; elsewhere the Origin header decides.

    Raises:
        CrossSiteError: another site sends the form, or neither header tells.
    """
    site = request.headers.get("Sec-Fetch-Site")
    is_own = site == "same-origin" if site else _origin_host() == request.host
    if not is_own:
        raise CrossSiteError("This form can be sent from a page of this service only.")


def _origin_host() -> str | None:
    try:
        return urlsplit(request.headers.get("Origin", "")).netloc or None
    except ValueError:  # Origin is not a URL
        return None


def _choose(asked: str | None) -> Language:
    accepted = [tag for tag, _ in request.accept_languages]
    return languages.choose(asked, request.cookies.get(_COOKIE), accepted)


def _for_script(facts: Mapping[str, Any]) -> Markup:
    """*facts* as JSON that cannot close the script element around it."""
    return htmlsafe_json_dumps(facts, ensure_ascii=False, separators=(",", ":"))


@cache
def _pictures() -> frozenset[str]:
    """The names of the methods that have a picture; scripts/generate/draw_methods.py draws them."""
    folder = Path(current_app.static_folder or "") / "methods"
    return frozenset(path.stem for path in folder.glob("*.png"))
