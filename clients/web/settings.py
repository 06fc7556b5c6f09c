# SPDX-License-Identifier: Apache-2.0
"""What the pages are told by environment variables, CITIZEN_VAULT_WEB_*."""

from __future__ import annotations

import dataclasses
import json
import urllib.parse
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final, NamedTuple

from clients.connection import is_loopback

PREFIX: Final = "CITIZEN_VAULT_WEB_"
USUAL_PORT: Final = 8000
DEVELOPMENT_CLIENT: Final = "citizen-vault-development"
USUAL_NAMES: Final[Mapping[str, str]] = MappingProxyType(
    {"en": "Your information", "cy": "Eich gwybodaeth"}
)
SAFE_PLACE: Final = "https://www.bbc.co.uk/weather"


class Authority(NamedTuple):
    """Where people complain about what is done with their information.

    Attributes:
        address: of its page about complaining.
        email: its address for complaints, "" if it takes none that way.
    """

    name: str
    address: str
    email: str = ""


USUAL_AUTHORITY: Final[Mapping[str, Authority]] = MappingProxyType(
    {
        "en": Authority(
            "Information Commissioner's Office",
            "https://ico.org.uk/make-a-complaint/",
            "icocasework@ico.org.uk",
        ),
        "cy": Authority(
            "Swyddfa'r Comisiynydd Gwybodaeth",
            "https://cy.ico.org.uk/make-a-complaint/",
            "icocasework@ico.org.uk",
        ),
    }
)


class SettingsError(Exception):
    """A setting is missing or wrong; the message says which, never its value."""


@dataclasses.dataclass(frozen=True)
class Settings:
    """How the pages run.

    Attributes:
        target: the vault's server, "host:port" of its gRPC.
        origin: how browsers reach these pages: scheme, host and port, nothing behind them.
        issuer: the address of the OpenID provider where people sign in.
        client_id: as what the provider knows these pages.
        client_key: the private key with which they show that to the provider (JWK); None: public.
        resource: for which server access tokens are asked; "" where the provider need not know.
        data: the folder for what the pages keep: sign-ins under way, sealed.
        names: what the organisation calls these pages, by language.
        safe_place: where "Exit this page" leads.
        authority: where people complain, by language: a name and an address.
        port: on which to listen, on loopback; a proxy does TLS.
        is_development: the people are made up, and a banner says so.
    """

    target: str
    origin: str
    issuer: str
    client_id: str
    data: Path
    client_key: Path | None = None
    resource: str = ""
    names: Mapping[str, str] = dataclasses.field(default_factory=lambda: USUAL_NAMES)
    safe_place: str = SAFE_PLACE
    authority: Mapping[str, Authority] = dataclasses.field(default_factory=lambda: USUAL_AUTHORITY)
    port: int = USUAL_PORT
    is_development: bool = False

    @property
    def is_secure(self) -> bool:
        """Say whether browsers reach the pages by TLS."""
        return self.origin.startswith("https://")


def read_settings(environment: Mapping[str, str]) -> Settings:
    """Return the settings of production.

    Raises:
        SettingsError: if one is missing or wrong.
    """
    origin = _required(environment, "ORIGIN", "how browsers reach the pages: https://...")
    if not _is_origin(origin):
        raise SettingsError(f"{PREFIX}ORIGIN must be https:// and a host, nothing behind it.")
    key = environment.get(f"{PREFIX}CLIENT_KEY", "")
    return Settings(
        target=_required(environment, "TARGET", "the vault's server: host:port"),
        origin=origin,
        issuer=_required(environment, "ISSUER", "the address of the OpenID provider"),
        client_id=_required(environment, "CLIENT_ID", "as what the provider knows the pages"),
        client_key=Path(key) if key else None,
        resource=environment.get(f"{PREFIX}RESOURCE", ""),
        data=Path(_required(environment, "DATA", "a folder for what the pages keep")),
        names={
            language: environment.get(f"{PREFIX}NAME_{language.upper()}", "") or name
            for language, name in USUAL_NAMES.items()
        },
        safe_place=_https(environment, "SAFE_PLACE", SAFE_PLACE),
        authority={
            language: Authority(
                environment.get(f"{PREFIX}AUTHORITY_{language.upper()}", "") or usual.name,
                _https(environment, f"AUTHORITY_ADDRESS_{language.upper()}", usual.address),
                environment.get(f"{PREFIX}AUTHORITY_EMAIL", "") or usual.email,
            )
            for language, usual in USUAL_AUTHORITY.items()
        },
        port=_port(environment.get(f"{PREFIX}PORT", str(USUAL_PORT))),
    )


def development_settings(vault: Path, port: int = USUAL_PORT) -> Settings:
    """Return the settings for a server in development, by its data folder.

    Raises:
        SettingsError: if no server runs on the folder.
    """
    try:
        address = json.loads((vault / "server.json").read_bytes())
    except (OSError, ValueError):
        raise SettingsError("No server runs on this folder: start one, or name it.") from None
    return Settings(
        target=address["target"],
        # Browsers take Secure cookies and passkeys on http://localhost, not on 127.0.0.1.
        origin=f"http://localhost:{port}",
        issuer=address["issuer"],
        client_id=DEVELOPMENT_CLIENT,
        data=vault.parent / "web",
        port=port,
        is_development=True,
    )


def _required(environment: Mapping[str, str], name: str, what: str) -> str:
    text = environment.get(f"{PREFIX}{name}", "").strip()
    if not text:
        raise SettingsError(f"{PREFIX}{name} is missing: {what}.")
    return text


def _is_origin(text: str) -> bool:
    address = urllib.parse.urlsplit(text)
    is_safe = address.scheme == "https" or is_loopback(address.hostname or "")
    return is_safe and f"{address.scheme}://{address.netloc}" == text and bool(address.hostname)


def _https(environment: Mapping[str, str], name: str, usual: str) -> str:
    text = environment.get(f"{PREFIX}{name}", "").strip() or usual
    if urllib.parse.urlsplit(text).scheme != "https":
        raise SettingsError(f"{PREFIX}{name} must be an https address.")
    return text


def _port(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and 0 < int(text) < 65536):
        raise SettingsError(f"{PREFIX}PORT must be a port from 1 to 65535.")
    return int(text)
