# SPDX-License-Identifier: Apache-2.0
"""Ends that are near: found by time, since no event says that there are 14 days left."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vault.domain.state import fold
from vault.domain.values import later
from vault.notifications.notice import Notice
from vault.notifications.noticing import DAYS_BEFORE_END

if TYPE_CHECKING:
    from vault.domain.values import Time
    from vault.notifications.outbox import Ending, Outbox
    from vault.store.vaults import Vaults


async def notice_ends(outbox: Outbox, vaults: Vaults, now: Time) -> None:
    """Notice, once each, the consents that end within 14 days and of which anything can be seen.

    Raises:
        StoreUnavailableError: if a vault cannot be read now; the others are noticed the next time.
    """
    for ending in outbox.endings(now, later(now, days=DAYS_BEFORE_END)):
        goes_on = await _goes_on(vaults, ending, now)
        with outbox.transaction():
            outbox.change_end(ending.consent_id, "")
            if goes_on:
                notice = Notice(
                    stream=ending.stream,
                    version=0,
                    kind="end-near",
                    service=ending.service,
                    time=ending.ends,
                )
                outbox.add_notice(notice, now)


async def _goes_on(vaults: Vaults, ending: Ending, now: Time) -> bool:
    state = await vaults.current(ending.stream, fold)
    consent = state.consents.get(ending.consent_id) if state else None
    if consent is None or consent.status(now) != "active":
        return False
    return not (consent.terms.one_time and consent.disclosures)
