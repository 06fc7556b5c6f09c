# SPDX-License-Identifier: Apache-2.0
"""Who is signed in, in which browser, and what they are in the middle of.

The browser holds a secret of 256 bits and nothing else. Here lies, under the digest of that secret,
what belongs to it, sealed by AES-256-GCM under a key derived from the secret: whoever has the file
reads nothing of it, and can be nobody. A sign-in draws a new secret, so nobody is signed in under
one that somebody else handed out.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import secrets
import threading
import time
from typing import TYPE_CHECKING, Any, Final

import apsw
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

IDLE_SECONDS: Final = 20 * 60
SHARED_DEVICE_SECONDS: Final = 5 * 60
LAPSED_SECONDS: Final = 60 * 60
"""For how long after its time-out a session still knows what was typed, and by whom."""

SWEEP_SECONDS: Final = 5 * 60
"""How often, at most, what has lapsed for good is forgotten."""

_SECRET_CHARACTERS: Final = 43
_NONCE_BYTES: Final = 12
_OUTSIDE: Final = ("secret", "started", "ends", "is_new")
_INSERT: Final = (
    "INSERT INTO sessions (owner, sealed, started, seen, ends, id) VALUES (?, ?, ?, ?, ?, ?)"
)
_UPDATE: Final = (
    "UPDATE sessions SET owner = ?, sealed = ?, started = ?, seen = ?, ends = ? WHERE id = ?"
)
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS sessions (
    id BLOB PRIMARY KEY, owner BLOB NOT NULL, sealed BLOB NOT NULL,
    started INTEGER NOT NULL, seen INTEGER NOT NULL, ends INTEGER NOT NULL
) WITHOUT ROWID, STRICT;
CREATE INDEX IF NOT EXISTS sessions_by_owner ON sessions (owner);
"""


@dataclasses.dataclass
class Session:
    """What belongs to one browser.

    Attributes:
        secret: what the browser holds.
        role: "citizen", "official" or "staff"; "" while nobody is signed in.
        issuer, sub: who it is, as the provider says.
        token: the access token.
        expires: when that ends, in seconds since 1970.
        id_token: what the provider is shown when she signs out.
        authenticated: when she last showed who she is, in seconds since 1970.
        is_shared_device: others use this device, too.
        notes: what rooms keep between two pages, by name; JSON values only.
        started, ends: since when, and until when it lasts if nothing happens.
        is_new: it was not kept yet. One that was kept and is gone, as somebody signed out
            everywhere, stays gone.
    """

    secret: str
    role: str = ""
    issuer: str = ""
    sub: str = ""
    token: str = ""
    expires: int = 0
    id_token: str = ""
    authenticated: int = 0
    is_shared_device: bool = False
    notes: dict[str, Any] = dataclasses.field(default_factory=dict)
    started: int = 0
    ends: int = 0
    is_new: bool = True

    @property
    def is_signed_in(self) -> bool:
        """Say whether somebody is."""
        return bool(self.token)

    @property
    def idle_seconds(self) -> int:
        """Return for how long it lasts if nothing happens."""
        return SHARED_DEVICE_SECONDS if self.is_shared_device else IDLE_SECONDS

    def lapse(self) -> None:
        """Sign out; who it was and what was typed stays for a while."""
        self.token = self.id_token = ""
        kept = self.notes.get("typed")
        self.notes = {"typed": kept} if kept and not self.is_shared_device else {}


@dataclasses.dataclass(frozen=True)
class SignedIn:
    """One browser in which somebody is signed in; times in seconds since 1970."""

    number: str
    started: int
    seen: int
    is_this: bool


