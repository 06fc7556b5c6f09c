# SPDX-License-Identifier: Apache-2.0
"""Her passkeys (W3C Web Authentication): keys of her own, with which she approves decisions.

The public key stands in the event as SubjectPublicKeyInfo, which every library reads; her provider
signed, by a step-up, that she adds this very key. Removing one is a stop and needs no proof.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

from msgspec.structs import replace

from vault.domain.canonical import digest, encode
from vault.domain.consent import SHOWN_FOR_HOURS
from vault.domain.errors import (
    FieldInvalidError,
    LimitExceededError,
    NotFoundError,
    ShownDiffersError,
)
from vault.domain.events import Draft, Event, Facts
from vault.domain.values import Time, Value, later
from vault.domain.vault import must_be_sound

if TYPE_CHECKING:
    from vault.domain.choice import Shown
    from vault.domain.state import VaultState
    from vault.domain.values import Stamp

MOST_PASSKEYS: Final = 20
"""At once; those that were removed do not count."""

Algorithm = Literal["ES256", "EdDSA", "RS256"]


class PasskeyAdded(Facts, frozen=True, tag="passkey-added.1"):
    """She added a passkey, which signs for the site `rp_id` and no other."""

    passkey_id: str
    credential: str
    algorithm: Algorithm
    public_key: str
    rp_id: str


class PasskeyRemoved(Facts, frozen=True, tag="passkey-removed.1"):
    """She removed it: nothing is approved by it any more."""

    passkey_id: str


class NewPasskey(Value, frozen=True):
    """A passkey that she would add; the id of the credential and the key are base64url."""

    credential: str
    algorithm: Algorithm
    public_key: str
    rp_id: str


class ShownPasskey(NewPasskey, frozen=True):
    """The same, as it stood on her page."""

    shown_time: Time
    salt: str


class Passkey(Value, frozen=True):
    """A passkey and what became of it."""

    passkey_id: str
    key: NewPasskey
    added: Time
    removed: Time = Time("")


def shown_passkey(state: VaultState | None, key: NewPasskey, shown: Shown) -> bytes:
    """Return what stands on her page when she is to add a passkey.

    Raises:
        VaultNotOpenError: if she has no vault.
        FieldInvalidError: if it was added before, even if it was removed since.
        LimitExceededError: if she has too many.
    """
    known = must_be_sound(state).passkeys.values()
    if any(
        one.key.credential == key.credential or one.key.public_key == key.public_key
        for one in known
    ):
        raise FieldInvalidError("credential", "This passkey was added before. Make a new one.")
    if sum(not one.removed for one in known) >= MOST_PASSKEYS:
        raise LimitExceededError
    return encode(
        ShownPasskey(
            credential=key.credential,
            algorithm=key.algorithm,
            public_key=key.public_key,
            rp_id=key.rp_id,
            shown_time=shown.time,
            salt=shown.salt,
        )
    )


def add_passkey(
    state: VaultState | None,
    stamp: Stamp,
    *,
    passkey_id: str,
    key: NewPasskey,
    shown: Shown,
    shown_hash: str,
) -> Draft:
    """Add a passkey exactly as it was shown.

    Raises:
        ShownDiffersError: if the digest is not that of what was shown, or it was shown in the
            future, or too long ago.
        See `shown_passkey` for the others.
    """
    page = shown_passkey(state, key, shown)
    shown_until = later(shown.time, seconds=SHOWN_FOR_HOURS * 3600)
    if not shown.time <= stamp.time <= shown_until or digest(page) != shown_hash:
        raise ShownDiffersError("shown")
    facts = PasskeyAdded(
        time=stamp.time,
        salt=stamp.salt,
        passkey_id=passkey_id,
        credential=key.credential,
        algorithm=key.algorithm,
        public_key=key.public_key,
        rp_id=key.rp_id,
    )
    return Draft(facts=facts, shown=page)


def remove_passkey(state: VaultState | None, stamp: Stamp, passkey_id: str) -> Draft:
    """Remove a passkey. As with revoking, a broken history does not stop her.

    Raises:
        NotFoundError: if there is no such passkey, or none any more.
    """
    known = state.passkeys.get(passkey_id) if state else None
    if known is None or known.removed:
        raise NotFoundError
    return Draft(facts=PasskeyRemoved(time=stamp.time, salt=stamp.salt, passkey_id=passkey_id))


def find_by_credential(state: VaultState | None, credential: str) -> Passkey | None:
    """Return the passkey of a credential that may approve; None if there is none any more."""
    known = state.passkeys.values() if state else ()
    return next(
        (one for one in known if one.key.credential == credential and not one.removed), None
    )


def passkey_added(state: VaultState, event: Event, facts: PasskeyAdded) -> VaultState:
    """Fold `PasskeyAdded`."""
    del event
    key = NewPasskey(
        credential=facts.credential,
        algorithm=facts.algorithm,
        public_key=facts.public_key,
        rp_id=facts.rp_id,
    )
    passkey = Passkey(passkey_id=facts.passkey_id, key=key, added=facts.time)
    return replace(state, passkeys={**state.passkeys, facts.passkey_id: passkey})


def passkey_removed(state: VaultState, event: Event, facts: PasskeyRemoved) -> VaultState:
    """Fold `PasskeyRemoved`."""
    del event
    known = state.passkeys.get(facts.passkey_id)
    if known is None:
        return state
    removed = replace(known, removed=facts.time)
    return replace(state, passkeys={**state.passkeys, facts.passkey_id: removed})
