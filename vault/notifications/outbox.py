# SPDX-License-Identifier: Apache-2.0
"""The outbox: how far each lane was followed, what is to be told, and what is under way.

One SQLite file of its own, written durably: a place and the notices that came of it are kept in
one transaction, and so are notices and the deliveries that they become. It holds ids and times,
never an address, a name or a text. Whoever has it open keeps others out: two would tell twice.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple

import apsw
import msgspec

from vault.domain.canonical import encode
from vault.domain.values import Time
from vault.notifications.notice import Delivery, Notice, Waiting

APPLICATION_ID: Final = int.from_bytes(b"CVNO")
"""Marks a SQLite file as an outbox (`PRAGMA application_id`)."""
FORMAT: Final = 1

# Of a consent: `ends` is "" once its end was told, or need not be; `refused_day` is the last UTC
# day of which a refused attempt was told.
_SCHEMA: Final = """
CREATE TABLE places (
    lane INTEGER PRIMARY KEY,
    size INTEGER NOT NULL,
    stream TEXT NOT NULL,
    version INTEGER NOT NULL,
    leaf TEXT NOT NULL,
    time TEXT NOT NULL,
    tells_after TEXT NOT NULL
) STRICT;
CREATE TABLE consents (
    consent_id TEXT PRIMARY KEY,
    stream TEXT NOT NULL,
    service TEXT NOT NULL,
    ends TEXT NOT NULL,
    is_used INTEGER NOT NULL DEFAULT 0,
    refused_day TEXT NOT NULL DEFAULT ''
) STRICT;
CREATE INDEX consents_by_end ON consents (ends) WHERE ends <> '';
CREATE TABLE notices (
    number INTEGER PRIMARY KEY,
    stream TEXT NOT NULL,
    notice TEXT NOT NULL,
    due TEXT NOT NULL,
    gathers INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX notices_by_due ON notices (due);
CREATE INDEX notices_by_stream ON notices (stream);
CREATE TABLE deliveries (
    delivery_id TEXT PRIMARY KEY,
    delivery TEXT NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    due TEXT NOT NULL
) STRICT;
CREATE INDEX deliveries_by_due ON deliveries (due);
"""

_NOTICE: Final = msgspec.json.Decoder(Notice)
_DELIVERY: Final = msgspec.json.Decoder(Delivery)


class OutboxError(Exception):
    """The outbox cannot be used; the message says why."""


class Place(NamedTuple):
    """How far a lane was followed: its size, the last record, and its time.

    Nothing is told that happened at or before `tells_after`: it was before this outbox, or was told
    from a store that has since been restored.
    """

    size: int = 0
    stream: str = ""
    version: int = 0
    leaf: str = ""
    time: str = ""
    tells_after: str = ""


class Ending(NamedTuple):
    """A consent whose end is near."""

    consent_id: str
    stream: str
    service: str
    ends: Time


class Outbox:
    """Keeps what is to be told. For one thread."""

    def __init__(self, path: Path) -> None:
        """Open the file, or make it; its folder must exist.

        Raises:
            OutboxError: if another program has it open, or it is none of ours.
        """
        try:
            path.touch(mode=0o600)
            self._file = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)
        except (OSError, apsw.Error) as error:
            raise OutboxError(f"The outbox {path} cannot be opened.") from error
        try:
            self._begin(path)
        except apsw.Error as error:
            self._file.close()
            if isinstance(error, apsw.BusyError):
                what = "Another program tells from it already; one is enough."
                raise OutboxError(f"The outbox {path} is in use. {what}") from error
            raise OutboxError(f"{path} is no outbox.") from error
        except OutboxError:
            self._file.close()
            raise

    def _begin(self, path: Path) -> None:
        self._file.execute("PRAGMA locking_mode = EXCLUSIVE")
        self._file.execute("PRAGMA journal_mode = WAL")
        self._file.execute("PRAGMA synchronous = FULL")
        with self.transaction():
            mark, form = (self._pragma(name) for name in ("application_id", "user_version"))
            if not mark and not self._rows("SELECT 1 FROM sqlite_schema"):
                self._file.execute(_SCHEMA)
                self._file.execute(f"PRAGMA application_id = {APPLICATION_ID}")
                self._file.execute(f"PRAGMA user_version = {FORMAT}")
            elif (mark, form) != (APPLICATION_ID, FORMAT):
                raise OutboxError(f"{path} is no outbox, or one of another release.")

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Keep all that is written meanwhile, or nothing."""
        self._file.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._file.execute("COMMIT")
        except BaseException:
            if self._file.in_transaction:
                self._file.execute("ROLLBACK")
            raise

    # --- Following

    def place(self, lane: int) -> Place | None:
        """Return how far a lane was followed; None if it never was."""
        rows = self._rows(
            "SELECT size, stream, version, leaf, time, tells_after FROM places WHERE lane = ?", lane
        )
        return Place(*rows[0]) if rows else None

    def keep_place(self, lane: int, place: Place) -> None:
        """Keep how far a lane was followed."""
        self._file.execute(
            "INSERT OR REPLACE INTO places VALUES (?, ?, ?, ?, ?, ?, ?)", (lane, *place)
        )

    def add_consent(self, consent_id: str, stream: str, service: str, ends: str) -> None:
        """Keep that a consent was given; `ends` is "" if its end needs not be told."""
        self._file.execute(
            "INSERT OR IGNORE INTO consents (consent_id, stream, service, ends)"
            " VALUES (?, ?, ?, ?)",
            (consent_id, stream, service, ends),
        )

    def change_end(self, consent_id: str, ends: str) -> None:
        """Keep that a consent has another end; "": none that is to be told."""
        self._file.execute("UPDATE consents SET ends = ? WHERE consent_id = ?", (ends, consent_id))

    def is_first_use(self, consent_id: str) -> bool:
        """Say whether a consent is used for the first time, and keep that it was."""
        self._file.execute(
            "UPDATE consents SET is_used = 1 WHERE consent_id = ? AND is_used = 0", (consent_id,)
        )
        return bool(self._file.changes())

    def is_first_refusal(self, consent_id: str, day: str) -> bool:
        """Say whether it is the first on this day under a consent, and keep that there was one."""
        self._file.execute(
            "UPDATE consents SET refused_day = ?1 WHERE consent_id = ?2 AND refused_day < ?1",
            (day, consent_id),
        )
        return bool(self._file.changes())

    def endings(self, after: str, until: str) -> list[Ending]:
        """Return the consents that end after one time and at or before another, and are untold."""
        return [
            Ending(*row)
            for row in self._rows(
                "SELECT consent_id, stream, service, ends FROM consents"
                " WHERE ends > ? AND ends <= ? ORDER BY ends",
                after,
                until,
            )
        ]

    # --- Notices

    def add_notice(self, notice: Notice, due: str) -> None:
        """Keep that something is to be told."""
        self._file.execute(
            "INSERT INTO notices (stream, notice, due) VALUES (?, ?, ?)",
            (notice.stream, encode(notice).decode(), due),
        )

    def due_streams(self, now: str, limit: int) -> list[str]:
        """Return vaults of which something is to be told by now."""
        rows = self._rows(
            "SELECT stream FROM notices WHERE due <= ? GROUP BY stream ORDER BY min(due) LIMIT ?",
            now,
            limit,
        )
        return [stream for (stream,) in rows]

    def due_notices(self, stream: str, now: str) -> list[Waiting]:
        """Return what is to be told of a vault by now, oldest first."""
        rows = self._rows(
            "SELECT number, notice, gathers FROM notices WHERE stream = ? AND due <= ?"
            " ORDER BY number",
            stream,
            now,
        )
        return [
            Waiting(number=number, notice=_NOTICE.decode(notice), gathers=bool(gathers))
            for number, notice, gathers in rows
        ]

    def remove_notice(self, number: int) -> None:
        """Forget a notice: it is told, or need not be."""
        self._file.execute("DELETE FROM notices WHERE number = ?", (number,))

    def postpone(self, number: int, due: str) -> None:
        """Let a notice wait, whatever her preferences."""
        self._file.execute("UPDATE notices SET due = ? WHERE number = ?", (due, number))

    def gather(self, number: int, stream: str, due: str) -> None:
        """Let a notice wait for her weekly message: the one to which others wait, or a new one."""
        self._file.execute(
            "UPDATE notices SET gathers = 1, due = coalesce("
            "(SELECT min(due) FROM notices WHERE stream = ? AND gathers), ?) WHERE number = ?",
            (stream, due, number),
        )

    def release(self, stream: str, now: str) -> None:
        """Let nothing of a vault wait for a weekly message any more."""
        self._file.execute(
            "UPDATE notices SET gathers = 0, due = ? WHERE stream = ? AND gathers", (now, stream)
        )

    # --- Deliveries

    def add_delivery(self, delivery: Delivery) -> None:
        """Keep that a message is to be sent."""
        self._file.execute(
            "INSERT INTO deliveries (delivery_id, delivery, due) VALUES (?, ?, ?)",
            (delivery.delivery_id, encode(delivery).decode(), delivery.made),
        )

    def due_deliveries(self, now: str, limit: int) -> list[Delivery]:
        """Return messages that are to be sent by now, oldest first."""
        rows = self._rows(
            "SELECT delivery, attempts FROM deliveries WHERE due <= ? ORDER BY due LIMIT ?",
            now,
            limit,
        )
        return [
            msgspec.structs.replace(_DELIVERY.decode(delivery), attempts=attempts)
            for delivery, attempts in rows
        ]

    def begin(self, delivery_id: str, again: str) -> None:
        """Keep, before it is, that sending is begun; if nothing is heard it is due again then."""
        self._file.execute(
            "UPDATE deliveries SET attempts = attempts + 1, due = ? WHERE delivery_id = ?",
            (again, delivery_id),
        )

    def end(self, delivery_id: str) -> None:
        """Forget a message: it was sent, or given up."""
        self._file.execute("DELETE FROM deliveries WHERE delivery_id = ?", (delivery_id,))

    def is_empty(self) -> bool:
        """Say whether nothing is to be told now or later."""
        rows = self._rows(
            "SELECT EXISTS (SELECT 1 FROM notices) OR EXISTS (SELECT 1 FROM deliveries)"
        )
        return not rows[0][0]

    def _rows(self, statement: str, *values: str | int) -> Sequence[tuple[Any, ...]]:
        return self._file.execute(statement, values).fetchall()

    def _pragma(self, name: str) -> int:
        return int(self._rows(f"PRAGMA {name}")[0][0])
