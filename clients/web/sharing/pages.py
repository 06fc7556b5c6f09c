# SPDX-License-Identifier: Apache-2.0
"""With whom she shares now, with whom she did before, and one of them by itself."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any, Final

from clients.web.room import Room
from clients.web.sharing import shown
from clients.web.templates import sentence
from clients.wording.entries import happened, last_told, outcome, references, what
from clients.wording.published import whole_list
from clients.wording.terms import parts_of, terms_of
from clients.wording.times import last_day, moment

if TYPE_CHECKING:
    from starlette.responses import Response

    from clients.web.here import Here
    from vault.api.v1.consent_pb2 import Consent
    from vault.api.v1.vault_pb2 import HistoryEntry

room = Room(__name__)

MOST_BEFORE: Final = 20
"""Those that are over which the page shows at first."""

MOST_LINES: Final = 10
"""What happened last under one sharing; all of it stands under "Seen by"."""


@room.get("/sharing")
def sharings(here: Here) -> Response:
    """Return with whom she shares, and with whom she shared before."""
    from vault.api.v1.consent_service_pb2 import ListConsentsRequest  # noqa: PLC0415

    request = ListConsentsRequest(acting=here.acting)
    found = whole_list(here.vault.consents.ListConsents, request, "consents").consents
    before = [one for one in found if not shown.is_live(one)]
    most = len(before) if here.asked("before") == "all" else MOST_BEFORE
    return here.page(
        "sharing/list.html",
        now=[_card(here, one) for one in found if shown.is_live(one)],
        before=[_card(here, one) for one in before[:most]],
        count_before=len(before),
    )


@room.get("/sharing/{consent_id:uuid}")
def sharing(here: Here) -> Response:
    """Return one of them: what is agreed, what they saw, what changed."""
    found = shown.sharing_here(here)
    story = shown.story_of(here, found)
    return here.page(
        "sharing/sharing.html",
        one=_card(here, found),
        sharing=found,
        facts_of_it=_facts(here, found),
        terms=_terms(here, found),
        parts=parts_of(here, found),
        uses=[_use(here, line) for line in story.uses[:MOST_LINES]],
        has_more_uses=len(story.uses) > MOST_LINES,
        changes=[_change(here, line) for line in story.changes],
        is_whole=story.is_whole,
    )


def _card(here: Here, sharing: Consent) -> dict[str, Any]:
    """Return what a list and a page say of it first."""
    words, state = here.words, shown.state(sharing)
    said = "USED_UP" if state == "ACTIVE" and shown.is_used_up(sharing) else state
    return {
        "path": shown.address(sharing),
        "who": here.published.who(sharing.service_id),
        "purpose": here.published.purpose_title(sharing.purpose),
        "state": state,
        "state_text": words(f"state.{said}", time=moment(sharing.start_time, words)),
        "is_live": shown.is_live(sharing),
        "parts": parts_of(here, sharing),
        "until": last_day(sharing.end_time, words),
        "stopped": moment(sharing.revoke_time, words) if state == "REVOKED" else "",
        "used": shown.used(here, sharing),
        "is_used_up": shown.is_used_up(sharing),
        "is_unused": shown.is_unused(sharing, dt.datetime.now(dt.UTC)),
    }


def _terms(here: Here, sharing: Consent) -> list[tuple[str, str]]:
    """Return what she agreed; until when stands above it, unless she stopped before."""
    until = "" if shown.state(sharing) == "REVOKED" else here.words("until")
    return [(name, sentence(text)) for name, text in terms_of(here, sharing) if name != until]


def _facts(here: Here, sharing: Consent) -> list[tuple[str, str]]:
    words, state = here.words, shown.state(sharing)
    stopped = moment(sharing.revoke_time, words) if state == "REVOKED" else ""
    paused = moment(sharing.pause_time, words) if state == "PAUSED" else ""
    return [
        (words("stopped.on"), stopped),
        (words("paused.on"), paused),
        (words("for"), here.published.purpose_title(sharing.purpose)),
        (words("until"), "" if stopped else last_day(sharing.end_time, words)),
        (words("used"), sentence(shown.used(here, sharing))),
        (words("told.last"), last_told(here, sharing)),
    ]


def _use(here: Here, line: HistoryEntry) -> dict[str, str]:
    return {
        "when": moment(line.time, here.words),
        "what": what(here, line),
        "outcome": outcome(here, line),
        "references": "\n".join(filter(None, references(here, line))),
        "path": f"/confirmations/{line.receipt.leaf_index}",
    }


def _change(here: Here, line: HistoryEntry) -> dict[str, str]:
    changed = what(here, line) if line.HasField("difference") else ""
    return {
        "when": moment(line.time, here.words),
        "happened": happened(here, line),
        "what": changed,
        "path": f"/confirmations/{line.receipt.leaf_index}",
    }
