# SPDX-License-Identifier: Apache-2.0
"""Signing in, showing once more who it is, signing out, and leaving at once."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Final

from starlette.responses import RedirectResponse, Response

from clients.oidc.access_token import role_in
from clients.oidc.provider import SignInError
from clients.web import approvals
from clients.web.forms import is_same_origin
from clients.web.here import local_path
from clients.web.house import TOKEN
from clients.web.provider_flow import SIGNED_IN, begin_flow, end_flow
from clients.web.room import EVERYBODY, Room

if TYPE_CHECKING:
    from clients.oidc.provider import Tokens
    from clients.web.here import Here

room = Room(__name__)

_DOORS: Final = {"official": "/help", "staff": "/staff"}


@room.get("/sign-in", roles=EVERYBODY)
def sign_in(here: Here) -> Response:
    """Send somebody to the provider: `back` says where to go on, `as` or else it in what role."""
    back = local_path(here.asked("back"), "")
    role = here.asked("as") or role_of(back)
    role = role if role in _DOORS else "citizen"
    back = back or _DOORS.get(role, "/")
    # Whoever comes back on a shared device still uses it, whatever the link to here says.
    here.session.is_shared_device |= here.asked("shared") == "yes"
    return begin_flow(here, "sign-in", role=role, back=back)


@room.get("/sign-in/again")
def sign_in_again(here: Here) -> Response:
    """Have her show once more who she is, and go on at `back`."""
    return begin_flow(here, "again", back=local_path(here.asked("back")))


@room.get(SIGNED_IN, roles=EVERYBODY)
def signed_in(here: Here) -> Response:
    """Take somebody in who comes back from the provider, or complete what she approved there."""
    flow, tokens = end_flow(here)
    session, issuer = here.session, here.house.provider.issuer
    if flow["why"] == "sign-in":
        _take_in(here, flow["role"], issuer, tokens)
        return here.to(flow["back"])
    if not session.is_signed_in or (session.issuer, session.sub) != (issuer, tokens.sub):
        # Somebody else signed in there: that is no answer of hers.
        raise SignInError("unproved")
    _hold(here, tokens)
    if flow["why"] == "decision":
        return approvals.finish(here, flow["kept"], tokens.id_token)
    return here.to(flow["back"])


@room.post("/sign-out", roles=EVERYBODY)
def sign_out(here: Here) -> Response:
    """Sign somebody out, here and at the provider."""
    id_token = here.session.id_token
    here.house.sessions.end(here.session)
    try:
        url = here.house.provider.sign_out_url(id_token, here.house.settings.origin + "/")
    except SignInError:
        url = ""
    here.session.lapse()
    here.session.notes.clear()
    return RedirectResponse(url or "/signed-out", 303)


@room.get("/signed-out", roles=EVERYBODY)
def signed_out(here: Here) -> Response:
    """Say that nobody is signed in any more."""
    return here.page("signed_out.html")


@room.get("/exit", roles=EVERYBODY)
def leave(here: Here) -> Response:
    """Go somewhere harmless at once, and be signed out when somebody comes back."""
    if is_same_origin(here.request, here.house.settings.origin):
        here.house.sessions.end(here.session)
        here.session.lapse()
        here.session.notes.clear()
    return RedirectResponse(here.house.settings.safe_place, 303)


@room.get("/still-here", roles=EVERYBODY)
def still_here(here: Here) -> Response:
    """Keep a session going, for a page on which somebody is still reading or writing."""
    left = here.session.idle_seconds if here.session.is_signed_in else 0
    return Response(json.dumps({"seconds": left}), media_type="application/json")


def role_of(path: str) -> str:
    """Return the role in which somebody signs in who wants to go to a page."""
    first = path.partition("?")[0] + "/"
    within = (role for role, door in _DOORS.items() if first.startswith(f"{door}/"))
    return next(within, "citizen")


def _take_in(here: Here, role: str, issuer: str, tokens: Tokens) -> None:
    session = here.session
    typed = session.notes.get("typed")
    is_same = (session.issuer, session.sub) == (issuer, tokens.sub)
    here.house.sessions.renew(session)
    session.notes = {"typed": typed} if typed and is_same else {}
    session.issuer, session.role = issuer, _role_in(tokens.access_token) or role
    _hold(here, tokens)


def _hold(here: Here, tokens: Tokens) -> None:
    session = here.session
    session.sub, session.token, session.id_token = tokens.sub, tokens.access_token, tokens.id_token
    session.expires = tokens.expires_at
    session.authenticated = tokens.auth_time or int(time.time())
    TOKEN.set(session.token)


def _role_in(token: str) -> str:
    """Return the role that an access token names, to choose pages by; the server judges it."""
    role = role_in(token)
    return role if role in {"citizen", "official", "staff"} else ""
