# SPDX-License-Identifier: Apache-2.0
"""Disputes: what she says is wrong, in her own words, sealed under her history key."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from vault.application.caller import Answer
from vault.application.commands import Particulars, command_digest, opened, sealed
from vault.application.desk import Decided
from vault.domain import dispute, evidence
from vault.sealing.envelope import Context

if TYPE_CHECKING:
    from collections.abc import Iterable

    from vault.application.caller import ActingFor, Caller
    from vault.application.desk import Desk
    from vault.application.receipts import Receipts
    from vault.domain.dispute import Outcome
    from vault.domain.evidence import Dispute, Evidence
    from vault.domain.state import VaultState
    from vault.domain.values import Stamp

KIND = "statement"


@dataclass(frozen=True, slots=True)
class Disputed:
    """A piece of evidence after a dispute, in the vault as it then was."""

    state: VaultState
    evidence: Evidence
    dispute_id: str


class Disputes:
    """Takes down what a citizen says is wrong."""

    def __init__(self, desk: Desk, receipts: Receipts) -> None:
        self._desk = desk
        self._receipts = receipts

    async def dispute(
        self,
        caller: Caller,
        acting: ActingFor,
        request_id: str,
        *,
        evidence_id: str,
        names: tuple[str, ...],
        statement: str,
        is_shared: bool,
    ) -> Answer[Disputed]:
        """Say that fields of a piece of evidence are wrong.

        Raises:
            NotFoundError: if there is no such piece.
            FieldInvalidError: if the piece does not have a field, or it is disputed already.
        """
        citizen = await self._desk.citizen(caller, acting)
        dispute_id = self._desk.request_key(citizen, "DisputeEvidence", request_id)
        said = Particulars(
            digest=command_digest("DisputeEvidence", evidence_id, names, statement, is_shared)
        )
        key = (await self._desk.keyring(citizen)).history
        context = Context(stream=citizen.vault_id, kind=KIND, key_id=key.key_id)
        beside = sealed(key, context, statement.encode())

        async def decide(state: VaultState | None, stamp: Stamp) -> Decided:
            draft = dispute.dispute(
                state,
                stamp,
                evidence_id=evidence_id,
                dispute_id=dispute_id,
                names=names,
                is_shared=is_shared,
            )
            return Decided(draft=draft, payloads=(beside,))

        recorded = await self._desk.record(citizen, dispute_id, said, decide)
        state = await self._desk.state(citizen)
        piece = evidence.find(state, evidence_id)
        return Answer(
            value=Disputed(state=state, evidence=piece, dispute_id=dispute_id),
            sizes=recorded.sizes,
            receipt=self._receipts.of(recorded),
        )

    async def resolve(
        self,
        caller: Caller,
        acting: ActingFor,
        request_id: str,
        *,
        evidence_id: str,
        dispute_id: str,
        outcome: Outcome,
    ) -> Answer[Disputed]:
        """Settle a dispute.

        Raises:
            NotFoundError: if there is no such dispute.
            DisputeResolvedError: if it is settled.
        """
        citizen = await self._desk.citizen(caller, acting)
        key = self._desk.request_key(citizen, "ResolveDispute", request_id)
        said = Particulars(
            digest=command_digest("ResolveDispute", evidence_id, dispute_id, outcome)
        )

        async def decide(state: VaultState | None, stamp: Stamp) -> Decided:
            draft = dispute.resolve(
                state, stamp, evidence_id=evidence_id, dispute_id=dispute_id, outcome=outcome
            )
            return Decided(draft=draft)

        recorded = await self._desk.record(citizen, key, said, decide)
        state = await self._desk.state(citizen)
        piece = evidence.find(state, evidence_id)
        return Answer(
            value=Disputed(state=state, evidence=piece, dispute_id=dispute_id),
            sizes=recorded.sizes,
            receipt=self._receipts.of(recorded),
        )


async def statements_of(desk: Desk, vault_id: str, disputes: Iterable[Dispute]) -> dict[str, str]:
    """Return what she said in each dispute, by its id; "" where the statement is gone."""
    return {known.dispute_id: await _open(desk, vault_id, known) for known in disputes}


async def _open(desk: Desk, vault_id: str, known: Dispute) -> str:
    content = await desk.vaults.payload(vault_id, known.version, KIND)
    key = (await desk.keyrings.of(vault_id)).history
    mark = known.mark
    if content is None or mark is None or mark.key_id != key.key_id:
        return ""
    context = Context(stream=vault_id, kind=KIND, key_id=key.key_id)
    return opened(key, context, content, mark).decode()
