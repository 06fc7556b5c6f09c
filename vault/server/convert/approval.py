# SPDX-License-Identifier: Apache-2.0
"""What shows that a decision is hers: challenges, passkeys, and what they signed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from vault.api.v1 import vault_pb2 as pb
from vault.api.v1 import vault_service_pb2 as service_pb
from vault.application.approvals import Challenge
from vault.application.caller import Agreement
from vault.application.passkeys import Offered
from vault.application.webauthn import Assertion
from vault.domain.canonical import unb64
from vault.domain.errors import FieldInvalidError
from vault.domain.passkey import Algorithm, NewPasskey, Passkey
from vault.domain.values import ApprovalKind
from vault.server.convert.times import timestamp

APPROVAL_KINDS: Final[Mapping[pb.ApprovalKind.ValueType, ApprovalKind]] = {
    pb.APPROVAL_KIND_SESSION: "session",
    pb.APPROVAL_KIND_OIDC_STEP_UP: "oidc-step-up",
    pb.APPROVAL_KIND_WEBAUTHN: "webauthn",
    pb.APPROVAL_KIND_STAFF_ASSISTED: "staff-assisted",
    pb.APPROVAL_KIND_PAPER: "paper",
}
ALGORITHMS: Final[Mapping[pb.PasskeyAlgorithm.ValueType, Algorithm]] = {
    pb.PASSKEY_ALGORITHM_ES256: "ES256",
    pb.PASSKEY_ALGORITHM_EDDSA: "EdDSA",
    pb.PASSKEY_ALGORITHM_RS256: "RS256",
}

APPROVAL_VALUES: Final = {value: key for key, value in APPROVAL_KINDS.items()}
_ALGORITHM_VALUES: Final = {value: key for key, value in ALGORITHMS.items()}


def agreement_from(approval: pb.Approval) -> Agreement:
    """Return what is said to show that a decision is hers.

    Raises:
        FieldInvalidError: if a sign-in comes with a proof.
    """
    kind = APPROVAL_KINDS.get(approval.kind, "")
    if kind in {"", "session"} and approval.proof:
        raise FieldInvalidError("approval.proof", "A sign-in alone has no proof.")
    has_assertion = approval.HasField("assertion")
    assertion = _assertion_from(approval.assertion) if has_assertion else None
    return Agreement(kind=kind, proof=approval.proof, assertion=assertion)


def challenge_message(challenge: Challenge) -> pb.ApprovalChallenge:
    """Return what has to be signed, and by what it may be."""
    message = pb.ApprovalChallenge(
        challenge=challenge.challenge,
        accepted_kinds=[APPROVAL_VALUES[kind] for kind in challenge.kinds],
    )
    step_up, passkeys = challenge.step_up, challenge.passkeys
    if step_up and "oidc-step-up" in challenge.kinds:
        message.step_up_client_id = step_up.client_id
        message.step_up_acr_values.extend(step_up.acr_values)
        message.step_up_max_age_seconds = step_up.max_age_seconds
    if passkeys and "webauthn" in challenge.kinds:
        message.passkey_rp_id = passkeys.rp_id
        message.credentials.extend(challenge.credentials)
    return message


def offered_from(request: service_pb.AddPasskeyRequest) -> Offered:
    """Return the passkey that she would add."""
    return Offered(
        credential=request.credential,
        algorithm=ALGORITHMS[request.algorithm],
        public_key=request.public_key,
    )


def passkey_message(passkey: Passkey) -> pb.Passkey:
    """Return a passkey."""
    message = key_message(passkey.key)
    message.passkey_id = passkey.passkey_id
    for field, time in ((message.add_time, passkey.added), (message.remove_time, passkey.removed)):
        if moment := timestamp(time):
            field.CopyFrom(moment)
    return message


def key_message(key: NewPasskey) -> pb.Passkey:
    """Return a passkey as it is, or as it would be added."""
    return pb.Passkey(
        credential=unb64(key.credential),
        algorithm=_ALGORITHM_VALUES[key.algorithm],
        public_key=unb64(key.public_key),
        rp_id=key.rp_id,
    )


def _assertion_from(assertion: pb.PasskeyAssertion) -> Assertion:
    return Assertion(
        credential=assertion.credential,
        authenticator_data=assertion.authenticator_data,
        client_data_json=assertion.client_data_json,
        signature=assertion.signature,
    )
