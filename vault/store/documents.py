# SPDX-License-Identifier: Apache-2.0
"""Where sealed documents lie: objects written once and named by the digest of their bytes.

An object is staged, verified and promoted, and only then the event that names it is appended. What
no event names after a day is an orphan, and swept. The store sees nothing but sealed bytes, and an
object's name is the SHA-256 of them: it tells nothing about the document. All methods block.
"""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import Final, Protocol, Self

from eventsourcing.persistence import NotSupportedError, OperationalError

PIECE_BYTES: Final = 256 * 1024
"""The most that is read at once: what fits in a message."""

DAY_SECONDS: Final = 24 * 3600.0
"""No document takes so long from its first byte to its event."""


class DocumentFolderError(NotSupportedError):
    """The folder cannot be used for documents; the message says why and what to do."""


class DocumentStoreError(OperationalError):
    """The store failed in writing, reading or deleting; the message says how."""


class DocumentMissingError(OperationalError):
    """There is no such object (any more)."""

    def __init__(self) -> None:
        super().__init__("There is no such document: it was deleted, or is lost.")


class StagedDocument(Protocol):
    """An object on its way into the store; until it is promoted, it has no name."""

    def write(self, sealed: bytes) -> None:
        """Append bytes.

        Raises:
            DocumentStoreError: No room, or the store failed: discard it.
        """

    def promote(self) -> str:
        """Verify the object and give it its name; durable on return.

        The same bytes promoted twice are one object, as young as the second. If this fails, what
        was staged is dropped.

        Returns:
            The SHA-256 of its bytes, in lower-case hexadecimal digits.

        Raises:
            DocumentStoreError: The store failed, or does not hold what was written.
        """

    def discard(self) -> None:
        """Drop what was not promoted; after `promote`, or a second time, it does nothing."""


class StoredDocument(Protocol):
    """An object that is being read; close it, or use it in `with`."""

    @property
    def size(self) -> int:
        """How many bytes the object has."""

    def read(self) -> bytes:
        """Return the next bytes, 256 KiB at most; none at the end.

        Raises:
            DocumentStoreError: The store failed.
        """

    def close(self) -> None:
        """Stop reading; a second time, it does nothing."""

    def __enter__(self) -> Self: ...
    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...


class DocumentStore(Protocol):
    """Keeps sealed documents. Its methods may be called from several threads at once, and block."""

    def stage(self) -> StagedDocument:
        """Begin an object; whoever began it promotes or discards it.

        Raises:
            DocumentStoreError: The store failed.
        """

    def open(self, name: str) -> StoredDocument:
        """Open an object for reading.

        Raises:
            DocumentMissingError: There is none of this name.
            DocumentStoreError: The store failed.
            ValueError: This is no name.
        """

    def delete(self, name: str) -> None:
        """Delete an object, durably; one that is not there is deleted already.

        Raises:
            DocumentStoreError: The store failed: it may still be there.
            ValueError: This is no name.
        """

    def sweep(
        self,
        is_referenced: Callable[[str], bool],
        *,
        now: float,
        older_than_seconds: float = DAY_SECONDS,
    ) -> int:
        """Delete orphans, and what was staged and left behind; never anything that is younger.

        Args:
            is_referenced: tells whether an event names this object; asked of old ones alone.
            now: the time, in seconds since 1970.

        Returns:
            How many were deleted.

        Raises:
            DocumentStoreError: The store failed. What `is_referenced` raises is raised.
        """
