# SPDX-License-Identifier: Apache-2.0
"""Approvals: what shows that a decision is hers, and the sealed proof beside its event.

Herself: by what her provider signed when she signed in once more (OpenID Connect), by what her
passkey signed, or by her sign-in alone, which proves nothing beyond it. Through an official: by
what the official records of her agreement. A proof that does not hold is refused, not stored.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, Protocol

from msgspec import Struct

from vault.application.commands import sealed
from vault.application.webauthn import verify
from vault.domain.approval import challenge_of
from vault.domain.canonical import b64, digest, encode, unb64
from vault.domain.errors import ApprovalInvalidError, ApprovalRequiredError, FieldInvalidError
from vault.domain.events import stored_name_of
from vault.domain.passkey import find_by_credential
from vault.domain.values import NO_APPROVAL, Approval
from vault.sealing.envelope import Context
from vault.store.command import new_salt

if TYPE_CHECKING:
    from collections.abc import Container

    from vault.application.caller import Agreement
    from vault.domain.events import Draft, Facts
    from vault.domain.state import VaultState
    from vault.domain.values import Acting, ApprovalKind
    from vault.sealing.envelope import Key
    from vault.store.command import SealedPayload

KIND: Final = "approval"
SESSION: Final = Approval(kind="session", proof_hash="")


class Signed(Struct, frozen=True, kw_only=True):
    """What a passkey signed, as it is sealed; the three parts are base64url."""

    passkey_id: str
    authenticator_data: str
    client_data_json: str
    signature: str


class ShownProof(Struct, frozen=True, kw_only=True):
    """The sealed proof of a decision of hers: enough to verify it again, with her provider's keys.

    `shown` is what stood on her page, in canonical form, of which the challenge is made. `proof` is
    the ID token, or what her passkey signed.
    """

    kind: Literal["oidc-step-up", "webauthn"]
    shown: str
    proof: str | Signed
    salt: str


class AgreedProof(Struct, frozen=True, kw_only=True):
    """The sealed record of an official. Its digest stands in the link, so that it has a salt."""

    proof: str
    salt: str


class StepUp(Protocol):
    """Verifies what a citizen's provider signed when she signed in once more."""

    @property
    def client_id(self) -> str:
        """For whom it is signed."""

    @property
    def acr_values(self) -> tuple[str, ...]:
        """How well she must have been recognised, one of these; empty: any way."""

    @property
    def max_age_seconds(self) -> int:
        """How long ago at most she signed in."""

    async def verify(self, token: bytes, issuer: str, sub: str, challenge: str) -> None:
        """Check that her provider signed a challenge, for her, just now.

        Raises:
            ApprovalInvalidError: if not.
        """


@dataclass(frozen=True, slots=True)
class Passkeys:
    """Which passkeys approve: those for one site, asked for by its pages."""

    rp_id: str
    origins: Container[str]


@dataclass(frozen=True, slots=True)
class Signer:
    """Who is to approve, as the credential of the call says."""

    acting: Acting
    issuer: str = ""
    sub: str = ""


@dataclass(frozen=True, slots=True)
class Challenge:
    """What has to be signed to show that a decision is hers, and by what it may be."""

    challenge: bytes
    kinds: tuple[ApprovalKind, ...]
    step_up: StepUp | None
    passkeys: Passkeys | None
    credentials: tuple[bytes, ...]


