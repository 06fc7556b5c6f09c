# SPDX-License-Identifier: Apache-2.0
"""The vault under load: the real server, seeded citizens, and the fetches of one service.

Whatever is measured is looked at afterwards: a sample of the answers are no repeats and their
receipts verify, and the store grew by exactly as many disclosures as were answered.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

from google.rpc.status_pb2 import Status

from clients.receipts import SignedRecord, verify_bundle
from tests.benchmarks.load import MOST_FAILED, Load, Plan, put_load
from tests.benchmarks.program import processor_seconds
from tests.benchmarks.rounds import Figure
from tests.benchmarks.seeding import PRODUCTION, SHARES
from tests.server import Server, running
from tests.wire import Caller
from tests.world import ADDRESS_FIELDS, connected, new_id
from vault.api.v1 import disclosure_pb2
from vault.api.v1.disclosure_service_pb2 import (
    DiscloseEvidenceBatchRequest,
    DiscloseEvidenceBatchResponse,
    DiscloseEvidenceRequest,
    DiscloseEvidenceResponse,
)
from vault.api.v1.registry_service_pb2 import ListReceiptKeysRequest

UNARY: Final = "/vault.api.v1.DisclosureService/DiscloseEvidence"
BATCH: Final = "/vault.api.v1.DisclosureService/DiscloseEvidenceBatch"
WARM_SECONDS: Final = 0.5
LARGEST_RATE: Final = 8_000
LARGEST_BATCH_RATE: Final = 30_000
"""Requests are made for so many a second: none is ever sent twice."""
BATCH_SIZE: Final = 64
SAMPLE: Final = 50
_QUIET_SECONDS: Final = 1.0

_SELECTION: Final = disclosure_pb2.FieldSelection(
    evidence_type="postal_address", names=ADDRESS_FIELDS
)
_Message: TypeAlias = tuple[list[DiscloseEvidenceResponse], list[str]]
"""The disclosures of a message, and why others failed."""
_Read: TypeAlias = Callable[[bytes], _Message]
_DISCLOSED: Final = "SELECT count(*) FROM records WHERE topic = 'evidence-disclosed.1'"
_SIZE: Final = "SELECT max(position) + 1 FROM entries WHERE lane = 0"


@dataclass
class Fetches:
    """A service's side: its token, what it may fetch, and the keys by which it checks receipts.

    Attributes:
        shares: a subject and the consent that she gave, for each citizen.
        answer: an answer as it came, for those who send the same.
    """

    server: Server
    service_id: str
    token: str
    purpose_code: str
    shares: Sequence[tuple[str, str]]
    keys: Mapping[str, bytes]
    chance: random.Random
    answer: bytes = b""

    @property
    def metadata(self) -> list[tuple[str, str]]:
        """Return what goes with each call."""
        return [("authorization", f"Bearer {self.token}")]

    def request(self, share: tuple[str, str]) -> DiscloseEvidenceRequest:
        """Return a request that was never made before, under a consent."""
        subject, consent_id = share
        return DiscloseEvidenceRequest(
            request_id=new_id(),
            subject_id=subject,
            authority=disclosure_pb2.Authority(consent_id=consent_id),
            purpose_code=self.purpose_code,
            fields=[_SELECTION],
        )

    def requests(self, number: int) -> list[DiscloseEvidenceRequest]:
        """Return so many requests, for citizens drawn uniformly."""
        return [self.request(share) for share in self.chance.choices(self.shares, k=number)]

    def unary(self, seconds: float, in_flight: int) -> Figure:
        """Return disclosures a second, each a call of its own."""
        number = int(LARGEST_RATE * (seconds + WARM_SECONDS))
        requests = [request.SerializeToString() for request in self.requests(number)]
        plan = self._plan(UNARY, seconds, in_flight)
        return self._measured(lambda: put_load(self._folder, plan, requests), 1, _one)

    def batch(self, seconds: float, streams: int) -> Figure:
        """Return disclosures a second, many in each message of a stream."""
        number = int(LARGEST_BATCH_RATE * (seconds + WARM_SECONDS)) // BATCH_SIZE
        requests = []
        for _ in range(number):
            message = DiscloseEvidenceBatchRequest(disclosures=self.requests(BATCH_SIZE))
            requests.append(message.SerializeToString())
        plan = self._plan(BATCH, seconds, streams, is_stream=True)
        return self._measured(lambda: put_load(self._folder, plan, requests), BATCH_SIZE, _many)

    def recorded(self) -> int:
        """Return how many disclosures are recorded."""
        return self._number(_DISCLOSED)

    def size(self) -> int:
        """Return how many events are recorded."""
        return self._number(_SIZE)

    def judge(self, answers: Sequence[DiscloseEvidenceResponse]) -> None:
        """Look at a sample of answers: each the disclosure of an address, none a repeat.

        Raises:
            RuntimeError: if one is not.
        """
        for answer in self.chance.sample(answers, min(SAMPLE, len(answers))):
            if answer.repeated:
                raise RuntimeError("an answer is a repeat: it cost no disclosure")
            facts = verify_bundle(SignedRecord.of(answer.receipt), answer.bundle, self.keys)
            if facts["fields"][0]["names"] != list(ADDRESS_FIELDS):
                raise RuntimeError("an answer discloses something else")
        self.answer = answers[0].SerializeToString()

    @property
    def _folder(self) -> Path:
        return self.server.folder / "load"

    def _plan(
        self, method: str, seconds: float, in_flight: int, *, is_stream: bool = False
    ) -> Plan:
        return Plan(
            target=self.server.target,
            method=method,
            metadata=self.metadata,
            in_flight=in_flight,
            warm_seconds=WARM_SECONDS,
            seconds=seconds,
            is_stream=is_stream,
        )

    def _measured(self, put: Callable[[], Load], each: int, read: _Read) -> Figure:
        """Put on a load, look at what came of it, and return disclosures a second.

        Args:
            each: disclosures in one message.
            read: returns those of a message that were made, and why others failed.
        """
        before, spent = self.recorded(), processor_seconds(_pid(self.server))
        load = put()
        spent = processor_seconds(_pid(self.server)) - spent
        messages = [read(data) for data in load.answers]
        answers = [one for disclosed, _ in messages for one in disclosed]
        reasons = [reason for _, failed in messages for reason in failed]
        asked = (load.answered + load.failed) * each
        # What failed may have been recorded, or not.
        grown = self.recorded() - before
        if not len(answers) <= grown <= asked:
            raise RuntimeError(f"{len(answers)} answers, but {grown} disclosures recorded")
        failed = asked - len(answers)
        if failed > MOST_FAILED * asked:
            raise RuntimeError(f"{failed} of {asked} disclosures failed: {set(reasons)}")
        self.judge(answers)
        details = {
            "p50_ms": load.p50_ms,
            "p99_ms": load.p99_ms,
            "failed": failed,
            "client_cpu_us_each": load.client_cpu_seconds / len(answers) * 1e6,
            "server_cpu_us_each": spent / len(answers) * 1e6,
        }
        return Figure(load.rate * len(answers) / load.answered, details)

    def _number(self, statement: str) -> int:
        ((number,),) = self.server.sql(statement)
        return int(str(number))


@contextmanager
def vault(folder: Path, chance: random.Random, **settings: str) -> Iterator[Fetches]:
    """Run a server on a folder with seeded citizens, which grows.

    Args:
        settings: beside those of production.
    """
    told = json.loads((folder / SHARES).read_text(encoding="utf-8"))
    server = Server(folder, options=(), settings={**PRODUCTION, **settings})
    with running(server), connected(server.target) as channel:
        token = server.issuer.token("service", told["service_id"])
        listed = Caller(channel, token).ask(
            "RegistryService/ListReceiptKeys", ListReceiptKeysRequest()
        )
        _await_views(server)
        yield Fetches(
            server=server,
            service_id=told["service_id"],
            token=token,
            purpose_code=told["purpose_code"],
            shares=[(subject, consent_id) for subject, consent_id in told["shares"]],
            keys={key.key_id: key.public_key for key in listed.receipt_keys},
            chance=chance,
        )


def _await_views(server: Server) -> None:
    """Wait until views have caught up with what was seeded past them: the server has rest."""
    spent = -1.0
    while processor_seconds(_pid(server)) - spent > 0.1 * _QUIET_SECONDS:
        spent = processor_seconds(_pid(server))
        time.sleep(_QUIET_SECONDS)


def _pid(server: Server) -> int:
    return server.process.pid if server.process else 0


def _one(data: bytes) -> _Message:
    return [DiscloseEvidenceResponse.FromString(data)], []


def _many(data: bytes) -> _Message:
    results = DiscloseEvidenceBatchResponse.FromString(data).results
    return (
        [result.disclosed for result in results if not result.failed],
        [Status.FromString(result.failed).message for result in results if result.failed],
    )
