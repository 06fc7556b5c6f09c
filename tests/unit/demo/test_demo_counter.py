# SPDX-License-Identifier: Apache-2.0
"""The counter: computed from what was sent and what was answered, and from nothing else."""

from google.protobuf.message import Message

from clients.connection import CallError, CallRecord
from clients.demo.counter import Counter, Typing, seen_by, shared_things
from vault.api.v1 import consent_pb2
from vault.api.v1.consent_pb2 import Consent, ItemScope
from vault.api.v1.evidence_pb2 import Evidence
from vault.api.v1.evidence_service_pb2 import (
    DocumentHeader,
    ListEvidenceRequest,
    ProvideEvidenceRequest,
    ProvideEvidenceResponse,
    ReplaceEvidenceRequest,
    ReplaceEvidenceResponse,
    UploadDocumentRequest,
)
from vault.api.v1.vault_pb2 import HistoryEntry

_PIECE = Evidence(evidence_id="piece")


def _call(
    request: Message, error: CallError | None = None, response: Message | None = None
) -> CallRecord:
    return CallRecord("EvidenceService", "Method", request, response, error, 1.0)


def test_every_answer_that_was_sent_counts_as_typed() -> None:
    typing = Typing()

    typing.watch(_call(ProvideEvidenceRequest(values=b'{"kind":"other","payer":"X"}')))
    typing.watch(_call(ProvideEvidenceRequest(values=b'{"streetName":"Y"}')))

    assert typing.answers == 3


def test_reading_types_nothing() -> None:
    typing = Typing()

    typing.watch(_call(ListEvidenceRequest()))

    assert typing.answers == 0


def test_what_was_refused_was_not_typed() -> None:
    typing = Typing()

    typing.watch(
        _call(
            ProvideEvidenceRequest(values=b'{"kind":1}'),
            CallError("INVALID_ARGUMENT", "EVIDENCE_INVALID", "It does not fit."),
        )
    )

    assert typing.answers == 0


def test_of_a_correction_only_what_is_new_was_typed() -> None:
    typing = Typing()
    given = ProvideEvidenceRequest(values=b'{"helpNeeded":["meals"],"mobility":"A frame"}')
    typing.watch(_call(given, response=ProvideEvidenceResponse(evidence=_PIECE)))

    for values in (b'{"helpNeeded":[],"mobility":"A frame"}', b'{"helpNeeded":["meals"]}'):
        correction = ReplaceEvidenceRequest(evidence_id="piece", values=values)
        typing.watch(_call(correction, response=ReplaceEvidenceResponse(evidence=_PIECE)))

    assert typing.answers == 2 + 1 + 1


def test_what_is_said_of_a_document_was_typed() -> None:
    typing = Typing()
    header = DocumentHeader(values=b'{"title":"Letter","kind":"letter"}')

    typing.watch(_call(UploadDocumentRequest(header=header)))

    assert typing.answers == 2


def test_only_what_is_in_force_is_shared() -> None:
    item = ItemScope(evidence_type="income", required=["kind"], optional=["payer"])
    states = (
        consent_pb2.CONSENT_STATE_ACTIVE,
        consent_pb2.CONSENT_STATE_REVOKED,
        consent_pb2.CONSENT_STATE_EXPIRED,
        consent_pb2.CONSENT_STATE_PAUSED,
    )

    shared = shared_things(Consent(state=state, scope=[item]) for state in states)

    assert shared == 2


def test_whoever_was_refused_has_seen_nothing() -> None:
    newest_first = [
        HistoryEntry(type="disclosure-refused.1", service_id="curious"),
        HistoryEntry(type="evidence-disclosed.1", service_id="second"),
        HistoryEntry(type="evidence-disclosed.1", service_id="first"),
        HistoryEntry(type="evidence-disclosed.1", service_id="second"),
    ]

    assert seen_by(newest_first) == ("second", "first")


def test_the_counter_is_one_line() -> None:
    counter = Counter(typed=19, shared=4, seen_by=("Aber Council", "BrightCare"))

    assert str(counter) == (
        "Typed once 19 answers · Shared 4 things · Seen by Aber Council, BrightCare"
    )


def test_the_counter_names_nobody_before_anybody_saw_anything() -> None:
    assert str(Counter(1, 0, ())) == "Typed once 1 answer · Shared 0 things · Seen by nobody"


def test_the_counter_of_somebody_else_says_whose_it_is() -> None:
    counter = Counter(5, 1, ("BrightCare",), "Emlyn")

    assert str(counter).startswith("Emlyn · Typed once 5 answers")
