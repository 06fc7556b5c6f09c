# SPDX-License-Identifier: Apache-2.0
"""Everything that leaves a server while things go wrong, against what its records say in the end.

Services fetch, one by one and in batches, and citizens replace what is fetched. Whoever gets no
answer asks again later with the same `request_id`. A server that ends is started again.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import random
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Final

import grpc

from tests.faults.books import Write, stands
from tests.server import DEVELOPMENT, Server
from tests.wire import PACKAGE, failed
from tests.world import ADDRESS, STATED, Shared, World, connected, disclosing, new_id
from vault.api.v1 import disclosure_service_pb2 as disclosure
from vault.api.v1 import evidence_service_pb2 as evidence
from vault.api.v1.log_pb2 import Record

FETCHERS: Final = 3
BATCH: Final = 3
REPEATED: Final = 0.2
"""How many answered disclosures are asked for again."""

_DISCLOSE: Final = "DisclosureService/DiscloseEvidence"
_DISCLOSE_BATCH: Final = "DisclosureService/DiscloseEvidenceBatch"
_REPLACE: Final = "EvidenceService/ReplaceEvidence"
_PAUSE_SECONDS: Final = 0.01
_LOOK_SECONDS: Final = 0.05
_OPTIONS: Final = (
    ("grpc.initial_reconnect_backoff_ms", 50),
    ("grpc.min_reconnect_backoff_ms", 50),
    ("grpc.max_reconnect_backoff_ms", 200),
    ("grpc.use_local_subchannel_pool", 1),
)
_SECONDS: Final = 20.0


@dataclass
class Releases:
    """What was asked, what came, and what the log says.

    Attributes:
        deaths: how often the server ended.
    """

    writes: list[Write] = field(default_factory=list)
    log: dict[int, Record] = field(default_factory=dict)
    deaths: int = 0

    def received(self) -> list[Any]:
        """Return every answer with a payload."""
        return [write.answer for write in self.writes if write.answer and _has_payload(write)]

    def unknown(self) -> list[Write]:
        """Return what has no answer yet."""
        return [write for write in self.writes if write.answer is None]

    def is_silent(self, calls: int) -> bool:
        """Say whether none of the last so many calls has an answer."""
        last = self.writes[-calls:]
        return len(last) == calls and all(write.answer is None for write in last)

    def unrecorded(self) -> list[int]:
        """Return the payloads that left under a receipt that no record, or another one, bears."""
        return [
            answer.receipt.leaf_index
            for answer in self.received()
            if not stands(self.log, answer.receipt)
            or hashlib.sha256(answer.bundle).digest() != _named(self.log, answer.receipt.leaf_index)
        ]

    def doubled(self) -> list[int]:
        """Return the records under which more than one payload left."""
        counted = Counter(answer.receipt.leaf_index for answer in self.received())
        return [place for place, count in counted.items() if count > 1]

    def lost(self) -> list[int]:
        """Return the acknowledged positions that hold something else than was acknowledged."""
        receipts = (write.receipt for write in self.writes)
        return [each.leaf_index for each in receipts if each and not stands(self.log, each)]

    def faults(self) -> list[str]:
        """Return what is wrong, in words."""
        checks = {
            "left without a record that names it": self.unrecorded(),
            "left twice under one record": self.doubled(),
            "acknowledged, and lost": self.lost(),
            "without an answer": [write.method for write in self.unknown()],
            "more payloads than records": [0] * (len(self.received()) > self._disclosed()),
        }
        return [f"{name}: {found}" for name, found in checks.items() if found]

    def read(self, world: World, shared: Sequence[Shared]) -> None:
        """Read the log from the server, as an auditor would."""
        for one in shared:
            log = world.replay(one.citizen.vault_id)
            self.log.update({record.leaf_index: record for record in log})

    def _disclosed(self) -> int:
        kinds = Counter(json.loads(record.facts)["type"] for record in self.log.values())
        return kinds["evidence-disclosed.1"]


class Callers:
    """Everybody who calls one server, on one connection that is made again when it breaks."""

    def __init__(
        self, server: Server, shared: Sequence[Shared], releases: Releases, seed: object
    ) -> None:
        self._server = server
        self._shared = shared
        self._releases = releases
        self._drawn = random.Random(f"releases/{seed}")

    async def call_until(self, is_over: Callable[[], bool]) -> None:
        """Call and call, whatever happens, until it is over."""
        async with self._channel() as channel:
            everybody = [
                self._go_on(partial(action, channel, one), is_over)
                for one in self._shared
                for action in (*[self._fetch] * FETCHERS, self._fetch_many, self._replace)
            ]
            await asyncio.gather(*everybody)

    async def settle(self) -> None:
        """Ask again for everything that is unknown, until there is an answer to it."""
        async with self._channel() as channel:
            for _ in range(5):
                unknown = self._releases.unknown()
                await asyncio.gather(*(self._send(channel, write) for write in unknown))

    @asynccontextmanager
    async def _channel(self) -> AsyncIterator[grpc.aio.Channel]:
        async with grpc.aio.insecure_channel(self._server.target, options=_OPTIONS) as channel:
            yield channel

    async def _go_on(
        self, once: Callable[[], Awaitable[bool]], is_over: Callable[[], bool]
    ) -> None:
        while not is_over():
            if not await once():
                await asyncio.sleep(self._drawn.uniform(0, 10 * _PAUSE_SECONDS))

    async def _fetch(self, channel: grpc.aio.Channel, one: Shared) -> bool:
        write = _fetching(one)
        is_answered = await self._write(channel, write)
        if is_answered and self._drawn.random() < REPEATED:
            # What is sent once more leaves once more.
            return await self._write(channel, replace(write, answer=None))
        return is_answered

    async def _replace(self, channel: grpc.aio.Channel, one: Shared) -> bool:
        # Rarely: what was fetched meanwhile is not sent again.
        await asyncio.sleep(self._drawn.uniform(0, 20 * _PAUSE_SECONDS))
        values = {**ADDRESS, "buildingNumber": str(self._drawn.randrange(1, 9_000))}
        request = evidence.ReplaceEvidenceRequest(
            request_id=new_id(),
            evidence_id=one.citizen.evidence["postal_address"],
            values=json.dumps(values).encode(),
            source=STATED,
        )
        return await self._write(channel, Write(_REPLACE, "citizen", one.citizen.sub, request))

    async def _fetch_many(self, channel: grpc.aio.Channel, one: Shared) -> bool:
        writes = [_fetching(one) for _ in range(BATCH)]
        self._releases.writes += writes
        call: Any = channel.stream_stream(f"/{PACKAGE}.{_DISCLOSE_BATCH}")
        request = disclosure.DiscloseEvidenceBatchRequest(
            disclosures=[write.request for write in writes]
        )
        try:
            begun = call(
                iter([request.SerializeToString()]),
                metadata=self._metadata(writes[0]),
                timeout=_SECONDS,
            )
            async for data in begun:
                response = disclosure.DiscloseEvidenceBatchResponse.FromString(data)
                for write, result in zip(writes, response.results, strict=True):
                    if result.WhichOneof("outcome") == "disclosed":
                        write.answer = result.disclosed
        except grpc.aio.AioRpcError:
            return False
        return all(write.answer is not None for write in writes)

    async def _write(self, channel: grpc.aio.Channel, write: Write) -> bool:
        self._releases.writes.append(write)
        return await self._send(channel, write)

    async def _send(self, channel: grpc.aio.Channel, write: Write) -> bool:
        call: Any = channel.unary_unary(f"/{PACKAGE}.{write.method}")
        data = write.request.SerializeToString()
        try:
            answer = await call(data, metadata=self._metadata(write), timeout=_SECONDS)
        except grpc.aio.AioRpcError as error:
            told = failed(write.method, error)
            if told.reason == "EVIDENCE_CHANGED":
                # It was replaced since: the first receipt, and no payload.
                write.answer = disclosure.DiscloseEvidenceResponse(receipt=told.receipt)
            return write.answer is not None
        write.take(answer)
        return True

    def _metadata(self, write: Write) -> tuple[tuple[str, str], ...]:
        return (("authorization", f"Bearer {self._server.issuer.token(write.role, write.sub)}"),)


def prepared(server: Server, vaults: int = 2) -> list[Shared]:
    """Let a running server have some consents, and keep its address for ever."""
    server.options = (*DEVELOPMENT, "--listen", server.target)
    with connected(server.target) as channel:
        world = World(server, channel)
        return [world.share(world.citizen(), world.service()) for _ in range(vaults)]


@asynccontextmanager
async def kept_up(server: Server, releases: Releases) -> AsyncIterator[None]:
    """Start a server again whenever it ends, or whenever that is possible; at the end it is up."""
    is_over = asyncio.Event()

    async def keep_up() -> None:
        while not (is_over.is_set() and _is_up(server)):
            if not _is_up(server):
                releases.deaths += 1
                await asyncio.get_running_loop().run_in_executor(None, _start, server)
            await asyncio.sleep(_LOOK_SECONDS)

    keeping = asyncio.create_task(keep_up())
    try:
        yield
    finally:
        is_over.set()
        await keeping


def _is_up(server: Server) -> bool:
    return server.process is not None and server.process.poll() is None


def _start(server: Server) -> None:
    # What keeps it from starting may pass.
    with suppress(AssertionError):
        server.start()


def _fetching(one: Shared) -> Write:
    return Write(_DISCLOSE, "service", one.service.service_id, disclosing(one))


def _has_payload(write: Write) -> bool:
    return write.method == _DISCLOSE and bool(write.answer.bundle)


def _named(log: Mapping[int, Record], place: int) -> bytes:
    """Return the digest of the bundle that a record names."""
    said = json.loads(log[place].facts).get("bundle_hash", "")
    return base64.urlsafe_b64decode(said + "=" * (-len(said) % 4))
