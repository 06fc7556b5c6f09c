# SPDX-License-Identifier: Apache-2.0
"""The folder of a log, as C2SP tlog-tiles lays it out: any web server may serve it as it is.

A file is written under another name, fsynced and renamed, and its folder fsynced: complete or
absent, whatever interrupts. Tiles never change, so one that is there already is compared; the
checkpoint alone is replaced, after all tiles that it stands on.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from vault.log.errors import TileDiffersError

CHECKPOINT: Final = "checkpoint"
_STAGING: Final = ".staging"
_LOCK: Final = ".lock"


class LogFolder:
    """The published files of one log. One process writes, whoever likes reads."""

    def __init__(self, path: Path) -> None:
        """Make the folder if it is not there, its owner's alone.

        Raises:
            OSError: it cannot be made.
        """
        self._path = path
        self._staging = path / _STAGING
        for folder in _make(self._staging):
            _sync(folder)

    @contextmanager
    def lock(self) -> Iterator[bool]:
        """Say whether this process may write, which no other may until the context ends.

        A process that dies gives the lock back.
        """
        descriptor = os.open(self._path / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
                return
            # What an interrupted writer left; nobody else is writing now.
            for unfinished in self._staging.iterdir():
                unfinished.unlink()
            yield True
        finally:
            os.close(descriptor)

    def read(self, path: str) -> bytes:
        """Return the bytes of a tile.

        Raises:
            FileNotFoundError: there is none of that path.
        """
        return (self._path / path).read_bytes()

    def checkpoint(self) -> bytes | None:
        """Return the published checkpoint; None if none was."""
        try:
            return (self._path / CHECKPOINT).read_bytes()
        except FileNotFoundError:
            return None

    def put(self, files: Iterable[tuple[str, bytes]]) -> None:
        """Write tiles, durable on return; those that are there already are compared.

        Raises:
            TileDiffersError: one is there and is another; what came before it may be written.
            OSError: one cannot be written.
        """
        changed: set[Path] = set()
        for name, data in files:
            path = self._path / name
            changed.add(path.parent)
            try:
                # Synced before it had its name; that its name is, nobody knows of a dead writer's.
                is_same = path.read_bytes() == data
            except FileNotFoundError:
                changed.update(_make(path.parent))
                self._replace(path, data)
                continue
            if not is_same:
                raise TileDiffersError(name)
        for folder in changed:
            _sync(folder)

    def publish(self, checkpoint: bytes) -> None:
        """Replace the published checkpoint, durable on return; its tiles are there already."""
        self._replace(self._path / CHECKPOINT, checkpoint)
        _sync(self._path)

    def drop_partial(self, path: str) -> None:
        """Delete the partial tiles that a full one, whose path it is, has replaced."""
        shutil.rmtree(self._path / f"{path}.p", ignore_errors=True)

    def _replace(self, path: Path, data: bytes) -> None:
        unfinished = self._staging / secrets.token_hex(8)
        descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        unfinished.rename(path)


def _make(folder: Path) -> list[Path]:
    """Make a folder and those above it, and return those that have a new name in them."""
    missing = []
    while not folder.is_dir():
        missing.append(folder)
        folder = folder.parent
    for absent in reversed(missing):
        # Another process may be doing the same.
        absent.mkdir(mode=0o700, exist_ok=True)
    return [absent.parent for absent in missing]


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
