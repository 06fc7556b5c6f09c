# SPDX-License-Identifier: Apache-2.0
"""Documents, each object read whole: there, the bytes that its name says, and open to its key."""

from __future__ import annotations

import hashlib
import json
from functools import partial
from typing import TYPE_CHECKING

from vault.domain.canonical import b64, unb64
from vault.sealing.chunks import ChunkOpener
from vault.sealing.errors import SealError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from vault.domain.values import PayloadMark
    from vault.fsck.report import Kind
    from vault.sealing.envelope import Context, Key

_PIECE_BYTES = 256 * 1024


class Documents:
    """The folder of documents. It need not be there: without documents there is none."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def fault(
        self, mark: PayloadMark, key: Key | None, context: Context, values: bytes | None
    ) -> tuple[Kind, str] | None:
        """Return what is wrong with a document; None if nothing is.

        Args:
            key: None where it is not there; then only the object's bytes are looked at.
            values: what stands with it, opened; None where that is gone.
        """
        name = unb64(mark.hash).hex()
        reading = _Reading(key, context, mark.commitment)
        try:
            with (self._folder / name[:2] / name).open("rb") as file:
                while piece := file.read(_PIECE_BYTES):
                    reading.take(piece)
        except FileNotFoundError:
            return "document-missing", "Its document is not there."
        except OSError as error:
            return "document-missing", f"Its document cannot be read: {error.strerror}."
        reading.finish()
        if reading.sealed.hexdigest() != name:
            return "document-differs", "Its document is not the one that it names."
        if not reading.is_open:
            return "payload-does-not-open", "Its document does not open with its own key."
        if key is not None and values is not None:
            said = json.loads(values)["content"]["sha256"]
            if said != b64(reading.digest.digest()):
                return "document-differs", "Its document is not what stands with it."
        return None


class _Reading:
    """An object on its way: its digest, and what it opens to."""

    def __init__(self, key: Key | None, context: Context, commitment: str) -> None:
        self.sealed, self.digest = hashlib.sha256(), hashlib.sha256()
        self.is_open = True
        self._opener = ChunkOpener(key, context, commitment) if key is not None else None

    def take(self, piece: bytes) -> None:
        self.sealed.update(piece)
        if self._opener is not None and self.is_open:
            self._open(partial(self._opener.update, piece))

    def finish(self) -> None:
        if self._opener is not None and self.is_open:
            self._open(self._opener.finish)

    def _open(self, opening: Callable[[], bytes]) -> None:
        try:
            self.digest.update(opening())
        except SealError:
            self.is_open = False
