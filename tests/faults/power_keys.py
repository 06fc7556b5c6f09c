# SPDX-License-Identifier: Apache-2.0
"""Loss of power below the shipped key store: what was stored, deleted or raised stays so.

Keys that are lost are evidence that is lost, keys that come back are evidence that was not erased.
"""

from __future__ import annotations

import random
import shutil
import tempfile
from contextlib import closing, suppress
from pathlib import Path
from typing import Final, TypeAlias

import apsw
from msgspec.structs import replace

from tests.faults.power import LOSSES_OF_A_MACHINE, Books, campaign_of
from tests.faults.power_disk import Disk, copied, drawn_life, mounted
from vault.sealing.envelope import new_key
from vault.sealing.errors import KeyStoreError
from vault.sealing.keyring import Keyring, new_keyring
from vault.sealing.keystore import Identity
from vault.sealing.sqlite import SQLiteKeyStore
from vault.sealing.wrapper import FileKeyWrapper, create_key_file

STREAMS: Final = tuple(f"8a1f0000-0000-8000-8000-{number:012}" for number in range(8))

_FILE: Final = "keys.db"
_ISSUER: Final = "https://issuer.example"

_Question: TypeAlias = tuple[str, str]
_Answer: TypeAlias = object


def run(losses: int, seed: object) -> Books:
    """Let machines lose power so many times in all, and return what was found."""
    drawn = random.Random(f"keys/{seed}")
    books = Books()
    with tempfile.TemporaryDirectory(prefix="power-") as name:
        folder = Path(name)
        create_key_file(folder / "wrapping.key")
        while books.losses < losses:
            life = min(LOSSES_OF_A_MACHINE, losses - books.losses)
            machine = _Machine(folder / str(books.losses), drawn, folder / "wrapping.key", books)
            machine.live(life)
    return books


campaign: Final = campaign_of(run)


class _Machine:
    """One machine, from its first start to its last loss of power.

    What is known is the answer to every question that a change was about. At most one change is
    unknown when the power fails.
    """

    def __init__(self, folder: Path, drawn: random.Random, key_file: Path, books: Books) -> None:
        self._folder = folder
        self._drawn = drawn
        self._wrapper = FileKeyWrapper(key_file)
        self._books = books
        self._known: dict[_Question, _Answer] = {}
        self._under_way: tuple[_Question, _Answer] | None = None

    def live(self, losses: int) -> None:
        """Lose power so many times; the first start makes the store."""
        here = self._folder / "0"
        here.mkdir(parents=True, mode=0o700)
        for number in range(1, losses + 1):
            survivors = self._folder / str(number)
            lasts = drawn_life(self._drawn)
            with mounted(here, self._drawn, survivors=survivors, lasts=lasts) as disk:
                self._write(here / _FILE, disk)
                disk.lose_power()
            shutil.rmtree(here)
            here = survivors
            self._books.losses += 1
            self._judge(here)

    def _write(self, path: Path, disk: Disk) -> None:
        """Change one thing after the other, until the power is lost or enough is done."""
        try:
            store = SQLiteKeyStore(path, self._wrapper)
        except (KeyStoreError, apsw.Error):
            if not disk.is_off:
                raise
            return
        self._known["secrets", ""] = store.secrets()
        try:
            for _ in range(self._drawn.choice((1, 4, 1000))):
                self._change(store)
                self._books.acknowledged += 1
        except KeyStoreError:
            if not disk.is_off:
                raise
            self._books.unknown += 1
        if self._drawn.random() < 0.5:
            disk.lose_power()
        with suppress(apsw.Error):
            store.close()

    def _change(self, store: SQLiteKeyStore) -> None:
        drawn = self._drawn
        stream, number = drawn.choice(STREAMS), drawn.getrandbits(32)
        kind = drawn.choice(("keyring", "keyring", "identity", "subject", "floor"))
        name = stream if kind in {"keyring", "floor"} else str(number)
        question = kind, name
        before = self._known.get(question)
        match kind:
            case "keyring" if isinstance(before, Keyring) and drawn.random() < 0.2:
                self._begin(question, None)
                store.delete_keyring(name)
            case "keyring":
                keyring = before if isinstance(before, Keyring) else new_keyring()
                keyring = keyring.with_evidence_key(str(number), 1, new_key())
                self._begin(question, replace(keyring, number=keyring.number + 1))
                store.store_keyring(name, keyring)
            case "identity":
                identity = Identity(vault_id=stream, sign_in_id=str(number))
                self._begin(question, identity)
                store.add_identity(_ISSUER, name, identity)
            case "subject":
                self._begin(question, stream)
                store.add_subject("service", name, stream)
            case _:
                reached = before if isinstance(before, int) else 0
                version = drawn.randint(1, reached + 10)
                self._begin(question, max(reached, version))
                store.raise_floor(name, version)
        self._end()

    def _begin(self, question: _Question, answer: _Answer) -> None:
        self._under_way = question, answer

    def _end(self) -> None:
        if self._under_way is not None:
            question, answer = self._under_way
            self._known[question] = answer
            self._under_way = None

    def _judge(self, survivors: Path) -> None:
        """Open a copy as the product does, and compare what it holds with what is known."""
        with copied(survivors) as copy:
            try:
                with closing(SQLiteKeyStore(copy / _FILE, self._wrapper)) as store:
                    self._settle(store)
                    found = {question: _ask(store, question) for question in self._known}
                damage = _damage(copy / _FILE)
            except (KeyStoreError, apsw.Error) as error:
                self._fault(f"cannot be opened: {error}")
                return
        for kind, name in self._known:
            if found[kind, name] != self._known[kind, name]:
                self._fault(f"a {kind} is not as it was left")
        self._known = found
        for said in damage:
            self._fault(f"damaged: {said}")

    def _settle(self, store: SQLiteKeyStore) -> None:
        """Take the change that was under way for what it turned out to be: made, or not made."""
        if self._under_way is None:
            return
        question, answer = self._under_way
        if _ask(store, question) == answer:
            self._books.stood += 1
            self._end()
        self._under_way = None

    def _fault(self, found: str) -> None:
        self._books.faults.append(f"after {self._books.losses} losses: {found}")


def _ask(store: SQLiteKeyStore, question: _Question) -> _Answer:
    match question:
        case "secrets", _:
            return store.secrets()
        case "keyring", stream:
            return store.load_keyring(stream)
        case "identity", sub:
            return store.find_identity(_ISSUER, sub)
        case "subject", subject_id:
            return store.find_subject("service", subject_id)
        case _, stream:
            return store.floor(stream)


def _damage(path: Path) -> list[str]:
    connection = apsw.Connection(str(path))
    try:
        said = [str(said) for (said,) in connection.execute("PRAGMA integrity_check")]
    finally:
        connection.close()
    return [each for each in said if each != "ok"]
