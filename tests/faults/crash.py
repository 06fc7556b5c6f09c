# SPDX-License-Identifier: Apache-2.0
"""Killing the server under load, again and again, and keeping the books of what it acknowledged.

Clients provide, replace, share, fetch and stop at once. A call whose answer did not come is an
unknown outcome: after the restart it is sent again with its `request_id`, and then there is an
answer to every write that was ever made.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import random
import secrets
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import grpc
from google.protobuf import message_factory

from tests import auditor
from tests.server import Server, running
from tests.wire import METHODS, PACKAGE, failed
from tests.world import (
    ADDRESS,
    ADDRESS_FIELDS,
    INCOME,
    STATED,
    Citizen,
    Service,
    Shared,
    World,
    asking,
    connected,
    disclosing,
    new_id,
    providing,
)
from vault.api.v1 import consent_pb2
from vault.api.v1 import consent_service_pb2 as consent
from vault.api.v1 import evidence_service_pb2 as evidence
from vault.api.v1.disclosure_service_pb2 import DiscloseEvidenceResponse
from vault.api.v1.log_pb2 import Receipt, Record

VAULTS: Final = 5
LOAD_WRITES: Final = (40, 120)
"""Answered writes before a kill: on a slow machine it takes longer, and reaches as far."""
LONGEST_LOAD_SECONDS: Final = 20.0

KINDS: Final = {
    "EvidenceService/ProvideEvidence": ("evidence-provided.1",),
    "EvidenceService/ReplaceEvidence": ("evidence-replaced.1",),
    "ConsentService/RequestConsent": ("request-made.2",),
    "ConsentService/ClaimRequest": ("request-claimed.1", "consent-requested.2"),
    "ConsentService/RedeemCode": ("request-redeemed.1",),
    "ConsentService/GrantConsent": ("consent-granted.1",),
    "ConsentService/RevokeConsent": ("consent-revoked.1",),
    "DisclosureService/DiscloseEvidence": ("evidence-disclosed.1",),
}
"""What each write records once."""

_NOT_RETURNED: Final = frozenset({"UNAVAILABLE", "CANCELLED", "DEADLINE_EXCEEDED"})


@dataclass
class Write:
    """One write, and its answer once there is one."""

    method: str
    role: str
    sub: str
    request: Any
    answer: Any = None
    was_unknown: bool = False

    @property
    def receipt(self) -> Receipt | None:
        """Return the receipt in the answer, if this kind of answer has one."""
        has_one = self.answer is not None and "receipt" in self.answer.DESCRIPTOR.fields_by_name
        receipt: Receipt | None = self.answer.receipt if has_one else None
        return receipt


@dataclass
class Books:
    """What clients were told, and what the store holds in the end."""

    writes: list[Write] = field(default_factory=list)
    before: Counter[str] = field(default_factory=Counter)
    after: Counter[str] = field(default_factory=Counter)
    vaults: dict[str, list[Record]] = field(default_factory=dict)
    registry: list[Record] = field(default_factory=list)
    positions: list[int] = field(default_factory=list)
    damage: list[str] = field(default_factory=list)
    answered: int = 0

    def unknown(self) -> list[Write]:
        """Return the writes that have no answer yet."""
        return [write for write in self.writes if write.answer is None]

    def lost(self) -> list[int]:
        """Return the acknowledged positions that hold something else than was acknowledged."""
        log = {record.leaf_index: record for log in self.vaults.values() for record in log}
        return [
            receipt.leaf_index
            for receipt in (write.receipt for write in self.writes)
            if receipt is not None and not _stands(log, receipt)
        ]

    def miscounted(self) -> dict[str, int]:
        """Return what was recorded more or less often than it was asked for, and by how much."""
        asked = Counter(kind for write in self.writes for kind in KINDS[write.method])
        recorded = self.after - self.before
        return {
            kind: recorded[kind] - asked[kind] for kind in asked if recorded[kind] != asked[kind]
        }

    def holes(self) -> list[int]:
        """Return the positions that are missing."""
        return sorted(set(range(len(self.positions))) - set(self.positions))

    def receipts(self, vault_id: str) -> list[Receipt]:
        """Return the receipts that somebody holds for records of a vault."""
        places = {record.leaf_index for record in self.vaults[vault_id]}
        held = (write.receipt for write in self.writes)
        return [receipt for receipt in held if receipt and receipt.leaf_index in places]

    def judged(self, folder: Path) -> Iterator[dict[str, Any]]:
        """Have the auditor's program judge each vault."""
        for vault_id, log in self.vaults.items():
            yield auditor.judge(folder / vault_id, log, self.registry, self.receipts(vault_id))