class Approvals:
    """Verifies and seals what shows that decisions are hers."""

    def __init__(
        self,
        step_up: StepUp | None = None,
        passkeys: Passkeys | None = None,
        *,
        is_required: bool = False,
    ) -> None:
        """Accept what is given; `is_required`: her sign-in alone decides nothing that shares."""
        self.step_up = step_up
        self.passkeys = passkeys
        self._is_required = is_required

    def challenge(
        self, acting: Acting, state: VaultState, decision: type[Facts], shown: bytes
    ) -> Challenge:
        """Return what has to be signed for a decision, which is recorded as such an event."""
        mine = self.passkeys
        credentials = tuple(
            unb64(one.key.credential)
            for one in state.passkeys.values()
            if mine and not one.removed and one.key.rp_id == mine.rp_id
        )
        return Challenge(
            challenge=unb64(challenge_of(stored_name_of(decision), shown)),
            kinds=self._kinds(acting, has_passkey=bool(credentials)),
            step_up=self.step_up,
            passkeys=mine,
            credentials=credentials,
        )

    def check_kind(self, acting: Acting, agreement: Agreement, *, is_stop: bool) -> None:
        """Check that what is said to show her agreement fits who acts. A stop needs no proof.

        Raises:
            FieldInvalidError: if the kind does not fit, or a letter is not named.
            ApprovalRequiredError: if her sign-in alone is not enough here.
        """
        if is_stop:
            return
        kind = agreement.kind or "session"
        if acting.capacity == "official":
            if kind != _officials_kind(acting):
                raise FieldInvalidError(
                    "approval.kind",
                    "It is STAFF_ASSISTED at a counter or on the phone, PAPER by letter.",
                )
        elif kind == "session" and self._is_required:
            raise ApprovalRequiredError
        elif kind != "session" and kind not in self._kinds(acting, has_passkey=True):
            raise FieldInvalidError("approval.kind", "This kind of proof is not accepted here.")
        _check_parts(kind, agreement)

    async def approve(
        self,
        signer: Signer,
        agreement: Agreement,
        draft: Draft,
        state: VaultState | None,
        *,
        history_key: Key,
        stream: str,
    ) -> tuple[Approval, tuple[SealedPayload, ...]]:
        """Return the approval of what was decided, and its sealed proof if it has one.

        Raises:
            FieldInvalidError: if what was shown is not said.
            ApprovalInvalidError: if the proof does not show that the decision is hers.
        """
        kind = agreement.kind
        if signer.acting.capacity == "official":
            return _beside(kind, _agreed(agreement), history_key, stream)
        if kind in {"oidc-step-up", "webauthn"}:
            proof = await self._shown(signer, agreement, draft, state)
            return _beside(kind, proof, history_key, stream)
        return SESSION, ()

    async def _shown(
        self, signer: Signer, agreement: Agreement, draft: Draft, state: VaultState | None
    ) -> bytes:
        """Verify a proof, and return what of it is sealed."""
        if not draft.shown:
            raise FieldInvalidError("shown", "Send what was shown, as `validate_only` returns it.")
        challenge = challenge_of(stored_name_of(type(draft.facts)), draft.shown)
        shown = draft.shown.decode("ascii")
        if agreement.assertion is None:
            if self.step_up is None:
                raise ApprovalInvalidError("Nobody here verifies what a provider signs.")
            await self.step_up.verify(agreement.proof, signer.issuer, signer.sub, challenge)
            token = agreement.proof.decode("ascii")
            return encode(
                ShownProof(kind="oidc-step-up", shown=shown, proof=token, salt=new_salt())
            )
        signed = self._signed(agreement, state, challenge)
        return encode(ShownProof(kind="webauthn", shown=shown, proof=signed, salt=new_salt()))

    def _signed(self, agreement: Agreement, state: VaultState | None, challenge: str) -> Signed:
        assertion, mine = agreement.assertion, self.passkeys
        if assertion is None or mine is None:
            raise ApprovalInvalidError("Nobody here verifies what a passkey signs.")
        passkey = find_by_credential(state, b64(assertion.credential))
        if passkey is None or passkey.key.rp_id != mine.rp_id:
            raise ApprovalInvalidError("There is no such passkey, or none any more.")
        verify(assertion, passkey.key, mine.origins, challenge)
        return Signed(
            passkey_id=passkey.passkey_id,
            authenticator_data=b64(assertion.authenticator_data),
            client_data_json=b64(assertion.client_data_json),
            signature=b64(assertion.signature),
        )

    def _kinds(self, acting: Acting, *, has_passkey: bool) -> tuple[ApprovalKind, ...]:
        if acting.capacity == "official":
            return (_officials_kind(acting),)
        kinds: list[ApprovalKind] = [] if self._is_required else ["session"]
        if self.step_up:
            kinds.append("oidc-step-up")
        if self.passkeys and has_passkey:
            kinds.append("webauthn")
        return tuple(kinds)


def _check_parts(kind: ApprovalKind, agreement: Agreement) -> None:
    """Check that what comes with a kind is what belongs to it."""
    if (agreement.assertion is not None) != (kind == "webauthn"):
        raise FieldInvalidError("approval.assertion", "It belongs to WEBAUTHN, and to that alone.")
    if kind == "paper" and not agreement.proof:
        raise FieldInvalidError("approval.proof", "Name her letter.")
    if kind == "oidc-step-up" and not agreement.proof:
        raise FieldInvalidError("approval.proof", "It is the ID token.")
    if kind == "webauthn" and agreement.proof:
        raise FieldInvalidError("approval.proof", "What a passkey signed is the assertion.")


def stopped_by(
    acting: Acting, agreement: Agreement, history_key: Key, stream: str
) -> tuple[Approval, tuple[SealedPayload, ...]]:
    """Return the approval of a stop: what fits is kept, and nothing is missing."""
    if acting.capacity != "official":
        return SESSION, ()
    if agreement.kind != _officials_kind(acting):
        return NO_APPROVAL, ()
    return _beside(agreement.kind, _agreed(agreement), history_key, stream)


def _beside(
    kind: ApprovalKind, proof: bytes, history_key: Key, stream: str
) -> tuple[Approval, tuple[SealedPayload, ...]]:
    context = Context(stream=stream, kind=KIND, key_id=history_key.key_id)
    return Approval(kind=kind, proof_hash=digest(proof)), (sealed(history_key, context, proof),)


def _agreed(agreement: Agreement) -> bytes:
    return encode(AgreedProof(proof=b64(agreement.proof), salt=new_salt()))


def _officials_kind(acting: Acting) -> ApprovalKind:
    return "paper" if acting.channel == "letter" else "staff-assisted"
