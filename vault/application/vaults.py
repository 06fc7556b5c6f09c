# SPDX-License-Identifier: Apache-2.0
"""Opening a vault, the ways to it, and showing a citizen everything that happened in it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from vault.application.caller import Answer
from vault.application.commands import Particulars, command_digest, read_particulars
from vault.application.desk import Citizen, Decided
from vault.application.identifiers import new_vault_id
from vault.application.keyrings import ASSISTANCE
from vault.domain import vault
from vault.domain.amendment import (
    ConsentExtended,
    ConsentNarrowed,
    Difference,
    difference_made,
)
from vault.domain.consent import ConsentGranted
from vault.domain.disclosure import DisclosureRefused, EvidenceDisclosed
from vault.domain.dispute import DisputeResolved, EvidenceDisputed
from vault.domain.errors import NotFoundError
from vault.domain.evidence import EvidenceProvided, EvidenceReplaced
from vault.domain.request import ConsentRequested
from vault.domain.state import VaultState, fold
from vault.store.command import Recorded
from vault.store.record import event_of

if TYPE_CHECKING:
    from vault.application.caller import ActingFor, Caller
    from vault.application.desk import Desk
    from vault.application.receipts import Receipt, Receipts
    from vault.domain.events import Event
    from vault.domain.values import Stamp
    from vault.store.command import Sizes

CHUNK = 500
"""Records read at once when looking for lines of one kind."""


@dataclass(frozen=True, slots=True)
class LineItem:
    """A piece of evidence in a line of history; its id is "" where an attempt named none."""

    evidence_id: str
    evidence_type: str
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Line:
    """A line of history: the event, what it concerned, and what was said beside it."""

    event: Event
    items: tuple[LineItem, ...]
    particulars: Particulars | None
    receipt: Receipt
    difference: Difference | None = None


@dataclass(frozen=True, slots=True)
class Opened:
    """An open vault, and the code that she keeps; "" unless an official opened it."""

    state: VaultState
    assistance_code: str = ""


@dataclass(frozen=True, slots=True)
class Page:
    """Lines of history, newest first; `before_version` is where the next page starts, 0 if none."""

    lines: tuple[Line, ...]
    before_version: int


class CitizenVaults:
    """Vaults, for citizens."""

    def __init__(self, desk: Desk, receipts: Receipts) -> None:
        self._desk = desk
        self._receipts = receipts

    async def open(self, caller: Caller, acting: ActingFor, request_id: str = "") -> Answer[Opened]:
        """Open the caller's vault, or return the one that is open; an official's, one for each id.

        The sign-in leads to the vault before it is opened; a crash between is finished by a retry.
        """
        if caller.role == "official":
            return await self._open_for(caller, acting, request_id)
        # Refused before a row is stored: she may name no vault but the one that she has.
        standing = await self._desk.keyrings.find_identity(caller)
        acting.as_herself("", standing.vault_id if standing else "")
        identity = standing or await self._desk.keyrings.claim_identity(
            caller, await self._new_vault_id()
        )
        who = acting.as_herself(identity.sign_in_id, identity.vault_id)
        citizen = Citizen(vault_id=identity.vault_id, acting=who)
        opened = Opened(state=await self._open(citizen))
        return Answer(value=opened, sizes=await self._sizes(citizen))

    async def get(self, caller: Caller, acting: ActingFor) -> Answer[VaultState]:
        """Return the caller's vault."""
        citizen = await self._desk.citizen(caller, acting)
        sizes = await self._sizes(citizen)
        return Answer(value=await self._desk.shown(citizen, "history"), sizes=sizes)

    async def create_assistance_code(
        self, caller: Caller, acting: ActingFor, request_id: str
    ) -> Answer[Opened]:
        """Make a code with which officials can act for her; a retry makes the same."""
        citizen = await self._desk.citizen(caller, acting)
        key = self._desk.request_key(citizen, "CreateAssistanceCode", request_id)
        await self._desk.state(citizen)
        code = self._desk.identifiers.assistance_code(key)
        way = await self._desk.keyrings.add_code(ASSISTANCE, code, citizen.vault_id)
        await self._link(citizen, key, way.sign_in_id)
        state = await self._desk.state(citizen)
        opened = Opened(state=state, assistance_code=code)
        return Answer(value=opened, sizes=await self._sizes(citizen))

    async def unlink_sign_in(
        self, caller: Caller, acting: ActingFor, request_id: str, sign_in_id: str
    ) -> Answer[VaultState]:
        """Close a way to her vault, perhaps the one by which the official came.

        Raises:
            NotFoundError: if there is no such way, or none any more.
        """
        citizen = await self._desk.citizen(caller, acting)
        key = self._desk.request_key(citizen, "UnlinkSignIn", request_id)
        said = Particulars(digest=command_digest("UnlinkSignIn", sign_in_id))

        async def decide(state: VaultState | None, stamp: Stamp) -> Decided:
            return Decided(draft=vault.unlink_sign_in(state, stamp, sign_in_id))

        recorded = await self._desk.record(citizen, key, said, decide, stops=True)
        link = recorded.event.link
        await self._desk.settled(link.stream, link.version, recorded.committed)
        if citizen.acting.mandate == sign_in_id:
            # The way by which the official came is closed: this is the last that they see.
            state = vault.must_be_open(await self._desk.vaults.current(citizen.vault_id, fold))
        else:
            state = await self._desk.state(citizen)
        return Answer(value=state, sizes=recorded.sizes)

    async def history(
        self,
        caller: Caller,
        acting: ActingFor,
        *,
        before_version: int,
        limit: int,
        only_disclosures: bool,
    ) -> Page:
        """Return lines of history, newest first.

        Args:
            before_version: lines older than this version; 0: from the head.
        """
        citizen = await self._desk.citizen(caller, acting)
        state = await self._desk.shown(citizen, "history")
        history_key = (await self._desk.keyring(citizen)).history
        origin = self._desk.vaults.origin_of(citizen.vault_id)
        bottom = before_version or state.version + 1
        lines: list[Line] = []
        while bottom > 1 and len(lines) < limit:
            after = max(0, bottom - 1 - CHUNK)
            records = await self._desk.vaults.records(
                citizen.vault_id, after_version=after, limit=bottom - 1 - after
            )
            for record in reversed(records):
                bottom = record.version
                event = event_of(record)
                if event is None:
                    continue
                if only_disclosures and not isinstance(
                    event.facts, EvidenceDisclosed | DisclosureRefused
                ):
                    continue
                lines.append(
                    Line(
                        event=event,
                        items=_items(state, event),
                        particulars=await read_particulars(self._desk.vaults, event, history_key),
                        receipt=self._receipts.of(Recorded(event, record.position, origin)),
                        difference=difference_made(state, event),
                    )
                )
                if len(lines) == limit:
                    break
            else:
                bottom = after + 1
        return Page(lines=tuple(lines), before_version=bottom if bottom > 1 else 0)

    async def _open_for(self, caller: Caller, acting: ActingFor, request_id: str) -> Answer[Opened]:
        """Open a vault for somebody who has no sign-in, and make the code that she keeps."""
        identifiers = self._desk.identifiers
        actor = identifiers.pseudonym(caller.issuer, caller.sub)
        acting.must_be_officials()
        if acting.vault_id or acting.mandate_id or acting.assistance_code:
            raise NotFoundError
        code = identifiers.assistance_code(identifiers.request_key(actor, "OpenVault", request_id))
        way = await self._desk.keyrings.add_code(ASSISTANCE, code, await self._new_vault_id())
        who = acting.as_official(actor, way.sign_in_id, way.vault_id)
        citizen = Citizen(vault_id=way.vault_id, acting=who, staff_ref=caller.sub)
        await self._open(citizen)
        key = self._desk.request_key(citizen, "OpenVault/code", "")
        await self._link(citizen, key, way.sign_in_id)
        opened = Opened(state=await self._desk.state(citizen), assistance_code=code)
        return Answer(value=opened, sizes=await self._sizes(citizen))

    async def _open(self, citizen: Citizen) -> VaultState:
        """Open a vault, unless it is open."""
        await self._desk.keyrings.change(citizen.vault_id, lambda keyring: keyring)
        state = await self._desk.vaults.current(citizen.vault_id, fold)
        if state is None:
            key = self._desk.request_key(citizen, "OpenVault", "")
            await self._desk.found(citizen, key, vault.open_vault)
            state = await self._desk.vaults.current(citizen.vault_id, fold)
        return vault.must_be_open(state)

    async def _link(self, citizen: Citizen, key: str, sign_in_id: str) -> None:
        await self._desk.found(
            citizen,
            key,
            lambda stamp: vault.link_sign_in(stamp, sign_in_id, "assistance-code"),
        )

    async def _sizes(self, citizen: Citizen) -> Sizes:
        return await self._desk.vaults.sizes(citizen.vault_id)

    async def _new_vault_id(self) -> str:
        """Draw the id of a vault in one of the lanes that take new ones."""
        return new_vault_id(await self._desk.vaults.lane_for_new())