def run(server: Server, cycles: int, *, seed: str = "crash") -> Books:
    """Kill a server so many times under load, settle what is unknown, and read what it holds."""
    drawn = random.Random(seed)
    books = Books()
    with running(server):
        with connected(server.target) as channel:
            world = World(server, channel)
            shared = [world.share(world.citizen(), world.service()) for _ in range(VAULTS)]
        books.before = _recorded(server)
        for _ in range(cycles):
            asyncio.run(_load_until_killed(server, shared, books, drawn))
            server.start()
            books.damage += _damage(server)
            asyncio.run(_settle(server, books))
        books.after = _recorded(server)
        with connected(server.target) as channel:
            world = World(server, channel)
            for one in shared:
                books.vaults[one.citizen.vault_id] = world.replay(one.citizen.vault_id)
            books.registry = world.replay_registry()
        books.positions = [
            int(str(position)) for (position,) in server.sql("SELECT position FROM entries")
        ]
        assert server.stop() == 0
    return books


async def _load_until_killed(
    server: Server, shared: Sequence[Shared], books: Books, drawn: random.Random
) -> None:
    async with grpc.aio.insecure_channel(server.target) as channel:
        load = [
            asyncio.create_task(work)
            for one in shared
            for client in [_Client(server, channel, one, books, random.Random(drawn.random()))]
            for work in (
                client.provide(),
                client.replace(),
                client.share_and_stop(),
                client.fetch(),
                client.fetch(),
            )
        ]
        wanted = books.answered + drawn.randint(*LOAD_WRITES)
        latest = time.monotonic() + LONGEST_LOAD_SECONDS
        # An event would be set by every write.
        while books.answered < wanted and time.monotonic() < latest:  # noqa: ASYNC110
            await asyncio.sleep(0.005)
        await asyncio.get_running_loop().run_in_executor(None, server.kill)
        await asyncio.gather(*load)


async def _settle(server: Server, books: Books) -> None:
    """Send what is unknown once more, with its own `request_id`."""
    async with grpc.aio.insecure_channel(server.target) as channel:

        async def once_more(write: Write) -> None:
            write.was_unknown = True
            assert await _send(server, channel, write), write.method

        await asyncio.gather(*(once_more(write) for write in books.unknown()))


async def _send(server: Server, channel: grpc.aio.Channel, write: Write) -> bool:
    """Send a write and note its answer; return whether one came."""
    call: Any = channel.unary_unary(f"/{PACKAGE}.{write.method}")
    token = server.issuer.token(write.role, write.sub)
    data = write.request.SerializeToString()
    try:
        answer = await call(data, metadata=(("authorization", f"Bearer {token}"),), timeout=20)
    except grpc.aio.AioRpcError as error:
        refused = failed(write.method, error)
        if refused.reason == "EVIDENCE_CHANGED":
            # It was replaced since: the bytes are not sent again, but the first receipt is.
            write.answer = DiscloseEvidenceResponse(receipt=refused.receipt)
            return True
        assert refused.code in _NOT_RETURNED, (write.method, refused.told)
        return False
    kind = message_factory.GetMessageClass(METHODS[write.method].output_type)
    write.answer = kind.FromString(answer)
    return True


