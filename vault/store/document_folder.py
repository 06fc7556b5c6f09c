# SPDX-License-Identifier: Apache-2.0
"""Sealed documents in a local folder, one file each.

A file is written under a random name in `staging`, fsynced, read back, and then linked to its own
name: complete or absent, whatever interrupts. A link, unlike a rename, does not replace. The
object `3fa1…` lies in `3f`, so that no folder grows too long.
"""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from vault.store.documents import (
    DAY_SECONDS,
    PIECE_BYTES,
    DocumentFolderError,
    DocumentMissingError,
    DocumentStoreError,
)

_NAME: Final = re.compile(r"[0-9a-f]{64}")
_FAN: Final = re.compile(r"[0-9a-f]{2}")


class FolderDocumentStore:
    """A `DocumentStore` in a folder that is its owner's alone; several processes may share it."""

    def __init__(self, folder: Path) -> None:
        """Make the folder if it is not there; its parent must be.

        Raises:
            DocumentFolderError: It cannot be made, or is open to group or others.
        """
        self._folder = folder
        self._staging = folder / "staging"
        try:
            folder.mkdir(mode=0o700, exist_ok=True)
            if folder.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
                raise DocumentFolderError(f"{folder} is open to group or others: chmod 700 it.")
            self._staging.mkdir(mode=0o700, exist_ok=True)
            _sync(folder.parent)
        except OSError as error:
            message = f"{folder} cannot be used as a folder of documents: {error.strerror}."
            raise DocumentFolderError(message) from error

    def stage(self) -> FileBeingWritten:
        """Begin an object; see `DocumentStore`."""
        with _failures_told():
            return FileBeingWritten(self._folder, self._staging / secrets.token_hex(16))

    def open(self, name: str) -> FileBeingRead:
        """Open an object; see `DocumentStore`."""
        path = _path(self._folder, name)
        with _failures_told():
            try:
                return FileBeingRead(path)
            except FileNotFoundError:
                raise DocumentMissingError from None

    def delete(self, name: str) -> None:
        """Delete an object; see `DocumentStore`."""
        path = _path(self._folder, name)
        # Synced also if it was not there: an earlier attempt may have been interrupted before that.
        with _failures_told(), suppress(FileNotFoundError):
            path.unlink(missing_ok=True)
            _sync(path.parent)

    def sweep(
        self,
        is_referenced: Callable[[str], bool],
        *,
        now: float,
        older_than_seconds: float = DAY_SECONDS,
    ) -> int:
        """Delete orphans, and what was left in staging; see `DocumentStore`."""
        latest = now - older_than_seconds
        with _failures_told():
            fans = [path for path in self._folder.iterdir() if _FAN.fullmatch(path.name)]
        swept = 0
        for folder in (self._staging, *fans):
            for path in _files_before(folder, latest):
                # Asked after its age is known: nobody begins to name an object that is so old.
                if folder != self._staging and not _is_orphan(path, is_referenced):
                    continue
                with _failures_told():
                    path.unlink(missing_ok=True)
                swept += 1
        return swept


class FileBeingWritten:
    """A `StagedDocument`."""

    def __init__(self, folder: Path, path: Path) -> None:
        self._folder = folder
        self._path = path
        self._digest = hashlib.sha256()
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        # Unbuffered: a write that fails, fails here and not in closing.
        self._file = os.fdopen(descriptor, "r+b", buffering=0)

    def write(self, sealed: bytes) -> None:
        """Append bytes; see `StagedDocument`."""
        left = memoryview(sealed)
        with _failures_told():
            while left:
                left = left[self._file.write(left) :]
        self._digest.update(sealed)

    def promote(self) -> str:
        """Verify the object and give it its name; see `StagedDocument`."""
        name = self._digest.hexdigest()
        path = _path(self._folder, name)
        try:
            with _failures_told():
                os.fsync(self._file.fileno())
                self._verify(name)
                path.parent.mkdir(mode=0o700, exist_ok=True)
                try:
                    os.link(self._path, path)
                except FileExistsError:
                    # The same bytes. Its age begins anew, or a sweep would take it for an orphan.
                    os.utime(path)
                # A name is not durable by the file's own fsync, nor is its folder's name.
                _sync(path.parent)
                _sync(self._folder)
        finally:
            self.discard()
        return name

    def discard(self) -> None:
        """Drop what was not promoted; see `StagedDocument`."""
        self._file.close()
        # What cannot be deleted now, is swept.
        with suppress(OSError):
            self._path.unlink()

    def _verify(self, name: str) -> None:
        self._file.seek(0)
        if hashlib.file_digest(self._file, "sha256").hexdigest() != name:
            raise DocumentStoreError("The documents' folder does not hold what was written to it.")


class FileBeingRead:
    """A `StoredDocument`."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("rb", buffering=0)
        self._size = os.fstat(self._file.fileno()).st_size

    @property
    def size(self) -> int:
        """How many bytes the object has."""
        return self._size

    def read(self) -> bytes:
        """Return the next bytes; see `StoredDocument`."""
        with _failures_told():
            return self._file.read(PIECE_BYTES)

    def close(self) -> None:
        """Stop reading."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


@contextmanager
def _failures_told() -> Iterator[None]:
    """Tell what the system says, but not of which file: its name is an id."""
    try:
        yield
    except OSError as error:
        message = f"The documents' folder cannot be read or written: {error.strerror}."
        raise DocumentStoreError(message) from None


def _path(folder: Path, name: str) -> Path:
    if not _NAME.fullmatch(name):
        raise ValueError("an object is named by 64 lower-case hexadecimal digits")
    return folder / name[:2] / name


def _files_before(folder: Path, latest: float) -> list[Path]:
    """Return the files of a folder that nobody wrote since then."""
    with _failures_told(), os.scandir(folder) as entries:
        return [Path(entry) for entry in entries if _is_file_before(entry, latest)]


def _is_file_before(entry: os.DirEntry[str], latest: float) -> bool:
    try:
        return entry.is_file(follow_symlinks=False) and entry.stat().st_mtime < latest
    except FileNotFoundError:
        # Promoted, discarded or deleted since it was listed.
        return False


def _is_orphan(path: Path, is_referenced: Callable[[str], bool]) -> bool:
    """Tell whether this is an object that no event names; what is no object is not ours."""
    return _NAME.fullmatch(path.name) is not None and not is_referenced(path.name)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
