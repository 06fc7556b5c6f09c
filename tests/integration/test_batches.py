# SPDX-License-Identifier: Apache-2.0
"""Many disclosures in one call, over the wire: each as if it had been asked for by itself."""

from __future__ import annotations

import json
import queue
from collections.abc import Iterator, Sequence
from typing import Any, Final

import grpc
import pytest

from clients.connection import CallError
from clients.receipts import SignedRecord, verify_bundle
from tests.samples import Samples
from tests.server import Server
from tests.verdict import head, untouched
from tests.wire import BATCH, Answer, failed
from tests.world import Shared, World, batching, disclosing, new_id
from vault.api.v1 import disclosure_service_pb2 as disclosure
from vault.api.v1 import registry_service_pb2 as registry
from vault.api.v1 import vault_service_pb2 as vaults

ONE: Final = "DisclosureService/DiscloseEvidence"


@pytest.fixture(scope="module")
def keys(world: World) -> dict[str, bytes]:
    """The receipt keys that are listed."""
    request = registry.ListReceiptKeysRequest()
    found = world.council.caller.ask("RegistryService/ListReceiptKeys", request)
    return {key.key_id: key.public_key for key in found.receipt_keys}


@pytest.fixture(scope="module")
def nias(samples: Samples) -> Shared:
    """What another citizen shares with the same service."""
    return samples.world.share(samples.world.citizen(), samples.service)


def batch(
    samples: Samples, *messages: Sequence[disclosure.DiscloseEvidenceRequest]
) -> list[list[Any]]:
    """Send messages on one stream, and return the results of each."""
    answer = samples.service.caller.call(BATCH, [batching(*requests) for requests in messages])
    return [list(message.results) for message in answer.messages()]


def reasons(results: Sequence[disclosure.DisclosureResult]) -> list[str]:
    """Return why each failed, "" of what did not."""
    return [CallError.of_status(one.failed).reason if one.failed else "" for one in results]


class Open:
    """A call whose messages are sent one by one."""

    def __init__(self, samples: Samples, seconds: float = 20.0) -> None:
        self._sent: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self.call = samples.service.caller.begin(BATCH, iter(self._sent.get, None), seconds)

    def send(self, *requests: disclosure.DiscloseEvidenceRequest) -> None:
        """Send a message."""
        self._sent.put(batching(*requests).SerializeToString())

    def read(self) -> Any:
        """Return the next answer."""
        return disclosure.DiscloseEvidenceBatchResponse.FromString(next(self.call))

    def end(self) -> None:
        """Send nothing more."""
        self._sent.put(None)

    def failure(self) -> Answer:
        """Return how it ended, where the next answer does not come."""
        with pytest.raises(grpc.RpcError) as caught:
            next(self.call)
        return failed(BATCH, caught.value)


@pytest.fixture
def opened(samples: Samples) -> Iterator[Open]:
    conversation = Open(samples)
    yield conversation
    conversation.end()
    conversation.call.cancel()


def test_each_is_what_a_single_one_is(
    samples: Samples, nias: Shared, keys: dict[str, bytes]
) -> None:
    hers = samples.shared

    (results,) = batch(samples, [disclosing(hers), disclosing(nias, case_ref="AC/1")])

    signatures = set()
    for shared, result in zip((hers, nias), results, strict=True):
        record = SignedRecord.of(result.disclosed.receipt)
        facts = verify_bundle(record, result.disclosed.bundle, keys)
        signatures.add(record.signature)
        assert (facts["consent_id"], facts["subject"]) == (shared.consent_id, shared.subject_id)
        assert json.loads(result.disclosed.bundle)["consent_id"] == shared.consent_id
    assert len(signatures) == 1


def test_one_signature_is_of_one_message(samples: Samples) -> None:
    messages = batch(samples, *([disclosing(samples.shared)] * 2 for _ in range(2)))

    signatures = [
        {result.disclosed.receipt.signature for result in results} for results in messages
    ]
    assert [len(found) for found in signatures] == [1, 1]
    assert signatures[0] != signatures[1]


def test_messages_are_answered_in_their_order(samples: Samples, opened: Open) -> None:
    wanted = [[disclosing(samples.shared) for _ in range(count)] for count in (1, 3, 8, 2)]
    for requests in wanted:
        opened.send(*requests)

    answers = [opened.read() for _ in wanted]

    assert [len(answer.results) for answer in answers] == [1, 3, 8, 2]
    places = [answer.results[0].disclosed.receipt.leaf_index for answer in answers]
    assert places == sorted(places)