class _Client:
    """Everybody around one vault; each goes on until the server is gone."""

    def __init__(
        self,
        server: Server,
        channel: grpc.aio.Channel,
        shared: Shared,
        books: Books,
        drawn: random.Random,
    ) -> None:
        self._server = server
        self._channel = channel
        self._shared = shared
        self._books = books
        self._drawn = drawn

    @property
    def _citizen(self) -> Citizen:
        return self._shared.citizen

    @property
    def _service(self) -> Service:
        return self._shared.service

    async def provide(self) -> None:
        """Provide one piece after the other."""
        while await self._hers("EvidenceService/ProvideEvidence", providing("income", INCOME)):
            pass

    async def replace(self) -> None:
        """Replace the address again and again."""
        is_there: Any = True
        while is_there:
            values = {**ADDRESS, "buildingNumber": str(self._drawn.randrange(1, 9_000))}
            request = evidence.ReplaceEvidenceRequest(
                request_id=new_id(),
                evidence_id=self._citizen.evidence["postal_address"],
                values=json.dumps(values).encode(),
                source=STATED,
            )
            is_there = await self._hers("EvidenceService/ReplaceEvidence", request)

    async def fetch(self) -> None:
        """Fetch the address again and again."""
        while await self._its("DisclosureService/DiscloseEvidence", disclosing(self._shared)):
            pass

    async def share_and_stop(self) -> None:
        """Ask, grant, redeem and stop, over and over."""
        while await self._share_once():
            pass

    async def _share_once(self) -> Any:
        verifier = secrets.token_urlsafe(32)
        asked = await self._its("ConsentService/RequestConsent", asking(self._service, verifier))
        if not asked:
            return None
        request_id = asked.consent_request.consent_request_id
        claimed = await self._hers(
            "ConsentService/ClaimRequest",
            consent.ClaimRequestRequest(request_id=new_id(), handoff_token=asked.handoff_token),
        )
        granted = claimed and await self._grant(request_id)
        redeemed = granted and await self._its(
            "ConsentService/RedeemCode",
            consent.RedeemCodeRequest(
                request_id=new_id(),
                consent_request_id=request_id,
                code=claimed.code,
                code_verifier=verifier,
            ),
        )
        return redeemed and await self._hers(
            "ConsentService/RevokeConsent",
            consent.RevokeConsentRequest(
                request_id=new_id(), consent_id=granted.consent.consent_id
            ),
        )

    async def _grant(self, consent_request_id: str) -> Any:
        item = consent_pb2.ItemChoice(
            evidence_id=self._citizen.evidence["postal_address"], names=ADDRESS_FIELDS
        )
        choice = consent_pb2.ConsentChoice(items=[item], language="en")
        preview = Write(
            "ConsentService/PreviewConsent",
            "citizen",
            self._citizen.sub,
            consent.PreviewConsentRequest(consent_request_id=consent_request_id, choice=choice),
        )
        if not await _send(self._server, self._channel, preview):
            return None
        return await self._hers(
            "ConsentService/GrantConsent",
            consent.GrantConsentRequest(
                request_id=new_id(),
                consent_request_id=consent_request_id,
                choice=choice,
                shown=preview.answer.shown,
            ),
        )

    async def _hers(self, method: str, request: Any) -> Any:
        return await self._write(Write(method, "citizen", self._citizen.sub, request))

    async def _its(self, method: str, request: Any) -> Any:
        return await self._write(Write(method, "service", self._service.service_id, request))

    async def _write(self, write: Write) -> Any:
        self._books.writes.append(write)
        is_answered = await _send(self._server, self._channel, write)
        self._books.answered += is_answered
        return write.answer


def _stands(log: dict[int, Record], receipt: Receipt) -> bool:
    record = log.get(receipt.leaf_index)
    return (
        record is not None
        and hashlib.sha256(b"\0" + record.entry).digest() == receipt.leaf_hash
        and record.facts == receipt.facts
        and hashlib.sha256(record.link).digest() == receipt.link_hash
    )


def _recorded(server: Server) -> Counter[str]:
    """Count records by kind; the repeat of a disclosure is none of its own."""
    counted = server.sql(
        'SELECT topic, count(*) FROM records WHERE instr(state, \'"repeats":"\') = 0'
        ' OR instr(state, \'"repeats":""\') > 0 GROUP BY topic'
    )
    return Counter({str(topic): int(str(count)) for topic, count in counted})


def _damage(server: Server) -> list[str]:
    return [
        str(said)
        for file in ("events.db", "keys.db")
        for (said,) in server.sql("PRAGMA integrity_check", file=file)
        if said != "ok"
    ]
