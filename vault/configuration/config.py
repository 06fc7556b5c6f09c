# SPDX-License-Identifier: Apache-2.0
"""The configuration of a server: read once from `CITIZEN_VAULT_*`, passed on as values.

Secrets come as files. Whatever is wrong is reported at once, not one mistake a start.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal, cast

from vault.configuration.approvals import ApprovalSettings, read_approvals
from vault.configuration.conninfo import is_same_database, read_conninfo
from vault.configuration.lanes_file import ONE_LANE, LaneList, read_lanes
from vault.configuration.log import LogSettings, read_log_settings
from vault.configuration.settings import (
    PREFIX,
    Reader,
    deployment_name,
    listen_address,
    safe_uri,
    switch,
)

Environment = Literal["development", "production"]

SQLITE: Final = "vault.store.sqlite"
POSTGRES: Final = "vault.store.postgres"
DEFAULT_AUDIENCE: Final = "citizen-vault"
EVENTS_FILE: Final = "events.db"
KEYS_FILE: Final = "keys.db"
MOST_PROCESSES: Final = 128
MOST_STATES: Final = 1_000_000_000
USUAL_WAIT_SECONDS: Final = 72 * 3600
"""Long enough for her to hear of a new sign-in where she was reached before, and to stop it."""
LONGEST_WAIT_SECONDS: Final = 30 * 86_400
_FREE_PORT: Final = ("127.0.0.1", 0)


@dataclass(frozen=True, slots=True)
class Postgres:
    """Two databases of PostgreSQL, as libpq connection strings without passwords.

    Attributes:
        events: where events are; its backups hold no key.
        keys: where keys are, with backups of its own.
    """

    events: str = field(repr=False)
    keys: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Store:
    """Where events and keys are kept, how durably, and how much of it a process remembers.

    Attributes:
        module: the module of the event store.
        postgres: the databases; None for SQLite, whose files lie in the data folder.
        needs_standby: nothing is acknowledged before a synchronous standby has it, too.
        remembered_states: how many streams' states a process holds in memory, and keys of as many.
        lanes: the lanes besides the first, each in a database of its own.
    """

    module: str
    postgres: Postgres | None
    needs_standby: bool
    remembered_states: int
    lanes: LaneList


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
        data: the folder of the databases, documents and views, made if it is absent.
        host: the loopback address to listen on for gRPC; TLS ends in a proxy on the same machine.
        port: 0 takes a free one.
        http_address: the same for HTTP, host and port.
        deployment: the name of this deployment, for ever: the log's origin begins with it.
        processes: how many processes serve, on the same ports.
        key_file: the file with the key that wraps all others.
        handoff_uri: what hand-off links begin with.
        approvals: by what citizens show that decisions are theirs.
        new_sign_in_wait_seconds: how long a sign-in that she links may not share, nor take away.
        log: who has to cosign the log, and how long it may go without.
    """

    data: Path
    host: str
    port: int
    http_address: tuple[str, int]
    deployment: str
    environment: Environment
    store: Store
    processes: int
    key_file: Path = field(repr=False)
    issuer: Issuer | None
    handoff_uri: str
    limits: Limits
    approvals: ApprovalSettings = field(default_factory=ApprovalSettings)
    new_sign_in_wait_seconds: int = USUAL_WAIT_SECONDS
    log: LogSettings = field(default_factory=LogSettings)

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


