# SPDX-License-Identifier: Apache-2.0
"""Reports: a service tells her how far the matter is, or how it was decided."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from msgspec.structs import replace

from vault.application.caller import Answer
from vault.application.commands import (
    Particulars,
    command_digest,
    must_be_same,
    sealed_particulars,
    signed,
)
from vault.domain import report
from vault.domain.state import VaultState, fold
from vault.domain.values import Acting
from vault.store.command import Command, Decision

if TYPE_CHECKING:
    from vault.application.caller import Caller
    from vault.application.desk import Desk
    from vault.application.receipts import Receipts
    from vault.application.registry import Registry
    from vault.domain.consent import ReportStatus
    from vault.domain.report import RecipientReported
    from vault.domain.values import Stamp


class Reports:
    """Takes down what services report."""

    def __init__(self, desk: Desk, registry: Registry, receipts: Receipts) -> None:
        self._desk = desk
        self._registry = registry
        self._receipts = receipts

    async def report(
        self,
        caller: Caller,
        request_id: str,
        *,
        subject: str,
        consent_id: str,
        status: ReportStatus,
        said: Particulars,
        deadline: float | None = None,
    ) -> Answer[RecipientReported]:
        """Report how far the matter is for which a consent was given.

        Args:
            said: references of the caller, without digest, which is filled in here.
            deadline: on the monotonic clock; past it nothing is appended.

        Raises:
            FieldInvalidError: if a member of staff names another.
            See `report.report` for the others.
        """
        said = signed(caller, said)
        vault_id = await self._desk.keyrings.vault_of(caller.service, subject)
        keyring = await self._desk.keyrings.of(vault_id)
        expected = command_digest("ReportOutcome", subject, consent_id, status, said)
        beside = sealed_particulars(keyring.history, vault_id, replace(said, digest=expected))

        async def decide(state: VaultState | None, stamp: Stamp) -> Decision:
            registered = await self._registry.confirmed(now=True)
            draft = report.report(
                state,
                registered.state,
                stamp,
                service=caller.service,
                subject=subject,
                consent_id=consent_id,
                status=status,
            )
            return Decision(draft=draft, payloads=(beside,), registry=registered.mark)

        command = Command(
            stream=vault_id,
            acting=Acting(actor=caller.service, capacity="service", mandate="", channel="api"),
            request_key=self._desk.identifiers.request_key(
                caller.service, f"ReportOutcome/{subject}", request_id
            ),
            deadline=deadline,
        )
        recorded = await self._desk.vaults.execute(command, fold, decide)
        if recorded.is_repeat:
            await must_be_same(self._desk.vaults, recorded, expected, keyring.history)
        # The key is of this method alone: whatever was recorded under it is a report.
        facts = cast("RecipientReported", recorded.event.facts)
        return Answer(value=facts, sizes=recorded.sizes, receipt=self._receipts.of(recorded))
