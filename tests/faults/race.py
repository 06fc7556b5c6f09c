# SPDX-License-Identifier: Apache-2.0
"""The race of decisions against disclosures: random histories of many consents, everything noted.

A citizen grants, pauses, resumes, narrows, shortens and revokes, from one device or two; a service
fetches and asks whether it could, above all while she decides. Everybody talks to any of the
servers. Some have no patience: what they gave up is an unknown outcome, and may be sent again with
its `request_id`. All clients of one vault share a connection to each server, so that what arrives
on it arrives in the order in which it was sent.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, suppress
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any, Final

import grpc
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from tests.faults.callers import OPTIONS, Caller, Said
from tests.faults.histories import FIELDS, PART, Histories, Noted
from tests.faults.linearizability import DONE, NEVER, UNKNOWN, Kind
from tests.faults.site import Site
from tests.world import Shared, World, asking, choosing, connected, new_id
from vault.api.v1 import consent_pb2, disclosure_pb2
from vault.api.v1 import consent_service_pb2 as consent
from vault.api.v1 import disclosure_service_pb2 as disclosure
from vault.domain.values import time_of

VAULTS: Final = 8
"""Among how many the consents are; the fewer, the more stand in each other's way."""
AT_ONCE: Final = 20
"""How many consents race at the same time."""
BATCH: Final = 12
"""Histories after which a run that looks for something looks whether it has found it."""
PRESSED_SECONDS: Final = 0.06
"""How long after she began to decide, and after she was answered, the others hurry."""
CLOCK_SLACK_NS: Final = 5_000_000
"""How far two readings of this machine's clocks may lie apart."""
SLOW_CLOCK: Final = timedelta(hours=1)
"""How slow the services' own clock is. They say what it shows, and nobody may believe it."""

_METHODS: Final[dict[Kind, str]] = {
    "grant": "ConsentService/GrantConsent",
    "pause": "ConsentService/PauseConsent",
    "resume": "ConsentService/ResumeConsent",
    "revoke": "ConsentService/RevokeConsent",
    "narrow": "ConsentService/NarrowConsent",
    "shorten": "ConsentService/NarrowConsent",
    "check": "DisclosureService/CheckDisclosures",
    "check part": "DisclosureService/CheckDisclosures",
}
_DISCLOSE: Final = "DisclosureService/DiscloseEvidence"


def run(
    site: Site,
    histories: int,
    *,
    seed: str,
    until: Collection[str] = (),
) -> Histories:
    """Race so many consents on the running servers of a site, and read the log.

    Args:
        seed: what is drawn is drawn from it; what the machine makes of it is its own affair.
        until: stop as soon as these checks have all found something.
    """
    raced = Histories(seed)
    with connected(site.servers[0].target) as channel:
        world = World(site.servers[0], channel)
        pairs = _pairs(world)
        for start in range(0, histories, BATCH if until else histories):
            numbers = range(start, min(start + BATCH, histories) if until else histories)
            asyncio.run(_Race(site, pairs, raced).run(numbers))
            for vault_id in {shared.citizen.vault_id for shared in pairs}:
                raced.log.update({record.leaf_index: record for record in world.replay(vault_id)})
            if until and raced.findings().keys() >= set(until):
                break
    return raced


def _pairs(world: World) -> list[Shared]:
    """Have every service know every citizen."""
    with ThreadPoolExecutor(8) as threads:
        citizens = list(threads.map(lambda _: world.citizen(), range(VAULTS)))
        services = [world.council, world.service()]
        return list(threads.map(lambda pair: world.share(*pair), product(citizens, services)))


class _Race:
    """So many histories at a time, on connections of their own."""

    def __init__(self, site: Site, pairs: Sequence[Shared], raced: Histories) -> None:
        self._site = site
        self._pairs = pairs
        self._raced = raced
        self._places = asyncio.Semaphore(AT_ONCE)
        self._channels: dict[str, list[grpc.aio.Channel]] = {}

    async def run(self, numbers: Sequence[int]) -> None:
        async with AsyncExitStack() as held:
            for vault_id in {shared.citizen.vault_id for shared in self._pairs}:
                self._channels[vault_id] = [
                    await held.enter_async_context(
                        grpc.aio.insecure_channel(server.target, options=OPTIONS)
                    )
                    for server in self._site.servers
                ]
            await held.enter_async_context(self._site.kept_up())
            await asyncio.gather(*(self._one(number) for number in numbers))

    async def _one(self, number: int) -> None:
        drawn = random.Random(f"{self._raced.seed}/{number}")
        shared = drawn.choice(self._pairs)
        channels = self._channels[shared.citizen.vault_id]
        async with self._places:
            history = _History(self._site, channels, shared, drawn)
            await history.run()
        self._raced.by_consent[history.consent_id] = history.noted


