# SPDX-License-Identifier: Apache-2.0
"""Who asks: the link that leads here, all requests, and the page of one.

The link is opened by its secret; the code that follows goes back to whoever asked with her own
browser, to the address of that very request, when she has decided or wants to decide later.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from clients.web.dates import TypedDay
from clients.web.requests import asked as asking
from clients.web.requests import choosing, way_back
from clients.web.room import Room
from clients.wording.times import last_day, moment

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.responses import Response

    from clients.web.forms import Form
    from clients.web.here import Here
    from vault.api.v1.consent_pb2 import ConsentRequest

room = Room(__name__)


@room.get("/asked/{token}")
def handed_over(here: Here) -> Response:
    """Say what happens when the link of a request is opened, before it is."""
    return here.page("requests/handed_over.html", action=here.request.url.path)


@room.post("/asked/{token}")
def claim(here: Here) -> Response:
    """Open the link: the request is hers to answer from now on."""
    from vault.api.v1.consent_service_pb2 import ClaimRequestRequest  # noqa: PLC0415

    claimed = here.vault.consents.ClaimRequest(
        ClaimRequestRequest(
            request_id=here.once, acting=here.acting, handoff_token=here.path("token")
        )
    )
    way_back.keep(here, claimed)
    return here.to(f"/requests/{claimed.consent_request.consent_request_id}")


@room.get("/requests")
def requests(here: Here) -> Response:
    """Return who waits for an answer, and who asked before."""
    found = asking.requests_of(here)
    return here.page(
        "requests/list.html",
        waiting=[one for one in reversed(found) if asking.is_waiting(one)],
        before=[
            (one, asking.state_of(one), moment(one.request_time, here.words))
            for one in found
            if not asking.is_waiting(one)
        ],
    )


@room.get("/requests/{consent_request_id:uuid}")
def request(here: Here) -> Response:
    """Return what somebody asks, and let her choose."""
    asked = asking.request_here(here)
    return request_page(here, asked, choosing.typed_before(here, asked.consent_request_id))


@room.post("/requests/{consent_request_id:uuid}")
def choose(here: Here) -> Response:
    """Keep what she chose, and go on to what would be sent."""
    asked = asking.request_here(here)
    request_id = asked.consent_request_id
    if not asking.is_waiting(asked):
        return here.to(f"/requests/{request_id}")
    choosing.keep_typed(here, request_id)
    askings = asking.askings_of(here, asked, asking.pieces_of(here))
    chosen = choosing.chosen_in(here, asked, askings, here.form)
    if chosen.choice is None:
        return request_page(here, asked, here.form, chosen.errors)
    return here.to(f"/requests/{request_id}/check")


def request_page(
    here: Here,
    asked: ConsentRequest,
    typed: Form,
    errors: Mapping[str, str] | None = None,
    trouble: str = "",
) -> Response:
    """Return the page of a request.

    Args:
        typed: what she chose so far.
        trouble: what happened while she was deciding.
    """
    yours = asking.pieces_of(here)
    choice, law = asking.choice_of(here, asked)
    is_waiting = asking.is_waiting(asked)
    askings = asking.askings_of(here, asked, yours) if is_waiting else ()
    return here.page(
        "requests/request.html",
        errors=errors,
        asked=asked,
        state=asking.state_of(asked),
        is_waiting=is_waiting,
        is_law=asking.is_law(asked),
        path=f"/requests/{asked.consent_request_id}",
        name=here.published.who(asked.service_id),
        organisation=here.published.organisation_name(asked.organisation_id),
        texts=asking.texts_of(here, asked),
        askings=askings,
        is_hidden=any(piece.is_hidden for one in askings for piece in one.pieces),
        others=asking.others_of(here, asked, yours),
        until_rows=asking.until_rows(here, asked),
        latest=last_day(asked.end_time, here.words),
        choice=choice,
        law=law,
        contact=here.published.organisation_contact(asked.organisation_id),
        authority=here.house.settings.authority[here.language],
        typed=typed,
        typed_end=TypedDay.of(typed, "end").texts,
        back=way_back.of(here, asked.consent_request_id),
        trouble=trouble or _trouble(here, asked),
    )


def _trouble(here: Here, asked: ConsentRequest) -> str:
    """Return what happened while she was deciding, once."""
    kept = here.session.notes.get(choosing.NOTE, {}).get(asked.consent_request_id, {})
    reason = str(kept.pop("trouble", ""))
    return here.words.one_of("error", reason) if reason else ""
