# SPDX-License-Identifier: Apache-2.0
"""Opening a vault, and showing a citizen everything that happened in it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from vault.application.caller import Answer
from vault.application.commands import Particulars, read_particulars
from vault.application.identifiers import new_vault_id
from vault.domain import vault
from vault.domain.consent import ConsentGranted
from vault.domain.disclosure import DisclosureRefused, EvidenceDisclosed
from vault.domain.evidence import EvidenceProvided, EvidenceReplaced
from vault.domain.request import ConsentRequested
from vault.domain.state import VaultState, fold
from vault.store.vaults import Command as StreamCommand
from vault.store.vaults import Decision, Recorded, event_of

if TYPE_CHECKING:
    from vault.application.caller import ActingFor, Caller
    from vault.application.desk import Desk
    from vault.application.receipts import Receipt, Receipts
    from vault.domain.events import Event
    from vault.domain.values import Stamp

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

    async def open(self, caller: Caller, acting: ActingFor) -> Answer[VaultState]:
        """Open the caller's vault, or return the one that is open.

        The sign-in leads to the vault before it is opened; a crash between is finished by a retry.
        """
        # Refused before a row is stored: she may name no vault but the one that she has.
        standing = await self._desk.keyrings.find_identity(caller)
        acting.as_herself("", standing.vault_id if standing else "")
        identity = await self._desk.keyrings.claim_identity(caller, new_vault_id())
        who = acting.as_herself(identity.sign_in_id, identity.vault_id)
        await self._desk.keyrings.change(identity.vault_id, lambda keyring: keyring)
        request_key = self._desk.identifiers.request_key(identity.vault_id, "OpenVault", "")

        async def decide(state: VaultState | None, stamp: Stamp) -> Decision:
            del state
            return Decision(draft=vault.open_vault(stamp))

        state = await self._desk.vaults.current(identity.vault_id, fold)
        if state is None:
            command = StreamCommand(stream=identity.vault_id, acting=who, request_key=request_key)
            recorded = await self._desk.vaults.execute(command, fold, decide)
            state = await self._desk.vaults.current(identity.vault_id, fold)
            tree_size = recorded.position + 1
        else:
            tree_size = await self._desk.vaults.tree_size()
        if state is None:
            raise AssertionError
        return Answer(value=state, tree_size=tree_size)

    async def get(self, caller: Caller, acting: ActingFor) -> Answer[VaultState]:
        """Return the caller's vault."""
        citizen = await self._desk.citizen(caller, acting)
        tree_size = await self._desk.vaults.tree_size()
        return Answer(value=await self._desk.state(citizen), tree_size=tree_size)

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
        state = await self._desk.state(citizen)
        history_key = (await self._desk.keyring(citizen)).history
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
                        receipt=self._receipts.of(Recorded(event=event, position=record.position)),
                    )
                )
                if len(lines) == limit:
                    break
            else:
                bottom = after + 1
        return Page(lines=tuple(lines), before_version=bottom if bottom > 1 else 0)


def _items(state: VaultState, event: Event) -> tuple[LineItem, ...]:
    """Return which of her evidence an event concerned, and which fields of it."""
    facts, by_number = event.facts, {item.item: item.evidence_id for item in event.link.items}

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
        case ConsentGranted():
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
