# SPDX-License-Identifier: Apache-2.0
"""The race of stops against disclosures: many clients at once on a real server, everything noted.

Half of the consents are revoked, half are paused; for what may leave it is the same.

All clients of one vault share a connection, so that what arrives on it arrives in the order in
which it was sent. A call whose answer did not come stays open for ever. What the store says in the
end is read from the replayed log, never from answers.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import random
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any, Final

import grpc

from tests.faults.linearizability import NEVER, Kind, Operation, Outcome, is_linearizable
from tests.server import Server
from tests.wire import PACKAGE, Answer, failed
from tests.world import Shared, World, connected, disclosing, new_id
from vault.api.v1 import consent_service_pb2 as consent
from vault.api.v1 import disclosure_service_pb2 as disclosure
from vault.api.v1.log_pb2 import Receipt, Record

AT_ONCE: Final = 10
DISCLOSERS: Final = 4
AFTERWARDS_SECONDS: Final = 0.06

_DISCLOSE: Final = "DisclosureService/DiscloseEvidence"
_STOPS: Final = (
    ("ConsentService/RevokeConsent", consent.RevokeConsentRequest),
    ("ConsentService/PauseConsent", consent.PauseConsentRequest),
)
_UNKNOWN: Final = frozenset({"DEADLINE_EXCEEDED", "CANCELLED", "UNAVAILABLE", "ABORTED"})


@dataclass(frozen=True)
class Noted(Operation):
    """An operation, with what its answer held."""

    consent_id: str
    receipt: Receipt | None = None
    bundle: bytes = b""


@dataclass
class Race:
    """What the clients saw, by consent, and what the log holds, by position."""

    histories: dict[str, list[Noted]] = field(default_factory=dict)
    log: dict[int, Record] = field(default_factory=dict)

    @property
    def operations(self) -> list[Noted]:
        """Return everything that was noted."""
        return [noted for history in self.histories.values() for noted in history]

    def impossible_histories(self) -> list[str]:
        """Return the consents whose history could not have happened one call after the other."""
        return [
            consent_id
            for consent_id, history in self.histories.items()
            if not is_linearizable(history)
        ]

    def disclosed_after_stopped(self) -> list[tuple[int, str]]:
        """Return what stands in the log although its consent was not in force there."""
        in_force: set[str] = set()
        found = []
        for position in sorted(self.log):
            facts = json.loads(self.log[position].facts)
            consent_id = facts.get("consent_id", "")
            match facts["type"]:
                case "consent-granted.1":
                    in_force.add(consent_id)
                case "consent-revoked.1" | "consent-paused.1":
                    in_force.remove(consent_id)
                case "evidence-disclosed.1" if consent_id not in in_force:
                    found.append((position, consent_id))
        return found

    def inversions(self) -> list[tuple[int, int]]:
        """Return pairs of positions in the other order than their calls."""
        return inversions(
            (noted.called, noted.returned, noted.receipt.leaf_index)
            for noted in self.operations
            if noted.receipt is not None
        )

    def late_bundles(self) -> list[str]:
        """Return the consents of which data arrived after the stop was acknowledged."""
        found = []
        for consent_id, history in self.histories.items():
            stopped = min((n.returned for n in history if _is_stop(n)), default=NEVER)
            if any(noted.bundle and noted.returned > stopped for noted in history):
                found.append(consent_id)
        return found

    def misplaced(self) -> list[int]:
        """Return the receipts whose place in the log holds something else than they say."""
        found = []
        for noted in self.operations:
            receipt = noted.receipt
            if receipt is None:
                continue
            record = self.log.get(receipt.leaf_index)
            if (
                record is None
                or record.facts != receipt.facts
                or hashlib.sha256(b"\0" + record.entry).digest() != receipt.leaf_hash
                or (noted.bundle and _bundle_hash(noted.bundle) != _said_hash(receipt))
            ):
                found.append(receipt.leaf_index)
        return found

    def findings(self) -> set[str]:
        """Return the names of the checks that found something."""
        checks = {
            "impossible history": self.impossible_histories(),
            "disclosed after stopped": self.disclosed_after_stopped(),
            "inversion": self.inversions(),
            "late bundle": self.late_bundles(),
            "misplaced": self.misplaced(),
        }
        return {name for name, found in checks.items() if found}


def inversions(calls: Iterable[tuple[float, float, int]]) -> list[tuple[int, int]]:
    """Return pairs where one returned before the other was called, but stands behind it.

    Args:
        calls: (called, returned, position) of each.
    """
    moments = []
    for called, returned, position in calls:
        moments += [(called, 0, position), (returned, 1, position)]
    highest, found = -1, []
    # At the same moment a call comes first: it was not made after the return.
    for _, is_return, position in sorted(moments):
        if is_return:
            highest = max(highest, position)
        elif position < highest:
            found.append((highest, position))
    return found


def run(server: Server, histories: int, *, seed: str = "race") -> Race:
    """Race so many consents on a running server, and read the log."""
    race = Race()
    with connected(server.target) as channel:
        world = World(server, channel)
        shared = _share(world, histories)
        asyncio.run(_race_all(server, shared, race, random.Random(seed)))
        for vault_id in {one.citizen.vault_id for one in shared}:
            race.log.update({record.leaf_index: record for record in world.replay(vault_id)})
    return race


def _share(world: World, count: int) -> Sequence[Shared]:
    with ThreadPoolExecutor(16) as threads:
        # Two consents of each vault race at the same time.
        citizens = list(threads.map(lambda _: world.citizen(), range(AT_ONCE // 2)))
        services = list(threads.map(lambda _: world.service(), range(2)))

        def one(number: int) -> Shared:
            return world.share(citizens[number % len(citizens)], services[number % 2])

        return list(threads.map(one, range(count)))


async def _race_all(
    server: Server, shared: Sequence[Shared], race: Race, drawn: random.Random
) -> None:
    async with AsyncExitStack() as open_:
        channels: dict[str, grpc.aio.Channel] = {}
        for one in shared:
            vault_id = one.citizen.vault_id
            if vault_id not in channels:
                channel = grpc.aio.insecure_channel(
                    server.target, options=(("grpc.use_local_subchannel_pool", 1),)
                )
                channels[vault_id] = await open_.enter_async_context(channel)
        for start in range(0, len(shared), AT_ONCE):
            together = shared[start : start + AT_ONCE]
            tracks = [
                _Track(server, channels[one.citizen.vault_id], one, drawn, _STOPS[number % 2])
                for number, one in enumerate(together)
            ]
            await asyncio.gather(*(track.run() for track in tracks))
            race.histories.update({track.consent_id: track.history for track in tracks})


class _Track:
    """One consent, those who fetch under it, and her who stops it."""

    def __init__(
        self,
        server: Server,
        channel: grpc.aio.Channel,
        shared: Shared,
        drawn: random.Random,
        stop: tuple[str, Any],
    ) -> None:
        self.consent_id = shared.consent_id
        self.history: list[Noted] = []
        self._channel = channel
        self._shared = shared
        self._drawn = random.Random(drawn.random())
        self._stopping, self._request = stop
        issuer = server.issuer
        self._citizen = issuer.token("citizen", shared.citizen.sub)
        self._service = issuer.token("service", shared.service.service_id)
        self._is_over = False

    async def run(self) -> None:
        """Fetch all the time, stop once, and go on fetching for a while."""
        fetching = [asyncio.create_task(self._fetch()) for _ in range(DISCLOSERS)]
        stopping = [self._stop()]
        if self._drawn.random() < 0.2:
            stopping.append(self._stop())
        await asyncio.gather(*stopping)
        await asyncio.sleep(AFTERWARDS_SECONDS)
        self._is_over = True
        await asyncio.gather(*fetching)

    async def _fetch(self) -> None:
        is_stopped = False
        while not self._is_over:
            # Those who are refused come back at leisure: what was allowed is what matters.
            await asyncio.sleep(self._drawn.uniform(0, 0.06 if is_stopped else 0.01))
            is_hasty = self._drawn.random() < 0.08
            seconds = self._drawn.uniform(0.002, 0.02) if is_hasty else 20.0
            outcome = await self._note(
                "disclose", _DISCLOSE, disclosing(self._shared), self._service, seconds
            )
            is_stopped = outcome == "refused"

    async def _stop(self) -> None:
        await asyncio.sleep(self._drawn.uniform(0.05, 0.25))
        is_hasty = self._drawn.random() < 0.15
        seconds = self._drawn.uniform(0.002, 0.2) if is_hasty else 20.0
        request = self._request(request_id=new_id(), consent_id=self.consent_id)
        await self._note("stop", self._stopping, request, self._citizen, seconds)

    async def _note(
        self, kind: Kind, method: str, request: Any, token: str, seconds: float
    ) -> Outcome:
        call: Any = self._channel.unary_unary(f"/{PACKAGE}.{method}")
        metadata = (("authorization", f"Bearer {token}"),)
        called = time.monotonic_ns()
        try:
            data = await call(request.SerializeToString(), metadata=metadata, timeout=seconds)
        except grpc.aio.AioRpcError as error:
            returned = time.monotonic_ns()
            outcome = _outcome(failed(method, error))
            at = NEVER if outcome == "unknown" else returned
            self.history.append(Noted(kind, outcome, called, at, self.consent_id))
            return outcome
        returned = time.monotonic_ns()
        response = _RESPONSES[kind].FromString(data)
        noted = Noted(
            kind,
            "done",
            called,
            returned,
            self.consent_id,
            response.receipt,
            getattr(response, "bundle", b""),
        )
        self.history.append(noted)
        return "done"


_RESPONSES: Final[dict[Kind, Any]] = {
    "disclose": disclosure.DiscloseEvidenceResponse,
    # Both have the receipt at the same place.
    "stop": consent.RevokeConsentResponse,
}


def _outcome(answer: Answer) -> Outcome:
    if answer.reason in {"CONSENT_REVOKED", "CONSENT_PAUSED"}:
        return "refused"
    # Recorded, though nothing came: it took effect.
    if answer.reason == "RELEASE_TOO_LATE":
        return "done"
    assert answer.code in _UNKNOWN, answer.told
    return "unknown"


def _is_stop(noted: Noted) -> bool:
    return noted.kind == "stop" and noted.outcome == "done"


def _bundle_hash(bundle: bytes) -> bytes:
    return hashlib.sha256(bundle).digest()


def _said_hash(receipt: Receipt) -> bytes:
    return base64.urlsafe_b64decode(json.loads(receipt.facts)["bundle_hash"] + "=")
