# SPDX-License-Identifier: Apache-2.0
"""A disk that can lose power: what was written and not synced is lost, or half of it, or nothing.

It stands below SQLite as the default VFS, so that whatever opens a database in this process runs on
it unchanged. The files themselves hold all that was written, as the machine's memory does; beside
them it keeps what is certain to be on the disk. When the power fails, every unsynced write is drawn
to be there, to be absent, or to be there in some of its sectors; every name that was made or
removed in the folder since that was synced may be as it was before. What survives lies in another
folder, and nothing more is written here: every further call fails.

The folder is synced where SQLite does it, after the first sync of a journal or write-ahead log that
it opened, and where the product does it with `os.fsync`. Databases are made by a link or by
`os.open`: the files are known by inode.
"""

# ruff: noqa: N802 - the names of a VFS's methods are SQLite's

from __future__ import annotations

import os
import random
import shutil
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final
from unittest import mock

import apsw

SECTOR_BYTES: Final = 512
_INDEX: Final = "-shm"
"""SQLite's index of the write-ahead log: it never survives, and is never synced."""


_JOURNALS: Final = apsw.SQLITE_OPEN_WAL | apsw.SQLITE_OPEN_MAIN_JOURNAL


class PowerLostError(apsw.IOError):
    """Nothing is written any more."""


@dataclass
class _File:
    """An inode: what is on the disk, and what was written since, in order.

    A change is bytes at an offset, or a new length.
    """

    on_disk: bytearray = field(default_factory=bytearray)
    changes: list[tuple[int, bytes | None]] = field(default_factory=list)

    def sync(self) -> None:
        for offset, data in self.changes:
            _apply(self.on_disk, offset, data)
        self.changes.clear()

    def survivor(self, drawn: random.Random) -> bytes:
        content = bytearray(self.on_disk)
        kept, torn = drawn.choice((0.0, 0.1, 0.5, 0.9, 1.0)), drawn.choice((0.0, 0.5))
        for offset, data in self.changes:
            if data is not None and drawn.random() < torn:
                for start in range(0, len(data), SECTOR_BYTES):
                    if drawn.random() < kept:
                        _apply(content, offset + start, data[start : start + SECTOR_BYTES])
            elif drawn.random() < kept:
                _apply(content, offset, data)
        return bytes(content)


@dataclass
class Lasts:
    """For how many writes and syncs there is power."""

    writes: int
    syncs: int


ENDLESS: Final = Lasts(1 << 62, 1 << 62)
"""Until somebody cuts it."""


def drawn_life(drawn: random.Random) -> Lasts:
    """Draw how long there is power: a few writes or syncs, or some hundred."""
    syncs = drawn.randint(1, drawn.choice((4, 30)))
    # A commit is many writes and one sync: what is unknown stands only if it is lost in that one.
    if drawn.random() < 0.5:
        return replace(ENDLESS, syncs=syncs)
    return Lasts(drawn.randint(1, drawn.choice((12, 120, 1200))), syncs)


class Disk:
    """The disk below one folder; see `mounted`."""

    def __init__(self, folder: Path, drawn: random.Random, survivors: Path, lasts: Lasts) -> None:
        self._folder = folder
        self._drawn = drawn
        self._survivors = survivors
        self._lasts = replace(lasts)
        self._guard = threading.RLock()
        self.is_off = False
        self._by_inode: dict[int, _File] = {}
        self._names: dict[str, _File] = {}
        self.sync_folder()

    def holds(self, path: Path) -> bool:
        """Say whether a file lies on this disk."""
        return path.parent == self._folder

    def file(self, path: Path) -> _File:
        """Return what is known of a file; what is not known yet is on the disk."""
        inode = path.stat().st_ino
        if inode not in self._by_inode:
            self._by_inode[inode] = _File(bytearray(path.read_bytes()))
        return self._by_inode[inode]

    def remove(self, path: Path, *, with_folder: bool) -> None:
        """Remove a name."""
        with self._guard:
            self.must_be_on()
            # Its inode's number may be given to another file.
            self._by_inode.pop(path.stat().st_ino, None)
            path.unlink()
            if with_folder:
                self.sync_folder()

    def change(self, file: _File, offset: int, data: bytes | None) -> None:
        """Write bytes, or set the length where there are none."""
        with self._guard:
            self.must_be_on()
            file.changes.append((offset, data))
            self._lasts.writes -= 1
            self._wear()

    def sync(self, file: _File, *, with_folder: bool = False) -> None:
        """Put all that was written to a file onto the disk."""
        with self._guard:
            self._begin_sync()
            file.sync()
            if with_folder:
                self._begin_sync()
                self.sync_folder()

    def fsync(self, descriptor: int) -> None:
        """Stand for `os.fsync` while the disk is mounted."""
        status = os.fstat(descriptor)
        if not stat.S_ISDIR(status.st_mode):
            file = self._by_inode.get(status.st_ino)
            if file is not None:
                self.sync(file)
        elif status.st_ino == self._folder.stat().st_ino:
            with self._guard:
                self._begin_sync()
                self.sync_folder()

    def sync_folder(self) -> None:
        """Put the names in the folder onto the disk."""
        self._names = self._listed()

    def lose_power(self) -> None:
        """Draw what survives, and write nothing more."""
        with self._guard:
            if not self.is_off:
                self.is_off = True
                self._let_survive()

    def must_be_on(self) -> None:
        """Refuse what comes after the loss of power."""
        if self.is_off:
            raise PowerLostError("the power is off")

    def _let_survive(self) -> None:
        listed = self._listed()
        content: dict[int, bytes] = {}
        self._survivors.mkdir(mode=0o700)
        for name in sorted(self._names.keys() | listed.keys()):
            found = self._drawn.choice((self._names.get(name), listed.get(name)))
            if found is None:
                continue
            if id(found) not in content:
                content[id(found)] = found.survivor(self._drawn)
            path = self._survivors / name
            path.write_bytes(content[id(found)])
            path.chmod(0o600)

    def _begin_sync(self) -> None:
        # Whoever loses power in the middle of it has synced nothing for certain.
        self.must_be_on()
        self._lasts.syncs -= 1
        self._wear()

    def _wear(self) -> None:
        if min(self._lasts.writes, self._lasts.syncs) <= 0:
            self.lose_power()
            self.must_be_on()

    def _listed(self) -> dict[str, _File]:
        with os.scandir(self._folder) as found:
            names = [each.name for each in found if each.is_file(follow_symlinks=False)]
        return {name: self.file(self._folder / name) for name in names if not name.endswith(_INDEX)}


