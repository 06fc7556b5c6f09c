# SPDX-License-Identifier: Apache-2.0
"""Every field of every request against values that break programs, one field at a time.

The fields are found by walking the descriptors, so that a new one is tried from its first day.
Where such a value is allowed it is kept; elsewhere the refusal names the field, repeats nothing,
and nothing is recorded.
"""

from __future__ import annotations

import copy
import json
import secrets
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

import pytest
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.timestamp_pb2 import Timestamp

from tests.samples import SETTLING, Samples, senders
from tests.server import ROOT
from tests.verdict import CANARY, head, is_recorded, must_be_told, names_it
from tests.wire import METHODS, Answer, Place, places

STRINGS: Final = {
    "nothing": "",
    "blank": "   ",
    "NUL": f"{CANARY}\0",
    "byte order mark": f"\ufeff{CANARY}",
    "right to left": f"\u202e{CANARY}\u202c",
    "zero width": f"Zq7\u200bcanary {CANARY}",
    "look-alike": f"\u0435\u0430 {CANARY}",
    "decomposed": f"e\u0301 {CANARY}",
    "combining": CANARY + "\u0301" * 150,
    "beyond the first plane": f"\U0001f600 {CANARY}",
    "not a character": f"\uffff {CANARY}",
    "spaces around": f" {CANARY} ",
    "line breaks": f"{CANARY}\r\nset-cookie: a=b",
    "terminal": f"\x1b[31m{CANARY}\x1b[0m\x07",
    "forms to be filled in": f"{{0}}{{0.__class__}} %s%n%x ${{jndi:ldap://{CANARY}}} {CANARY}",
    "queries": f"{CANARY}'; DROP TABLE entries;-- *)(uid={CANARY}",
    "places": f"../../etc/passwd os:system {CANARY}",
    "markup": f'<script>{CANARY}</script>{{"{CANARY}":1}}',
    "wildcard": "*",
    "201 characters": (CANARY * 30)[:201],
    "64 KiB": (CANARY * 8_000)[: 64 * 1024],
    "braced id": f"{{{'6d5b8b0e-57a1-4d9f-8a3e-0b9d3e8f5a11'}}}",
    "id as URN": "urn:uuid:6d5b8b0e-57a1-4d9f-8a3e-0b9d3e8f5a11",
    "id of noughts": "00000000-0000-0000-0000-000000000000",
    "id of ones": "ffffffff-ffff-ffff-ffff-ffffffffffff",
}
SOME: Final = ("nothing", "NUL", "look-alike", "64 KiB", "braced id", "id of noughts")
ALIKE: Final = {"acting", "page_token", "position_token"}
"""Stands, as ids do, in the same form in half of all messages: some texts are enough for each."""
BYTES: Final = {
    "nothing": b"",
    "noughts": bytes(16),
    "longer": bytes(33),
    "no text": b"\xff\xfe\x00\xed\xa0\x80",
    "a canary": CANARY.encode(),
    "as JSON": json.dumps({f"{CANARY} is her name": CANARY}).encode(),
    "65 KiB": b" " * 65 * 1024,
    "1 MiB": bytes(1024 * 1024),
}
NUMBERS: Final = (0, 1, 2**31 - 1, 2**31, 2**32 - 1, 2**53, 2**63 - 1, 2**63, 2**64 - 1)
ENUMS: Final = (99, 2**31 - 1, -1, -(2**31))
IMPOSSIBLE_TIMES: Final = {
    "finer than microseconds": (4_102_444_800, 1),
    "finer still": (4_102_444_800, 999_999_999),
    "nanoseconds below nought": (4_102_444_800, -1),
    "more than a second of them": (4_102_444_800, 1_000_000_000),
    "the year 10000": (253_402_300_800, 0),
    "before the year 1": (-62_135_596_801, 0),
    "the largest": (2**63 - 1, 999_999_000),
    "the smallest": (-(2**63), 0),
}
UNFIT_TIMES: Final = {
    "the first of all": (-62_135_596_800, 0),
    "before 1970": (-1, 0),
    "1970": (0, 0),
    "the last of all": (253_402_300_799, 999_999_000),
}

ANY_TIME: Final = frozenset({"as_of_time", "choice.start_time"})
"""Of these the past is taken: it is looked at, and a start in the past is at once."""


class Sender:
    """Sends a request again and again with one thing changed; a new one when one was taken."""

    def __init__(self, samples: Samples, method: str, role: str) -> None:
        self._samples = samples
        self._method = method
        self._role = role
        self._server = samples.world.server
        self._request: Any = None
        self._head: object = None

    def put(self, place: Place, value: object) -> Answer:
        """Send a request with another value in one place."""
        return self.send(lambda request: place.put(request, value))

    def send(self, change: Callable[[Any], Any]) -> Answer:
        """Send a changed request; nothing may be recorded if it is refused."""
        if self._request is None:
            self._request = self._samples.make(self._method, self._role)
            self._head = head(self._server)
        changed = copy.deepcopy(self._request)
        change(changed)
        answer = self._samples.caller(self._role).call(self._method, changed)
        if is_recorded(answer):
            self._request = None
        else:
            must_be_told(answer)
            if self._role == "auditor" and (
                answer.reason == "NOT_FOUND" or answer.fields == ["as_of_time"]
            ):
                # A look is recorded first, whatever it finds.
                self._head = head(self._server)
            assert head(self._server) == self._head, answer.told
        return answer


