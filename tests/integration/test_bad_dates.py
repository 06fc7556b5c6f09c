# SPDX-License-Identifier: Apache-2.0
"""Days that are none, days that surprise, and schemas and values that are made to explode."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable
from typing import Any, Final

import pytest

from tests.samples import Samples
from tests.server import ROOT
from tests.verdict import CANARY, must_be_told, untouched
from tests.wire import Answer
from tests.world import INCOME, pdf, providing, uploading
from vault.api.v1 import consent_pb2, disclosure_pb2
from vault.api.v1 import registry_service_pb2 as registry

NO_DAYS: Final = (
    "2023-02-29",
    "2024-02-30",
    "1900-02-29",
    "2100-02-29",
    "2024-04-31",
    "2024-13-01",
    "2024-00-10",
    "2024-12-00",
    "2024-12-32",
    "0000-01-01",
    "2024-12-31T24:00",
    "2024-12-31T23:59:60Z",
    "2024-12-31Z",
    "24:00",
    "2024-366",
    "2024-W01-1",
    "20241231",
    "2024-1-1",
    "+2024-01-01",
    "-2024-01-01",
    "12024-01-01",
    " 2024-01-01",
    "2024-01-01\n",
    "2024\u201001\u201001",
    "\u0662\u0660\u0662\u0664-\u0660\u0661-\u0660\u0661",
    CANARY,
)
STRANGE_DAYS: Final = ("2024-02-29", "2000-02-29", "1999-12-31", "1945-03-27")

Provide = Callable[[Samples, str], Answer]


def issued(samples: Samples, day: str) -> Answer:
    request = providing("income", INCOME)
    request.issued_date = day
    return samples.citizen.caller.call("EvidenceService/ProvideEvidence", request)


def reissued(samples: Samples, day: str) -> Answer:
    request = samples.make("EvidenceService/ReplaceEvidence", "citizen")
    request.issued_date = day
    return samples.citizen.caller.call("EvidenceService/ReplaceEvidence", request)


def uploaded(samples: Samples, day: str) -> Answer:
    request = uploading(pdf(), issued_date=day)
    return samples.citizen.caller.call("EvidenceService/UploadDocument", request)


def paid_since(samples: Samples, day: str) -> Answer:
    request = providing("income", {**INCOME, "validFrom": day})
    return samples.citizen.caller.call("EvidenceService/ProvideEvidence", request)


PLACES: Final[dict[str, tuple[Provide, str, str]]] = {
    "a new piece": (issued, "FIELD_INVALID", "issued_date"),
    "a replacement": (reissued, "FIELD_INVALID", "issued_date"),
    "a document": (uploaded, "FIELD_INVALID", "header.issued_date"),
    "a value": (paid_since, "EVIDENCE_INVALID", "/validFrom"),
}


@pytest.mark.parametrize("what", PLACES)
def test_what_is_no_day_is_named(samples: Samples, what: str) -> None:
    provide, reason, field = PLACES[what]

    with untouched(samples.world.server):
        answers = {day: provide(samples, day) for day in NO_DAYS}

    for answer in answers.values():
        must_be_told(answer)
    assert {day: (answer.reason, answer.fields) for day, answer in answers.items()} == (
        dict.fromkeys(NO_DAYS, (reason, [field]))
    )


@pytest.mark.parametrize("what", PLACES)
def test_a_day_that_surprises_is_a_day(samples: Samples, what: str) -> None:
    provide = PLACES[what][0]

    answers = {day: provide(samples, day) for day in STRANGE_DAYS}

    assert {day: answer.told for day, answer in answers.items() if not answer.is_ok} == {}


@pytest.mark.parametrize("day", ["0001-01-01", "1582-10-10", "9999-12-31"])
@pytest.mark.parametrize("days", [0, 1, 36_600])
def test_the_first_and_the_last_day_break_nothing(samples: Samples, day: str, days: int) -> None:
    """Evidence of a day to come is not taken; that of any other leaves, unless it is too old."""
    provided = issued(samples, day)
    if not provided.is_ok:
        assert (provided.reason, provided.fields) == ("FIELD_INVALID", ["issued_date"])
        return
    scope = consent_pb2.RequestedScope(evidence_type="income", required=["payer"])
    item = consent_pb2.ItemChoice(evidence_id=provided.read().evidence.evidence_id, names=["payer"])
    shared = samples.world.share(
        samples.citizen, samples.service, {"items": [item]}, scope=[scope], largest_age_days=days
    )

    fields = [disclosure_pb2.FieldSelection(evidence_type="income", names=["payer"])]
    answer = samples.world.disclose(shared, fields=fields)

    expected = "EVIDENCE_TOO_OLD" if days and day < "2000" else ""
    assert answer.reason == expected, answer.told


# --- What is made to explode ---------------------------------------------------------------------

Schema = dict[str, Any]


def with_definitions(definitions: Schema, **more: Any) -> Schema:
    return {
        "type": "object",
        "properties": {"ab": {"$ref": "#/$defs/a0"}},
        "additionalProperties": False,
        "$defs": definitions,
        **more,
    }


def field_of(schema: Schema) -> Schema:
    return {"type": "object", "properties": {"ab": schema}, "additionalProperties": False}


def doubling(keyword: str, levels: int = 30) -> Schema:
    """Return a schema of a kilobyte that is read 2^30 times."""
    references = {
        f"a{level}": {keyword: [{"$ref": f"#/$defs/a{level + 1}"}] * 2} for level in range(levels)
    }
    return with_definitions({**references, f"a{levels}": {"type": "string"}})


def nested(levels: int) -> Schema:
    schema: Schema = {"type": "string", "maxLength": 1}
    for _ in range(levels):
        schema = {"type": "array", "items": schema, "maxItems": 3}
    return field_of(schema)


TEXT: Final = {"type": "string", "maxLength": 100}
BOMBS: Final[dict[str, Schema]] = {
    "all of twice, thirty deep": doubling("allOf"),
    "any of twice, thirty deep": doubling("anyOf"),
    "one of twice, thirty deep": doubling("oneOf"),
    "a definition of itself": with_definitions({"a0": {"$ref": "#/$defs/a0"}}),
    "two of each other": with_definitions(
        {"a0": {"$ref": "#/$defs/a1"}, "a1": {"$ref": "#/$defs/a0"}}
    ),
    "a list within itself": with_definitions(
        {"a0": {"type": "array", "items": {"$ref": "#/$defs/a0"}, "maxItems": 100}}
    ),
    "the schema within itself": field_of({"$ref": "#"}),
    "twelve lists within each other": nested(12),
    "two hundred lists within each other": nested(200),
    "a list without an end": field_of({"type": "array", "items": {"type": "string"}}),
    "lists of lists of lists": field_of(
        {
            "type": "array",
            "maxItems": 1_000,
            "items": {"type": "array", "maxItems": 1_000, "items": TEXT},
        }
    ),
    "a pattern of nested repeats": field_of({**TEXT, "pattern": "^(a+)+$"}),
    "a pattern of choices": field_of({**TEXT, "pattern": "^(a|aa)*$"}),
    "a pattern that is enormous": field_of({**TEXT, "pattern": "^(?:[a-z]{1000}){1000}$"}),
    "a pattern that looks ahead": field_of({**TEXT, "pattern": "^(?=a)b$"}),
    "a pattern that looks back": field_of({**TEXT, "pattern": "^(a)\\1$"}),
    "a thousand patterns": {
        "type": "object",
        "properties": {f"a{n}": {**TEXT, "pattern": f"^a{n}$"} for n in range(1_000)},
        "additionalProperties": False,
    },
    "ten thousand codes": field_of({"type": "string", "enum": [f"c{n}" for n in range(10_000)]}),
    "a reference to elsewhere": field_of({"$ref": "http://127.0.0.1:1/schema"}),
    "a reference to a file": field_of({"$ref": "file:///etc/passwd"}),
    "a reference that moves": field_of({"$dynamicRef": "#a0"}),
    "a name of its own": {**field_of(TEXT), "$id": "https://elsewhere.example/"},
    "anything besides": {**field_of(TEXT), "additionalProperties": True},
    "a number beyond all": field_of({"type": "integer", "maximum": 10**400}),
    "a fraction": field_of({"type": "number", "multipleOf": 1e-300}),
}


@pytest.mark.parametrize("what", BOMBS)
def test_a_schema_that_would_explode_is_refused(samples: Samples, what: str) -> None:
    definition = json.loads((ROOT / "vault/evidence_types/bank_account.json").read_bytes())
    names = BOMBS[what]["properties"]
    label = {"en": "A", "cy": "A"}
    definition |= {
        "evidence_type": f"bomb_{secrets.token_hex(6)}",
        "schema": BOMBS[what],
        "fields": [
            {"name": name, "label": label, "hint": label, "sensitivity": "ordinary"}
            for name in names
        ],
    }
    request = registry.PublishEvidenceTypeRequest(
        request_id="00000000-0000-4000-8000-00000000b0b0",
        definition=json.dumps(definition).encode()[: 128 * 1024],
    )

    with untouched(samples.world.server):
        answer = samples.world.operator.call("RegistryService/PublishEvidenceType", request, 5)

    assert (answer.reason, answer.fields) == ("FIELD_INVALID", ["definition"]), answer.told
    must_be_told(answer)


VALUES: Final[dict[str, bytes]] = {
    "too deep": b'{"a":' * 9_000 + b"1" + b"}" * 9_000,
    "a list too deep": b'{"payer":' + b"[" * 20_000 + b"]" * 20_000 + b"}",
    "a number of 400 digits": b'{"amountPence":1' + b"0" * 400 + b"}",
    "a number of 60,000 digits": b'{"amountPence":' + b"9" * 60_000 + b"}",
    "a number beyond all": b'{"amountPence":1e400}',
    "a number between all": b'{"amountPence":1e-400}',
    "a fraction": b'{"amountPence":0.1}',
    "a whole fraction": b'{"amountPence":1.0}',
    "minus nought": b'{"amountPence":-0}',
    "not a number": b'{"amountPence":NaN}',
    "infinity": b'{"amountPence":-Infinity}',
    "ten thousand fields": b"{" + b",".join(b'"f%d":1' % n for n in range(6_000)) + b"}",
    "one field ten thousand times": b"{" + b",".join([b'"payer":"x"'] * 5_000) + b"}",
    "a text of 60 KiB": b'{"payer":"' + b"a" * 60_000 + b'"}',
    "half a pair": b'{"payer":"\\ud800"}',
    "a NUL": b'{"payer":"\\u0000"}',
    "a comment": b'{/* */"payer":"x"}',
    "something after it": b'{"payer":"x"}{}',
    "a byte order mark": b'\xef\xbb\xbf{"payer":"x"}',
    "no UTF-8": b'{"payer":"\xff"}',
}


@pytest.mark.parametrize("what", VALUES)
def test_values_that_would_explode_are_refused(samples: Samples, what: str) -> None:
    request = providing("income", VALUES[what])

    with untouched(samples.world.server):
        answer = samples.citizen.caller.call("EvidenceService/ProvideEvidence", request, 5)

    assert (answer.code, answer.reason) == ("INVALID_ARGUMENT", "EVIDENCE_INVALID"), answer.told
    must_be_told(answer)
