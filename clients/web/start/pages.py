# SPDX-License-Identifier: Apache-2.0
"""The start page, coming in for the first time, and coming back after a time-out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clients.web.here import local_path
from clients.web.room import EVERYBODY, Room

if TYPE_CHECKING:
    from starlette.responses import Response

    from clients.web.here import Here

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


def _lately(here: Here) -> dict[str, Any]:
    from vault.api.v1 import consent_service_pb2, vault_service_pb2  # noqa: PLC0415

    waiting = here.vault.consents.ListRequests(
        consent_service_pb2.ListRequestsRequest(acting=here.acting, only_pending=True)
    )
    sharing = here.vault.consents.ListConsents(
        consent_service_pb2.ListConsentsRequest(acting=here.acting)
    )
    seen = here.vault.vaults.ListHistory(
        vault_service_pb2.ListHistoryRequest(acting=here.acting, only_disclosures=True, page_size=5)
    )
    return {
        "waiting": waiting.consent_requests,
        "sharing": sharing.consents,
        "seen": seen.entries,
    }
