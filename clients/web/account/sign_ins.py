# SPDX-License-Identifier: Apache-2.0
"""The ways to her information: which there are, closing one, and signing out everywhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clients.web.failure import NotThereError
from clients.web.room import Room
from clients.wording.times import is_past, moment

if TYPE_CHECKING:
    from starlette.responses import Response

    from clients.web.here import Here
    from vault.api.v1.vault_pb2 import SignIn, Vault

room = Room(__name__)


@room.get("/account/sign-ins")
def sign_ins(here: Here) -> Response:
    """Return every way that is open, and those that were closed."""
    found = _vault(here)
    shown = [_shown(here, one, found) for one in found.sign_ins]
    browsers = [] if here.is_assisted else here.house.sessions.of_owner(here.session)
    return here.page(
        "account/sign_ins.html",
        is_open=[one for one in shown if not one["closed"]],
        closed=[one for one in shown if one["closed"]],
        browsers=len(browsers),
    )


@room.get("/account/sign-ins/{sign_in_id:uuid}/remove")
def ask_to_remove(here: Here) -> Response:
    """Ask whether a way is to be closed."""
    found = _vault(here)
    return here.page("account/remove_sign_in.html", one=_shown(here, _named(here, found), found))


@room.post("/account/sign-ins/{sign_in_id:uuid}/remove")
def remove(here: Here) -> Response:
    """Close it, at once."""
    from vault.api.v1.vault_service_pb2 import UnlinkSignInRequest  # noqa: PLC0415

    found = _vault(here)
    one = _named(here, found)
    here.vault.vaults.UnlinkSignIn(
        UnlinkSignInRequest(request_id=here.once, acting=here.acting, sign_in_id=one.sign_in_id)
    )
    if one.sign_in_id == found.sign_in_id and not here.is_assisted:
        # By the way that she came there is nothing for her any more.
        return _out(here)
    here.tell(here.words("sign.in.removed"))
    return here.to("/account/sign-ins")


@room.get("/account/sign-out-everywhere")
def ask_to_sign_out(here: Here) -> Response:
    """Say what signing out everywhere does."""
    return here.page("account/sign_out.html")


@room.post("/account/sign-out-everywhere")
def sign_out(here: Here) -> Response:
    """Sign her out of every browser and every program, this one, too."""
    from vault.api.v1.vault_service_pb2 import SignOutEverywhereRequest  # noqa: PLC0415

    request = SignOutEverywhereRequest(request_id=here.once, acting=here.acting)
    here.vault.vaults.SignOutEverywhere(request)
    if here.is_assisted:
        here.tell(here.words("sign.out.done"))
        return here.to("/account")
    here.house.sessions.end_of_owner(here.session)
    return _out(here)


def _out(here: Here) -> Response:
    here.house.sessions.end(here.session)
    here.session.lapse()
    here.session.notes.clear()
    return here.to("/signed-out")


def _vault(here: Here) -> Vault:
    from vault.api.v1.vault_service_pb2 import GetVaultRequest  # noqa: PLC0415

    found: Vault = here.vault.vaults.GetVault(GetVaultRequest(acting=here.acting)).vault
    return found


def _named(here: Here, found: Vault) -> SignIn:
    wanted = here.path("sign_in_id")
    for one in found.sign_ins:
        if one.sign_in_id == wanted and not one.HasField("unlink_time"):
            return one
    raise NotThereError


def _shown(here: Here, one: SignIn, found: Vault) -> dict[str, Any]:
    """Return what a list and a page say of a way."""
    from vault.api.v1 import vault_pb2  # noqa: PLC0415

    words = here.words
    is_code = one.means == vault_pb2.SIGN_IN_MEANS_ASSISTANCE_CODE
    is_waiting = one.HasField("wait_end_time") and not is_past(one.wait_end_time)
    return {
        "path": f"/account/sign-ins/{one.sign_in_id}/remove",
        "number": one.sign_in_id[:8],
        "what": words("means.code" if is_code else "means.provider"),
        "is_code": is_code,
        "is_this": one.sign_in_id == found.sign_in_id and not here.is_assisted,
        "since": moment(one.link_time, words),
        "closed": moment(one.unlink_time, words) if one.HasField("unlink_time") else "",
        "waits": moment(one.wait_end_time, words) if is_waiting else "",
    }