def read_config(environment: Mapping[str, str]) -> Config:
    """Read the configuration from environment variables.

    Raises:
        ConfigError: naming everything that is missing or wrong.
    """
    reader = Reader(environment)
    kind = cast(
        "Environment",
        reader.one_of("ENVIRONMENT", ("development", "production"), "production"),
    )
    data = Path(reader.required("DATA", "the folder of the databases"))
    host, port = reader.parsed("LISTEN", listen_address, _FREE_PORT)
    limits = Limits()
    config = Config(
        data=data,
        host=host,
        port=port,
        http_address=reader.parsed("HTTP_LISTEN", listen_address, _FREE_PORT),
        deployment=reader.parsed("DEPLOYMENT", deployment_name, "citizen-vault.localhost"),
        environment=kind,
        store=_store(reader, kind, data),
        processes=reader.number("PROCESSES", 1, MOST_PROCESSES),
        key_file=Path(reader.text("KEY_FILE") or data / "wrapping.key"),
        issuer=_issuer(reader, kind),
        handoff_uri=reader.parsed("HANDOFF_URI", safe_uri, "http://localhost:8000/asked/"),
        limits=Limits(
            calls=reader.number("CALLS", limits.calls),
            disclosures=reader.number("DISCLOSURES", limits.disclosures),
            waiting_disclosures=reader.number("WAITING_DISCLOSURES", limits.waiting_disclosures),
            drain_seconds=reader.number("DRAIN_SECONDS", limits.drain_seconds),
        ),
        approvals=read_approvals(
            reader, has_development_issuer=kind == "development" and not reader.text("ISSUER")
        ),
        new_sign_in_wait_seconds=reader.number(
            "NEW_SIGN_IN_WAIT_SECONDS", USUAL_WAIT_SECONDS, LONGEST_WAIT_SECONDS
        ),
        log=read_log_settings(reader),
    )
    allows_file = reader.parsed("ALLOW_FILE_WRAPPER_IN_PRODUCTION", switch, default=False)
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


def read_owner(environment: Mapping[str, str]) -> Postgres:
    """Read how the owner of the databases, who prepares them, reaches them.

    Raises:
        ConfigError: naming everything that is missing or wrong.
    """
    reader = Reader(environment)
    databases = _postgres(reader, "OWNER_POSTGRES")
    reader.check()
    return databases


def _store(reader: Reader, kind: Environment, data: Path) -> Store:
    module = reader.one_of("STORE", (SQLITE, POSTGRES), SQLITE)
    is_postgres = module == POSTGRES
    usual = "standby" if is_postgres and kind == "production" else "local"
    durability = reader.one_of("DURABILITY", ("local", "standby"), usual)
    if durability == "standby" and not is_postgres:
        reader.fault("DURABILITY", f'is "standby", which needs {PREFIX}STORE={POSTGRES}')
    postgres = _postgres(reader, "POSTGRES") if is_postgres else None
    return Store(
        module=module,
        postgres=postgres,
        needs_standby=durability == "standby",
        remembered_states=reader.number("REMEMBERED_STATES", 20_000, MOST_STATES),
        lanes=_lanes(reader, postgres, data),
    )


def _lanes(reader: Reader, postgres: Postgres | None, data: Path) -> LaneList:
    """Read the list of lanes; no two may lie in one database, nor beside keys."""
    known = (
        [postgres.events, postgres.keys]
        if postgres
        else [str(data / f) for f in (EVENTS_FILE, KEYS_FILE)]
    )

    def database(text: str) -> str:
        name = read_conninfo(text) if postgres else str(data / text)
        same = is_same_database if postgres else str.__eq__
        if any(same(name, other) for other in known if other):
            raise ValueError("names a database that is another lane's, or of keys")
        known.append(name)
        return name

    def read(path: str) -> LaneList:
        try:
            text = Path(path).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            raise ValueError("cannot be read: name the file of lanes") from None
        return read_lanes(text, database)

    return reader.parsed("LANES_FILE", read, ONE_LANE)


def _postgres(reader: Reader, name: str) -> Postgres:
    reader.required(name, "the database of events, as libpq's host=... dbname=...")
    reader.required(f"{name}_KEYS", "the database of keys, another one")
    events = reader.parsed(name, read_conninfo, "")
    keys = reader.parsed(f"{name}_KEYS", read_conninfo, "")
    if events and keys and is_same_database(events, keys):
        reader.fault(
            f"{name}_KEYS",
            f"is the database of {PREFIX}{name}: keys must never be in its backups",
        )
    return Postgres(events=events, keys=keys)


def _issuer(reader: Reader, kind: Environment) -> Issuer | None:
    name = reader.parsed("ISSUER", safe_uri, "")
    jwks_file, jwks_url = reader.text("JWKS_FILE"), reader.parsed("JWKS_URL", safe_uri, "")
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
