# SPDX-License-Identifier: Apache-2.0
"""How she is reached: the event says that it was said anew, and by whom; what was said is sealed.

Neither an address nor a preference stands in link or facts: a payload of its own kind beside the
event holds them, and dies with its key.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from vault.domain.events import Draft, Event, Facts
from vault.domain.values import Acting, PayloadMark, Time, Value
from vault.domain.vault import must_be_sound

if TYPE_CHECKING:
    from vault.domain.state import VaultState
    from vault.domain.values import Stamp

KIND: Final = "contact"
"""The kind of the payload that holds what was said."""


class ContactSet(Facts, frozen=True, tag="contact-set.1"):
    """She said how she is reached and what she is told; it takes the place of the last."""


class KeptContact(Value, frozen=True):
    """Where what was said last lies: beside the event at `version`; and who said it."""

    version: int
    mark: PayloadMark | None
    acting: Acting
    time: Time


def set_contact(state: VaultState | None, stamp: Stamp) -> Draft:
    """Record that she says how she is reached.

    Raises:
        VaultNotOpenError: if she has no vault.
        HistoryBrokenError: if its history does not hold together.
    """
    must_be_sound(state)
    return Draft(facts=ContactSet(time=stamp.time, salt=stamp.salt))


def contact_set(state: VaultState, event: Event, facts: ContactSet) -> VaultState:
    """Fold `ContactSet`."""
    link = event.link
    kept = KeptContact(
        version=link.version, mark=event.mark(KIND), acting=link.acting, time=facts.time
    )
    return replace(state, contact=kept)
