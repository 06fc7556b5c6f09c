# SPDX-License-Identifier: Apache-2.0
"""The key store in a PostgreSQL database of its own, with backups of its own.

The same sealed rows as on SQLite; `postgres_tables` has the statements, `postgres_connections` says
what an outcome is that nobody knows. Here it is decided what to do about it.
"""

from typing import Any, Final, LiteralString

import psycopg
from psycopg import sql

from vault.sealing.errors import KeyStoreError
from vault.sealing.postgres_connections import Connection, ConnectionLostError, Connections
from vault.sealing.postgres_tables import (
    BARRIER,
    CAN_DO_MORE,
    DELETE_KEYRING,
    FORM,
    INSERT_IDENTITY,
    INSERT_KEYRING,
    INSERT_LOG,
    INSERT_SECRETS,
    MEMBER,
    RAISE_FLOOR,
    REPLACE_KEYRING,
    REPLACE_LOG,
    WEAK,
)
from vault.sealing.row import Row
from vault.sealing.sealed_store import SealedKeyStore, draw_secrets
from vault.sealing.wrapper import KeyWrapper, WrappedKey

_CONNECTIONS: Final = 4


class PostgresKeyStore(SealedKeyStore):
    """A `KeyStore` in one PostgreSQL database, prepared by its owner.

    PostgreSQL keeps what was replaced or deleted: old rows in its files until they are vacuumed,
    and in its log, archives and standbys for longer. No client can change that, so nothing here
    raises `KeyRemnantError`. What was erased is beyond recovery when the epoch's key is destroyed,
    which opens all of it; a receipt of erasure names that instant and none before.
    """

    def __init__(
        self,
        conninfo: str,
        wrapper: KeyWrapper,
        *,
        patience_seconds: float = 5.0,
        needs_standby: bool = False,
    ) -> None:
        """Open the store; the first to open it draws its secrets.

        Args:
            conninfo: how the server connects; its role is in `MEMBER`. May name several hosts.
            wrapper: Wraps the keys of rows.
            patience_seconds: How long an answer may take, that of a standby included.
            needs_standby: Refuse to change anything where a COMMIT waits for no standby.

        Raises:
            KeyStoreError: The database cannot be reached, is not prepared, is of another form, is
                less durable than it must be, or was made with another wrapping key; or the role
                may do more than use it.
        """
        self._where = "The key store on PostgreSQL"
        self._wrapper = wrapper
        self._needs_standby = needs_standby
        self._connections = Connections(
            conninfo, size=_CONNECTIONS, patience_seconds=patience_seconds, where=self._where
        )
        try:
            with self._connections.lend() as connection:
                self._check(connection)
            self._secrets = self._open_secrets(self._select_secrets() or self._draw_secrets())
        except BaseException:
            self._connections.close()
            raise

    def close(self) -> None:
        """Close the store; further calls fail. Closing twice is no error."""
        self._connections.close()

    def delete_keyring(self, stream: str) -> None:
        """Delete a keyring; see `KeyStore`."""
        self._write(DELETE_KEYRING, stream=stream)

    def confirm(self) -> None:
        """Return once what was read is on a standby, where one is needed; see `KeyStore`."""
        if not self._needs_standby:
            return
        try:
            with self._connections.lend() as connection:
                self._confirm(connection)
        except ConnectionLostError:
            with self._connections.lend(is_new=True) as connection:
                self._confirm(connection)

    def raise_floor(self, stream: str, version: int) -> None:
        """Keep that a stream has reached a version; see `KeyStore`."""
        self._write(RAISE_FLOOR, stream=stream, version=version)

    def floor(self, stream: str) -> int:
        """Return the version that a stream is known to have reached; see `KeyStore`."""
        found = self._read("SELECT version FROM vault_keys.floors WHERE stream = %s", stream)
        return found[0] if found else 0

    def _select_keyring(self, stream: str) -> tuple[int, Row] | None:
        found = self._read(
            "SELECT number, epoch, wrapped_key, sealed FROM vault_keys.keyrings WHERE stream = %s",
            stream,
        )
        return (found[0], _row(*found[1:])) if found else None

    def _store_keyring(self, stream: str, number: int, row: Row) -> bool:
        statement = INSERT_KEYRING if number == 1 else REPLACE_KEYRING
        if self._write(statement, stream=stream, number=number, **_columns(row)):
            return True
        # Sealed bytes are never the same twice: if these stand, a lost attempt stored them.
        return self._select_keyring(stream) == (number, row)

    def _select_log(self, origin: str) -> tuple[int, Row] | None:
        found = self._read(
            "SELECT number, epoch, wrapped_key, sealed FROM vault_keys.logs WHERE origin = %s",
            origin,
        )
        return (found[0], _row(*found[1:])) if found else None

    def _store_log(self, origin: str, number: int, row: Row) -> bool:
        statement = INSERT_LOG if number == 1 else REPLACE_LOG
        if self._write(statement, origin=origin, number=number, **_columns(row)):
            return True
        # As for keyrings: if these bytes stand, a lost attempt stored them.
        return self._select_log(origin) == (number, row)

    def _select_identity(self, name: str) -> Row | None:
        found = self._read(
            "SELECT epoch, wrapped_key, sealed FROM vault_keys.identities WHERE name = %s", name
        )
        return _row(*found) if found else None

    def _insert_identity(self, name: str, row: Row) -> bool:
        return self._write(INSERT_IDENTITY, name=name, **_columns(row)) == 1

    def _select_secrets(self) -> Row | None:
        found = self._read("SELECT epoch, wrapped_key, sealed FROM vault_keys.secrets")
        return _row(*found) if found else None

    def _draw_secrets(self) -> Row | None:
        self._write(INSERT_SECRETS, **_columns(draw_secrets(self._wrapper)))
        # Who comes second takes what the first one drew.
        return self._select_secrets()

    def _read(self, statement: LiteralString, *bindings: str) -> tuple[Any, ...] | None:
        try:
            with self._connections.lend() as connection:
                return connection.execute(statement, bindings).fetchone()
        except ConnectionLostError:
            with self._connections.lend(is_new=True) as connection:
                return connection.execute(statement, bindings).fetchone()

    def _write(self, statement: str, **bindings: str | int | bytes) -> int:
        """Execute one statement, durable on return, and return how many rows it changed.

        Each statement changes nothing more when it is repeated. So one whose outcome was lost is
        repeated; what it finds may be the first attempt's, and is made durable then.
        """
        try:
            with self._connections.lend() as connection:
                return self._change(connection, statement, bindings)
        except ConnectionLostError:
            with self._connections.lend(is_new=True) as connection:
                changes = self._change(connection, statement, bindings)
                self._flush(connection)
                return changes

    def _change(
        self, connection: Connection, statement: str, bindings: dict[str, str | int | bytes]
    ) -> int:
        connection.was_warned = False
        needed = {"needs_standby": self._needs_standby}
        changes = connection.execute(sql.SQL(statement), bindings | needed).rowcount
        if not changes:
            # What stands instead may be an earlier attempt's, which no standby has.
            self._confirm(connection)
        elif connection.was_warned:
            # That no standby may have it: what is stored here could be lost with this server.
            self._flush(connection)
        return changes

    def _confirm(self, connection: Connection) -> None:
        self._must_be_durable(connection)
        self._flush(connection)

    def _flush(self, connection: Connection) -> None:
        """Make durable whatever was committed until now."""
        connection.was_warned = False
        connection.execute(BARRIER)
        if connection.was_warned:
            raise KeyStoreError(f"{self._where}: no standby has the change: ask again.")

    def _check(self, connection: Connection) -> None:
        self._must_be_durable(connection)
        try:
            found = connection.execute("SELECT version FROM vault_keys.form").fetchone()
        except (psycopg.errors.UndefinedTable, psycopg.errors.InsufficientPrivilege):
            raise KeyStoreError(
                f"{self._where} is not prepared for this role: prepare it as its owner, then"
                f" GRANT {MEMBER} to the role."
            ) from None
        if found != (FORM,):
            raise KeyStoreError(
                f"{self._where} has another form than {FORM}, which this program knows: use the"
                " program that prepared it, or prepare it again with a newer one."
            )
        if connection.execute(CAN_DO_MORE).fetchone() != (False,):
            raise KeyStoreError(
                f"{self._where}: this role may change its tables or lower its floors: let the"
                f" server log in as a role that owns nothing and is a member of {MEMBER} alone."
            )

    def _must_be_durable(self, connection: Connection) -> None:
        """Refuse a server that could lose what it acknowledges."""
        weak = connection.execute(WEAK, {"needs_standby": self._needs_standby}).fetchall()
        if weak:
            names = ", ".join(str(name) for (name,) in weak)
            raise KeyStoreError(
                f"{self._where} could lose what it acknowledges, so nothing is changed:"
                f" set {names}."
            )


def _columns(row: Row) -> dict[str, str | bytes]:
    return {"epoch": row.key.epoch, "wrapped_key": row.key.data, "sealed": row.sealed}


def _row(epoch: str, wrapped_key: bytes, sealed: bytes) -> Row:
    return Row(WrappedKey(epoch, wrapped_key), sealed)
