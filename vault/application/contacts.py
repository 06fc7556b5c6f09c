# SPDX-License-Identifier: Apache-2.0
"""How she is reached and what she is told: sealed under her history key, opened for her alone.

And for whoever tells her: `read_contact` opens it for the notifications.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

import msgspec
from msgspec import Struct

from vault.application.caller import Answer
from vault.application.commands import Particulars, command_digest, opened, sealed
from vault.application.desk import Decided
from vault.domain import contact
from vault.domain.canonical import encode
from vault.domain.contact import KIND, KeptContact
from vault.domain.errors import HistoryBrokenError
from vault.sealing.envelope import Context

if TYPE_CHECKING:
    from vault.application.caller import ActingFor, Caller
    from vault.application.desk import Citizen, Desk
    from vault.application.keyrings import Keyrings
    from vault.domain.state import VaultState
    from vault.domain.values import Stamp
    from vault.store.vaults import Vaults

Language = Literal["en", "cy"]
Pace = Literal["at-once", "weekly", "safety-only"]
Subject = Literal["new-request", "first-use", "refused-attempt", "end-near", "new-sign-in"]
"""What she can be told, or not, as she likes."""


class Contact(Struct, frozen=True, kw_only=True):
    """Her addresses and preferences, as they lie sealed. A later form only gains fields."""

    email: str = ""
    telephone: str = ""
    postal_lines: tuple[str, ...] = ()
    language: Language = "en"
    pace: Pace = "at-once"
    discreet: bool = False
    muted: tuple[Subject, ...] = ()

    @property
    def addresses(self) -> tuple[str, str, tuple[str, ...]]:
        """Return her addresses: e-mail, telephone, post."""
        return self.email, self.telephone, self.postal_lines


NOBODY: Final = Contact()
"""Of whom nobody has said how she is reached."""

_CONTACT: Final = msgspec.json.Decoder(Contact)


@dataclass(frozen=True, slots=True)
class Reached:
    """How she is reached, and who said so when; `kept` is None as long as nobody did."""

    contact: Contact
    kept: KeptContact | None


class Contacts:
    """Keeps how citizens are reached."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def set(
        self, caller: Caller, acting: ActingFor, request_id: str, said: Contact
    ) -> Answer[Reached]:
        """Take down how she is reached, in the place of what was said before.

        Raises:
            VaultNotOpenError: if her sign-in leads to no vault.
            NotFoundError: if the official's code leads nowhere.
            SignInTooNewError: if she comes by a sign-in that still waits.
            RequestIdReusedError: if the `request_id` named another command before.
        """
        citizen = await self._desk.citizen(caller, acting)
        request_key = self._desk.request_key(citizen, "SetContact", request_id)
        key = (await self._desk.keyring(citizen)).history
        context = Context(stream=citizen.vault_id, kind=KIND, key_id=key.key_id)
        beside = sealed(key, context, encode(said))

        async def decide(state: VaultState | None, stamp: Stamp) -> Decided:
            return Decided(draft=contact.set_contact(state, stamp), payloads=(beside,))

        particulars = Particulars(digest=command_digest("SetContact", said))
        # A stranger who was let in would have her told where he reads it, and she does not.
        recorded = await self._desk.record(
            citizen, request_key, particulars, decide, has_waited=True
        )
        link, facts = recorded.event.link, recorded.event.facts
        kept = KeptContact(
            version=link.version,
            mark=recorded.event.mark(KIND),
            acting=link.acting,
            time=facts.time,
        )
        return Answer(value=Reached(contact=said, kept=kept), sizes=recorded.sizes)

    async def get(self, caller: Caller, acting: ActingFor) -> Reached:
        """Return how she is reached.

        Raises:
            VaultNotOpenError: if her sign-in leads to no vault.
            NotFoundError: if the official's code leads nowhere.
            CapacityNotAllowedError, FreshSignInRequiredError: if she protects a piece of evidence.
        """
        citizen = await self._desk.citizen(caller, acting)
        # Refused before it counts as a look.
        self._must_be_visible(citizen, await self._desk.state(citizen))
        state = await self._desk.shown(citizen, "history")
        self._must_be_visible(citizen, state)
        said = await read_contact(self._desk.vaults, self._desk.keyrings, state)
        return Reached(contact=said, kept=state.contact)

    def _must_be_visible(self, citizen: Citizen, state: VaultState) -> None:
        """Check that it may be shown: where she is reached may be the address she protects."""
        if state.contact is not None:
            self._desk.must_be_visible(citizen, *state.evidence.values())


async def read_contact(vaults: Vaults, keyrings: Keyrings, state: VaultState) -> Contact:
    """Return how she was reached in a state of her vault; `NOBODY` if it is not known (any more).

    Raises:
        NotFoundError: if her keys were destroyed.
        HistoryBrokenError: if what lies there is not what her history names.
    """
    kept = state.contact
    if kept is None or kept.mark is None:
        return NOBODY
    content = await vaults.payload(state.stream, kept.version, KIND)
    key = (await keyrings.of(state.stream)).history
    if content is None or kept.mark.key_id != key.key_id:
        return NOBODY
    context = Context(stream=state.stream, kind=KIND, key_id=key.key_id)
    try:
        return _CONTACT.decode(opened(key, context, content, kept.mark))
    except msgspec.DecodeError as error:
        raise HistoryBrokenError from error
