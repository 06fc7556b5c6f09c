# SPDX-License-Identifier: Apache-2.0
"""The command `citizen-vault-server notify`: tells citizens what happened, beside the servers.

One for a deployment, on a machine that reaches its stores; what it does is `vault.notifications`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import signal
import sys
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from vault.application.keyrings import Keyrings
    from vault.application.registry import Registry
    from vault.configuration.config import Config
    from vault.configuration.notifications import Adapter, NotificationSettings
    from vault.notifications.message import Channel
    from vault.notifications.notice import Way
    from vault.notifications.notifier import Notifier
    from vault.sealing.keystore import KeyStore
    from vault.store.vaults import Vaults


class NotReadyError(Exception):
    """It cannot begin; the message says why."""


def add_command(commands: argparse._SubParsersAction[Any]) -> None:
    """Add the command to those of the program."""
    command = commands.add_parser(
        "notify",
        help="tell citizens what happened, as they like, until SIGTERM",
        description="Tell citizens what happened in their vaults, by e-mail, text message or "
        "letter, as each of them likes. One program for a deployment. At its first start it tells "
        "nothing of what happened before.",
    )
    command.add_argument("--data", metavar="DIR", help="the folder of the databases")
    command.add_argument(
        "--development", action="store_true", help="beside a server that runs in development"
    )
    command.add_argument(
        "--from-start",
        action="store_true",
        help="at its first start, tell what happened before, too",
    )


def run(options: argparse.Namespace, config: Config, settings: NotificationSettings) -> int:
    """Tell until told to stop, and return the exit code.

    Raises:
        NotReadyError: if there is no deployment in the folder.
        OutboxError: if another program tells already.
        PersistenceError, SealingError, VaultError, OSError: if a store cannot be used.
    """
    _log_as_json()
    return asyncio.run(_notify(config, settings, from_start=options.from_start))


async def _notify(config: Config, settings: NotificationSettings, *, from_start: bool) -> int:
    async with AsyncExitStack() as parts:
        notifier = await compose(config, settings, parts, from_start=from_start)
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, notifier.stop)
        logging.getLogger(__name__).info("telling")
        await notifier.run()
    return 0


async def compose(
    config: Config, settings: NotificationSettings, parts: AsyncExitStack, *, from_start: bool
) -> Notifier:
    """Build everything that the program stands on; `parts` closes it in the other order.

    Raises:
        See `run`.
    """
    from vault.application.identifiers import Identifiers  # noqa: PLC0415
    from vault.application.keyrings import Keyrings  # noqa: PLC0415
    from vault.application.receipts import Receipts  # noqa: PLC0415
    from vault.application.registry import Registry  # noqa: PLC0415
    from vault.stores import open_keys  # noqa: PLC0415

    _must_be_there(config)
    key_store = open_keys(config, parts)
    secrets = key_store.secrets()
    vaults = _open_vaults(config, key_store, parts)
    keyrings = Keyrings(key_store, remembered=config.store.remembered_states)
    parts.callback(keyrings.close)
    registry = Registry(vaults, Identifiers(secrets, config.origin), Receipts(secrets))
    return _notifier(settings, vaults, keyrings, registry, parts, from_start=from_start)


def _notifier(
    settings: NotificationSettings,
    vaults: Vaults,
    keyrings: Keyrings,
    registry: Registry,
    parts: AsyncExitStack,
    *,
    from_start: bool,
) -> Notifier:
    from vault.notifications.following import Follower  # noqa: PLC0415
    from vault.notifications.notifier import Notifier  # noqa: PLC0415
    from vault.notifications.outbox import Outbox  # noqa: PLC0415
    from vault.notifications.sending import Sender  # noqa: PLC0415
    from vault.notifications.settling import Contacts, Settler  # noqa: PLC0415

    settings.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    outbox = Outbox(settings.folder / "outbox.db")
    parts.callback(outbox.close)
    channels = channels_of(settings)
    contacts = Contacts(vaults, keyrings)
    sender = Sender(outbox, contacts, registry, channels, settings.start_page)
    parts.callback(sender.close)
    return Notifier(
        vaults,
        outbox,
        Follower(outbox, "" if from_start else vaults.clock.now()),
        Settler(outbox, contacts, channels.keys()),
        sender,
    )


def channels_of(settings: NotificationSettings) -> Mapping[Way, Channel]:
    """Return the channel of each way that is served.

    Raises:
        OSError: if a folder cannot be made.
    """
    from vault.configuration.notifications import ADAPTERS  # noqa: PLC0415

    channels: dict[Way, Channel] = {}
    for adapter in settings.adapters:
        channel = _channel(adapter, settings)
        ways = ADAPTERS[adapter]
        if adapter == "govuk-notify" and settings.govuk:
            ways = tuple(way for way in ways if way in settings.govuk.templates)
        for way in ways:
            channels.setdefault(way, channel)
    return channels


def _channel(adapter: Adapter, settings: NotificationSettings) -> Channel:
    from vault.notifications.files import FileChannel  # noqa: PLC0415
    from vault.notifications.govuk import NotifyChannel, NotifyKey  # noqa: PLC0415
    from vault.notifications.letters import LetterChannel  # noqa: PLC0415
    from vault.notifications.mail import MailChannel, MailServer  # noqa: PLC0415

    if adapter == "govuk-notify" and (govuk := settings.govuk):
        return NotifyChannel(NotifyKey.read(govuk.key), govuk.templates, govuk.url)
    if adapter == "email" and (mail := settings.mail):
        server = MailServer(
            mail.host, mail.port, mail.tls, mail.sender, user=mail.user, password=mail.password
        )
        return MailChannel(server)
    if adapter == "letter":
        return LetterChannel(settings.messages)
    return FileChannel(settings.messages)


def _open_vaults(config: Config, key_store: KeyStore, parts: AsyncExitStack) -> Vaults:
    """Open every lane to read: nothing is ever appended from here.

    Raises:
        PersistenceError: if one cannot be reached.
    """
    from vault.stores import open_lane, open_vaults  # noqa: PLC0415

    vaults = open_vaults(config, key_store, _ignore)
    parts.push_async_callback(vaults.aclose)
    for number in config.store.lanes.databases:
        vaults.serve(open_lane(config, key_store, _ignore, number))
    return vaults


def _ignore(error: BaseException) -> None:
    """Nothing is appended, so nothing can fail to be."""
    del error


def _must_be_there(config: Config) -> None:
    """Opening would make a new deployment, in which nothing ever happens.

    Raises:
        NotReadyError: if there is none.
    """
    from vault.configuration.config import EVENTS_FILE, KEYS_FILE  # noqa: PLC0415

    if config.store.postgres is not None:
        return
    if not all((config.data / name).exists() for name in (EVENTS_FILE, KEYS_FILE)):
        raise NotReadyError(f"There is no deployment in {config.data}: start its server first.")


def _log_as_json() -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Lines())
    logging.basicConfig(level=logging.INFO, handlers=[handler])


class _Lines(logging.Formatter):
    """One JSON line an event; never a trace, which could quote what was found."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line of an event."""
        when = datetime.fromtimestamp(record.created, UTC).isoformat()
        said = {"event": record.getMessage(), "level": record.levelname.lower(), "time": when}
        return json.dumps(said)