def test_what_fails_stops_no_other(samples: Samples, nias: Shared) -> None:
    stopped = samples.world.share(samples.citizen, samples.service)
    assert samples.world.revoke(stopped).is_ok

    (results,) = batch(
        samples,
        [
            disclosing(nias),
            disclosing(stopped),
            disclosing(nias, purpose_code="none"),
            disclosing(nias, subject_id=new_id()),
            disclosing(samples.shared),
        ],
    )

    assert reasons(results) == ["", "CONSENT_REVOKED", "PURPOSE_DIFFERS", "NOT_FOUND", ""]


def test_a_failure_tells_what_a_single_one_tells(samples: Samples) -> None:
    """The earlier receipt too, where a retry comes after her stop."""
    shared = samples.world.share(samples.citizen, samples.service)
    request = disclosing(shared)
    ((first,),) = batch(samples, [request])
    assert samples.world.revoke(shared).is_ok

    ((again,),) = batch(samples, [request])
    single = samples.service.caller.call(ONE, request)

    assert again.failed == single.status
    told = CallError.of_status(again.failed).receipt
    assert told is not None
    assert told.leaf_index == first.disclosed.receipt.leaf_index


@pytest.mark.parametrize("way", ["alone first", "among others first"])
def test_a_retry_may_go_either_way(samples: Samples, way: str) -> None:
    request = disclosing(samples.shared)

    def alone() -> Any:
        return samples.service.caller.ask(ONE, request)

    def among_others() -> Any:
        return batch(samples, [disclosing(samples.shared), request])[0][1].disclosed

    ways = (alone, among_others) if way == "alone first" else (among_others, alone)
    first, second = (ask() for ask in ways)

    assert first.bundle == second.bundle
    assert (first.repeated, second.repeated) == (False, True)


def test_the_same_twice_in_one_message_is_the_same_bytes(samples: Samples) -> None:
    request = disclosing(samples.shared)

    (results,) = batch(samples, [request, request])

    assert len({result.disclosed.bundle for result in results}) == 1
    assert sorted(result.disclosed.repeated for result in results) == [False, True]


def test_who_reads_the_token_sees_what_was_written(samples: Samples, opened: Open) -> None:
    opened.send(disclosing(samples.shared), disclosing(samples.shared))
    answer = opened.read()

    request = vaults.ListHistoryRequest(
        page_size=2, only_disclosures=True, position_token=answer.position_token
    )
    seen = samples.citizen.caller.ask("VaultService/ListHistory", request)

    written = {result.disclosed.receipt.leaf_index for result in answer.results}
    assert {entry.receipt.leaf_index for entry in seen.entries} == written


def test_of_a_message_that_breaks_a_constraint_nothing_is_recorded(
    server: Server, samples: Samples, opened: Open
) -> None:
    """What was answered before it stands."""
    opened.send(disclosing(samples.shared))
    assert opened.read().results[0].disclosed.bundle
    before = head(server)

    opened.send(disclosing(samples.shared), disclosing(samples.shared, request_id="none"))
    told = opened.failure()

    assert (told.reason, told.fields) == ("FIELD_INVALID", ["disclosures[1].request_id"])
    assert head(server) == before


@pytest.mark.parametrize("count", [0, 65])
def test_a_message_holds_one_to_sixty_four(server: Server, samples: Samples, count: int) -> None:
    requests = [disclosing(samples.shared) for _ in range(count)]

    with untouched(server):
        answer = samples.service.caller.call(BATCH, [batching(*requests)])

    assert (answer.reason, answer.fields) == ("FIELD_INVALID", ["disclosures"])


def test_what_was_recorded_when_the_stream_was_cut_is_told_to_the_same_request_id(
    samples: Samples,
) -> None:
    """Cut before anything was read: whatever was recorded is repeated, once each."""
    shared = samples.world.share(samples.citizen, samples.service)
    requests = [disclosing(shared) for _ in range(16)]
    cut = Open(samples)
    cut.send(*requests)
    _wait_for_a_record(samples, shared)
    cut.call.cancel()
    cut.end()

    (results,) = batch(samples, requests)

    assert all(result.disclosed.bundle for result in results), reasons(results)
    assert any(result.disclosed.repeated for result in results)
    assert _disclosure_count(samples, shared) == 16


def test_a_call_that_is_too_late_for_its_deadline_says_so(samples: Samples) -> None:
    late = Open(samples, seconds=0.3)
    late.send(disclosing(samples.shared))
    assert late.read().results[0].disclosed.bundle

    assert late.failure().code == "DEADLINE_EXCEEDED"
    late.end()


def _wait_for_a_record(samples: Samples, shared: Shared) -> None:
    for _ in range(2_000):
        if _disclosure_count(samples, shared):
            return
    raise AssertionError("nothing was recorded")


def _disclosure_count(samples: Samples, shared: Shared) -> int:
    request = samples.make("ConsentService/GetConsent", "citizen")
    request.consent_id = shared.consent_id
    seen = samples.citizen.caller.ask("ConsentService/GetConsent", request)
    count: int = seen.consent.disclosure_count
    return count
