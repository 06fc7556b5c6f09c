# SPDX-License-Identifier: Apache-2.0
"""Gates for disclosures, streams and proofs: a flood of them leaves room for all other calls."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from types import TracebackType
from typing import Final

from vault.application.caller import Caller
from vault.domain.errors import LimitExceededError
from vault.server.authorization import PACKAGE

BATCHES_AT_ONCE: Final = 8
"""Each holds as many disclosures as its message: together they must not fill the committer."""
STREAMS_OF_ONE: Final = 16
"""So many may one caller have open; a client needs a few."""
IMPORTS_AT_ONCE: Final = 4
"""Each may hold 64 MiB until all of it is verified."""


def gates_of(width: int, waiting: int, calls: int) -> dict[str, Gate]:
    """Return the gate of each method that has one, by its full name.

    Args:
        width: disclosures under way at once.
        waiting: calls that may wait for their turn.
        calls: calls of all methods at once. Who asks for a proof waits for the log, which may be
            standing still: they take a quarter at most.
    """
    service = f"/{PACKAGE}.DisclosureService"
    gate = Gate(width, waiting)
    return {
        f"{service}/DiscloseEvidence": gate,
        f"{service}/DiscloseDocument": gate,
        f"{service}/DiscloseEvidenceBatch": Gate(min(width, BATCHES_AT_ONCE), waiting),
        f"/{PACKAGE}.AuditService/GetInclusionProof": Gate(max(1, calls // 4), 0, "proofs"),
    }


def streams_of(calls: int) -> Streams:
    """Return the gate of open streams: they take a quarter of all calls, however many come."""
    most = max(1, calls // 4)
    of_one = min(STREAMS_OF_ONE, max(1, most // 4))
    half = max(1, most // 2)
    return Streams(
        most,
        of_one,
        {
            f"/{PACKAGE}.VaultService/ImportVault": Streams(min(half, IMPORTS_AT_ONCE), 1),
            # Each reads a whole vault, or a whole log, for as long as its caller takes.
            f"/{PACKAGE}.VaultService/ExportVault": Streams(half, min(of_one, 2)),
            f"/{PACKAGE}.AuditService/ReplayLane": Streams(half, min(of_one, 4)),
        },
    )


class Streams:
    """Lets so many streams be open at once, and so many of one caller; nobody waits.

    A stream holds the place of a call for as long as its caller likes: without this gate a single
    caller could take them all, and nobody else would be heard, not even to revoke.
    """

    def __init__(
        self, most: int, most_of_one: int, of_method: Mapping[str, Streams] | None = None
    ) -> None:
        """Let so many be open, of one caller no more than `most_of_one`.

        Args:
            of_method: the narrower gate of a method that has one, by its full name.
        """
        self.most = most
        self.most_of_one = most_of_one
        self.of_method = of_method or {}
        self.open: Counter[tuple[str, str, str]] = Counter()

    @contextmanager
    def place(self, caller: Caller, method: str = "") -> Iterator[None]:
        """Hold a place for a caller's stream of a method.

        Raises:
            LimitExceededError: if too many are open.
        """
        narrower = self.of_method.get(method)
        with narrower.place(caller) if narrower else nullcontext(), self._own_place(caller):
            yield

    @contextmanager
    def _own_place(self, caller: Caller) -> Iterator[None]:
        who = (caller.role, caller.issuer, caller.sub)
        if self.open[who] >= self.most_of_one or self.open.total() >= self.most:
            raise LimitExceededError(detail="Too many streams are open.")
        self.open[who] += 1
        try:
            yield
        finally:
            self.open[who] -= 1
            if not self.open[who]:
                del self.open[who]


class Gate:
    """Lets so many through at once; so many more may wait, in order; the rest is turned away."""

    def __init__(self, width: int, waiting: int, what: str = "disclosures") -> None:
        self.places = asyncio.Semaphore(width)
        self.most = width + waiting
        self.inside = 0
        self.what = what

    def place(self) -> Place:
        """Return a place, which `async with` waits for and holds."""
        return Place(self)


class Place:
    """A place inside a gate."""

    __slots__ = ("_gate",)

    def __init__(self, gate: Gate) -> None:
        self._gate = gate

    async def __aenter__(self) -> None:
        """Wait for the place.

        Raises:
            LimitExceededError: if too many wait already.
        """
        gate = self._gate
        if gate.inside >= gate.most:
            raise LimitExceededError(detail=f"Too many {gate.what} wait.")
        gate.inside += 1
        try:
            await gate.places.acquire()
        except BaseException:
            gate.inside -= 1
            raise

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._gate.places.release()
        self._gate.inside -= 1
