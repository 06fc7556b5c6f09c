# SPDX-License-Identifier: Apache-2.0
"""The settings of notifications: by what citizens are told, and where they are sent to look.

Read by `citizen-vault-server notify` alone: a server serves whatever is wrong with them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.utils import parseaddr
from pathlib import Path
from typing import Final, Literal, cast
from uuid import UUID

from vault.configuration.settings import PREFIX, Reader, safe_uri

Adapter = Literal["file", "email", "govuk-notify", "letter"]
Served = Literal["email", "telephone", "post"]
Tls = Literal["start", "implicit", "none"]

ADAPTERS: Final[Mapping[Adapter, tuple[Served, ...]]] = {
    "file": ("email", "telephone", "post"),
    "email": ("email",),
    "govuk-notify": ("email", "telephone", "post"),
    "letter": ("post",),
}
"""By which ways each adapter can tell; of several that can, the one that is named first does."""
GOVUK_URL: Final = "https://api.notifications.service.gov.uk"

_DEVELOPMENT_START: Final = "http://localhost:8000/"
_TEMPLATES: Final[Mapping[Served, str]] = {
    "email": "NOTIFY_GOVUK_EMAIL_TEMPLATE",
    "telephone": "NOTIFY_GOVUK_TEXT_TEMPLATE",
    "post": "NOTIFY_GOVUK_LETTER_TEMPLATE",
}
_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})
_HOST: Final = re.compile(r"\[?([A-Za-z0-9.:-]+?)\]?:([0-9]{1,5})")


@dataclass(frozen=True, slots=True)
class Mail:
    """Who takes e-mail for us, and as whom we write."""

    host: str
    port: int
    tls: Tls
    sender: str
    user: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class GovUkNotify:
    """GOV.UK Notify: the API key, and the template of each way that it serves."""

    url: str
    templates: Mapping[Served, str]
    key: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class NotificationSettings:
    """By what citizens are told.

    Attributes:
        adapters: which serve, the first first.
        start_page: where she is sent to look; every message names it, and nothing else to open.
        folder: of the outbox, and of what is written as files.
        mail, govuk: None unless the adapter serves.
    """

    adapters: tuple[Adapter, ...]
    start_page: str
    folder: Path
    messages: Path
    mail: Mail | None
    govuk: GovUkNotify | None


def read_notifications(
    environment: Mapping[str, str], data: Path, *, is_development: bool
) -> NotificationSettings:
    """Read the settings.

    Args:
        data: the folder of the deployment.
        is_development: the start page need not be given.

    Raises:
        ConfigError: naming everything that is missing or wrong.
    """
    reader = Reader(environment)
    adapters = reader.parsed("NOTIFY", _adapters, tuple[Adapter, ...]())
    if not adapters:
        reader.required("NOTIFY", f"by what citizens are told: {', '.join(ADAPTERS)}")
    start = reader.parsed("NOTIFY_START_PAGE", safe_uri, _DEVELOPMENT_START)
    if not is_development:
        reader.required("NOTIFY_START_PAGE", "where citizens are sent to look")
    folder = data / "notifications"
    settings = NotificationSettings(
        adapters=adapters,
        start_page=start,
        folder=folder,
        messages=Path(reader.text("NOTIFY_FOLDER") or folder / "messages"),
        mail=_mail(reader) if "email" in adapters else None,
        govuk=_govuk(reader) if "govuk-notify" in adapters else None,
    )
    reader.check()
    return settings


def _adapters(text: str) -> tuple[Adapter, ...]:
    named = text.split()
    if not set(named) <= ADAPTERS.keys() or len(set(named)) != len(named):
        raise ValueError(f"must be some of these, once each: {', '.join(ADAPTERS)}")
    return tuple(cast("Adapter", name) for name in named)


def _mail(reader: Reader) -> Mail:
    reader.required("NOTIFY_SMTP", "host and port of the mail server")
    reader.required("NOTIFY_SENDER", "as whom e-mail is sent: Name <address>")
    host, port = reader.parsed("NOTIFY_SMTP", _host_and_port, ("", 0))
    tls = reader.one_of("NOTIFY_SMTP_TLS", ("start", "implicit", "none"), "start")
    if tls == "none" and host not in _LOOPBACK:
        reader.fault("NOTIFY_SMTP_TLS", 'is "none", which is for a mail server on this machine')
    user, password = reader.text("NOTIFY_SMTP_USER"), _secret(reader, "NOTIFY_SMTP_PASSWORD_FILE")
    if bool(user) != bool(password):
        reader.fault("NOTIFY_SMTP_PASSWORD_FILE", f"and {PREFIX}NOTIFY_SMTP_USER need each other")
    return Mail(
        host=host,
        port=port,
        tls=cast("Tls", tls),
        sender=reader.parsed("NOTIFY_SENDER", _sender, ""),
        user=user,
        password=password,
    )


def _govuk(reader: Reader) -> GovUkNotify:
    reader.required("NOTIFY_GOVUK_KEY_FILE", "the file with the API key")
    templates = {way: reader.parsed(name, _uuid, "") for way, name in _TEMPLATES.items()}
    if not any(templates.values()):
        reader.fault(_TEMPLATES["email"], "is missing, or the template of another way")
    key = _secret(reader, "NOTIFY_GOVUK_KEY_FILE")
    if key and not _is_api_key(key):
        reader.fault("NOTIFY_GOVUK_KEY_FILE", "holds no API key of GOV.UK Notify")
    return GovUkNotify(
        url=reader.parsed("NOTIFY_GOVUK_URL", safe_uri, GOVUK_URL),
        templates={way: template for way, template in templates.items() if template},
        key=key,
    )


def _secret(reader: Reader, name: str) -> str:
    """Return what a file holds that a setting names; "" without one."""

    def read(path: str) -> str:
        try:
            text = Path(path).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError):
            raise ValueError("names a file that cannot be read") from None
        if not text:
            raise ValueError("names a file that is empty")
        return text

    return reader.parsed(name, read, "")


def _host_and_port(text: str) -> tuple[str, int]:
    found = _HOST.fullmatch(text)
    if found is None or not 0 < int(found[2]) < 65536:
        raise ValueError("must be host:port")
    return found[1], int(found[2])


def _sender(text: str) -> str:
    if "@" not in parseaddr(text)[1] or not text.isprintable():
        raise ValueError("must be Name <address>")
    return text


def _uuid(text: str) -> str:
    try:
        return str(UUID(text))
    except ValueError:
        raise ValueError("must be the id of a template, a UUID") from None


def _is_api_key(text: str) -> bool:
    parts = re.fullmatch(r"(?:.*-)?([0-9a-f-]{36})-([0-9a-f-]{36})", text)
    return parts is not None and all(_is_uuid(part) for part in parts.groups())


def _is_uuid(text: str) -> bool:
    try:
        return str(UUID(text)) == text
    except ValueError:
        return False
