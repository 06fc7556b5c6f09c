# SPDX-License-Identifier: Apache-2.0
"""She shows that a decision is hers before it is carried out: at her provider, or with a passkey.

A room shows what is to be decided, makes the call's message without an approval, finds the
challenge by `clients/approving.py`, and calls `here.approve`. With a passkey's answer in the form
the decision is completed at once; otherwise the browser goes to the provider, whose ID token with
the challenge as its nonce is the approval, and comes back to `finish`. Either way the room's own
function completes it:

    @completes("grant")
    def shared(here: Here, message: bytes, approval: Approval | None) -> Response:
        request = approved(GrantConsentRequest, message, approval)
        ...

An official who acts for her records where her agreement is kept.
"""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar

from clients.receipts import b64, unb64
from clients.web.provider_flow import begin_flow
from clients.web.room import room_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from google.protobuf.message import Message
    from starlette.responses import Response

    from clients.web.here import Here
    from vault.api.v1.vault_pb2 import Approval, ApprovalChallenge

    Completion = Callable[[Here, bytes, Approval | None], Response]

ASSERTION: Final = "assertion"
"""The field of a form in which a passkey's answer comes (`static/passkey.js`)."""

_COMPLETIONS: Final[dict[str, Completion]] = {}
_PARTS: Final = ("credential", "authenticator_data", "client_data_json", "signature")


class Approvable(Protocol):
    """A call's message that takes an approval."""

    @property
    def approval(self) -> Approval:
        """Return the approval in it."""

    def ParseFromString(self, serialized: bytes, /) -> int:  # noqa: N802 - protobuf's name
        """Take what bytes say."""


_Request = TypeVar("_Request", bound=Approvable)


class PasskeyAnswerError(Exception):
    """What came in the place of a passkey's answer is none."""


def completes(decision: str) -> Callable[[Completion], Completion]:
    """Make a function of a room complete a decision, given its message and the approval."""

    def added(complete: Completion) -> Completion:
        _COMPLETIONS[decision] = complete
        return complete

    return added


def approved(kind: type[_Request], message: bytes, approval: Approval | None) -> _Request:
    """Return the message of a decision to be completed, with its approval in it."""
    request = kind()
    request.ParseFromString(message)
    if approval is not None:
        request.approval.CopyFrom(approval)
    return request


def begin(
    here: Here, decision: str, message: Message, challenge: ApprovalChallenge | None
) -> Response:
    """Have a decision shown to be hers, and completed; see `Here.approve`.

    Raises:
        PasskeyAnswerError: if the form holds a passkey's answer that is none.
    """
    from vault.api.v1 import vault_pb2  # noqa: PLC0415

    data = message.SerializeToString(deterministic=True)
    accepted = list(challenge.accepted_kinds) if challenge is not None else []
    if here.is_assisted:
        where = str(here.session.notes["assisting"].get("reference", ""))
        approval = vault_pb2.Approval(
            kind=vault_pb2.APPROVAL_KIND_STAFF_ASSISTED, proof=where.encode()
        )
        return _complete(here, decision, data, approval)
    typed = here.form.text(ASSERTION)
    if typed and vault_pb2.APPROVAL_KIND_WEBAUTHN in accepted:
        return _complete(here, decision, data, passkey_approval(typed))
    if challenge is not None and vault_pb2.APPROVAL_KIND_OIDC_STEP_UP in accepted:
        nonce = b64(challenge.challenge)
        kept = {"decision": decision, "message": base64.b64encode(data).decode("ascii")}
        acr_values = " ".join(challenge.step_up_acr_values)
        # Who does not confirm it there comes back to the page on which she decided.
        back = here.request.url.path
        return begin_flow(
            here, "decision", nonce=nonce, acr_values=acr_values, back=back, kept=kept
        )
    return _complete(here, decision, data, None)


def finish(here: Here, kept: Mapping[str, Any], id_token: str) -> Response:
    """Complete the decision with which the browser went to the provider."""
    from vault.api.v1 import vault_pb2  # noqa: PLC0415

    approval = vault_pb2.Approval(
        kind=vault_pb2.APPROVAL_KIND_OIDC_STEP_UP, proof=id_token.encode()
    )
    return _complete(here, kept["decision"], base64.b64decode(kept["message"]), approval)


def _complete(here: Here, decision: str, message: bytes, approval: Approval | None) -> Response:
    complete = _COMPLETIONS[decision]
    # Who comes back from the provider comes to another room's address.
    here.enter(room_of(complete.__module__))
    return complete(here, message, approval)


def passkey_approval(typed: str) -> Approval:
    """Return the approval that a passkey's answer is.

    Args:
        typed: a JSON object of `credential`, `authenticator_data`, `client_data_json` and
            `signature`, each in base64url.

    Raises:
        PasskeyAnswerError: if it is something else.
    """
    from vault.api.v1 import vault_pb2  # noqa: PLC0415

    try:
        said = json.loads(typed)
        parts = {name: unb64(said[name]) for name in _PARTS}
    except (ValueError, KeyError, TypeError, RecursionError):
        raise PasskeyAnswerError from None
    return vault_pb2.Approval(
        kind=vault_pb2.APPROVAL_KIND_WEBAUTHN,
        assertion=vault_pb2.PasskeyAssertion(**parts),
    )