class _History:
    """One consent: she who decides on it, and those who fetch under it."""

    def __init__(
        self,
        site: Site,
        channels: Sequence[grpc.aio.Channel],
        shared: Shared,
        drawn: random.Random,
    ) -> None:
        self.consent_id = ""
        self.noted: list[Noted] = []
        self._processes = len(channels)
        self._shared = shared
        self._drawn = drawn
        issuer = site.servers[0].issuer
        self._citizen = Caller(channels, issuer.token("citizen", shared.citizen.sub))
        self._service = Caller(channels, issuer.token("service", shared.service.service_id))
        self._end_wall: datetime | None = None
        self._pressed = asyncio.Event()
        self._is_over = False

    async def run(self) -> None:
        """Grant; fetch all the time while she decides this and that; go on for a while."""
        granted = await self._decide("grant", await self._asked(), is_persistent=True)
        self.consent_id = granted.message.consent.consent_id
        fetching = [asyncio.create_task(self._fetch()) for _ in range(self._drawn.randint(2, 4))]
        devices = 2 if self._drawn.random() < 0.2 else 1
        await asyncio.gather(*(self._decide_in_turn() for _ in range(devices)))
        await asyncio.sleep(self._drawn.uniform(0.02, 0.1))
        self._is_over = True
        await asyncio.gather(*fetching)

    async def _asked(self) -> consent.GrantConsentRequest:
        """Have the service ask and the citizen look at it; return what grants it."""
        asking_her = asking(self._shared.service, new_id() * 2)
        asked = await self._insist(self._service, "ConsentService/RequestConsent", asking_her)
        asked_id = asked.consent_request.consent_request_id
        claim = consent.ClaimRequestRequest(request_id=new_id(), handoff_token=asked.handoff_token)
        await self._insist(self._citizen, "ConsentService/ClaimRequest", claim)
        choice = choosing(self._shared.citizen)
        preview = consent.PreviewConsentRequest(consent_request_id=asked_id, choice=choice)
        shown = await self._insist(self._citizen, "ConsentService/PreviewConsent", preview)
        return consent.GrantConsentRequest(
            request_id=new_id(), consent_request_id=asked_id, choice=choice, shown=shown.shown
        )

    async def _insist(self, caller: Caller, method: str, request: Message) -> Any:
        while True:
            said = await caller.call(self._process(), method, request, 20.0)
            if said.outcome == DONE:
                return said.message
            assert said.outcome == UNKNOWN, (method, said.outcome)

    async def _decide_in_turn(self) -> None:
        for kind in self._script():
            await asyncio.sleep(self._drawn.uniform(0, 0.12))
            if kind == "end":
                await self._reach_end()
            else:
                await self._decide(kind, self._deciding(kind))

    def _script(self) -> Iterator[Kind]:
        drawn = self._drawn
        if drawn.random() < 0.2:
            yield "shorten"
            yield "end"
        for _ in range(drawn.randint(0, 2)):
            yield from drawn.choices(
                [("pause", "resume"), ("narrow",), ("resume",), ("pause",)], (5, 2, 1, 1)
            )[0]
        yield from drawn.choices([("revoke",), ("pause",), ()], (5, 2, 1))[0]

    async def _reach_end(self) -> None:
        """Wait until the earlier end that she named is there."""
        left = self._end() - datetime.now(UTC)
        now = time.monotonic_ns()
        end = now + left // timedelta(microseconds=1) * 1000
        await asyncio.sleep(left.total_seconds() - PRESSED_SECONDS / 2)
        self._press()
        await asyncio.sleep(PRESSED_SECONDS)
        # Nobody's call: it comes by itself, at this moment.
        self.noted.append(Noted("end", DONE, end - CLOCK_SLACK_NS, end + CLOCK_SLACK_NS))

    async def _decide(self, kind: Kind, request: Message, *, is_persistent: bool = False) -> Said:
        """Have her decide; what is unknown she may send again, or must."""
        first = called = time.monotonic_ns()
        process = self._process()
        while True:
            self._press()
            seconds = self._drawn.uniform(0.002, 0.2) if self._drawn.random() < 0.15 else 20.0
            said = await self._citizen.call(process, _METHODS[kind], request, seconds)
            self._press()
            if said.outcome != UNKNOWN:
                break
            if not is_persistent and self._drawn.random() < 0.4:
                break
            await asyncio.sleep(0.02)
            called, process = time.monotonic_ns(), self._process()
        if said.outcome not in (DONE, UNKNOWN) and called != first:
            # Refused now, so it had not been done; what was sent before may still be.
            self.noted.append(Noted(kind, UNKNOWN, first, NEVER))
            first = called
        # Done once, whenever: its calls are one, from the first on.
        self._note(kind, said, first, process)
        return said

    def _deciding(self, kind: Kind) -> Message:
        said = {"request_id": new_id(), "consent_id": self.consent_id}
        match kind:
            case "pause":
                return consent.PauseConsentRequest(**said)
            case "resume":
                return consent.ResumeConsentRequest(**said)
            case "revoke":
                return consent.RevokeConsentRequest(**said)
            case "narrow":
                remaining = consent_pb2.RemainingFields(item=1, names=PART)
                return consent.NarrowConsentRequest(**said, items=[remaining])
            case _:
                end = Timestamp()
                end.FromDatetime(self._end())
                return consent.NarrowConsentRequest(**said, end_time=end)

    def _end(self) -> datetime:
        """Return the earlier end that she names."""
        if self._end_wall is None:
            seconds = self._drawn.uniform(0.3, 0.6)
            self._end_wall = datetime.now(UTC) + timedelta(seconds=seconds)
        return self._end_wall

    async def _fetch(self) -> None:
        """Fetch, or ask whether one could, now and then; sometimes the same once more."""
        process, asked = self._process(), list[tuple[Kind, disclosure.DiscloseEvidenceRequest]]()
        while not self._is_over:
            await self._pause()
            is_hasty = self._drawn.random() < 0.1
            seconds = self._drawn.uniform(0.002, 0.06) if is_hasty else 20.0
            called = time.monotonic_ns()
            if self._drawn.random() < 0.25:
                check, its = self._checking()
                said = await self._service.call(process, _METHODS[check], its, seconds)
                self._note(check, said, called, process)
                continue
            if asked and self._drawn.random() < 0.2:
                fetches = [self._drawn.choice(asked)]
            else:
                fetches = [self._disclosing() for _ in range(self._drawn.choice((1, 1, 1, 3)))]
                asked += fetches
            for (kind, _), said in zip(
                fetches, await self._disclose(process, fetches, seconds), strict=True
            ):
                self._note(kind, said, called, process)

    async def _disclose(
        self,
        process: int,
        fetches: Sequence[tuple[Kind, disclosure.DiscloseEvidenceRequest]],
        seconds: float,
    ) -> list[Said]:
        requests = [request for _, request in fetches]
        if len(requests) > 1:
            return await self._service.disclose_batch(process, requests, seconds)
        return [await self._service.call(process, _DISCLOSE, requests[0], seconds)]

    def _disclosing(self) -> tuple[Kind, disclosure.DiscloseEvidenceRequest]:
        shows = time_of(datetime.now(UTC) - SLOW_CLOCK)
        kind: Kind = self._drawn.choice(("disclose", "disclose", "disclose part"))
        request = disclosure.DiscloseEvidenceRequest(
            request_id=new_id(), external_reference=shows, **self._wanted(kind)
        )
        return kind, request

    def _checking(self) -> tuple[Kind, disclosure.CheckDisclosuresRequest]:
        kind: Kind = self._drawn.choice(("check", "check", "check part"))
        check = disclosure.DisclosureCheck(**self._wanted(kind))
        return kind, disclosure.CheckDisclosuresRequest(checks=[check])

    def _wanted(self, kind: Kind) -> dict[str, Any]:
        names = PART if kind.endswith("part") else FIELDS
        selection = disclosure_pb2.FieldSelection(evidence_type="postal_address", names=names)
        return {
            "subject_id": self._shared.subject_id,
            "authority": disclosure_pb2.Authority(consent_id=self.consent_id),
            "purpose_code": self._shared.service.purpose_code,
            "fields": [selection],
        }

    def _note(self, kind: Kind, said: Said, called: int, process: int) -> None:
        returned = NEVER if said.outcome == UNKNOWN else said.returned
        outcome, message = said.outcome, said.message
        if kind.startswith("check") and message is not None:
            outcome = message.results[0].reason or DONE
        has_receipt = message is not None and "receipt" in message.DESCRIPTOR.fields_by_name
        noted = Noted(
            kind,
            outcome,
            called,
            returned,
            process=process,
            receipt=message.receipt if has_receipt else None,
            bundle=getattr(message, "bundle", b""),
        )
        self.noted.append(noted)

    def _process(self) -> int:
        return self._drawn.randrange(self._processes)

    def _press(self) -> None:
        self._pressed.set()
        asyncio.get_running_loop().call_later(PRESSED_SECONDS, self._pressed.clear)

    async def _pause(self) -> None:
        if self._pressed.is_set():
            await asyncio.sleep(self._drawn.uniform(0, 0.03))
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(self._drawn.uniform(0.05, 0.4)):
                await self._pressed.wait()
