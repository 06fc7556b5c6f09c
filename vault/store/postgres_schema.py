# SPDX-License-Identifier: Apache-2.0
"""What an event store is on PostgreSQL: its tables, its functions and who may do what.

The owner prepares a database once, and again after an upgrade; the server logs in as a member of
`citizen_vault_writer`, which can append through a function and read, and nothing else. What the
tables and functions are stands in `postgres_schema.sql`.
"""

from __future__ import annotations

from importlib.resources import files
from typing import Any, Final

import psycopg
from psycopg import sql

from vault.store.errors import StoreUnfitError

SCHEMA: Final = "citizen_vault"
"""The namespace in which everything lies."""

WRITER: Final = "citizen_vault_writer"
"""The group role of servers: SELECT, and EXECUTE of what appends."""

RETENTION: Final = "citizen_vault_retention"
"""The group role of whoever deletes records and payloads when their time is over."""

FORMAT: Final = 1
"""The form of the tables."""

_KIND: Final = "events"

# Two databases of one server may be prepared at once, and roles belong to the server.
_MAKE_ROLE: Final = """
DO $$ BEGIN
    CREATE ROLE {role} NOLOGIN;
EXCEPTION WHEN duplicate_object OR unique_violation THEN
    NULL;
END $$
"""

_SITUATION: Final = """
SELECT current_setting('is_superuser') = 'on',
    current_setting('server_encoding'),
    to_regnamespace(%(schema)s) IS NOT NULL
"""

# Whatever SET ROLE, RESET ROLE or a grant to itself would lead to counts, inherited or not. Of the
# server's own roles those that only read are let through, and no others, as more may come.
_RIGHTS: Final = """
WITH reach AS (
    SELECT oid, rolname, rolsuper OR rolcreaterole AS is_mighty
    FROM pg_roles WHERE pg_has_role(session_user, oid, 'MEMBER')
), objects AS (
    SELECT oid, relowner FROM pg_class
    WHERE relnamespace = to_regnamespace(%(schema)s) AND relkind = 'r'
)
SELECT pg_has_role(session_user, %(writer)s, 'MEMBER WITH ADMIN OPTION')
    OR EXISTS (
        SELECT FROM reach WHERE is_mighty
            OR rolname = %(retention)s
            OR rolname LIKE 'pg\\_%%' AND rolname <> ALL (%(harmless)s)
            OR has_schema_privilege(oid, %(schema)s, 'CREATE')
    )
    OR EXISTS (SELECT FROM reach JOIN pg_database AS d ON d.datdba = reach.oid
        WHERE d.datname = current_database())
    OR EXISTS (SELECT FROM reach JOIN pg_namespace AS n ON n.nspowner = reach.oid
        WHERE n.nspname = %(schema)s)
    OR EXISTS (SELECT FROM reach, objects
        WHERE objects.relowner = reach.oid
            OR has_table_privilege(reach.oid, objects.oid, 'INSERT, UPDATE, DELETE, TRUNCATE')
            OR has_any_column_privilege(reach.oid, objects.oid, 'INSERT, UPDATE'))
"""
_HARMLESS: Final = [
    "pg_monitor",
    "pg_read_all_data",
    "pg_read_all_settings",
    "pg_read_all_stats",
    "pg_stat_scan_tables",
    "pg_use_reserved_connections",
]


def prepare(conninfo: str) -> None:
    """Make the tables, functions and roles of an event store, as far as they are not there.

    Run it as the role that shall own them, which is neither a superuser nor whom the server logs in
    as. Running it again changes nothing.

    Raises:
        StoreUnfitError: if the database is of something else, or of a newer program, or this role
            may not do it.
    """
    try:
        with psycopg.connect(conninfo) as connection:
            _prepare(connection)
    except psycopg.Error as error:
        message = f"The database cannot be prepared as an event store: {_said(error)}"
        raise StoreUnfitError(message) from error


