# SPDX-License-Identifier: Apache-2.0
"""The configuration of a server: read once from `CITIZEN_VAULT_*`, passed on as values.

Secrets come as files. Whatever is wrong is reported at once, not one mistake a start.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal, TypeVar, cast
from urllib.parse import urlsplit

Environment = Literal["development", "production"]
T = TypeVar("T")

PREFIX: Final = "CITIZEN_VAULT_"
STORES: Final = ("vault.store.sqlite",)
_DEPLOYMENT: Final = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,98}[a-z0-9])?")
_SWITCH: Final = {"yes": True, "no": False}
_FREE_PORT: Final = ("127.0.0.1", 0)


class ConfigError(Exception):
    """The configuration is not usable. The message lists everything that is wrong with it."""

    def __init__(self, faults: tuple[str, ...]) -> None:
        super().__init__("\n".join(("The configuration is not usable:", *faults)))
        self.faults = faults


@dataclass(frozen=True, slots=True)
class Limits:
    """What one process takes on at once.

    Attributes:
        calls: calls under way over gRPC, and connections over HTTP; what comes beyond is refused.
        disclosures: disclosures under way, so that a flood of them leaves room to revoke.
        waiting_disclosures: disclosures that wait for their turn; what comes beyond is refused.
        drain_seconds: how long calls under way may take to end when the server stops.
    """

    calls: int = 2048
    disclosures: int = 128
    waiting_disclosures: int = 1024
    drain_seconds: int = 10


@dataclass(frozen=True, slots=True)
class Issuer:
    """Who issues access tokens: its name, where its keys are, and the audience it names for us.

    Exactly one of `jwks_file` and `jwks_url` is given.
    """

    name: str
    audience: str
    jwks_file: Path | None
    jwks_url: str


@dataclass(frozen=True, slots=True)
class Config:
    """How one server runs. `issuer` is None for the development issuer.

    Attributes:
        data: the folder of the databases, made if it is absent.
        host: the loopback address to listen on for gRPC; TLS ends in a proxy on the same machine.
        port: 0 takes a free one.
        http_address: the same for HTTP, host and port.
        deployment: the name of this deployment, for ever: the log's origin begins with it.
        store: the module of the event store.
        key_file: the file with the key that wraps all others.
        handoff_uri: what hand-off links begin with.
    """

    data: Path
    host: str
    port: int
    http_address: tuple[str, int]
    deployment: str
    environment: Environment
    store: str
    key_file: Path = field(repr=False)
    issuer: Issuer | None
    handoff_uri: str
    limits: Limits

    @property
    def origin(self) -> str:
        """Return the origin of lane 0."""
        return f"{self.deployment}/0"

    @property
    def audience(self) -> str:
        """Return the audience that access tokens must name."""
        return self.issuer.audience if self.issuer else DEFAULT_AUDIENCE

    @property
    def is_development(self) -> bool:
        """Say whether development conveniences are on."""
        return self.environment == "development"


DEFAULT_AUDIENCE: Final = "citizen-vault"


def read_config(environment: Mapping[str, str]) -> Config:
    """Read the configuration from environment variables.

    Raises:
        ConfigError: naming everything that is missing or wrong.
    """
    reader = _Reader(environment)
    kind = cast(
        "Environment",
        reader.one_of("ENVIRONMENT", ("development", "production"), "production"),
    )
    data = Path(reader.required("DATA", "the folder of the databases"))
    host, port = reader.parsed("LISTEN", _listen, _FREE_PORT)
    limits = Limits()
    config = Config(
        data=data,
        host=host,
        port=port,
        http_address=reader.parsed("HTTP_LISTEN", _listen, _FREE_PORT),
        deployment=reader.parsed("DEPLOYMENT", _deployment, "citizen-vault.localhost"),
        environment=kind,
        store=reader.one_of("STORE", STORES, STORES[0]),
        key_file=Path(reader.text("KEY_FILE") or data / "wrapping.key"),
        issuer=_issuer(reader, kind),
        handoff_uri=reader.parsed("HANDOFF_URI", _uri, "http://127.0.0.1:8000/asked/"),
        limits=Limits(
            calls=reader.parsed("CALLS", _count, limits.calls),
            disclosures=reader.parsed("DISCLOSURES", _count, limits.disclosures),
            waiting_disclosures=reader.parsed(
                "WAITING_DISCLOSURES", _count, limits.waiting_disclosures
            ),
            drain_seconds=reader.parsed("DRAIN_SECONDS", _count, limits.drain_seconds),
        ),
    )
    allows_file = reader.parsed("ALLOW_FILE_WRAPPER_IN_PRODUCTION", _switch, default=False)
    if kind == "production":
        if not allows_file:
            reader.fault(
                "ALLOW_FILE_WRAPPER_IN_PRODUCTION",
                'is not "yes": the wrapping key would lie in a file, which can be copied unnoticed',
            )
        reader.required("DEPLOYMENT", "the name of this deployment, for ever")
        reader.required("HANDOFF_URI", "what hand-off links begin with")
    reader.check()
    return config


def _issuer(reader: _Reader, kind: Environment) -> Issuer | None:
    name = reader.parsed("ISSUER", _uri, "")
    jwks_file, jwks_url = reader.text("JWKS_FILE"), reader.parsed("JWKS_URL", _uri, "")
    if not name:
        if kind == "production":
            reader.required("ISSUER", "who issues access tokens")
        if jwks_file or jwks_url:
            reader.fault("ISSUER", "is missing: whose keys are these?")
        return None
    if bool(jwks_file) == bool(jwks_url):
        reader.fault("JWKS_FILE", f"or {PREFIX}JWKS_URL must be given, and not both")
    return Issuer(
        name=name,
        audience=reader.text("AUDIENCE") or DEFAULT_AUDIENCE,
        jwks_file=Path(jwks_file) if jwks_file else None,
        jwks_url=jwks_url,
    )


class _Reader:
    """Reads single settings and collects what is wrong with them."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self._faults: dict[str, None] = {}

    def text(self, name: str) -> str:
        return self._environment.get(PREFIX + name, "").strip()

    def required(self, name: str, what: str) -> str:
        text = self.text(name)
        if not text:
            self.fault(name, f"is missing: {what}")
        return text

    def one_of(self, name: str, allowed: tuple[str, ...], default: str) -> str:
        text = self.text(name) or default
        if text not in allowed:
            self.fault(name, f"must be one of: {', '.join(allowed)}")
            return default
        return text

    def parsed(self, name: str, parse: Callable[[str], T], default: T) -> T:
        text = self.text(name)
        if not text:
            return default
        try:
            return parse(text)
        except ValueError as error:
            self.fault(name, str(error))
            return default

    def fault(self, name: str, what: str) -> None:
        self._faults[f"{PREFIX}{name} {what}."] = None

    def check(self) -> None:
        if self._faults:
            raise ConfigError(tuple(self._faults))


def is_loopback(host: str) -> bool:
    """Say whether a host name or address is this machine's own, spelled as such."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _listen(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    # Access tokens and evidence pass here in the clear.
    if not is_loopback(host):
        raise ValueError(
            "must be a loopback address and a port: let a proxy on this machine do TLS"
        )
    if not (port.isascii() and port.isdecimal() and int(port) < 65536):
        raise ValueError("must end in a port from 0 to 65535")
    return host, int(port)


def _deployment(text: str) -> str:
    if not _DEPLOYMENT.fullmatch(text):
        raise ValueError("must be 1 to 100 lower-case letters, digits, dots and hyphens")
    return text


def _uri(text: str) -> str:
    address = urlsplit(text)
    is_safe = address.scheme == "https" or (
        address.scheme == "http" and is_loopback(address.hostname or "")
    )
    if not is_safe or not address.hostname or address.username or address.fragment:
        raise ValueError("must be an https address, or http on loopback")
    return text


def _count(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and 1 <= int(text) <= 1_000_000):
        raise ValueError("must be a number from 1 to 1000000")
    return int(text)


def _switch(text: str) -> bool:
    if text not in _SWITCH:
        raise ValueError('must be "yes" or "no"')
    return _SWITCH[text]
