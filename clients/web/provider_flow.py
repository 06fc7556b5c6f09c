# SPDX-License-Identifier: Apache-2.0
"""To the provider and back: what the browser is sent away with, kept in its session."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final, Literal

from starlette.responses import RedirectResponse

from clients.oidc.provider import SignInError, Tokens, new_secret

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.responses import Response

    from clients.web.here import Here

Why = Literal["sign-in", "again", "decision"]

SIGNED_IN: Final = "/signed-in"
SCOPES: Final = {
    "citizen": "vault evidence consent audit registry",
    "official": "vault evidence consent registry",
    "staff": "consent disclosure registry",
}


def begin_flow(
    here: Here,
    why: Why,
    *,
    role: str = "",
    nonce: str = "",
    acr_values: str = "",
    back: str = "/",
    kept: Mapping[str, Any] | None = None,
) -> Response:
    """Send the browser to the provider; it comes back to `SIGNED_IN`.

    Args:
        why: to sign in; to show once more who it is; or to approve a decision.
        role: as whom somebody signs in; "": as whoever is signed in.
        nonce: the challenge of a decision; else one is drawn.
        back: the path to go on at.
        kept: what is needed then.

    Raises:
        SignInError: if the provider cannot be reached.
    """
    session, provider = here.session, here.house.provider
    flow: dict[str, Any] = {
        "why": why,
        "state": new_secret(),
        "nonce": nonce or new_secret(),
        "verifier": new_secret(),
        "role": role or session.role,
        "back": back,
        "since": int(time.time()),
        "kept": dict(kept or {}),
    }
    session.notes["flow"] = flow
    is_again = why != "sign-in"
    url = provider.authorization_url(
        here.house.settings.origin + SIGNED_IN,
        SCOPES[flow["role"]],
        flow["state"],
        flow["nonce"],
        flow["verifier"],
        prompt="login" if is_again else "",
        max_age=0 if is_again else None,
        login_hint=session.sub if is_again else "",
        ui_locales=here.language,
        acr_values=acr_values,
    )
    return RedirectResponse(url, 303)


def end_flow(here: Here) -> tuple[dict[str, Any], Tokens]:
    """Return the flow with which the browser comes back, and what the provider gave for it.

    Raises:
        SignInError: if it is not under way in this browser, or nobody is signed in by it.
    """
    flow = here.session.notes.pop("flow", None)
    answer = dict(here.request.query_params)
    provider = here.house.provider
    code = provider.code_of(answer, flow["state"] if flow else "")
    if flow is None:
        raise SignInError("stale")
    is_again = flow["why"] != "sign-in"
    tokens = provider.tokens(
        code,
        flow["verifier"],
        here.house.settings.origin + SIGNED_IN,
        flow["nonce"],
        since=flow["since"] if is_again else None,
    )
    return flow, tokens
