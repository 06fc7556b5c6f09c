# SPDX-License-Identifier: Apache-2.0
"""Stopping: one page that says what follows, one button, and no proof of anything.

There is also the letter that asks them to delete what they have. It is hers to send: nobody can
make them do it from here, so nothing is recorded of it.
"""

from __future__ import annotations

import re
import urllib.parse
from typing import TYPE_CHECKING, Final

from clients.connection import CallError
from clients.web.room import Room
from clients.web.sharing import shown
from clients.wording.terms import kept, labels
from clients.wording.times import date_of, moment

if TYPE_CHECKING:
    from starlette.responses import Response

    from clients.web.here import Here
    from vault.api.v1.consent_pb2 import Consent

room = Room(__name__)

_OVER: Final = frozenset({"CONSENT_REVOKED", "CONSENT_EXPIRED"})
_EMAIL: Final = re.compile(r"[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+")


@room.get("/sharing/{consent_id:uuid}/stop")
def before_stopping(here: Here) -> Response:
    """Say what they already have and may keep, and what may happen; and let her stop."""
    sharing = shown.sharing_here(here)
    if not shown.is_live(sharing):
        return here.to(shown.address(sharing))
    texts = shown.texts_of(here, sharing)
    return here.page(
        "sharing/stop.html",
        path=shown.address(sharing),
        name=here.published.who(sharing.service_id),
        has_seen=sharing.disclosure_count > 0,
        has=_what_they_have(here, sharing),
        until=shown.may_keep_until(here, sharing),
        if_stopped=texts.if_stopped if texts else "",
        help_line=texts.help_line if texts else "",
        is_paused=shown.state(sharing) == "PAUSED",
    )


@room.post("/sharing/{consent_id:uuid}/stop")
def stop(here: Here) -> Response:
    """Stop it, at once."""
    from vault.api.v1.consent_service_pb2 import RevokeConsentRequest  # noqa: PLC0415

    consent_id = here.path("consent_id")
    request = RevokeConsentRequest(request_id=here.once, acting=here.acting, consent_id=consent_id)
    try:
        here.vault.consents.RevokeConsent(request)
    except CallError as error:
        # She wants it to be over, and it is.
        if error.reason not in _OVER:
            raise
    is_asking = here.form.text("delete") == "yes"
    return here.to(f"/sharing/{consent_id}/{'letter' if is_asking else 'stopped'}")


@room.get("/sharing/{consent_id:uuid}/stopped")
def stopped(here: Here) -> Response:
    """Say that it is stopped, since when, and where her confirmation is."""
    sharing = shown.sharing_here(here)
    if shown.state(sharing) != "REVOKED":
        return here.to(shown.address(sharing))
    texts = shown.texts_of(here, sharing)
    return here.page(
        "sharing/stopped.html",
        path=shown.address(sharing),
        name=here.published.who(sharing.service_id),
        time=moment(sharing.revoke_time, here.words),
        entry=_entry_of_stopping(here, sharing),
        has_seen=sharing.disclosure_count > 0,
        if_stopped=texts.if_stopped if texts else "",
    )


@room.get("/sharing/{consent_id:uuid}/letter")
def letter(here: Here) -> Response:
    """Return a letter that asks them to delete what they have, for her to send."""
    sharing = shown.sharing_here(here)
    if shown.is_live(sharing):
        return here.to(shown.address(sharing, "stop"))
    contact = here.published.organisation_contact(sharing.organisation_id)
    email = email_in(contact)
    text = _letter(here, sharing)
    return here.page(
        "sharing/letter.html",
        path=shown.address(sharing),
        name=here.published.who(sharing.service_id),
        is_stopped=shown.state(sharing) == "REVOKED",
        contact=contact,
        mail=mail_to(email, here.words("letter.about"), text) if email else "",
        letter=text,
    )


def _what_they_have(here: Here, sharing: Consent) -> list[tuple[str, str]]:
    words, story = here.words, shown.story_of(here, sharing)
    seen = [
        (here.published.kind(kind).title, labels(here, kind, names))
        for kind, names in story.seen.items()
    ]
    return [
        *seen,
        (words("used"), shown.used(here, sharing)),
        (words("kept"), kept(sharing.method, sharing.retention_days, words)),
    ]


def _entry_of_stopping(here: Here, sharing: Consent) -> int | None:
    for line in shown.story_of(here, sharing).changes:
        if line.type.startswith("consent-revoked."):
            return line.receipt.leaf_index
    return None


def _letter(here: Here, sharing: Consent) -> str:
    words, story = here.words, shown.story_of(here, sharing)
    is_stopped = shown.state(sharing) == "REVOKED"
    ended = sharing.revoke_time if is_stopped else sharing.end_time
    seen = "\n".join(
        f"- {here.published.kind(kind).title}: {labels(here, kind, names)}"
        for kind, names in story.seen.items()
    )
    return words(
        "letter.text",
        who=here.published.who(sharing.service_id),
        purpose=here.published.purpose_title(sharing.purpose),
        begun=date_of(sharing.grant_time, words),
        ended=words("letter.stopped" if is_stopped else "letter.ended", date=date_of(ended, words)),
        used=shown.used(here, sharing),
        parts=seen or words("letter.everything"),
        number=sharing.consent_id,
    )


def email_in(contact: str) -> str:
    """Return the first e-mail address in what an organisation says of itself, or ""."""
    found = _EMAIL.search(contact)
    return found[0] if found else ""


def mail_to(email: str, title: str, text: str) -> str:
    """Return a link that begins an e-mail (RFC 6068): lines end in CR LF, no space is a plus."""
    said = {"subject": title, "body": text.replace("\n", "\r\n")}
    query = urllib.parse.urlencode(said, quote_via=urllib.parse.quote, safe="")
    return f"mailto:{urllib.parse.quote(email, safe='@')}?{query}"