def sender_of(method: str, place: Place) -> str:
    """Return who sends a field: an official, where it says how one acts."""
    roles = senders(method)
    if "official" in roles and {"acting", "approval", "short_code"} & set(place.steps):
        return "official"
    return roles[0]


def fields_of(*types: int) -> list[tuple[str, str, Place]]:
    return [
        (method, sender_of(method, place), place)
        for method, descriptor in METHODS.items()
        for place in places(descriptor.input_type)
        if place.field.type in types
    ]


def named(value: object) -> str:
    return value.path if isinstance(value, Place) else str(value)


def each(*types: int) -> pytest.MarkDecorator:
    return pytest.mark.parametrize(("method", "role", "place"), fields_of(*types), ids=named)


def judge(answers: Iterable[Answer], place: Place) -> None:
    """Check that what is not valid of itself is told with the field that was changed."""
    for answer in answers:
        if answer.reason in {"FIELD_INVALID", "TOKEN_INVALID"}:
            assert names_it(answer, place.path), (answer.fields, place.path)


@each(FieldDescriptor.TYPE_STRING)
def test_a_hostile_text_breaks_nothing(
    samples: Samples, method: str, role: str, place: Place
) -> None:
    sender = Sender(samples, method, role)

    is_alike = bool(ALIKE & set(place.steps)) or place.steps[-1].endswith(("_id", "_ids"))
    tried = SOME if is_alike else STRINGS
    answers = {what: sender.put(place, STRINGS[what]) for what in tried}

    judge(answers.values(), place)
    # What is brought from elsewhere is compared with what it must be.
    assert answers["64 KiB"].reason in {"FIELD_INVALID", "NOT_FOUND", "EXPORT_INVALID"}


@each(FieldDescriptor.TYPE_BYTES)
def test_hostile_bytes_break_nothing(
    samples: Samples, method: str, role: str, place: Place
) -> None:
    sender = Sender(samples, method, role)
    tried = {what: BYTES[what] for what in BYTES if "MiB" in what or method not in SETTLING}

    answers = {what: sender.put(place, data) for what, data in tried.items()}

    judge(answers.values(), place)
    assert answers["1 MiB"].reason == "LIMIT_EXCEEDED"


@each(FieldDescriptor.TYPE_UINT32, FieldDescriptor.TYPE_UINT64)
def test_a_hostile_number_breaks_nothing(
    samples: Samples, method: str, role: str, place: Place
) -> None:
    sender = Sender(samples, method, role)
    largest = 2**32 - 1 if place.field.type == FieldDescriptor.TYPE_UINT32 else 2**64 - 1

    answers = [sender.put(place, number) for number in NUMBERS if number <= largest]

    judge(answers, place)


@each(FieldDescriptor.TYPE_ENUM)
def test_an_unknown_enum_value_is_named(
    samples: Samples, method: str, role: str, place: Place
) -> None:
    sender = Sender(samples, method, role)

    answers = [sender.put(place, number) for number in ENUMS]

    assert {answer.reason for answer in answers} == {"FIELD_INVALID"}
    judge(answers, place)


@pytest.mark.parametrize("what", IMPOSSIBLE_TIMES)
@each(FieldDescriptor.TYPE_MESSAGE)
def test_a_time_that_cannot_be_kept_is_named(
    samples: Samples, method: str, role: str, place: Place, what: str
) -> None:
    seconds, nanos = IMPOSSIBLE_TIMES[what]

    answer = Sender(samples, method, role).put(place, Timestamp(seconds=seconds, nanos=nanos))

    assert answer.reason == "FIELD_INVALID"
    assert answer.fields == [place.path]


@pytest.mark.parametrize("what", UNFIT_TIMES)
@each(FieldDescriptor.TYPE_MESSAGE)
def test_a_time_that_makes_no_sense_is_refused(
    samples: Samples, method: str, role: str, place: Place, what: str
) -> None:
    seconds, nanos = UNFIT_TIMES[what]

    answer = Sender(samples, method, role).put(place, Timestamp(seconds=seconds, nanos=nanos))

    if place.path in ANY_TIME:
        assert answer.is_ok or answer.reason == "NOT_FOUND" or answer.fields == [place.path]
    else:
        assert not answer.is_ok
        assert answer.fields


# --- Tokens --------------------------------------------------------------------------------------


def token_fields() -> list[tuple[str, str, Place]]:
    return [
        found
        for found in fields_of(FieldDescriptor.TYPE_STRING)
        if found[2].path in {"page_token", "position_token", "as_of_token", "cursor"}
    ]


