# SPDX-License-Identifier: Apache-2.0
"""Sends what is due: rendered at the last moment, tried again with growing pauses, then given up.

That sending is begun is kept before it is: a crash in between leaves a delivery that may have been
sent, and its channel is told so when it is sent again.
"""

from __future__ import annotations

import asyncio
import logging
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final, NamedTuple

from vault.application.contacts import Contact
from vault.domain.errors import NotFoundError, VaultError
from vault.domain.values import later
from vault.notifications.message import Channel, Message, NotSentError
from vault.notifications.notice import WAYS
from vault.notifications.rendering import render
from vault.notifications.settling import ways_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from vault.application.registry import Registry
    from vault.domain.values import Time
    from vault.notifications.notice import Delivery, Way
    from vault.notifications.outbox import Outbox
    from vault.notifications.settling import Contacts

PAUSES_SECONDS: Final = (60, 300, 1800, 7200, 6 * 3600, 24 * 3600, 48 * 3600)
"""How long after each attempt the next follows; after the last it is given up."""
AT_ONCE: Final = 8

_logger = logging.getLogger(__name__)


class _Addressed(NamedTuple):
    way: Way
    contact: Contact


class Sender:
    """Sends deliveries by channels, one for each way that is served."""

    def __init__(
        self,
        outbox: Outbox,
        contacts: Contacts,
        registry: Registry,
        channels: Mapping[Way, Channel],
        start_page: str,
    ) -> None:
        self._outbox = outbox
        self._contacts = contacts
        self._registry = registry
        self._channels = channels
        self._start_page = start_page
        self._threads = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="send")

    def close(self) -> None:
        """Wait for what is being sent."""
        self._threads.shutdown()

    async def send_due(self, now: Time) -> bool:
        """Send some of what is due by now, and say whether there may be more."""
        due = self._outbox.due_deliveries(now, AT_ONCE)
        await asyncio.gather(*(self._send(delivery, now) for delivery in due))
        return len(due) == AT_ONCE

    async def _send(self, delivery: Delivery, now: Time) -> None:
        if delivery.attempts >= len(PAUSES_SECONDS):
            self._give_up(delivery, "it was tried often enough")
            return
        again = later(now, seconds=PAUSES_SECONDS[delivery.attempts])
        self._outbox.begin(delivery.delivery_id, again)
        try:
            message = await self._message_of(delivery)
            if message is not None:
                channel = self._channels[message.way]
                loop = asyncio.get_running_loop()
                await loop.run_in_executor(self._threads, channel.send, message)
        except NotSentError as error:
            if error.for_good:
                self._give_up(delivery, error.reason)
            else:
                _logger.warning("a message was not sent, and is tried again: %s", error.reason)
            return
        except VaultError as error:
            _logger.warning("a message cannot be made now: %s", error.reason)
            return
        self._outbox.end(delivery.delivery_id)

    async def _message_of(self, delivery: Delivery) -> Message | None:
        """Return what is sent; None if nobody is to be reached any more."""
        addressed = await self._addressed(delivery)
        if addressed is None:
            return None
        way, contact = addressed
        subject, text = render(
            delivery.notices,
            way,
            language=contact.language,
            discreet=contact.discreet,
            names=await self._names(delivery, contact),
            start=self._start_page,
        )
        return Message(
            delivery_id=delivery.delivery_id,
            made=delivery.made,
            again=delivery.attempts > 0,
            way=way,
            language=contact.language,
            address=_address(contact, way),
            subject=subject,
            text=text,
        )

    async def _addressed(self, delivery: Delivery) -> _Addressed | None:
        if delivery.way:
            contact, _ = await self._contacts.at(delivery.stream, delivery.contact_version)
        else:
            contact = await self._contacts.now(delivery.stream)
        ways = ways_of(contact, self._channels)
        if delivery.way:
            ways = tuple(way for way in ways if way == delivery.way)
        return _Addressed(ways[0], contact) if ways else None

    async def _names(self, delivery: Delivery, contact: Contact) -> dict[str, str]:
        if contact.discreet:
            return {}
        found = {}
        for service_id in {notice.service for notice in delivery.notices} - {""}:
            try:
                found[service_id] = await self._who(service_id, contact.language)
            except NotFoundError:
                continue
        return found

    async def _who(self, service_id: str, language: str) -> str:
        """Return a service and its organisation as pages name them: "Aber Council, Home care"."""
        service = await self._registry.service(service_id)
        organisations = (await self._registry.state()).organisations
        named = [
            (await self._registry.named(published)).name
            for published in (organisations[service.organisation], service.published)
        ]
        whose, name = (texts.get(language) or texts["en"] for texts in named)
        return name if name.startswith(whose) else f"{whose}, {name}"

    def _give_up(self, delivery: Delivery, reason: str) -> None:
        kinds = ", ".join(sorted({notice.kind for notice in delivery.notices}))
        _logger.error("a message (%s) was given up: %s", kinds, reason)
        self._outbox.end(delivery.delivery_id)


def _address(contact: Contact, way: Way) -> tuple[str, ...]:
    given = dict(zip(WAYS, contact.addresses, strict=True))[way]
    return given if isinstance(given, tuple) else (given,)
