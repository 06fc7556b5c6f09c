# SPDX-License-Identifier: Apache-2.0
"""What a page tells a browser of passkeys, for `static/passkey.js`: all of it base64url.

    {% from "passkey.html" import passkey_button with context %}
    <form method="post" ...>{{ hidden() }} ... {{ passkey_button(asked, text) }}</form>

`asked` is what `to_use` returns of the challenge; the form's function calls `here.approve`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from clients.receipts import b64

if TYPE_CHECKING:
    from vault.api.v1.vault_pb2 import ApprovalChallenge


def to_use(challenge: ApprovalChallenge | None) -> dict[str, str] | None:
    """Return what a passkey is to sign; None if none of hers is accepted for it."""
    from vault.api.v1 import vault_pb2  # noqa: PLC0415

    if challenge is None or vault_pb2.APPROVAL_KIND_WEBAUTHN not in challenge.accepted_kinds:
        return None
    return {
        "challenge": b64(challenge.challenge),
        "rp-id": challenge.passkey_rp_id,
        "credentials": " ".join(b64(one) for one in challenge.credentials),
    }
