# SPDX-License-Identifier: Apache-2.0
"""The page of a request as a template: what depends on who asks, and what may not be markup."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from clients.web.forms import Form
from clients.web.here import Here
from clients.web.requests.asked import Asking, Part, Piece
from clients.web.requests.way_back import WayBack
from clients.web.settings import USUAL_AUTHORITY, Settings
from clients.web.start.pages import _Sharing
from clients.web.templates import Templates
from clients.web.words import PageWords
from vault.api.v1.consent_pb2 import ConsentRequest
from vault.api.v1.registry_pb2 import PurposeTexts

EVIL = "<script>alert(1)</script>"
TEXTS = PurposeTexts(
    title="Visiting you",
    why="To find the door.",
    if_refused="Nobody comes.",
    if_stopped="Nobody comes again.",
    other_ways="Call us.",
    help_line="01632 960200",
)
ASKED = ConsentRequest(consent_request_id="r", state="CONSENT_REQUEST_STATE_PENDING")


@dataclasses.dataclass
class Visit:
    """As much of a visit as a template needs."""

    room: str
    language: str = "en"
    csrf: str = "token"
    fresh: str = "once"

    def __post_init__(self) -> None:
        self.words = PageWords(self.language, self.room)
        self.published = SimpleNamespace(fell_back=False, who=lambda _: "BrightCare")
        self.session = SimpleNamespace(is_signed_in=True, role="citizen", idle_seconds=1200)
        self.request = SimpleNamespace(url=SimpleNamespace(path="/requests/r"))
        self.is_assisted = False

    def told(self) -> str:
        """Say nothing."""
        return ""

    def in_language(self, language: str) -> str:
        """Lead to the same page."""
        return f"?language={language}"


def rendered(template: str, room: str = "requests", **shown: Any) -> str:
    settings = Settings("target", "http://localhost:1", "issuer", "client", Path("nowhere"))
    here = cast("Here", Visit(room))
    return Templates(settings).render(here, template, errors={}, **shown)


def request_page(**shown: Any) -> str:
    usual: dict[str, Any] = {
        "asked": ASKED,
        "state": "PENDING",
        "is_waiting": True,
        "is_law": False,
        "path": "/requests/r",
        "name": "BrightCare, Visits",
        "organisation": "BrightCare",
        "texts": TEXTS,
        "askings": (),
        "is_hidden": False,
        "others": [],
        "until_rows": [("Until when", "3 Jan 2027")],
        "latest": "3 Jan 2027",
        "choice": "It is your choice.",
        "law": "your agreement",
        "contact": "privacy@brightcare.example",
        "authority": USUAL_AUTHORITY["en"],
        "typed": Form(),
        "typed_end": ("", "", ""),
        "back": None,
        "trouble": "",
    }
    return rendered("requests/request.html", **{**usual, **shown})


def asking(*pieces: Piece) -> Asking:
    return Asking(0, "postal_address", "Your address", ("Street",), (("flat", "Flat"),), pieces)


def piece(number: str, street: str = "Heol yr Afon", *, is_there: bool = True) -> Piece:
    needed = (Part("street", "Street", street if is_there else "", is_there),)
    return Piece(number, needed, (Part("flat", "Flat", "2", is_there=True),), is_hidden=False)


def test_where_the_law_decides_the_page_says_so_before_anything_else() -> None:
    page = request_page(is_law=True, choice="The law decides.")
    usual = request_page()

    assert page.index('id="law"') < page.index('id="who"')
    assert "Nothing is shared until you say so" not in page
    assert 'id="law"' not in usual
    assert "Nothing is shared until you say so" in usual


def test_saying_no_promises_no_more_than_is_true() -> None:
    shown = {"path": "/requests/r", "name": "X", "texts": TEXTS, "choice": "c"}
    law = rendered("requests/no.html", is_law=True, **shown)
    usual = rendered("requests/no.html", is_law=False, **shown)

    assert "They see nothing of yours." in usual
    assert "They see nothing of yours." not in law
    assert "the law may let them get it elsewhere" in law


def test_of_several_that_fit_she_chooses_and_none_is_chosen() -> None:
    page = request_page(askings=(asking(piece("a"), piece("b", "Stryd Fawr", is_there=False)),))

    assert page.count('name="piece-0"') == 2
    assert "does not say: Street" in page
    assert " checked" not in page


def test_what_is_missing_leads_to_adding_it_and_back() -> None:
    nothing = request_page(askings=(asking(),))
    half = request_page(askings=(asking(piece("a", is_there=False)),))

    assert 'href="/information/add/postal_address?back=/requests/r"' in nothing
    assert "not yet" in half


@pytest.mark.parametrize(
    "shown",
    [
        {"name": EVIL, "organisation": EVIL},
        {"texts": PurposeTexts(**{field.name: EVIL for field in PurposeTexts.DESCRIPTOR.fields})},
        {"askings": (asking(piece("a", EVIL)), asking(piece("b", EVIL), piece("c", EVIL)))},
        {"others": [EVIL], "until_rows": [(EVIL, EVIL)], "choice": EVIL, "law": EVIL},
        {"contact": EVIL},
        {"trouble": EVIL},
        {"typed_end": (EVIL, EVIL, EVIL)},
    ],
    ids=["names", "texts", "values", "rows", "contact", "trouble", "typed"],
)
def test_nothing_of_others_is_markup(shown: dict[str, Any]) -> None:
    page = request_page(**shown)

    assert "&lt;script&gt;alert(1)" in page
    assert EVIL not in page


def test_a_contact_that_is_no_address_is_no_link() -> None:
    assert 'href="mailto:privacy@brightcare.example"' in request_page()
    page = request_page(contact="Write to us, or x@y.example?subject=a")

    assert "mailto:" not in page


def test_she_goes_back_by_a_link_or_with_the_code() -> None:
    link = WayBack("https://a.example/?code=c&state=s", "a.example", "c")
    by_link, by_code = request_page(back=link), request_page(back=WayBack("", "", "the-code"))

    assert 'href="https://a.example/?code=c&amp;state=s" rel="noreferrer"' in by_link
    assert "a.example) and decide later" in by_link
    assert "give them this code: the-code" in by_code
    assert "way-back" not in request_page()


def sharing(*, is_unused: bool = False, is_used_up: bool = False) -> _Sharing:
    return _Sharing(
        "/sharing/s", "BrightCare", "Visits", "sharing now", "3 Jan", "", is_used_up, is_unused
    )


def test_what_was_for_one_look_is_not_said_to_be_shared_now() -> None:
    shown: dict[str, Any] = {"waiting": [], "count_sharing": 1, "seen": []}
    over = rendered("start/start.html", "start", sharing=[sharing(is_used_up=True)], **shown)
    going_on = rendered("start/start.html", "start", sharing=[sharing()], **shown)

    assert "until 3 Jan" not in over
    assert "until 3 Jan" in going_on


def test_what_nobody_looked_at_for_long_is_asked_about() -> None:
    shown: dict[str, Any] = {"waiting": [], "count_sharing": 1, "seen": []}
    unused = rendered("start/start.html", "start", sharing=[sharing(is_unused=True)], **shown)
    used = rendered("start/start.html", "start", sharing=[sharing(is_unused=False)], **shown)

    assert "BrightCare have not looked for 60 days or more." in unused
    assert "Stop sharing?" in unused
    assert "have not looked" not in used
    assert unused.count('href="/sharing/s/stop"') == used.count('href="/sharing/s/stop"') == 1


def test_what_is_too_much_for_one_page_is_counted() -> None:
    shown: dict[str, Any] = {"waiting": [], "sharing": [sharing(is_unused=False)], "seen": []}

    assert "See all 31" in rendered("start/start.html", "start", count_sharing=31, **shown)
