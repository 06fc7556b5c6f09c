# SPDX-License-Identifier: Apache-2.0
"""Approvals: what shows that a decision is hers, and the sealed proof beside its event.

Herself, by her sign-in alone until stronger proofs are verified. Through an official, by what the
official records of her agreement: at a counter or on the phone, or on paper. A proof of a kind that
nobody verifies is refused, not stored.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from vault.application.commands import sealed
from vault.domain.canonical import b64, digest, encode
from vault.domain.errors import FieldInvalidError
from vault.domain.values import NO_APPROVAL, Approval
from vault.sealing.envelope import Context
from vault.store.command import new_salt

if TYPE_CHECKING:
    from vault.application.caller import Agreement
    from vault.domain.values import Acting, ApprovalKind
    from vault.sealing.envelope import Key
    from vault.store.command import SealedPayload

KIND = "approval"
SESSION = Approval(kind="session", proof_hash="")


class Proof(Struct, frozen=True, kw_only=True):
    """The sealed proof. Its digest stands in the link, so that it has a salt."""

    proof: str
    salt: str


def approve(
    acting: Acting, agreement: Agreement, history_key: Key, stream: str, *, is_stop: bool
) -> tuple[Approval, tuple[SealedPayload, ...]]:
    """Return the approval of a decision, and its sealed proof if it has one.

    Args:
        is_stop: a stop needs no proof, whoever asks for it; one that does not fit is not kept.

    Raises:
        FieldInvalidError: if the kind does not fit who acts, or a letter is not named.
    """
    if acting.capacity != "official":
        if not is_stop and (agreement.kind not in {"", "session"} or agreement.proof):
            raise FieldInvalidError("approval.kind", "This kind of proof is not accepted yet.")
        return SESSION, ()
    expected: ApprovalKind = "paper" if acting.channel == "letter" else "staff-assisted"
    if agreement.kind != expected:
        if is_stop:
            return NO_APPROVAL, ()
        raise FieldInvalidError(
            "approval.kind", "It is STAFF_ASSISTED at a counter or on the phone, PAPER by letter."
        )
    if expected == "paper" and not agreement.proof and not is_stop:
        raise FieldInvalidError("approval.proof", "Name her letter.")
    proof = encode(Proof(proof=b64(agreement.proof), salt=new_salt()))
    context = Context(stream=stream, kind=KIND, key_id=history_key.key_id)
    beside = sealed(history_key, context, proof)
    return Approval(kind=expected, proof_hash=digest(proof)), (beside,)
