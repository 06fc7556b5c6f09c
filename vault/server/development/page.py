# SPDX-License-Identifier: Apache-2.0
"""The page of the development issuer: "Who are you?", in English and Welsh.

It belongs to no design of ours, as a provider's page does not: somebody who tries the product sees
that she is elsewhere. It works without a script, and loads nothing.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterable, Mapping
from html import escape
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import msgspec

from vault.server.development.codes import Asked, Person

CITIZEN: Final = "citizen"
OFFICIAL: Final = "official"
STAFF: Final = "staff"
ROLES: Final = (CITIZEN, OFFICIAL, STAFF)
LONGEST_NAME: Final = 255

_STYLE: Final = """
body{margin:0;font:1.1875rem/1.5 Arial,sans-serif;color:#0b0c0c;background:#fff}
main{max-width:34rem;margin:0 auto;padding:1rem}
.warning{margin:0;padding:.75rem 1rem;background:#942514;color:#fff}
h1{font-size:2rem;line-height:1.2}h2{font-size:1.375rem;margin-top:2rem}
button{font:inherit;min-height:2.75rem;padding:.5rem 1rem;border:0;background:#0f5c3a;color:#fff;
cursor:pointer}
.person{display:block;width:100%;margin:0 0 .75rem;text-align:left}.person b{display:block}
.plain{background:#fff;color:#0b0c0c;border:2px solid #0b0c0c}
button:focus,input:focus,summary:focus{outline:3px solid #ffbf00;outline-offset:2px}
label,legend{display:block;font-weight:bold}fieldset{border:0;margin:1rem 0;padding:0}
.choice{display:flex;gap:.75rem;min-height:2.75rem;font-weight:normal}
input[type=text]{font:inherit;box-sizing:border-box;width:100%;min-height:2.75rem;padding:.25rem;
border:2px solid #0b0c0c}input[type=radio]{flex:none;width:1.5rem;height:1.5rem;margin:0}
.hint{display:block;font-weight:normal;color:#484949}summary{cursor:pointer;min-height:2.75rem}
.wrong{border-left:5px solid #942514;padding-left:1rem}
@media print{.warning{color:#000;background:#fff}}
"""
_WORDS: Final[dict[str, dict[str, str]]] = {
    "en": {
        "warning": "For trying things out. This sign-in believes everybody.",
        "title": "Who are you?",
        "again": "Show that it is you",
        "again.text": "Sign in once more, so that nobody else can decide this for you.",
        "people": "Be one of these people",
        "other": "Be somebody else",
        "name": "Name",
        "name.hint": "Any name will do. The same name is the same person again.",
        "role": "Who you are",
        "citizen": "Somebody with information of your own",
        "official": "Somebody at a counter, who helps others",
        "staff": "Somebody who works for a service",
        "service": "The service’s number",
        "service.hint": "Only if you work for a service.",
        "go": "Sign in",
        "back": "Go back without signing in",
        "wrong": "Nobody is signed in: type a name, and a service’s number if you work for one.",
        "broken": "This page was opened in a way that cannot work",
        "broken.text": "Go back to where you came from, and start again.",
    },
    "cy": {
        "warning": "Ar gyfer rhoi cynnig ar bethau. Mae’r mewngofnodi hwn yn credu pawb.",
        "title": "Pwy ydych chi?",
        "again": "Dangoswch mai chi sydd yno",
        "again.text": "Mewngofnodwch unwaith eto, fel na all neb arall benderfynu hyn drosoch chi.",
        "people": "Byddwch yn un o’r bobl hyn",
        "other": "Byddwch yn rhywun arall",
        "name": "Enw",
        "name.hint": "Bydd unrhyw enw yn gwneud y tro. Yr un enw yw’r un person eto.",
        "role": "Pwy ydych chi",
        "citizen": "Rhywun sydd â’i wybodaeth ei hun",
        "official": "Rhywun wrth gownter, sy’n helpu eraill",
        "staff": "Rhywun sy’n gweithio i wasanaeth",
        "service": "Rhif y gwasanaeth",
        "service.hint": "Dim ond os ydych yn gweithio i wasanaeth.",
        "go": "Mewngofnodi",
        "back": "Mynd yn ôl heb fewngofnodi",
        "wrong": (
            "Nid oes neb wedi mewngofnodi: teipiwch enw, "
            "a rhif gwasanaeth os ydych yn gweithio i un."
        ),
        "broken": "Agorwyd y dudalen hon mewn ffordd na all weithio",
        "broken.text": "Ewch yn ôl i’r lle y daethoch ohono, a dechreuwch eto.",
    },
}


class Known(msgspec.Struct, frozen=True):
    """Somebody who is offered by name. `about` says in each language who it is."""

    role: str
    sub: str
    name: str
    about: Mapping[str, str] = {}
    service_id: str = ""

    @property
    def person(self) -> Person:
        """Return who signs in."""
        return Person(self.role, self.sub, self.service_id)


USUAL_PEOPLE: Final = (
    Known(CITIZEN, "mair", "Mair", {"en": "81, home from hospital", "cy": "81, adref o’r ysbyty"}),
    Known(CITIZEN, "emlyn", "Emlyn", {"en": "86, asks for help", "cy": "86, yn gofyn am help"}),
    Known(
        OFFICIAL,
        "Eleri Jones",
        "Eleri Jones",
        {"en": "helps people at the library", "cy": "yn helpu pobl yn y llyfrgell"},
    ),
)


def read_people(file: Path | None) -> tuple[Known, ...]:
    """Return who is offered by name: those of a file, a JSON list, or without one the usual."""
    if file is None:
        return USUAL_PEOPLE
    try:
        return msgspec.json.decode(file.read_bytes(), type=tuple[Known, ...])
    except (OSError, msgspec.DecodeError):
        return USUAL_PEOPLE


def chosen(form: Mapping[str, str]) -> Person | None:
    """Return who was chosen or typed on the page; None if that is nobody."""
    try:
        role, sub, service_id = json.loads(form["person"])
    except (KeyError, ValueError, TypeError):
        role, sub = form.get("role", ""), form.get("sub", "").strip()
        service_id = form.get("service_id", "").strip() if role == STAFF else ""
    parts = (role, sub, service_id)
    if not all(isinstance(part, str) and part.isprintable() for part in parts):
        return None
    is_staff = role == STAFF
    is_somebody = role in ROLES and 0 < len(sub) <= LONGEST_NAME
    return Person(*parts) if is_somebody and is_staff == bool(service_id) else None


def sign_in_page(asked: Asked, people: Iterable[Known], *, is_wrong: bool = False) -> str:
    """Return the page on which somebody says who she is."""
    language = _language(asked.ui_locales)
    words = _WORDS[language]
    # Whoever is to show that it is she stands first.
    shown = sorted(people, key=lambda one: one.sub != asked.login_hint)
    is_unknown = bool(asked.login_hint) and all(one.sub != asked.login_hint for one in shown)
    hidden = "".join(
        f'<input type="hidden" name="{name}" value="{escape(value)}">'
        for name, value in asked.form.items()
    )
    title = words["again" if asked.is_again else "title"]
    lines = [
        f"<h1>{title}</h1>",
        f"<p>{words['again.text']}</p>" if asked.is_again else "",
        f'<p class="wrong" role="alert">{words["wrong"]}</p>' if is_wrong else "",
        f'<form method="post" action="authorize">{hidden}',
        f"<h2>{words['people']}</h2>",
        *(_button(one, language) for one in shown),
        "</form>",
        f'<form method="post" action="authorize">{hidden}',
        _typed(words, asked.login_hint, is_open=is_unknown or is_wrong),
        "</form>",
        f'<form method="post" action="authorize">{hidden}',
        f'<button class="plain" name="cancel" value="yes">{words["back"]}</button></form>',
    ]
    return _page(language, title, lines)


def broken_page(ui_locales: str) -> str:
    """Return the page of somebody who cannot be sent back."""
    language = _language(ui_locales)
    words = _WORDS[language]
    lines = [f"<h1>{words['broken']}</h1>", f"<p>{words['broken.text']}</p>"]
    return _page(language, words["broken"], lines)


def content_security_policy(redirect_uri: str = "") -> str:
    """Return what a page may load and where its forms lead: here, and on to where she came from."""
    address = urlsplit(redirect_uri)
    back = f" {address.scheme}://{address.netloc}" if redirect_uri else ""
    style = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode("ascii")
    return (
        f"default-src 'none'; style-src 'sha256-{style}'; form-action 'self'{back}; "
        "frame-ancestors 'none'; base-uri 'none'"
    )


def _button(known: Known, language: str) -> str:
    about = known.about.get(language) or known.about.get("en", "")
    value = escape(json.dumps([known.role, known.sub, known.service_id], ensure_ascii=False))
    return (
        f'<button class="person" name="person" value="{value}"><b>{escape(known.name)}</b>'
        f"{escape(about)}</button>"
    )


def _typed(words: Mapping[str, str], name: str, *, is_open: bool) -> str:
    roles = "".join(
        f'<label class="choice"><input type="radio" name="role" value="{role}"'
        f"{' checked' if role == CITIZEN else ''}> {words[role]}</label>"
        for role in ROLES
    )
    return (
        f"<details{' open' if is_open else ''}><summary>{words['other']}</summary>"
        f'<p><label for="sub">{words["name"]}</label>'
        f'<span class="hint" id="sub-hint">{words["name.hint"]}</span>'
        f'<input type="text" id="sub" name="sub" value="{escape(name)}" maxlength="255"'
        ' aria-describedby="sub-hint" autocomplete="off" spellcheck="false"></p>'
        f"<fieldset><legend>{words['role']}</legend>{roles}</fieldset>"
        f'<p><label for="service">{words["service"]}</label>'
        f'<span class="hint" id="service-hint">{words["service.hint"]}</span>'
        '<input type="text" id="service" name="service_id" maxlength="64"'
        ' aria-describedby="service-hint" autocomplete="off" spellcheck="false"></p>'
        f"<p><button>{words['go']}</button></p></details>"
    )


def _page(language: str, title: str, lines: Iterable[str]) -> str:
    return (
        f'<!DOCTYPE html><html lang="{language}"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{title}</title><style>{_STYLE}</style></head><body>"
        f'<main><p class="warning">{_WORDS[language]["warning"]}</p>'
        f"{''.join(lines)}</main></body></html>"
    )


def _language(ui_locales: str) -> str:
    asked = (tag.partition("-")[0].lower() for tag in ui_locales.split())
    return next((tag for tag in asked if tag in _WORDS), "en")
