# SPDX-License-Identifier: Apache-2.0
"""Helping somebody: whom, by her code; a place for who has none; her questions; and finishing.

While somebody is helped every page is hers, with a banner (`layout.html`), and every call carries
her code and the official's name (`here.acting`). Nothing of it outlasts "Finish helping".
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from clients.connection import CallError
from clients.web.room import Role, Room
from clients.wording.times import date_of
from clients.wording.words import LANGUAGES, Words

if TYPE_CHECKING:
    from google.protobuf.timestamp_pb2 import Timestamp
    from starlette.responses import Response

    from clients.web.here import Here

room = Room(__name__)

OFFICIAL: Final[frozenset[Role]] = frozenset({"official"})
CHANNELS: Final = {"counter": "CHANNEL_COUNTER", "phone": "CHANNEL_PHONE"}
ASSISTING: Final = "assisting"
LETTER: Final = "help.letter"

_LONGEST_CODE: Final = 40
_LONGEST_REFERENCE: Final = 200
_PARTS: Final = ("what", "not", "keep", "close")
_TOKEN: Final = re.compile(r"[!-~]{1,200}")


@room.get("/help", roles=OFFICIAL)
def door(here: Here) -> Response:
    """Ask whom she helps; or show what can be done for whom she is helping."""
    return here.page("help/helping.html" if here.is_assisted else "help/door.html")


@room.get("/help/begin", roles=OFFICIAL)
def to_door(here: Here) -> Response:
    """Lead to the form."""
    return here.to("/help")


@room.post("/help/begin", roles=OFFICIAL)
def begin(here: Here) -> Response:
    """Begin to help somebody, by the code that she gave."""
    from vault.api.v1.vault_service_pb2 import GetVaultRequest  # noqa: PLC0415

    said, words = here.form.text, here.words
    errors = _wrong(here)
    if not 0 < len(said("code")) <= _LONGEST_CODE:
        errors["code"] = words("code.needed")
    if errors:
        return here.page("help/door.html", errors=errors)
    _help(here, said("code"))
    try:
        here.vault.vaults.GetVault(GetVaultRequest(acting=here.acting))
    except CallError as error:
        here.session.notes.pop(ASSISTING)
        if error.reason not in {"NOT_FOUND", "FIELD_INVALID"}:
            raise
        return here.page("help/door.html", errors={"code": words("code.nobody")})
    return here.to("/")


@room.get("/help/open", roles=OFFICIAL)
def ask_to_open(here: Here) -> Response:
    """Ask whether a place is to be made for somebody who has none."""
    return here.page("help/open.html")


@room.post("/help/open", roles=OFFICIAL)
def open_place(here: Here) -> Response:
    """Make a place for somebody, and help her from now on, with the code that her letter holds."""
    from vault.api.v1 import vault_pb2  # noqa: PLC0415
    from vault.api.v1.vault_service_pb2 import OpenVaultRequest  # noqa: PLC0415

    errors = _wrong(here)
    if errors:
        return here.page("help/open.html", errors=errors)
    channel = here.form.text("channel")
    acting = vault_pb2.Acting(
        capacity=vault_pb2.CAPACITY_OFFICIAL,
        channel=vault_pb2.Channel.Value(CHANNELS[channel]),
    )
    opened = here.vault.vaults.OpenVault(OpenVaultRequest(request_id=here.once, acting=acting))
    _help(here, opened.assistance_code)
    here.session.notes[LETTER] = {
        "channel": channel,
        "opened": opened.vault.open_time.ToJsonString(),
    }
    return here.to("/help/letter")


@room.get("/help/letter", roles=OFFICIAL)
def letter(here: Here) -> Response:
    """Show the letter that she takes home, until she is helped no more."""
    from google.protobuf.timestamp_pb2 import Timestamp  # noqa: PLC0415

    kept = here.session.notes.get(LETTER)
    if not kept:
        return here.to("/help")
    opened = Timestamp()
    opened.FromJsonString(kept["opened"])
    languages = sorted(LANGUAGES, key=lambda language: language != here.language)
    return here.page(
        "help/letter.html",
        code=here.session.notes[ASSISTING]["code"],
        letters=[_letter(Words(language), kept["channel"], opened) for language in languages],
    )


@room.get("/help/asked", roles=OFFICIAL)
def ask_for_code(here: Here) -> Response:
    """Ask for what those gave her who ask her something."""
    return here.page("help/asked.html") if here.is_assisted else here.to("/help")


@room.post("/help/asked", roles=OFFICIAL)
def asked(here: Here) -> Response:
    """Take in the question that somebody asks her, by its short code or its link."""
    from vault.api.v1.consent_service_pb2 import ClaimRequestRequest  # noqa: PLC0415

    if not here.is_assisted:
        return here.to("/help")
    typed = here.form.text("asked")
    is_link = "/" in typed or len(typed) > _LONGEST_CODE
    token = typed.rpartition("/")[2]
    if not typed or (is_link and not _TOKEN.fullmatch(token)):
        return here.page("help/asked.html", errors={"asked": here.words("asked.needed")})
    claim = ClaimRequestRequest(request_id=here.once, acting=here.acting)
    if is_link:
        claim.handoff_token = token
    else:
        claim.short_code = typed
    try:
        claimed = here.vault.consents.ClaimRequest(claim)
    except CallError as error:
        if error.reason != "NOT_FOUND":
            raise
        return here.page("help/asked.html", errors={"asked": here.words("asked.nobody")})
    return here.to(f"/requests/{claimed.consent_request.consent_request_id}")


@room.get("/help/finish", roles=OFFICIAL)
def to_finish(here: Here) -> Response:
    """Lead to the page from which helping is finished."""
    return here.to("/help")


@room.post("/help/finish", roles=OFFICIAL)
def finish(here: Here) -> Response:
    """Stop helping: nothing of hers stays, not her code, nor what was typed for her."""
    here.session.notes.clear()
    # Another secret: a page of hers that is still open in this browser can send nothing any more.
    here.house.sessions.renew(here.session)
    here.tell(here.words("finished"))
    response = here.to("/help")
    response.headers["clear-site-data"] = '"cache"'
    return response


def _letter(words: Words, channel: str, opened: Timestamp) -> dict[str, Any]:
    """Return the letter in one language, without the code."""
    return {
        "language": words.language,
        "title": words("letter.title"),
        "made": words.one_of("letter.made", channel).format(date=date_of(opened, words)),
        "code": words("letter.code"),
        "parts": [(words(f"letter.{part}"), words(f"letter.{part}.text")) for part in _PARTS],
    }


def _help(here: Here, code: str) -> None:
    """Act for somebody from now on, with nothing of whomever was helped before."""
    if here.is_assisted:
        # Another secret: pages of hers in another window must not be sent for this one.
        here.house.sessions.renew(here.session)
    here.session.notes.clear()
    here.session.notes[ASSISTING] = {
        "channel": CHANNELS[here.form.text("channel")],
        "code": code,
        "reference": here.form.text("reference"),
    }
    here.__dict__.pop("acting", None)


def _wrong(here: Here) -> dict[str, str]:
    wrong = {}
    if here.form.text("channel") not in CHANNELS:
        wrong["channel"] = here.words("page.needed")
    if len(here.form.text("reference")) > _LONGEST_REFERENCE:
        wrong["reference"] = here.words("reference.long")
    return wrong
