# SPDX-License-Identifier: Apache-2.0
"""Gates for disclosures, so that a flood of them leaves room for all other calls."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Final

from vault.domain.errors import LimitExceededError
from vault.server.authorization import PACKAGE

BATCHES_AT_ONCE: Final = 8
"""Each holds as many disclosures as its message: together they must not fill the committer."""


def gates_of(width: int, waiting: int) -> dict[str, Gate]:
    """Return the gate of each method that has one, by its full name.

    Args:
        width: disclosures under way at once.
        waiting: calls that may wait for their turn.
    """
    service = f"/{PACKAGE}.DisclosureService"
    gate = Gate(width, waiting)
    return {
        f"{service}/DiscloseEvidence": gate,
        f"{service}/DiscloseDocument": gate,
        f"{service}/DiscloseEvidenceBatch": Gate(min(width, BATCHES_AT_ONCE), waiting),
    }


class Gate:
    """Lets so many through at once; so many more may wait, in order; the rest is turned away."""

    def __init__(self, width: int, waiting: int) -> None:
        self.places = asyncio.Semaphore(width)
        self.most = width + waiting
        self.inside = 0

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
            raise LimitExceededError(detail="Too many disclosures wait.")
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
