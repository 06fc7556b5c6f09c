# SPDX-License-Identifier: Apache-2.0
"""What handlers stand on: the use cases, position tokens and pages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from projections.change_feed import ChangeFeed
    from projections.consent_register import ConsentRegister
    from projections.runner import Runner
    from vault.application.amendments import Amendments
    from vault.application.audits import Audits
    from vault.application.claims import Claims
    from vault.application.consent_receipts import ConsentReceipts
    from vault.application.consents import Consents
    from vault.application.contacts import Contacts
    from vault.application.disclosures import Disclosures
    from vault.application.disputes import Disputes
    from vault.application.documents import Documents
    from vault.application.evidence import EvidenceKeeper
    from vault.application.exports import Exports
    from vault.application.imports import Imports
    from vault.application.lane_replays import LaneReplays
    from vault.application.log_proofs import LogProofs
    from vault.application.operations import Operations
    from vault.application.passkeys import PasskeyKeeper
    from vault.application.positions import PositionTokens
    from vault.application.registry import Registry
    from vault.application.reports import Reports
    from vault.application.requests import Requests
    from vault.application.sign_ins import SignIns
    from vault.application.silences import Silences
    from vault.application.vaults import CitizenVaults
    from vault.log.logs import Logs
    from vault.server.call import Call
    from vault.server.paging import Pages
    from vault.store.command import Sizes
    from vault.store.vaults import Vaults


@dataclass(frozen=True, slots=True)
class UseCases:
    """Everything that a handler may ask for."""

    vaults: CitizenVaults
    passkeys: PasskeyKeeper
    sign_ins: SignIns
    contacts: Contacts
    exports: Exports
    imports: Imports
    evidence: EvidenceKeeper
    documents: Documents
    disputes: Disputes
    requests: Requests
    claims: Claims
    consents: Consents
    amendments: Amendments
    disclosures: Disclosures
    reports: Reports
    audits: Audits
    lane_replays: LaneReplays
    silences: Silences
    log_proofs: LogProofs
    consent_receipts: ConsentReceipts
    registry: Registry
    operations: Operations
    changes: Runner[ChangeFeed]
    register: Runner[ConsentRegister]
    positions: PositionTokens
    pages: Pages
    store: Vaults
    logs: Logs

    async def seen(self, position_token: str, call: Call) -> None:
        """Return once the place of a token is visible.

        Raises:
            TokenInvalidError, DeadlinePassedError: if it is not ours, or not visible in time.
        """
        await self.positions.wait(position_token, self.store, call.deadline)

    def seen_sizes(self, position_token: str) -> Sizes:
        """Return how much of history a view must show for a token; nothing without one.

        Raises:
            TokenInvalidError: if it is not ours.
        """
        return self.positions.read(position_token) if position_token else {}
