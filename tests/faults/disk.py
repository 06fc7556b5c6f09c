# SPDX-License-Identifier: Apache-2.0
"""The real server on a disk that fails now and then.

`python -m tests.faults.disk FOLDER serve ...` is `citizen-vault-server serve ...`, except that
writes and syncs of the stores fail as often as the folder's file `failing` says, while it is there.
What fails may have been done all the same: a disk that reports an error says nothing of what it
holds.
"""

# ruff: noqa: N802 - the names of a VFS's methods are SQLite's

from __future__ import annotations

import random
import sys
from pathlib import Path
from typing import Any, Final

import apsw

from vault import main

_FAILING: Final = "failing"
_STORES: Final = ("events.db", "keys.db")


class _FailingDisk(apsw.VFS):
    """SQLite's own VFS, but for the stores' files."""

    def __init__(self, folder: Path) -> None:
        self._failing = folder / _FAILING
        super().__init__("failing", base="unix", makedefault=True)

    def xOpen(self, name: Any, flags: list[int]) -> apsw.VFSFile:
        path = name.filename() if isinstance(name, apsw.URIFilename) else name or ""
        if Path(path).name.startswith(_STORES):
            return _FailingFile(self._failing, name, flags)
        return apsw.VFSFile("unix", name, flags)


class _FailingFile(apsw.VFSFile):
    def __init__(self, failing: Path, name: Any, flags: list[int]) -> None:
        self._failing = failing
        super().__init__("unix", name, flags)

    def xWrite(self, data: Any, offset: int) -> None:
        fails = self._fails()
        if fails != "before":
            super().xWrite(data, offset)
        if fails:
            # A full disk and a broken one are told in different words.
            raise random.choice((apsw.FullError, apsw.IOError))("failing")

    def xTruncate(self, size: int) -> None:
        if self._fails():
            raise apsw.IOError("failing")
        super().xTruncate(size)

    def xSync(self, flags: int) -> None:
        fails = self._fails()
        if fails != "before":
            super().xSync(flags)
        if fails:
            raise apsw.IOError("failing")

    def _fails(self) -> str:
        """Say whether this one fails, and whether that is before it is done, or after."""
        try:
            chance = float(self._failing.read_text())
        except FileNotFoundError:
            return ""
        return random.choice(("before", "after")) if random.random() < chance else ""


def program(folder: Path) -> tuple[str, ...]:
    """Return what to run instead of the server."""
    return ("-m", "tests.faults.disk", str(folder))


def set_chance(folder: Path, chance: float) -> None:
    """Have writes and syncs fail so often, for a server that runs in this folder."""
    if not chance:
        (folder / _FAILING).unlink(missing_ok=True)
        return
    unfinished = folder / f"{_FAILING}.new"
    unfinished.write_text(str(chance))
    unfinished.rename(folder / _FAILING)


if __name__ == "__main__":
    below = _FailingDisk(Path(sys.argv.pop(1)))
    main.main()
