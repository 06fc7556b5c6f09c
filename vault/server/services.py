# SPDX-License-Identifier: Apache-2.0
"""What handlers stand on: the use cases, position tokens and pages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vault.application.audits import Audits
    from vault.application.consents import Consents
    from vault.application.disclosures import Disclosures
    from vault.application.evidence import EvidenceKeeper
    from vault.application.positions import PositionTokens
    from vault.application.registry import Registry
    from vault.application.requests import Requests
    from vault.application.vaults import CitizenVaults
    from vault.server.call import Call
    from vault.server.paging import Pages
    from vault.store.vaults import Vaults


@dataclass(frozen=True, slots=True)
class UseCases:
    """Everything that a handler may ask for."""

    vaults: CitizenVaults
    evidence: EvidenceKeeper
    requests: Requests
    consents: Consents
    disclosures: Disclosures
    audits: Audits
    registry: Registry
    positions: PositionTokens
    pages: Pages
    store: Vaults

    async def seen(self, position_token: str, call: Call) -> None:
        """Return once the place of a token is visible.

        Raises:
            TokenInvalidError, DeadlinePassedError: if it is not ours, or not visible in time.
        """
        await self.positions.wait(position_token, self.store, call.deadline)
