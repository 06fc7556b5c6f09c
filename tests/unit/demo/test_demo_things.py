# SPDX-License-Identifier: Apache-2.0
"""Things: what is asked for under one answer, counted the same way on both sides."""

import json

from clients.demo.things import Thing, Words, fields_of, things_of, words_of
from vault.api.v1.consent_pb2 import ItemScope, RequestedScope
from vault.api.v1.registry_pb2 import EvidenceType

_LETTER = RequestedScope(
    evidence_type="care_needs", required=["mobility", "helpNeeded"], optional=["diagnoses"]
)


def test_what_is_needed_and_what_may_be_left_out_are_two_things() -> None:
    assert things_of([_LETTER]) == (
        Thing("care_needs", ("helpNeeded", "mobility")),
        Thing("care_needs", ("diagnoses",), is_optional=True),
    )


def test_a_shared_thing_equals_the_thing_that_was_asked_for() -> None:
    shared = ItemScope(item=3, evidence_type="care_needs", required=["helpNeeded", "mobility"])

    assert things_of([shared]) == things_of([_LETTER])[:1]


def test_an_empty_list_of_fields_is_no_thing() -> None:
    assert things_of([RequestedScope(evidence_type="income", optional=["payer"])]) == (
        Thing("income", ("payer",), is_optional=True),
    )


def test_fields_of_several_things_keep_their_types() -> None:
    things = [Thing("a", ("x",)), Thing("b", ("x", "y"))]

    assert fields_of(things) == {("a", "x"), ("b", "x"), ("b", "y")}


def test_words_come_from_the_published_definition_in_its_order() -> None:
    definition = {
        "evidence_type": "income",
        "title": {"en": "Your income", "cy": "Eich incwm"},
        "fields": [
            {"name": "payer", "label": {"en": "Who pays it", "cy": "Pwy sy'n ei dalu"}},
            {"name": "kind", "label": {"en": "Kind of income", "cy": "Math o incwm"}},
        ],
    }

    words = words_of([EvidenceType(definition=json.dumps(definition).encode())])

    assert words.title(Thing("income", ())) == "Your income"
    assert words.listed(Thing("income", ("kind", "payer"))) == "Who pays it, Kind of income"


def test_words_are_there_in_welsh() -> None:
    definition = {"evidence_type": "income", "title": {"en": "", "cy": "Eich incwm"}, "fields": []}

    words = words_of([EvidenceType(definition=json.dumps(definition).encode())], "cy")

    assert words == Words(titles={"income": "Eich incwm"}, labels={})
