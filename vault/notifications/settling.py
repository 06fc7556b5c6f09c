# SPDX-License-Identifier: Apache-2.0
"""Whether she is told, how soon, and at which address: her preferences, looked at when it matters.

What her safety needs (a change of her contact, a new way into her vault) is told at once, whatever
her pace. The first two kinds of it are told to the contact from before, at every address: whoever
came in by another door must not be able to keep it from her.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final
from uuid import uuid4

from vault.application.contacts import NOBODY, Contact, read_contact
from vault.domain.errors import NotFoundError
from vault.domain.state import VaultState, fold
from vault.domain.values import later
from vault.notifications.notice import WAYS, Delivery

if TYPE_CHECKING:
    from collections.abc import Collection

    from vault.application.keyrings import Keyrings
    from vault.domain.values import Time
    from vault.notifications.notice import Notice, Waiting, Way
    from vault.notifications.outbox import Outbox
    from vault.store.vaults import Vaults

WEEK: Final = timedelta(days=7)

_NEW_SIGN_IN: Final = "new-sign-in"


class Contacts:
    """Finds how somebody is reached, now or at an earlier event."""

    def __init__(self, vaults: Vaults, keyrings: Keyrings) -> None:
        self._vaults = vaults
        self._keyrings = keyrings

    async def now(self, stream: str) -> Contact:
        """Return how she is reached now; `NOBODY` if her vault or keys are gone."""
        return await self._read(await self._vaults.current(stream, fold))

    async def at(self, stream: str, version: int) -> tuple[Contact, int]:
        """Return how she was reached after an event, and beside which event that lies."""
        state = await self._vaults.as_of(stream, fold, version=version)
        kept = state.contact if state else None
        return await self._read(state), kept.version if kept else 0

    async def _read(self, state: VaultState | None) -> Contact:
        if state is None:
            return NOBODY
        try:
            return await read_contact(self._vaults, self._keyrings, state)
        except NotFoundError:
            return NOBODY


def ways_of(contact: Contact, served: Collection[Way]) -> tuple[Way, ...]:
    """Return the ways by which somebody can be told, the first first."""
    given = dict(zip(WAYS, contact.addresses, strict=True))
    return tuple(way for way in WAYS if given[way] and way in served)


class Settler:
    """Makes deliveries of notices.

    Args:
        served: the ways for which there is a channel.
    """

    def __init__(self, outbox: Outbox, contacts: Contacts, served: Collection[Way]) -> None:
        self._outbox = outbox
        self._contacts = contacts
        self._served = served

    async def settle(self, stream: str, now: Time) -> None:
        """Decide on all that is to be told of a vault by now.

        Raises:
            VaultError: if her vault or contact cannot be read now, or is not as it was recorded.
        """
        waiting = self._outbox.due_notices(stream, now)
        always = {
            one.number: await self._told_before(one.notice, now)
            for one in waiting
            if one.notice.kind in ("contact-changed", "sign-in-linked")
        }
        contact = await self._contacts.now(stream)
        with self._outbox.transaction():
            if contact.pace != "weekly":
                self._outbox.release(stream, now)
            for one in waiting:
                if one.number in always:
                    for delivery in always[one.number]:
                        self._outbox.add_delivery(delivery)
                    self._outbox.remove_notice(one.number)
                elif not one.gathers or contact.pace != "weekly":
                    self._settle_one(one, contact, now)
            gathered = [one for one in waiting if one.gathers]
            if gathered and contact.pace == "weekly":
                self._send_together(gathered, contact, now)

    def _settle_one(self, one: Waiting, contact: Contact, now: Time) -> None:
        notice = one.notice
        is_wanted = bool(ways_of(contact, self._served)) and notice.kind not in contact.muted
        is_safety = notice.kind == _NEW_SIGN_IN
        if is_wanted and contact.pace == "weekly" and not is_safety:
            due = later(now, seconds=WEEK.total_seconds())
            self._outbox.gather(one.number, notice.stream, due)
            return
        if is_wanted and (is_safety or contact.pace == "at-once"):
            self._outbox.add_delivery(_delivery((notice,), now))
        self._outbox.remove_notice(one.number)

    def _send_together(self, gathered: list[Waiting], contact: Contact, now: Time) -> None:
        told = tuple(one.notice for one in gathered if one.notice.kind not in contact.muted)
        if told and ways_of(contact, self._served):
            self._outbox.add_delivery(_delivery(told, now))
        for one in gathered:
            self._outbox.remove_notice(one.number)

    async def _told_before(self, notice: Notice, now: Time) -> list[Delivery]:
        """Return what goes to the contact from before, at every address."""
        before, version = await self._contacts.at(notice.stream, notice.version - 1)
        if notice.kind == "contact-changed":
            after, _ = await self._contacts.at(notice.stream, notice.version)
            # Whoever holds her session could mute first, and then let somebody in.
            is_hushed = _NEW_SIGN_IN in after.muted and _NEW_SIGN_IN not in before.muted
            if before.addresses == after.addresses and not is_hushed:
                return []
        return [
            _delivery((notice,), now, contact_version=version, way=way)
            for way in ways_of(before, self._served)
        ]


def _delivery(
    notices: tuple[Notice, ...], now: Time, *, contact_version: int = 0, way: Way | None = None
) -> Delivery:
    return Delivery(
        delivery_id=str(uuid4()),
        stream=notices[0].stream,
        notices=notices,
        made=now,
        contact_version=contact_version,
        way=way or "",
    )
