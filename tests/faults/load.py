# SPDX-License-Identifier: Apache-2.0
"""Clients that provide, replace, share, fetch and stop at once, and note what they were told."""

from __future__ import annotations

import asyncio
import json
import random
import secrets
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

import grpc

from tests.faults.books import Books, Write
from tests.server import Server
from tests.wire import PACKAGE, failed
from tests.world import (
    ADDRESS,
    ADDRESS_FIELDS,
    INCOME,
    STATED,
    Citizen,
    Service,
    Shared,
    asking,
    disclosing,
    new_id,
    providing,
)
from vault.api.v1 import consent_pb2
from vault.api.v1 import consent_service_pb2 as consent
from vault.api.v1 import evidence_service_pb2 as evidence
from vault.api.v1.disclosure_service_pb2 import DiscloseEvidenceResponse

TRIES: Final = 8
LONGEST_SECONDS: Final = 20.0
"""How long to wait for a load to get anywhere."""

_NOT_RETURNED: Final = frozenset({"UNAVAILABLE", "CANCELLED", "DEADLINE_EXCEEDED"})


_NOT_RELEASED: Final = frozenset({"RELEASE_TOO_LATE", "CONCURRENT_CHANGE"})


async def load(
    server: Server,
    shared: Sequence[Shared],
    books: Books,
    drawn: random.Random,
    mishap: Callable[[], Awaitable[None]],
) -> None:
    """Let everybody call until they get no answer any more, because of a mishap."""
    async with grpc.aio.insecure_channel(server.target) as channel:
        clients = [
            _Client(server, channel, one, books, random.Random(drawn.random())) for one in shared
        ]
        calling = [
            asyncio.create_task(work)
            for client in clients
            for work in (
                client.provide(),
                client.replace(),
                client.share_and_stop(),
                client.fetch(),
                client.fetch(),
            )
        ]
        await mishap()
        await asyncio.gather(*calling)


async def answered(books: Books, writes: int, seconds: float = LONGEST_SECONDS) -> None:
    """Wait until so many more writes are answered, or for so long."""
    wanted = books.answered + writes
    latest = time.monotonic() + seconds
    # An event would be set by every write.
    while books.answered < wanted and time.monotonic() < latest:  # noqa: ASYNC110
        await asyncio.sleep(0.005)


async def settle(server: Server, books: Books) -> None:
    """Send what is unknown once more, with its own `request_id`."""
    async with grpc.aio.insecure_channel(server.target) as channel:

        async def once_more(write: Write) -> None:
            write.was_unknown = True
            # What is recorded may be too late to leave, on a busy machine.
            for _ in range(TRIES):
                if await _send(server, channel, write, books):
                    return
            raise AssertionError(f"{write.method} is not answered")

        await asyncio.gather(*(once_more(write) for write in books.unknown()))


async def _send(server: Server, channel: grpc.aio.Channel, write: Write, books: Books) -> bool:
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
        is_unknown = refused.code in _NOT_RETURNED or refused.reason in _NOT_RELEASED
        assert is_unknown or books.is_lenient, (write.method, refused.told)
        return False
    write.take(answer)
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
        if not await _send(self._server, self._channel, preview, self._books):
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
        if self._books.is_closed:
            return None
        self._books.writes.append(write)
        is_answered = await _send(self._server, self._channel, write, self._books)
        self._books.answered += is_answered
        return write.answer
