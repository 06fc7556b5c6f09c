# SPDX-License-Identifier: Apache-2.0
"""Asks the witnesses of a policy to cosign a checkpoint (C2SP tlog-witness).

All are asked at once. One that gives no good answer in time is left alone for a while: it holds up
nobody, and shows in the age of what no quorum has signed. One that has seen more, or something
else, is believed: the log refuses to sign.
"""

from __future__ import annotations

import http.client
import logging
import socket
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import closing, suppress
from typing import Final
from urllib.parse import urlsplit

from vault.log.errors import WitnessAheadError, WitnessContradictsError
from vault.transparency.checkpoint import Checkpoint
from vault.transparency.note import Note, Signature
from vault.transparency.policy import Policy, Witness
from vault.transparency.witness import AddCheckpoint, cosignature_of, parse_size

ANSWER_SECONDS: Final = 1.0
"""How long witnesses may take; who takes longer is not waited for, nor asked again meanwhile."""
FIRST_PAUSE_SECONDS: Final = 1.0
LONGEST_PAUSE_SECONDS: Final = 60.0
LARGEST_ANSWER_BYTES: Final = 16 * 1024

Prove = Callable[[int], tuple[bytes, ...]]
"""Returns the proof that the checkpoint's tree grew out of one of so many leaves."""

_TRIES: Final = 3
"""It tells its size on the first; another server of the log may come first on the second."""

_logger = logging.getLogger(__name__)


class Witnesses:
    """The witnesses of a policy that can be asked: those with an address in it."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self._asked = [_Asked(witness) for witness in policy.witnesses if witness.url]
        self._pool = ThreadPoolExecutor(max(1, len(self._asked)), thread_name_prefix="witness")

    def cosigned(self, note: Note, checkpoint: Checkpoint, prove: Prove) -> Note:
        """Return a signed checkpoint with the cosignatures of those who gave one in time.

        Raises:
            WitnessAheadError, WitnessContradictsError: one has seen what the log has not signed.
        """
        asked = [each for each in self._asked if each.may_be_asked]
        for each in asked:
            each.begin(self._pool, note, checkpoint, prove)
        deadline = time.monotonic() + ANSWER_SECONDS
        signatures = [each.answer(deadline) for each in asked]
        return note.adding(*(signature for signature in signatures if signature is not None))

    @property
    def somebody_may_be_asked(self) -> bool:
        """Whether asking again may bring more."""
        return any(each.may_be_asked for each in self._asked)

    def close(self) -> None:
        """Ask nobody any more."""
        for asked in self._asked:
            asked.close()
        self._pool.shutdown()


class _Asked:
    """One witness, and what is known of it. Used by one thread at a time."""

    def __init__(self, witness: Witness) -> None:
        self._answer: Future[Signature | None] | None = None
        self._witness = witness
        address = urlsplit(witness.url)
        kind: type[http.client.HTTPConnection] = http.client.HTTPSConnection
        if address.scheme == "http":
            kind = http.client.HTTPConnection
        self._connection = kind(address.hostname or "", address.port, timeout=ANSWER_SECONDS)
        self._path = f"{address.path.rstrip('/')}/add-checkpoint"
        # What it has cosigned; it says so when this is wrong.
        self._size = 0
        self._pause_seconds = FIRST_PAUSE_SECONDS
        self._not_before = 0.0

    @property
    def may_be_asked(self) -> bool:
        """Whether it is not still answering, nor left alone for a while."""
        is_idle = self._answer is None or self._answer.done()
        return is_idle and time.monotonic() >= self._not_before

    def begin(
        self, pool: ThreadPoolExecutor, note: Note, checkpoint: Checkpoint, prove: Prove
    ) -> None:
        """Ask it for its cosignature.

        Raises:
            LogRefusesError: why, in an answer that came too late before.
        """
        late, self._answer = self._answer, pool.submit(self._ask, note, checkpoint, prove)
        if late is not None:
            late.result()

    def answer(self, deadline: float) -> Signature | None:
        """Return its cosignature; None if there is none in time.

        Raises:
            LogRefusesError: if it has seen what contradicts the checkpoint.
        """
        if self._answer is None:
            return None
        answered, _ = wait([self._answer], max(0.0, deadline - time.monotonic()))
        if not answered:
            return None
        answer, self._answer = self._answer, None
        return answer.result()

    def close(self) -> None:
        """Close the connection, also under whoever is waiting for an answer."""
        with suppress(OSError, AttributeError):
            self._connection.sock.shutdown(socket.SHUT_RDWR)
        self._connection.close()

    def _ask(self, note: Note, checkpoint: Checkpoint, prove: Prove) -> Signature | None:
        """Return its cosignature; None if there is none now."""
        try:
            signature = self._cosignature(note, checkpoint, prove)
        except (OSError, http.client.HTTPException, ValueError) as error:
            # Nothing of the message: it may quote what came.
            kind, name = type(error).__name__, self._witness.verifier.name
            _logger.warning("the witness %s gave no cosignature: %s", name, kind)
            self._not_before = time.monotonic() + self._pause_seconds
            self._pause_seconds = min(2 * self._pause_seconds, LONGEST_PAUSE_SECONDS)
            return None
        self._pause_seconds = FIRST_PAUSE_SECONDS
        return signature

    def _cosignature(self, note: Note, checkpoint: Checkpoint, prove: Prove) -> Signature:
        for _ in range(_TRIES):
            path = prove(self._size) if self._size else ()
            status, answer = self._post(AddCheckpoint(self._size, path, note).encode())
            match status:
                case http.client.OK:
                    signature = cosignature_of(answer, note, self._witness.verifier)
                    self._size = checkpoint.size
                    return signature
                case http.client.CONFLICT:
                    self._learn(parse_size(answer), checkpoint)
                case http.client.UNPROCESSABLE_ENTITY:
                    raise WitnessContradictsError(self._witness.verifier.name)
                case _:
                    break
        raise _NoCosignatureError

    def _learn(self, size: int, checkpoint: Checkpoint) -> None:
        if size > checkpoint.size:
            name = self._witness.verifier.name
            raise WitnessAheadError(name, witnessed=size, signed=checkpoint.size)
        self._size = size

    def _post(self, body: bytes) -> tuple[int, bytes]:
        try:
            return self._send(body)
        except (http.client.HTTPException, ConnectionError):
            # A witness closes connections that wait too long.
            return self._send(body)

    def _send(self, body: bytes) -> tuple[int, bytes]:
        try:
            self._connection.request("POST", self._path, body)
            with closing(self._connection.getresponse()) as answer:
                content = answer.read(LARGEST_ANSWER_BYTES + 1)
        except BaseException:
            self._connection.close()
            raise
        if len(content) > LARGEST_ANSWER_BYTES:
            self._connection.close()
            raise _NoCosignatureError
        return answer.status, content


class _NoCosignatureError(ValueError):
    """It answered, and did not cosign."""
