# SPDX-License-Identifier: Apache-2.0
"""Protected evidence: its values are shown to nobody but herself, just after she signed in.

Somebody may watch her screen, or have picked up her device: a sign-in that was left open shows what
there is, never where she lives now. Whom she shares it with receives it as before (RFC 9470).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from vault.domain.errors import CapacityNotAllowedError, FreshSignInRequiredError
from vault.domain.events import Draft, Event, Facts
from vault.domain.evidence import WHOLE_PIECE, Evidence, find
from vault.domain.values import Item, Time, later
from vault.domain.vault import must_be_sound

if TYPE_CHECKING:
    from vault.domain.state import VaultState
    from vault.domain.values import Acting, Stamp

FRESH_SECONDS: Final = 5 * 60
"""How long ago at most she signed in when she is shown what is protected."""


class EvidenceProtected(Facts, frozen=True, tag="evidence-protected.1"):
    """She protected a piece of evidence."""


class ProtectionLifted(Facts, frozen=True, tag="protection-lifted.1"):
    """She protects it no more."""


def protect(state: VaultState | None, stamp: Stamp, evidence_id: str) -> Draft:
    """Protect a piece of evidence. One that is protected may be protected again.

    Raises:
        VaultNotOpenError: if there is no vault.
        NotFoundError: if there is no such piece.
    """
    piece = find(must_be_sound(state), evidence_id)
    facts = EvidenceProtected(time=stamp.time, salt=stamp.salt)
    return Draft(facts=facts, items=_whole(piece))


def lift(
    state: VaultState | None, stamp: Stamp, acting: Acting, signed_in: Time, evidence_id: str
) -> Draft:
    """Protect a piece of evidence no more: as good as seeing it, so that the same is asked.

    Raises:
        VaultNotOpenError: if there is no vault.
        NotFoundError: if there is no such piece.
        CapacityNotAllowedError: if somebody acts for her.
        FreshSignInRequiredError: if it is protected, and she signed in too long ago.
    """
    piece = find(must_be_sound(state), evidence_id)
    if acting.capacity != "self":
        raise CapacityNotAllowedError
    must_be_visible(piece, acting, signed_in, stamp.time)
    facts = ProtectionLifted(time=stamp.time, salt=stamp.salt)
    return Draft(facts=facts, items=_whole(piece))


def must_be_visible(piece: Evidence, acting: Acting, signed_in: Time, time: Time) -> None:
    """Check that values of a piece may be shown.

    Args:
        signed_in: when she last signed in, as her access token says; "" if it does not.

    Raises:
        CapacityNotAllowedError: if it is protected, and somebody acts for her.
        FreshSignInRequiredError: if it is protected, and she signed in too long ago.
    """
    if not piece.is_protected:
        return
    if acting.capacity != "self":
        raise CapacityNotAllowedError
    if not signed_in or later(signed_in, seconds=FRESH_SECONDS) < time:
        raise FreshSignInRequiredError


def protected(state: VaultState, event: Event, facts: EvidenceProtected) -> VaultState:
    """Fold `EvidenceProtected`."""
    del facts
    return _with(state, event, is_protected=True)


def lifted(state: VaultState, event: Event, facts: ProtectionLifted) -> VaultState:
    """Fold `ProtectionLifted`."""
    del facts
    return _with(state, event, is_protected=False)


def _with(state: VaultState, event: Event, *, is_protected: bool) -> VaultState:
    after = dict(state.evidence)
    for item in event.link.items:
        piece = after.get(item.evidence_id)
        if piece is not None:
            after[item.evidence_id] = replace(piece, is_protected=is_protected)
    return replace(state, evidence=after)


def _whole(piece: Evidence) -> tuple[Item, ...]:
    # Whichever revision, also those to come.
    return (Item(item=WHOLE_PIECE, evidence_id=piece.evidence_id, revision=0),)
