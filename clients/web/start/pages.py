# SPDX-License-Identifier: Apache-2.0
"""The start page, coming in for the first time, and coming back after a time-out."""

from __future__ import annotations

import dataclasses
import datetime as dt
from typing import TYPE_CHECKING, Any, Final

from clients.web.here import local_path
from clients.web.room import EVERYBODY, Room
from clients.web.sharing import shown
from clients.wording import entries
from clients.wording.published import whole_list
from clients.wording.times import last_day, moment

if TYPE_CHECKING:
    from starlette.responses import Response

    from clients.web.here import Here
    from vault.api.v1.consent_pb2 import Consent

MOST_SHARINGS: Final = 20
MOST_SEEN: Final = 5

room = Room(__name__)


@room.get("/", roles=EVERYBODY)
def start(here: Here) -> Response:
    """Return what waits for her, or what this is to whoever is not signed in."""
    match here.session.role if here.session.is_signed_in else "":
        case "":
            return here.page("start/landing.html")
        case "official" if not here.is_assisted:
            return here.to("/help")
        case "staff":
            return here.to("/staff")
    return here.page("start/start.html", **_lately(here))


@room.get("/welcome-back", roles=EVERYBODY)
def welcome_back(here: Here) -> Response:
    """Say that she has to sign in, or to sign in again, before the page that she asked for."""
    back = local_path(here.asked("back"))
    return here.page("start/welcome_back.html", back=back, has_lapsed=here.asked("lapsed") == "yes")


@room.get("/welcome")
def welcome(here: Here) -> Response:
    """Ask somebody who has nothing here yet how she wants to begin."""
    return here.page("start/welcome.html", back=local_path(here.asked("back")))


@room.post("/welcome")
def begin(here: Here) -> Response:
    """Make the place for her information."""
    from vault.api.v1.vault_service_pb2 import OpenVaultRequest  # noqa: PLC0415

    here.vault.vaults.OpenVault(OpenVaultRequest(request_id=here.once, acting=here.acting))
    return here.to(local_path(here.form.text("back")))


@room.get("/typed", roles=frozenset({"citizen", "official", "staff"}))
def typed(here: Here) -> Response:
    """Give her back what she typed before the time-out, to send it now."""
    kept = here.session.notes.pop("typed", None)
    if not kept:
        return here.to("/")
    return here.page("start/typed.html", action=kept["path"], fields=kept["fields"])


@room.get("/about", roles=EVERYBODY)
def about(here: Here) -> Response:
    """Say what these pages are, and what they keep."""
    return here.page("start/about.html")


@dataclasses.dataclass(frozen=True)
class _Sharing:
    """One sharing in few words; `is_unused`: for so long that it may be of no use any more."""

    path: str
    name: str
    purpose: str
    state: str
    until: str
    used: str
    is_used_up: bool
    is_unused: bool


def _lately(here: Here) -> dict[str, Any]:
    from vault.api.v1 import consent_service_pb2, vault_service_pb2  # noqa: PLC0415

    consents = here.vault.consents
    waiting = whole_list(
        consents.ListRequests,
        consent_service_pb2.ListRequestsRequest(acting=here.acting, only_pending=True),
        "consent_requests",
    ).consent_requests
    sharings = whole_list(
        consents.ListConsents,
        consent_service_pb2.ListConsentsRequest(acting=here.acting),
        "consents",
    ).consents
    live = [one for one in sharings if shown.is_live(one)]
    seen = here.vault.vaults.ListHistory(
        vault_service_pb2.ListHistoryRequest(
            acting=here.acting, only_disclosures=True, page_size=MOST_SEEN
        )
    )
    return {
        "waiting": list(reversed(waiting)),
        "sharing": [_in_short(here, one) for one in live[:MOST_SHARINGS]],
        "count_sharing": len(live),
        "seen": [
            (
                entries.who(here, one),
                entries.outcome(here, one),
                entries.what(here, one),
                moment(one.time, here.words),
            )
            for one in seen.entries
        ],
    }


def _in_short(here: Here, sharing: Consent) -> _Sharing:
    words, state = here.words, shown.state(sharing)
    used = words("start.never")
    if sharing.disclosure_count:
        used = words("start.used", time=moment(sharing.last_disclosure_time, words))
    if shown.is_used_up(sharing):
        used = words("start.used.up", time=moment(sharing.last_disclosure_time, words))
    begins = words("sharing.begins", time=moment(sharing.start_time, words))
    return _Sharing(
        path=shown.address(sharing),
        name=here.published.who(sharing.service_id),
        purpose=here.published.purpose_title(sharing.purpose),
        state=begins if state == "LATER" else words(f"sharing.{state}"),
        until=last_day(sharing.end_time, words),
        used=used,
        is_used_up=shown.is_used_up(sharing),
        is_unused=shown.is_unused(sharing, dt.datetime.now(dt.UTC)),
    )