def forged(real: str) -> Iterator[str]:
    """Yield tokens that look like a real one."""
    yield real[:-1]
    yield real + "A"
    yield f"{real}="
    yield real[::-1]
    yield ("B" if real[0] == "A" else "A") + real[1:]
    yield real[:-1] + ("B" if real[-1] == "A" else "A")
    yield real.swapcase()
    yield secrets.token_urlsafe(25)
    yield secrets.token_urlsafe(500)[:1024]
    yield "AA"
    yield "\u0661"


@pytest.fixture(scope="module")
def page_token(samples: Samples) -> str:
    """The token of Mair's second page of consents."""
    for _ in range(3):
        samples.world.share(samples.citizen, samples.service)
    first = samples.make("ConsentService/ListConsents", "citizen")
    token: str = samples.citizen.caller.ask("ConsentService/ListConsents", first).next_page_token
    assert token
    return token


@pytest.mark.parametrize(("method", "role", "place"), token_fields(), ids=named)
def test_a_forged_token_is_refused(
    samples: Samples, page_token: str, method: str, role: str, place: Place
) -> None:
    sender = Sender(samples, method, role)
    vault = samples.make("VaultService/GetVault", "citizen")
    here = samples.citizen.caller.ask("VaultService/GetVault", vault).position_token
    # A token of the other kind, or of another list, is no better than a made-up one.
    if place.path != "page_token":
        tried = [*forged(here), page_token]
    elif method == "ConsentService/ListConsents":
        tried = [*forged(page_token), here]
    else:
        tried = [*forged(page_token), here, page_token]

    answers = [sender.put(place, token) for token in tried]

    assert {(a.code, a.reason) for a in answers} == {("INVALID_ARGUMENT", "TOKEN_INVALID")}
    assert all(answer.fields == [place.path] for answer in answers)


@pytest.mark.parametrize("method", ["ConsentService/ListConsents", "VaultService/ListHistory"])
def test_a_page_token_is_for_one_caller(samples: Samples, others: Samples, method: str) -> None:
    for _ in range(3):
        others.world.share(others.citizen, others.service)
    request = samples.make(method, "citizen")
    hers = others.citizen.caller.ask(method, request)
    request.page_token = hers.next_page_token

    answer = samples.citizen.caller.call(method, request)

    assert hers.next_page_token
    assert (answer.reason, answer.fields) == ("TOKEN_INVALID", ["page_token"])


# --- What the operator publishes ----------------------------------------------------------------

FIELD: Final = {
    "name": "ab",
    "label": {"en": "A", "cy": "A"},
    "hint": {"en": "A", "cy": "A"},
    "sensitivity": "ordinary",
}


def with_schema(schema: object, *names: str) -> dict[str, object]:
    return {"schema": schema, "fields": [{**FIELD, "name": name} for name in names]}


DEFINITIONS: Final[dict[str, dict[str, object]]] = {
    "a name with a space": {"evidence_type": f"a {CANARY}"},
    "a name with an accent": {"evidence_type": "cyfeiriad_\u00e9"},
    "no name": {"evidence_type": ""},
    "a long name": {"evidence_type": "x" * 65},
    "a version of nought": {"schema_version": 0},
    "a version below nought": {"schema_version": -1},
    "a large version": {"schema_version": 2**70},
    "a version with a fraction": {"schema_version": 1.5},
    "no English": {"title": {"cy": "Cyfrif"}},
    "no field": {"fields": []},
    "a field twice": with_schema({"type": "object", "properties": {"ab": {}}}, "ab", "ab"),
    "a field with a space": with_schema({"type": "object", "properties": {"a b": {}}}, "a b"),
    "a field with an accent": with_schema(
        {"type": "object", "properties": {"\u00e9": {}}}, "\u00e9"
    ),
    "a schema from elsewhere": with_schema({"$ref": "http://127.0.0.1:1/x"}, "ab"),
    "a schema from a file": with_schema(
        {"type": "object", "properties": {"ab": {"$ref": "file:///etc/passwd"}}}, "ab"
    ),
    "a pattern that is none": with_schema(
        {"type": "object", "properties": {"ab": {"type": "string", "pattern": "(("}}}, "ab"
    ),
    "a pattern that never ends": with_schema(
        {"type": "object", "properties": {"ab": {"type": "string", "pattern": "^(a+)+$"}}}, "ab"
    ),
    "no schema": {"schema": None},
    "something more": {CANARY: 1},
}


@pytest.mark.parametrize("what", DEFINITIONS)
def test_a_definition_that_is_none_is_refused(samples: Samples, what: str) -> None:
    definition = json.loads((ROOT / "vault/evidence_types/bank_account.json").read_bytes())
    definition["evidence_type"] = f"account_{secrets.token_hex(6)}"
    definition.update(DEFINITIONS[what])
    sender = Sender(samples, "RegistryService/PublishEvidenceType", "operator")

    answer = sender.send(lambda r: setattr(r, "definition", json.dumps(definition).encode()))

    assert answer.reason in {"FIELD_INVALID", "REGISTRY_CONFLICT"}
    assert answer.fields == ["definition"]