class Sessions:
    """All sessions, in one file. Threads may share it."""

    def __init__(self, file: Path, now: Callable[[], float] = time.time) -> None:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._now = now
        self._lock = threading.Lock()
        self._next_sweep = 0.0
        self._database = apsw.Connection(str(file))
        file.chmod(0o600)
        self._database.set_busy_timeout(5000)
        self._database.pragma("journal_mode", "wal")
        self._database.pragma("secure_delete", 1)
        self._database.execute(_SCHEMA)

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def new(self) -> Session:
        """Return a session that nobody has yet; `keep` stores it."""
        now = int(self._now())
        session = Session(secret=secrets.token_urlsafe(32), started=now)
        session.ends = now + session.idle_seconds
        return session

    def find(self, secret: str) -> Session | None:
        """Return the session of a browser; a lapsed one is signed out, and None if it is gone."""
        if len(secret) != _SECRET_CHARACTERS:
            return None
        now = int(self._now())
        rows = self._run(
            "SELECT sealed, started, ends FROM sessions WHERE id = ? AND ends > ?",
            (_id(secret), now - LAPSED_SECONDS),
        )
        if not rows:
            return None
        sealed, started, ends = rows[0]
        try:
            opened = AESGCM(_key(secret)).decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], b"")
        except InvalidTag:
            return None
        said = json.loads(opened)
        session = Session(secret=secret, started=started, ends=ends, is_new=False, **said)
        # Once only: whoever signs in again after that is in the middle of it.
        if session.token and (ends <= now or session.expires <= now):
            session.lapse()
        return session

    def keep(self, session: Session) -> None:
        """Store a session, which lasts from now on as long as it may idle."""
        now = int(self._now())
        if now >= self._next_sweep:
            self.sweep()
        if session.is_signed_in or not session.sub:
            session.ends = now + session.idle_seconds
        said = dataclasses.asdict(session)
        for name in _OUTSIDE:
            del said[name]
        nonce = secrets.token_bytes(_NONCE_BYTES)
        sealed = nonce + AESGCM(_key(session.secret)).encrypt(nonce, json.dumps(said).encode(), b"")
        owner = _owner(session.issuer, session.sub) if session.is_signed_in else b""
        self._run(
            _INSERT if session.is_new else _UPDATE,
            (owner, sealed, session.started, now, session.ends, _id(session.secret)),
        )
        session.is_new = False

    def renew(self, session: Session) -> None:
        """Give a session another secret, and end what was kept under the one before."""
        self.end(session)
        session.secret = secrets.token_urlsafe(32)
        session.started = int(self._now())
        session.is_new = True

    def end(self, session: Session) -> None:
        """Forget a session."""
        self._run("DELETE FROM sessions WHERE id = ?", (_id(session.secret),))

    def of_owner(self, session: Session) -> list[SignedIn]:
        """Return where the same person is signed in, who was seen last first."""
        rows = self._run(
            "SELECT id, started, seen FROM sessions"
            " WHERE owner = ? AND ends > ? ORDER BY seen DESC",
            (_owner(session.issuer, session.sub), int(self._now())),
        )
        this = _id(session.secret)
        return [SignedIn(row[0].hex()[:8], row[1], row[2], row[0] == this) for row in rows]

    def end_of_owner(self, session: Session) -> None:
        """Forget every session of the same person, this one, too."""
        self._run("DELETE FROM sessions WHERE owner = ?", (_owner(session.issuer, session.sub),))
        self.end(session)

    def sweep(self) -> None:
        """Forget what has lapsed for good."""
        now = int(self._now())
        self._next_sweep = now + SWEEP_SECONDS
        self._run("DELETE FROM sessions WHERE ends <= ?", (now - LAPSED_SECONDS,))

    def _run(self, statement: str, values: tuple[Any, ...]) -> list[Any]:
        with self._lock:
            return self._database.execute(statement, values).fetchall()


def _id(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()


def _key(secret: str) -> bytes:
    hkdf = HKDF(algorithm=SHA256(), length=32, salt=None, info=b"citizen-vault/web/session/1")
    return hkdf.derive(secret.encode())


def _owner(issuer: str, sub: str) -> bytes:
    return hashlib.sha256(json.dumps([issuer, sub]).encode()).digest()