@contextmanager
def mounted(folder: Path, drawn: random.Random, *, survivors: Path, lasts: Lasts) -> Iterator[Disk]:
    """Put a disk below a folder: whatever this process opens there through SQLite is on it.

    All that was opened must be closed on the way out.

    Args:
        survivors: the folder, to be made, of what is there after the loss of power.
        lasts: the write or sync in the middle of which the power fails.
    """
    disk = Disk(folder, drawn, survivors, lasts)
    below = _VFS(disk)
    try:
        with mock.patch("os.fsync", disk.fsync):
            yield disk
    finally:
        below.unregister()


@contextmanager
def copied(folder: Path) -> Iterator[Path]:
    """Return a copy of what survived, on a disk that spins for nobody: to look at, and to leave."""
    copy = folder.with_name("copy")
    shutil.copytree(folder, copy)
    try:
        with mounted(copy, random.Random(0), survivors=copy, lasts=ENDLESS):
            yield copy
    finally:
        shutil.rmtree(copy)


class _VFS(apsw.VFS):
    def __init__(self, disk: Disk) -> None:
        self._disk = disk
        super().__init__("power", base="unix", makedefault=True)

    def xOpen(self, name: Any, flags: list[int]) -> apsw.VFSFile:
        path = Path(name.filename() if isinstance(name, apsw.URIFilename) else name or "")
        if not self._disk.holds(path):
            return apsw.VFSFile("unix", name, flags)
        if not path.exists():
            self._disk.must_be_on()
        opened = _OpenFile(self._disk, name, flags)
        opened.file = self._disk.file(path)
        # As in SQLite's own VFS, which does not look whether it makes the file or finds it there.
        opened.syncs_folder = bool(flags[0] & _JOURNALS and flags[0] & apsw.SQLITE_OPEN_CREATE)
        return opened

    def xDelete(self, name: str, sync_folder: bool) -> None:  # noqa: FBT001 - as SQLite calls it
        path = Path(name)
        if self._disk.holds(path) and path.exists():
            self._disk.remove(path, with_folder=sync_folder)
        else:
            super().xDelete(name, sync_folder)


class _OpenFile(apsw.VFSFile):
    file: _File
    syncs_folder = False

    def __init__(self, disk: Disk, name: Any, flags: list[int]) -> None:
        self._disk = disk
        super().__init__("unix", name, flags)

    def xWrite(self, data: Any, offset: int) -> None:
        self._disk.change(self.file, offset, bytes(data))
        super().xWrite(data, offset)

    def xTruncate(self, size: int) -> None:
        self._disk.change(self.file, size, None)
        super().xTruncate(size)

    def xSync(self, flags: int) -> None:
        del flags
        # The real disk need not turn: what is certain is kept apart.
        self._disk.sync(self.file, with_folder=self.syncs_folder)
        self.syncs_folder = False


def _apply(content: bytearray, offset: int, data: bytes | None) -> None:
    size = offset if data is None else offset + len(data)
    if len(content) < size:
        content.extend(bytes(size - len(content)))
    if data is None:
        del content[size:]
    else:
        content[offset:size] = data
