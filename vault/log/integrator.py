# SPDX-License-Identifier: Apache-2.0
"""From entries to a published checkpoint: the one order of steps in which nothing can fork.

    read       the key's head, and only then how much the store holds
    prove      that what is about to be signed is durable
    write      tiles and bundles of entries, fsynced
    store      the new head beside the key, by compare-and-set: the one who succeeds may sign it
    cosign     by the witnesses
    publish    the checkpoint, in the place of the one before

Whatever is interrupted is taken up again from the first step. Whoever begins takes all entries
anew, from the first, and compares what they make with all that was signed and published.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from vault.log.errors import (
    KeyBehindError,
    OtherKeyError,
    StoreBehindError,
    StoreDiffersError,
    TileDiffersError,
    WitnessAheadError,
)
from vault.log.folder import CHECKPOINT
from vault.log.growth import File, Growth
from vault.sealing.errors import KeyStoreError, LogConflictError
from vault.sealing.log import Log, new_log
from vault.transparency.checkpoint import Checkpoint
from vault.transparency.encoding import FormError
from vault.transparency.note import Note, Signature, SignatureError, Signer, Verifier
from vault.transparency.policy import Policy
from vault.transparency.tiles import TileReader
from vault.transparency.tree import consistency_path, root_of

if TYPE_CHECKING:
    from vault.log.folder import LogFolder
    from vault.log.witnesses import Witnesses
    from vault.sealing.keystore import KeyStore
    from vault.store.recorder import Recorder

PAGE: Final = 4_096
"""Entries taken at once."""
BREATH_SECONDS: Final = 0.001
"""Between pages, so that whoever serves on the same processor comes to its turn."""


@dataclass(frozen=True, slots=True)
class Published:
    """A checkpoint that was published, and whether its witnesses are enough."""

    note: Note
    checkpoint: Checkpoint
    has_quorum: bool


def read_published(data: bytes, policy: Policy, log: Verifier) -> Published:
    """Return what a published checkpoint says.

    Raises:
        OtherKeyError: another key signed it.
        TileDiffersError: it is none.
    """
    try:
        note = Note.parse(data)
        judgement = policy.judge(note, log)
    except SignatureError:
        raise OtherKeyError(log.name) from None
    except FormError:
        raise TileDiffersError(CHECKPOINT) from None
    return Published(note, judgement.checkpoint, judgement.has_quorum)


class DatabaseChangedError(Exception):
    """The database was lost and found again, and may hold less: begin anew."""


class Integrator:
    """Integrates the entries of one lane into its log. One thread uses it."""

    def __init__(
        self,
        signer: Signer,
        recorder: Recorder,
        keys: KeyStore,
        folder: LogFolder,
        witnesses: Witnesses,
        *,
        pause: Callable[[float], None],
    ) -> None:
        """Make one that has taken nothing yet.

        Args:
            signer: the log's key, which bears its origin as name.
            pause: waits for so many seconds; raises whatever ends the work.
        """
        self._signer = signer
        self._origin = signer.verifier.name
        self._recorder = recorder
        self._keys = keys
        self._folder = folder
        self._witnesses = witnesses
        self._pause = pause
        self._incarnation = recorder.incarnation
        self._growth = Growth()
        self._unwritten: list[File] = []
        self._filled: list[str] = []
        self._agreed = 0
        self.published: Published | None = None

    def begin(self) -> None:
        """Take everything that was signed, compare it with everything there is, and publish it.

        Raises:
            LogRefusesError: if something of it contradicts.
        """
        log = self._load()
        data = self._folder.checkpoint()
        if data is not None:
            self.published = read_published(data, self._witnesses.policy, self._signer.verifier)
            checkpoint = self.published.checkpoint
            if checkpoint.size > log.size:
                raise KeyBehindError(self._origin, published=checkpoint.size, signed=log.size)
            self._must_hold(log)
            self._grow(checkpoint.size)
            self._must_be_root(checkpoint.size, checkpoint.root)
        self._must_agree(log)
        if log.size:
            self._publish(log)

    def go_on(self) -> None:
        """Sign and publish what has come since, if anything has.

        Raises:
            LogRefusesError: if it would contradict what was signed.
            DatabaseChangedError: if everything has to be compared again.
        """
        if self._recorder.incarnation != self._incarnation:
            raise DatabaseChangedError
        log = self._load()
        self._must_agree(log)
        size = self._recorder.tree_size()
        if size > log.size:
            self._prove(size)
            self._grow(size)
            self._save()
            try:
                log = self._keys.store_log(self._origin, log.with_head(size, self._growth.root()))
            except LogConflictError:
                # Another server was first: what it has signed is looked at in the next round.
                return
            self._agreed = log.number
        elif self._is_published(log):
            return
        self._publish(log)

    # --- What is compared

    def _load(self) -> Log:
        log = self._keys.load_log(self._origin)
        if log is None:
            raise OtherKeyError(self._origin)
        return log

    def _must_hold(self, log: Log) -> None:
        # After the head was read: what others sign and append meanwhile only adds to it.
        stored = self._recorder.tree_size()
        if stored < log.size:
            raise StoreBehindError(self._origin, signed=log.size, stored=stored)

    def _must_agree(self, log: Log) -> None:
        """Check that a head is one of the tree of the entries here."""
        self._must_hold(log)
        if log.number == self._agreed:
            return
        if log.size > self._growth.size:
            self._grow(log.size)
        self._must_be_root(log.size, log.root)
        self._agreed = log.number

    def _must_be_root(self, size: int, root: bytes) -> None:
        if size == self._growth.size:
            found = self._growth.root()
        else:
            self._save()
            found = root_of(self._tiles().nodes, size)
        if found != root:
            raise StoreDiffersError(self._origin, size)

    def _is_published(self, log: Log) -> bool:
        published = self.published
        if published is None or published.checkpoint.size != log.size:
            return not log.size
        return published.has_quorum or not self._witnesses.somebody_may_be_asked

    # --- The steps

    def _prove(self, size: int) -> None:
        (last,) = self._recorder.select_range(size - 1, size, limit=1)
        self._recorder.prove_durable(last)

    def _grow(self, size: int) -> None:
        """Take entries up to a size, and write what these fill."""
        while (taken := self._growth.size) < size:
            entries = self._recorder.select_entries(taken, min(PAGE, size - taken))
            if not entries:
                raise StoreBehindError(self._origin, signed=size, stored=taken)
            self._unwritten += self._growth.take(entries)
            self._write()
            if self._growth.size < size:
                self._pause(BREATH_SECONDS)

    def _write(self) -> None:
        self._folder.put((tile.path, data) for tile, data in self._unwritten)
        self._filled += [tile.path for tile, _ in self._unwritten]
        self._unwritten.clear()

    def _save(self) -> None:
        """Write all that a checkpoint of the present size stands on."""
        self._write()
        self._folder.put((tile.path, data) for tile, data in self._growth.partial())

    def _publish(self, log: Log) -> None:
        """Have the key's head signed and cosigned, and publish it."""
        checkpoint = Checkpoint(self._origin, log.size, log.root)
        self._save()
        note = Note(checkpoint.body(), (self._signer.sign(checkpoint.body()),))
        try:
            cosigned = self._witnesses.cosigned(note, checkpoint, self._prove_growth)
        except WitnessAheadError as error:
            if error.witnessed > self._load().size:
                raise
            # Of what another server has signed meanwhile.
            return
        note = self._with_earlier(cosigned)
        self._folder.publish(note.encode())
        judgement = self._witnesses.policy.judge(note, self._signer.verifier)
        self.published = Published(note, checkpoint, judgement.has_quorum)
        while self._filled:
            self._folder.drop_partial(self._filled.pop())

    def _with_earlier(self, note: Note) -> Note:
        """Add what the same checkpoint was cosigned with before."""
        if self.published is None or self.published.note.text != note.text:
            return note
        by_key: dict[tuple[str, bytes], Signature] = {}
        for signature in (*self.published.note.signatures, *note.signatures):
            by_key[signature.name, signature.key_id] = signature
        return Note(note.text, tuple(by_key.values()))

    def _prove_growth(self, old_size: int) -> tuple[bytes, ...]:
        return consistency_path(self._tiles().nodes, old_size, self._growth.size)

    def _tiles(self) -> TileReader:
        return TileReader(self._folder.read, self._growth.size)


def draw_log(keys: KeyStore, origin: str) -> Log:
    """Return a log's key and head; its key is drawn if it has none.

    Raises:
        SealingError: if the key store cannot be used.
    """
    for _ in range(2):
        log = keys.load_log(origin)
        if log is not None:
            return log
        try:
            return keys.store_log(origin, new_log())
        except LogConflictError:
            continue
    raise KeyStoreError("The key of the log was drawn by another server and is not there.")
