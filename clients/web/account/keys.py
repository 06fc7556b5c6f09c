# SPDX-License-Identifier: Apache-2.0
"""Her passkeys: adding one by signing in once more, and taking one away at once."""

from __future__ import annotations

import hashlib
import json
import urllib.parse
from typing import TYPE_CHECKING, Any, Final

from clients import approving
from clients.receipts import b64, unb64
from clients.web.approvals import PasskeyAnswerError, approved, completes
from clients.web.failure import NotThereError
from clients.web.room import Room
from clients.wording.published import whole_list
from clients.wording.times import moment

if TYPE_CHECKING:
    from starlette.responses import Response

    from clients.web.here import Here
    from vault.api.v1.vault_pb2 import Approval, Passkey
    from vault.api.v1.vault_service_pb2 import AddPasskeyRequest

room = Room(__name__)

_ALGORITHMS: Final = {-7: 1, -8: 2, -257: 3}
"""Values of `PasskeyAlgorithm` by their numbers in COSE (RFC 9053)."""


@room.get("/account/passkeys")
def passkeys(here: Here) -> Response:
    """Return her passkeys, and those that were removed."""
    found = [_shown(here, one) for one in _passkeys(here)]
    return here.page(
        "account/passkeys.html",
        in_use=[one for one in found if not one["removed"]],
        removed=[one for one in found if one["removed"]],
    )


@room.get("/account/passkeys/add", roles=frozenset({"citizen"}))
def ask_to_add(here: Here) -> Response:
    """Have her browser make a passkey."""
    from vault.api.v1.vault_service_pb2 import GetVaultRequest  # noqa: PLC0415

    found = here.vault.vaults.GetVault(GetVaultRequest(acting=here.acting)).vault
    name = here.house.settings.names[here.language]
    # The same one for all of hers, so that a device has one at most; it tells nobody who she is.
    user = hashlib.sha256(f"citizen-vault/passkey-user/1:{found.vault_id}".encode()).digest()
    known = [b64(one.credential) for one in _passkeys(here) if not one.HasField("remove_time")]
    asked = {
        "rp-id": _site(here),
        "rp-name": name,
        "user-id": b64(user),
        "user-name": name,
        "credentials": " ".join(known),
    }
    return here.page("account/add_passkey.html", asked=asked, site=_site(here))


@room.post("/account/passkeys/add", roles=frozenset({"citizen"}))
def add(here: Here) -> Response:
    """Have her sign in once more, to show that she adds this very key."""
    request = _request(here)
    preview = here.vault.vaults.AddPasskey(request)
    challenge = approving.to_add_passkey(preview, request)
    if preview.passkey.rp_id != _site(here):
        # It could be added, and would never be taken.
        raise PasskeyAnswerError
    request.validate_only = False
    request.shown.CopyFrom(preview.shown)
    return here.approve("account.passkey", request, challenge)


@completes("account.passkey")
def added(here: Here, message: bytes, approval: Approval | None) -> Response:
    """Add it."""
    from vault.api.v1.vault_service_pb2 import AddPasskeyRequest  # noqa: PLC0415

    request = approved(AddPasskeyRequest, message, approval)
    here.vault.vaults.AddPasskey(request)
    here.tell(here.words("passkey.added"))
    return here.to("/account/passkeys")


@room.get("/account/passkeys/{passkey_id:uuid}/remove")
def ask_to_remove(here: Here) -> Response:
    """Ask whether a passkey is to be removed."""
    return here.page("account/remove_passkey.html", one=_shown(here, _named(here)))


@room.post("/account/passkeys/{passkey_id:uuid}/remove")
def remove(here: Here) -> Response:
    """Remove it, at once."""
    from vault.api.v1.vault_service_pb2 import RemovePasskeyRequest  # noqa: PLC0415

    here.vault.vaults.RemovePasskey(
        RemovePasskeyRequest(
            request_id=here.once, acting=here.acting, passkey_id=_named(here).passkey_id
        )
    )
    here.tell(here.words("passkey.removed"))
    return here.to("/account/passkeys")


def _request(here: Here) -> AddPasskeyRequest:
    """Return what asks to add the passkey that the browser made.

    Raises:
        PasskeyAnswerError: if the form holds none.
    """
    from vault.api.v1.vault_service_pb2 import AddPasskeyRequest  # noqa: PLC0415

    try:
        made = json.loads(here.form.text("made"))
        return AddPasskeyRequest(
            request_id=here.once,
            acting=here.acting,
            credential=unb64(made["rawId"]),
            algorithm=_ALGORITHMS[made["response"]["publicKeyAlgorithm"]],  # type: ignore[arg-type]
            public_key=unb64(made["response"]["publicKey"]),
            validate_only=True,
        )
    except (ValueError, KeyError, TypeError, RecursionError):
        raise PasskeyAnswerError from None


def _passkeys(here: Here) -> list[Passkey]:
    from vault.api.v1.vault_service_pb2 import ListPasskeysRequest  # noqa: PLC0415

    request = ListPasskeysRequest(acting=here.acting)
    return list(whole_list(here.vault.vaults.ListPasskeys, request, "passkeys").passkeys)


def _named(here: Here) -> Passkey:
    wanted = here.path("passkey_id")
    for one in _passkeys(here):
        if one.passkey_id == wanted and not one.HasField("remove_time"):
            return one
    raise NotThereError


def _shown(here: Here, one: Passkey) -> dict[str, Any]:
    """Return what a list and a page say of a passkey."""
    words = here.words
    return {
        "path": f"/account/passkeys/{one.passkey_id}/remove",
        "number": one.passkey_id[:8],
        "since": moment(one.add_time, words),
        "removed": moment(one.remove_time, words) if one.HasField("remove_time") else "",
    }


def _site(here: Here) -> str:
    """Return for which site passkeys of these pages sign."""
    return urllib.parse.urlsplit(here.house.settings.origin).hostname or ""
