# SPDX-License-Identifier: Apache-2.0
"""The key store, row by row: each must open in its place, under the key that wrapped it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from vault.fsck.report import Finding, Report
from vault.sealing.errors import SealError
from vault.sealing.keyring import Keyring, StoredKeyring
from vault.sealing.keystore import Identity, Secrets
from vault.sealing.log import Log, StoredLog
from vault.sealing.row import Place, Row, open_row
from vault.sealing.wrapper import WrappedKey
from vault.store.memory import Memory

if TYPE_CHECKING:
    from vault.fsck.rows import KeyRow, KeyRows
    from vault.sealing.wrapper import KeyWrapper

_Value = TypeVar("_Value")

REMEMBERED = 1_000


class Keys:
    """Opens rows of the key store, and puts down those that do not open."""

    def __init__(self, rows: KeyRows, wrapper: KeyWrapper, report: Report) -> None:
        self._rows = rows
        self._wrapper = wrapper
        self._report = report
        self._keyrings: Memory[str, Keyring] = Memory(REMEMBERED)
        self.floors = rows.floors()

    def check_all(self) -> None:
        """Open every row."""
        secrets = self._rows.secrets()
        if secrets is None or self._opened(secrets, [("secrets", Secrets)]) is None:
            self._find("The deployment's secrets are not there, or do not open.")
        for row in self._rows.keyrings():
            self._report.counts["keyrings"] += 1
            if self._opened(row, [("keyrings", StoredKeyring)]) is None:
                self._find("A keyring does not open: what it seals is lost with it.")
        for row in self._rows.identities():
            self._report.counts["identities"] += 1
            kinds: list[tuple[str, type[Any]]] = [("sign-ins", Identity), ("subjects", str)]
            if self._opened(row, kinds) is None:
                self._find("An identity does not open: a sign-in or a service has lost its way.")

    def keyring(self, stream: str) -> Keyring | None:
        """Return the keyring of a stream; None if there is none that opens."""
        known = self._keyrings.get(stream)
        if known is None:
            row = self._rows.keyring(stream)
            stored = self._opened(row, [("keyrings", StoredKeyring)]) if row else None
            if row is None or stored is None:
                return None
            known = stored.keyring(row.number)
            self._keyrings.put(stream, known)
        return known

    def secrets(self) -> Secrets | None:
        """Return the deployment's secrets; None if they do not open."""
        row = self._rows.secrets()
        return self._opened(row, [("secrets", Secrets)]) if row else None

    def log(self, origin: str) -> Log | None:
        """Return the key and head of a log; None if it has none."""
        row = self._rows.log(origin)
        if row is None:
            return None
        stored = self._opened(row, [("logs", StoredLog)])
        if stored is None:
            self._find(f"The key of the log {origin} does not open.")
            return None
        return stored.log(row.number)

    def _opened(self, row: KeyRow, forms: list[tuple[str, type[_Value]]]) -> _Value | None:
        stored = Row(WrappedKey(row.epoch, row.wrapped_key), row.sealed)
        for table, form in forms:
            try:
                return open_row(self._wrapper, Place(table, row.name, row.number), stored, form)
            except SealError:
                continue
        return None

    def _find(self, what: str) -> None:
        self._report.find(Finding("key-row-damaged", what))
