# SPDX-License-Identifier: Apache-2.0
"""The log of a lane: every tile and every signed head, compared with what the entries make.

The heads are the one beside the key and the one in the published checkpoint. Files that no
checkpoint needs any more are compared all the same; what is written before it is signed, too.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Final

from vault.fsck.report import Finding, Kind, Report
from vault.log.growth import Growth
from vault.transparency.checkpoint import Checkpoint
from vault.transparency.encoding import FormError
from vault.transparency.note import Note, SignatureError, Signer, Verifier
from vault.transparency.tiles import ENTRIES, Tile
from vault.transparency.tree import EMPTY_ROOT

if TYPE_CHECKING:
    from pathlib import Path

    from vault.sealing.log import Log

CHUNK: Final = 4_096
CHECKPOINT: Final = "checkpoint"
_HASH_BYTES: Final = 32
_BUNDLED_BYTES: Final = 2 + 65


class LogCheck:
    """Grows the tree of a lane's entries again, and compares all that was made of it before.

    Made before it is known how much the lane holds: what was signed by then is stored by then.
    """

    def __init__(
        self, folder: Path, origin: str, lane: int, log: Log | None, report: Report
    ) -> None:
        """Compare with a folder, and with the key and its head, None where there is none."""
        self._folder = folder
        self._origin = origin
        self._lane = lane
        self._report = report
        self._growth = Growth()
        self._pending: list[bytes] = []
        self.vkey = Signer(origin, log.seed).verifier.vkey if log else ""
        self._checkpoint = self._published()
        self._heads: dict[str, tuple[int, bytes]] = {}
        if log is not None:
            self._heads["the key's head"] = log.size, log.root
        if self._checkpoint is not None:
            head = self._checkpoint.size, self._checkpoint.root
            self._heads["the published checkpoint"] = head
        # Where the tree is to be looked at while it grows.
        self._stops = sorted({size for size, _ in self._heads.values() if size})
        self._roots = {0: EMPTY_ROOT}

    def take(self, entry: bytes) -> None:
        """Take the next entry."""
        self._pending.append(entry)
        size = self._growth.size + len(self._pending)
        is_stop = bool(self._stops) and size == self._stops[0]
        if is_stop or len(self._pending) == CHUNK:
            self._grow()
        if is_stop:
            self._stops.pop(0)
            self._roots[size] = self._growth.root()
            if self._checkpoint is not None and size == self._checkpoint.size:
                for tile, data in self._growth.partial():
                    self._compare(tile, data)

    def finish(self) -> None:
        """Compare the heads, and what was made of the last entries."""
        self._grow()
        for tile, data in self._growth.partial():
            self._compare_narrower(tile, data)
        for of, (size, root) in self._heads.items():
            holds = self._roots.get(size) == root
            self._report.heads.append({"of": f"{self._origin}, {of}", "size": size, "holds": holds})
            if not holds:
                stored = self._growth.size
                why = f"{stored} are stored" if size > stored else "other ones are stored"
                self._find("log-differs", f"{of.capitalize()} has {size} entries, and {why}.")

    def _published(self) -> Checkpoint | None:
        try:
            data = (self._folder / CHECKPOINT).read_bytes()
        except FileNotFoundError:
            return None
        try:
            note = Note.parse(data)
            if self.vkey and not note.verify([Verifier.of(self.vkey)]):
                self._find("log-differs", "The published checkpoint is not signed by this log.")
            return Checkpoint.parse(note.text)
        except (FormError, SignatureError):
            self._find("log-file-damaged", "The published checkpoint is none, or was changed.")
            return None

    def _grow(self) -> None:
        size = self._checkpoint.size if self._checkpoint else 0
        for tile, data in self._growth.take(self._pending):
            self._compare_narrower(tile, data)
            self._compare(tile, data, must_be_there=_end(tile) <= size)
        self._pending = []

    def _compare(self, tile: Tile, data: bytes, *, must_be_there: bool = True) -> None:
        self._report.counts["tiles"] += 1
        try:
            found = (self._folder / tile.path).read_bytes()
        except FileNotFoundError:
            # A partial tile may go when the full one is there.
            is_full_there = (self._folder / tile.full.path).exists()
            if must_be_there and (tile.is_full or not is_full_there):
                self._find("log-file-missing", f"The file {tile.path} is not there.")
            return
        if found != data:
            self._find("log-file-damaged", f"The file {tile.path} is not what it must be.")

    def _compare_narrower(self, tile: Tile, data: bytes) -> None:
        """Compare the files of a tile from when it was narrower, as far as there are any."""
        each = _BUNDLED_BYTES if tile.level == ENTRIES else _HASH_BYTES
        folder = self._folder / f"{tile.full.path}.p"
        for path in sorted(folder.iterdir()) if folder.is_dir() else ():
            end = int(path.name) * each if path.name.isdecimal() else 0
            if end > len(data):
                # Written since; or beyond what is stored, which the heads tell.
                continue
            with suppress(FileNotFoundError):
                if path.read_bytes() != data[:end]:
                    name = path.relative_to(self._folder)
                    self._find("log-file-damaged", f"The file {name} is not what it must be.")

    def _find(self, kind: Kind, what: str) -> None:
        self._report.find(Finding(kind, what, self._lane))


def _end(tile: Tile) -> int:
    """Return how many entries a log has at least, in which a full tile stands."""
    height = 0 if tile.level == ENTRIES else tile.level
    return int((tile.index + 1) * 256 ** (height + 1))
