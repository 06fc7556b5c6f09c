# SPDX-License-Identifier: Apache-2.0
"""Turns templates into pages: GOV.UK's components, our texts, everything escaped."""

from __future__ import annotations

import functools
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final

import jinja2
from markupsafe import Markup

from clients.wording import entries, terms, times, values

if TYPE_CHECKING:
    from clients.web.here import Here
    from clients.web.settings import Settings

_MENU: Final = {
    "citizen": (
        ("/", "menu.start"),
        ("/sharing", "menu.sharing"),
        ("/information", "menu.information"),
        ("/seen", "menu.seen"),
        ("/account", "menu.account"),
    ),
    "official": (("/help", "menu.help"),),
    "staff": (
        ("/staff", "menu.asked"),
        ("/staff/ask", "menu.ask"),
        ("/staff/purposes", "menu.purposes"),
    ),
}


class Templates:
    """All templates of the pages, each named by its path from `clients/web`."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._environment = jinja2.Environment(
            autoescape=True,
            loader=jinja2.ChoiceLoader(
                [
                    jinja2.PackageLoader("clients.web", "."),
                    jinja2.PrefixLoader(
                        {"govuk_frontend_jinja": jinja2.PackageLoader("govuk_frontend_jinja")}
                    ),
                ]
            ),
            # GOV.UK's macros ask for parameters that may be missing.
            undefined=jinja2.ChainableUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.filters["sentence"] = sentence
        self._environment.globals.update(
            asset=asset, safe_place=settings.safe_place, is_development=settings.is_development
        )

    def render(self, here: Here, template: str, **shown: Any) -> str:
        """Return a page's HTML."""
        words = here.words
        told = here.told()
        page = self._environment.get_template(template).render(
            here=here,
            words=words,
            published=here.published,
            language=words.language,
            house_name=self._settings.names[words.language],
            menu=_menu(here),
            told=told,
            hidden=functools.partial(_hidden, here),
            date=lambda time: times.date_of(time, words),
            moment=lambda time: times.moment(time, words),
            last_day=lambda time: times.last_day(time, words),
            value=lambda kind, name, value: values.shown(kind, name, value, words),
            labels=functools.partial(terms.labels, here),
            happened=functools.partial(entries.happened, here),
            who=here.published.who,
            **shown,
        )
        return page.replace("<!--only-english-->", _only_english(here))


def sentence(text: str) -> str:
    """Return a text, or several lines of it, each beginning with a capital letter."""
    return "\n".join(line[:1].upper() + line[1:] for line in str(text).splitlines())


def _menu(here: Here) -> list[dict[str, Any]]:
    """Return the way through the pages for whoever is here, the present one marked."""
    role = "citizen" if here.is_assisted else here.session.role if here.session.is_signed_in else ""
    path = here.request.url.path
    links = _MENU.get(role, ())
    active = max(
        (address for address, _ in links if _is_within(path, address)), key=len, default=""
    )
    return [
        {
            "href": address,
            "text": here.words(key),
            "current": address == path,
            "active": address == active,
        }
        for address, key in links
    ]


def _is_within(path: str, address: str) -> bool:
    return path == address or (address != "/" and path.startswith(f"{address}/"))


def _hidden(here: Here) -> Markup:
    """Return the fields that every form carries."""
    return Markup(
        '<input type="hidden" name="csrf" value="{}"><input type="hidden" name="once" value="{}">'
    ).format(here.csrf, here.fresh)


def _only_english(here: Here) -> str:
    """Return what says that texts of the registry are there in English only, where one was."""
    if not here.published.fell_back:
        return ""
    return Markup('<div class="govuk-inset-text" id="only-english">{}</div>').format(
        here.words("only.english")
    )


@functools.cache
def asset(name: str) -> str:
    """Return the address of a static file, which changes when the file does."""
    import hashlib  # noqa: PLC0415

    content = files("clients.web").joinpath("static").joinpath(*name.split("/")).read_bytes()
    return f"/static/{name}?{hashlib.sha256(content).hexdigest()[:12]}"
