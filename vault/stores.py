# SPDX-License-Identifier: Apache-2.0
"""Opens the event store and the key store that the configuration names, and prepares databases.

PostgreSQL's driver is an extra of the package: what needs it is imported only where it is used.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AsyncExitStack, ExitStack
from pathlib import Path
from typing import Final, TypeAlias

from eventsourcing.persistence import OperationalError
from eventsourcing.utils import Environment

from vault.application.keyrings import floors_of
from vault.configuration.config import EVENTS_FILE, KEYS_FILE, Config, Postgres
from vault.domain.lane import FIRST_LANE
from vault.sealing.keystore import KeyStore
from vault.sealing.sqlite import SQLiteKeyStore
from vault.sealing.wrapper import FileKeyWrapper, KeyWrapper, WrappedKey, create_key_file
from vault.store.clock import SystemClock
from vault.store.committer import Committer
from vault.store.errors import StoreUnfitError
from vault.store.lane import LANE_SETTINGS, Lane
from vault.store.recorder import Recorder, RecorderFactory
from vault.store.vaults import Vaults

Fail: TypeAlias = Callable[[BaseException], None]

_IDENTITY: Final = """
SELECT system_identifier, oid FROM pg_control_system(), pg_database
WHERE datname = current_database()
"""


class DriverMissingError(Exception):
    """PostgreSQL is configured, and its driver is not installed."""

    def __init__(self) -> None:
        super().__init__(
            "PostgreSQL's driver is missing: install the extra, pip install citizen-vault[postgres]"
        )


class OneDatabaseError(Exception):
    """Events and keys were to lie in one database."""

    def __init__(self) -> None:
        super().__init__(
            "Both settings lead to one database. Keys need another, with backups of its own: "
            "what is erased must not come back with the events."
        )


def open_keys(config: Config, parts: ExitStack | AsyncExitStack) -> KeyStore:
    """Open the key store; a new deployment draws its secrets, and the key that wraps them.

    Raises:
        SealingError: if it cannot be used.
        DriverMissingError: if PostgreSQL's driver is needed.
    """
    config.data.mkdir(mode=0o700, parents=True, exist_ok=True)
    wrapper = _wrapper(config.key_file)
    databases = config.store.postgres
    if databases is not None:
        return _postgres_keys(config, databases, wrapper, parts)
    key_store = SQLiteKeyStore(config.data / KEYS_FILE, wrapper)
    parts.callback(key_store.close)
    return key_store


def open_vaults(config: Config, keys: KeyStore, fail: Fail) -> Vaults:
    """Open the event store.

    Args:
        keys: knows how far streams have come, should the event store have been restored.
        fail: told when nothing can be appended any more.

    Raises:
        PersistenceError: if it cannot be used.
        DriverMissingError: if PostgreSQL's driver is needed.
    """
    try:
        first = open_lane(config, keys, fail, FIRST_LANE)
    except OperationalError as error:
        # What the database says is told here alone: nothing was asked yet that it could quote.
        message = f"The event database cannot be used: {error.__cause__ or error}"
        raise OperationalError(message) from error
    lanes = config.store.lanes
    return Vaults(first, others=lanes.databases.keys(), full=lanes.full)


def open_lane(config: Config, keys: KeyStore, fail: Fail, number: int) -> Lane:
    """Open one lane of the event store, each in its own database.

    Raises:
        PersistenceError: if it cannot be used.
        DriverMissingError: if PostgreSQL's driver is needed.
    """
    count = 1 + len(config.store.lanes.databases)
    return Lane(
        config.deployment,
        number,
        SystemClock(),
        lambda recorder: Committer(recorder, on_fatal=fail),
        _environment(config, number),
        remembered=max(1, config.store.remembered_states // count),
        floor_of=floors_of(keys),
    )


def open_recorder(config: Config, lane: int) -> Recorder:
    """Open one lane of the event store alone: nothing is served from it.

    Raises:
        PersistenceError: if it cannot be used.
        DriverMissingError: if PostgreSQL's driver is needed.
    """
    environment = {**_environment(config, lane), **dict.fromkeys(LANE_SETTINGS, str(lane))}
    factory = RecorderFactory[Recorder].construct(Environment(Lane.name, environment))
    return factory.application_recorder()


def prepare(databases: Postgres) -> tuple[str, str]:
    """Make the tables of both databases, as their owner, and return the roles that servers need.

    Returns:
        The role that uses events, and the role that uses keys.

    Raises:
        PersistenceError: if it is not possible for events.
        SealingError: if it is not possible for keys.
        OneDatabaseError: if the two are one.
        OSError: if one cannot be reached.
        DriverMissingError: if PostgreSQL's driver is needed.
    """
    _require_driver()
    from vault.sealing import postgres_tables as keys  # noqa: PLC0415
    from vault.store import postgres_schema as events  # noqa: PLC0415

    if _identity(databases.events) == _identity(databases.keys):
        raise OneDatabaseError
    events.prepare(databases.events)
    keys.prepare(databases.keys)
    return events.WRITER, keys.MEMBER


def forms_of(config: Config) -> tuple[int, int]:
    """Return the forms of the tables of events and keys, which open stores have."""
    if config.store.postgres is None:
        from vault.sealing import sqlite as keys  # noqa: PLC0415
        from vault.store import sqlite_file as events  # noqa: PLC0415

        return events.FORMAT, keys.SCHEMA_VERSION
    from vault.sealing import postgres_tables as key_tables  # noqa: PLC0415
    from vault.store import postgres_schema as event_tables  # noqa: PLC0415

    return event_tables.FORMAT, key_tables.FORM


def _environment(config: Config, lane: int) -> dict[str, str]:
    """Return where a lane lies.

    Raises:
        StoreUnfitError: if nothing says where.
        DriverMissingError: if PostgreSQL's driver is needed.
    """
    store = config.store
    first = store.postgres.events if store.postgres else str(config.data / EVENTS_FILE)
    databases = {FIRST_LANE: first, **store.lanes.databases}
    if lane not in databases:
        raise StoreUnfitError(f"There is no lane {lane}: the file of lanes does not name it.")
    if store.postgres is None:
        return {"PERSISTENCE_MODULE": store.module, "SQLITE_DBNAME": databases[lane]}
    _require_driver()
    return {
        "PERSISTENCE_MODULE": store.module,
        "POSTGRES_CONNINFO": databases[lane],
        "POSTGRES_NEEDS_STANDBY": "yes" if store.needs_standby else "no",
    }


def _postgres_keys(
    config: Config,
    databases: Postgres,
    wrapper: KeyWrapper,
    parts: ExitStack | AsyncExitStack,
) -> KeyStore:
    _require_driver()
    from vault.sealing.postgres import PostgresKeyStore  # noqa: PLC0415

    needs_standby = config.store.needs_standby
    key_store = PostgresKeyStore(databases.keys, wrapper, needs_standby=needs_standby)
    parts.callback(key_store.close)
    return key_store


def _identity(conninfo: str) -> tuple[object, ...] | None:
    """Return what no two databases have in common, whatever names lead to them."""
    import psycopg  # noqa: PLC0415

    try:
        with psycopg.connect(conninfo) as connection:
            return connection.execute(_IDENTITY).fetchone()
    except psycopg.Error as error:
        raise OSError(f"A database cannot be reached: {error}") from error


def _require_driver() -> None:
    try:
        import psycopg  # noqa: F401, PLC0415
    except ImportError:
        raise DriverMissingError from None


def _wrapper(path: Path) -> KeyWrapper:
    return FileKeyWrapper(path) if path.exists() else _KeyFileToBe(path)


class _KeyFileToBe:
    """Makes the key file when something is first wrapped: only a new key store begins with that.

    Every other one begins with unwrapping, so that a key file which is missing is never replaced.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    @property
    def epoch(self) -> str:
        """See `KeyWrapper`."""
        return FileKeyWrapper(self._path).epoch

    def wrap(self, secret: bytes, context: bytes) -> WrappedKey:
        """Wrap a key; see `KeyWrapper`."""
        if not self._path.exists():
            create_key_file(self._path)
        return FileKeyWrapper(self._path).wrap(secret, context)

    def unwrap(self, wrapped: WrappedKey, context: bytes) -> bytes:
        """Unwrap a key; see `KeyWrapper`."""
        return FileKeyWrapper(self._path).unwrap(wrapped, context)
