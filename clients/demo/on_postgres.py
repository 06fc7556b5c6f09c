# SPDX-License-Identifier: Apache-2.0
"""A demo server on PostgreSQL: two databases that are there already, and copies of them.

`make demo STORE=postgres` starts a PostgreSQL of its own for them. The cheat is the databases'
owner, who may switch off the triggers that guard the tables.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from clients.demo.deployment import TABLES, DatabaseError, copy_folder

_STORE: Final = "CITIZEN_VAULT_STORE"
_EVENTS: Final = "CITIZEN_VAULT_POSTGRES"
_KEYS: Final = "CITIZEN_VAULT_POSTGRES_KEYS"
_OWNER_EVENTS: Final = "CITIZEN_VAULT_OWNER_POSTGRES"
_OWNER_KEYS: Final = "CITIZEN_VAULT_OWNER_POSTGRES_KEYS"
_NEEDED: Final = (_STORE, _EVENTS, _KEYS, _OWNER_EVENTS, _OWNER_KEYS)

_SCHEMA: Final = "citizen_vault"
_OUR_TABLES: Final = """
SELECT schemaname, tablename FROM pg_tables
WHERE schemaname NOT IN ('pg_catalog', 'information_schema') ORDER BY 1, 2
"""


@dataclass(frozen=True, slots=True)
class OnPostgres:
    """A deployment on two databases of one PostgreSQL; the folder has its documents and views."""

    data: Path
    environment: Mapping[str, str]

    @property
    def settings(self) -> Mapping[str, str]:
        """How the server reaches its databases; see `Deployment`."""
        return {name: self.environment[name] for name in (_STORE, _EVENTS, _KEYS)}

    def copy(self, name: str) -> "OnPostgres":
        """Copy the folder and both databases; see `Deployment`."""
        copied = dict(self.environment)
        for owner, server in ((_OWNER_EVENTS, _EVENTS), (_OWNER_KEYS, _KEYS)):
            source = str(conninfo_to_dict(copied[owner])["dbname"])
            target = f"{source}_{name}"
            statement = sql.SQL("CREATE DATABASE {} TEMPLATE {}")
            with _connected(copied[owner], autocommit=True) as connection:
                connection.execute(statement.format(sql.Identifier(target), sql.Identifier(source)))
            for setting in (owner, server):
                copied[setting] = make_conninfo(copied[setting], dbname=target)
        return replace(self, data=copy_folder(self.data, name), environment=copied)

    def remove(self, lane: int, position: int) -> tuple[int, ...]:
        """Switch off the triggers that guard the tables, and remove; see `Deployment`."""
        removed = []
        with _connected(self.environment[_OWNER_EVENTS]) as connection:
            for name in TABLES:
                table = sql.Identifier(_SCHEMA, name)
                # What an owner took from itself it can give itself again.
                connection.execute(sql.SQL("GRANT DELETE ON {} TO CURRENT_USER").format(table))
                connection.execute(sql.SQL("ALTER TABLE {} DISABLE TRIGGER USER").format(table))
                statement = sql.SQL("DELETE FROM {} WHERE lane = %s AND position = %s")
                removed.append(connection.execute(statement.format(table), (lane, position)))
        return tuple(cursor.rowcount for cursor in removed)

    def tables(self) -> Iterator[tuple[str, bytes]]:
        """Return what both databases hold, as plainly as it can be read; see `Deployment`."""
        for owner in (_OWNER_EVENTS, _OWNER_KEYS):
            with _connected(self.environment[owner]) as connection:
                for schema, name in connection.execute(_OUR_TABLES).fetchall():
                    yield name, _content(connection, sql.Identifier(schema, name))


def on_postgres(data: Path, environment: Mapping[str, str]) -> OnPostgres:
    """Return a deployment on the databases that the environment names.

    Raises:
        DatabaseError: if it does not name them.
    """
    missing = [name for name in _NEEDED if not environment.get(name)]
    if missing:
        raise DatabaseError(
            "`make demo STORE=postgres` brings a PostgreSQL and sets what is missing here: "
            + ", ".join(missing)
        )
    return OnPostgres(data, {name: environment[name] for name in _NEEDED})


@contextmanager
def _connected(conninfo: str, *, autocommit: bool = False) -> Iterator[psycopg.Connection[Any]]:
    try:
        with psycopg.connect(conninfo, autocommit=autocommit) as connection:
            yield connection
    except psycopg.Error as error:
        raise DatabaseError(f"PostgreSQL refuses: {error}") from error


def _content(connection: psycopg.Connection[Any], table: sql.Identifier) -> bytes:
    # Binary, in which texts and sealed bytes stand as they are.
    statement = sql.SQL("COPY {} TO STDOUT (FORMAT binary)").format(table)
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        return b"".join(map(bytes, copy))