def _prepare(connection: psycopg.Connection[Any]) -> None:
    # Two may prepare it at once; the lock ends with the transaction.
    connection.execute("SELECT pg_advisory_xact_lock(hashtext(%s))", (SCHEMA,))
    is_superuser, encoding, is_there = _one_row(connection, _SITUATION)
    if is_superuser:
        raise StoreUnfitError(
            "A superuser would own the event store: prepare it as an ordinary role, which may "
            "CREATE in the database, and has CREATEROLE unless the roles "
            f"{WRITER} and {RETENTION} are there already."
        )
    if encoding != "UTF8":
        raise StoreUnfitError(f"The database's encoding is {encoding}: make one with UTF8.")
    if is_there:
        require_format(connection)
    else:
        connection.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(SCHEMA)))
    for role in (WRITER, RETENTION):
        if not _has_role(connection, role):
            connection.execute(sql.SQL(_MAKE_ROLE).format(role=sql.Identifier(role)))
    connection.execute("SELECT set_config('search_path', %s, true)", (SCHEMA,))
    # So that what is there already is passed over in silence.
    connection.execute("SET LOCAL client_min_messages = warning")
    # A server that is busy is not held up for long, nor is anything half done.
    connection.execute("SET LOCAL lock_timeout = '10s'")
    script = files(__package__).joinpath("postgres_schema.sql").read_bytes()
    connection.execute(script)
    if not is_there:
        connection.execute("INSERT INTO store VALUES (%s, %s)", (_KIND, FORMAT))


def require_format(connection: psycopg.Connection[Any]) -> None:
    """Check that a database is an event store of the form that this program knows.

    Raises:
        StoreUnfitError: if it is not; the message says what to do.
    """
    try:
        (is_there,) = _one_row(connection, "SELECT to_regnamespace(%(schema)s) IS NOT NULL")
        if not is_there:
            raise StoreUnfitError("The database is not prepared as an event store: prepare it.")
        (has_mark,) = _one_row(connection, "SELECT to_regclass(%(schema)s || '.store') IS NOT NULL")
        kind, form = _one_row(connection, f"SELECT * FROM {SCHEMA}.store") if has_mark else ("", 0)  # noqa: S608
    except psycopg.errors.InsufficientPrivilege as error:
        message = f"This role may not use the event store: GRANT {WRITER} to it."
        raise StoreUnfitError(message) from error
    if kind != _KIND:
        raise StoreUnfitError("The database is of something else: name another one.")
    if form != FORMAT:
        message = f"The database has format {form}, this program reads {FORMAT}: "
        message += "use the newer program." if form > FORMAT else "prepare it again."
        raise StoreUnfitError(message)


def require_no_more_rights_than_needed(connection: psycopg.Connection[Any]) -> None:
    """Check that whom we are logged in as can write through the functions alone, come what may.

    Raises:
        StoreUnfitError: if it can do more.
    """
    names = {"schema": SCHEMA, "writer": WRITER, "retention": RETENTION, "harmless": _HARMLESS}
    if connection.execute(_RIGHTS, names).fetchone() != (False,):
        raise StoreUnfitError(
            "This role may change the event store's tables, or become one that may: let the "
            "server log in as a role that owns nothing, has no rights over other roles, and is "
            f"a member of {WRITER} alone."
        )


def _has_role(connection: psycopg.Connection[Any], role: str) -> bool:
    cursor = connection.execute("SELECT FROM pg_roles WHERE rolname = %s", (role,))
    return cursor.rowcount > 0


def _one_row(connection: psycopg.Connection[Any], query: str) -> tuple[Any, ...]:
    row: tuple[Any, ...] | None = connection.execute(
        query.encode(), {"schema": SCHEMA} if "%(schema)s" in query else None
    ).fetchone()
    if row is None:
        raise StoreUnfitError("The event store's tables are not whole: restore the database.")
    return row


def _said(error: psycopg.Error) -> str:
    return error.diag.message_primary or str(error)