def _items(state: VaultState, event: Event) -> tuple[LineItem, ...]:
    """Return which of her evidence an event concerned, and which fields of it."""
    facts = event.facts.upcast()
    by_number = {item.item: item.evidence_id for item in event.link.items}

    def line(number: int, names: tuple[str, ...]) -> LineItem:
        evidence_id = by_number.get(number, "")
        piece = state.evidence.get(evidence_id)
        return LineItem(
            evidence_id=evidence_id,
            evidence_type=piece.evidence_type if piece else "",
            names=names,
        )

    match facts:
        case EvidenceDisclosed():
            return tuple(line(fields.item, fields.names) for fields in facts.fields)
        case DisclosureRefused():
            return tuple(
                LineItem(evidence_id="", evidence_type=f.evidence_type, names=f.names)
                for f in facts.fields
            )
        case EvidenceDisputed():
            return (line(0, facts.names),)
        case DisputeResolved():
            return (line(0, ()),)
        case ConsentGranted() | ConsentNarrowed() | ConsentExtended():
            return tuple(
                line(granted.item, tuple(sorted(granted.names))) for granted in facts.terms.scope
            )
        case ConsentRequested():
            return tuple(
                LineItem(
                    evidence_id="",
                    evidence_type=asked.evidence_type,
                    names=tuple(sorted(asked.required + asked.optional)),
                )
                for asked in facts.asked.scope
            )
        case EvidenceProvided():
            return (line(0, facts.names),)
        case EvidenceReplaced():
            return (line(0, facts.changed),)
        case _:
            return ()
