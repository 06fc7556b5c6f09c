# SPDX-License-Identifier: Apache-2.0
"""What a demo server stands on, so that it can be copied, searched, and cheated on.

A deployment is a folder, and beside it, if it is on PostgreSQL, two databases (`on_postgres.py`).
"""

import shutil
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

import apsw

TABLES: Final = ("entries", "records", "payloads")
"""What a record lies in, each row named by lane and position."""

_DATABASE: Final = "events.db"


class DatabaseError(Exception):
    """A database is not there, or does not do what the story needs."""


class Deployment(Protocol):
    """Where a server keeps everything."""

    @property
    def data(self) -> Path:
        """The folder that it is given."""

    @property
    def settings(self) -> Mapping[str, str]:
        """The settings by which it finds the rest."""

    def copy(self, name: str) -> "Deployment":
        """Copy everything, beside what is copied; no server may run on it."""

    def remove(self, lane: int, position: int) -> tuple[int, ...]:
        """Remove an entry and what lies beside it; return how many rows went from each table."""

    def tables(self) -> Iterator[tuple[str, bytes]]:
        """Return every table that lies in no file of the folder, with all that it holds."""


@dataclass(frozen=True, slots=True)
class OnSQLite:
    """A deployment in a folder, with nothing beside it."""

    data: Path

    @property
    def settings(self) -> Mapping[str, str]:
        """None are needed; see `Deployment`."""
        return {}

    def copy(self, name: str) -> "OnSQLite":
        """Copy the folder; see `Deployment`."""
        return OnSQLite(copy_folder(self.data, name))

    def remove(self, lane: int, position: int) -> tuple[int, ...]:
        """Drop the triggers that guard the tables, and remove; see `Deployment`."""
        database = str(self.data / _DATABASE)
        flags = apsw.SQLITE_OPEN_READWRITE
        with closing(apsw.Connection(database, flags=flags)) as connection:
            triggers = connection.execute("SELECT name FROM sqlite_schema WHERE type = 'trigger'")
            for (name,) in triggers.fetchall():
                connection.execute(f'DROP TRIGGER "{name}"')
            removed = []
            for table in TABLES:
                statement = f"DELETE FROM {table} WHERE lane = ? AND position = ?"  # noqa: S608 - a constant
                connection.execute(statement, (lane, position))
                removed.append(connection.changes())
        return tuple(removed)

    def tables(self) -> Iterator[tuple[str, bytes]]:
        """Every table lies in a file; see `Deployment`."""
        return iter(())


def copy_folder(data: Path, name: str) -> Path:
    """Copy a folder under another name beside it, and return the copy."""
    target = data.with_name(name)
    shutil.copytree(data, target)
    return target
