# SPDX-License-Identifier: Apache-2.0
"""What is well-formed but wrong: each is told by its own reason and field, and changes nothing."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable
from typing import Any, Final

import pytest

from tests.samples import Prepared, Samples, in_days
from tests.server import Server
from tests.verdict import CANARY, CODES, head, must_be_told, untouched
from tests.wire import Answer
from tests.world import (
    ADDRESS,
    ADDRESS_FIELDS,
    BANK,
    Shared,
    World,
    new_id,
    providing,
    redeeming,
)
from vault.api.v1 import consent_pb2, disclosure_pb2, error_reason_pb2
from vault.api.v1 import consent_service_pb2 as consent
from vault.api.v1.vault_pb2 import APPROVAL_KIND_SESSION, APPROVAL_KIND_WEBAUTHN, Approval

Call = Callable[[Samples], Answer]


def provide(values: Any, evidence_type: str = "postal_address") -> Call:
    return lambda s: s.citizen.caller.call(
        "EvidenceService/ProvideEvidence", providing(evidence_type, values)
    )


def replace(values: Any) -> Call:
    def call(samples: Samples) -> Answer:
        request = samples.make("EvidenceService/ReplaceEvidence", "citizen")
        request.values = json.dumps(values).encode()
        return samples.citizen.caller.call("EvidenceService/ReplaceEvidence", request)

    return call


def scope(
    evidence_type: str = "postal_address",
    required: Iterable[str] = (),
    optional: Iterable[str] = (),
) -> dict[str, Any]:
    return {
        "scope": [
            consent_pb2.RequestedScope(
                evidence_type=evidence_type, required=required, optional=optional
            )
        ]
    }


def ask(**changed: Any) -> Call:
    def call(samples: Samples) -> Answer:
        request = samples.make("ConsentService/RequestConsent", "service")
        for name, value in changed.items():
            request.ClearField(name)
            request.MergeFrom(type(request)(**{name: value}))
        return samples.service.caller.call("ConsentService/RequestConsent", request)

    return call


def item(names: Iterable[str] = ADDRESS_FIELDS) -> Callable[[Samples], Any]:
    return lambda s: consent_pb2.ItemChoice(
        evidence_id=s.citizen.evidence["postal_address"], names=names
    )


def income(samples: Samples) -> consent_pb2.ItemChoice:
    return consent_pb2.ItemChoice(
        evidence_id=samples.citizen.evidence["income"], names=["amountPence"]
    )


def grant(*items: Callable[[Samples], Any], end: float | None = None, language: str = "en") -> Call:
    """Grant another choice than the one that was shown."""

    def call(samples: Samples) -> Answer:
        request = samples.make("ConsentService/GrantConsent", "citizen")
        request.choice.CopyFrom(
            consent_pb2.ConsentChoice(
                items=[make(samples) for make in items],
                end_time=None if end is None else in_days(end),
                language=language,
            )
        )
        return samples.citizen.caller.call("ConsentService/GrantConsent", request)

    return call


def grant_with(change: Callable[[Any], None]) -> Call:
    def call(samples: Samples) -> Answer:
        request = samples.make("ConsentService/GrantConsent", "citizen")
        change(request)
        return samples.citizen.caller.call("ConsentService/GrantConsent", request)

    return call


def fetch(*selections: tuple[str, Iterable[str]], item: int = 0, **changed: Any) -> Call:
    fields = [
        disclosure_pb2.FieldSelection(evidence_type=kind, names=names, item=item)
        for kind, names in selections
    ]
    chosen = {"fields": fields} if selections else {}
    return lambda s: s.world.disclose(s.shared, **{**chosen, **changed})


def publish(change: Callable[[Any], None]) -> Call:
    def call(samples: Samples) -> Answer:
        request = samples.make("RegistryService/PublishPurpose", "operator")
        change(request)
        return samples.world.operator.call("RegistryService/PublishPurpose", request)

    return call


def a_second(request: Any) -> None:
    request.version = 2


WITHOUT_LINE: Final = {"postalCode": "SY29 4ZZ", "addressCountry": "GB"}
ADDRESS_OF_NUMBERS: Final = {**ADDRESS, "buildingNumber": 14}
WITH_UNKNOWN: Final = {**ADDRESS, "shoeSize": CANARY}
BROKEN_POSTCODE: Final = {**ADDRESS, "postalCode": CANARY}

CASES: Final[dict[str, tuple[Call, str, str]]] = {
    # wrong type, unknown field, schema violation
    "a number for a text": (provide(ADDRESS_OF_NUMBERS), "EVIDENCE_INVALID", "/buildingNumber"),
    "a field that the type lacks": (provide(WITH_UNKNOWN), "EVIDENCE_INVALID", "/shoeSize"),
    "a postcode that is none": (provide(BROKEN_POSTCODE), "EVIDENCE_INVALID", "/postalCode"),
    "an address without a line": (provide(WITHOUT_LINE), "EVIDENCE_INVALID", ""),
    "a list for an object": (provide(b"[]"), "EVIDENCE_INVALID", ""),
    "half an object": (provide(b'{"a":'), "EVIDENCE_INVALID", ""),
    "a name twice": (provide(b'{"a":1,"a":2}'), "EVIDENCE_INVALID", ""),
    "not a number": (provide(b'{"amountPence":NaN}', "income"), "EVIDENCE_INVALID", ""),
    "UTF-16": (provide(json.dumps(ADDRESS).encode("utf-16")), "EVIDENCE_INVALID", ""),
    "too deep": (provide(b'{"a":' * 9_000 + b"1" + b"}" * 9_000), "EVIDENCE_INVALID", ""),
    "a type that nobody published": (
        provide(ADDRESS, "shoe_size"),
        "FIELD_UNKNOWN",
        "evidence_type",
    ),
    "a wrong replacement": (replace(ADDRESS_OF_NUMBERS), "EVIDENCE_INVALID", "/buildingNumber"),
    # empty scope, wildcard, unknown field
    "asking for nothing": (ask(scope=[]), "FIELD_INVALID", "scope"),
    "asking for no field": (ask(**scope()), "FIELD_INVALID", "scope[0]"),
    "asking for all": (ask(**scope(required=["*"])), "FIELD_INVALID", "scope[0].required[0]"),
    "asking for all types": (
        ask(**scope("*", ["postalCode"])),
        "FIELD_INVALID",
        "scope[0].evidence_type",
    ),
    "asking for one twice": (
        ask(**scope(required=["postalCode"] * 2)),
        "FIELD_INVALID",
        "scope[0].required",
    ),
    "asking for what is required": (
        ask(**scope(required=["postalCode"], optional=["postalCode"])),
        "FIELD_INVALID",
        "scope[0].optional",
    ),
    "asking for an unknown field": (
        ask(**scope(required=["shoeSize"])),
        "FIELD_UNKNOWN",
        "scope[0].required",
    ),
    "asking for an unknown type": (
        ask(**scope("shoe_size", ["leftFoot"])),
        "FIELD_UNKNOWN",
        "scope[0].required",
    ),
    # outside the purpose
    "a field outside the purpose": (
        ask(**scope(required=["poBoxNumber"])),
        "PURPOSE_EXCEEDED",
        "scope[0].required",
    ),
    "a type outside the purpose": (
        ask(**scope("bank_account", ["sortCode"])),
        "PURPOSE_EXCEEDED",
        "scope[0].required",
    ),
    "an end beyond the purpose": (ask(end_time=in_days(91)), "PURPOSE_EXCEEDED", "end_time"),
    "an end in the past": (ask(end_time=in_days(-1)), "FIELD_INVALID", "end_time"),
    "a lapse in the past": (ask(expire_time=in_days(-1)), "FIELD_INVALID", "expire_time"),
    "a lapse too far off": (ask(expire_time=in_days(91)), "FIELD_INVALID", "expire_time"),
    "too often": (
        ask(frequency=consent_pb2.Frequency(count=1_000_000, period_seconds=3_600)),
        "PURPOSE_EXCEEDED",
        "frequency",
    ),
    "never": (
        ask(frequency=consent_pb2.Frequency(count=0, period_seconds=60)),
        "FIELD_INVALID",
        "frequency.count",
    ),
    "kept too long": (ask(retention_days=31), "PURPOSE_EXCEEDED", "retention_days"),
    "an unknown purpose": (ask(purpose_code="none"), "PURPOSE_NOT_ALLOWED", "purpose_code"),
    "a way back over the open network": (
        ask(return_uri=f"http://{CANARY}.example/"),
        "FIELD_INVALID",
        "return_uri",
    ),
    "a challenge in plain": (ask(code_challenge=CANARY), "FIELD_INVALID", "code_challenge"),
    # grant wider than the request, or not what was shown
    "granting nothing": (grant(), "FIELD_INVALID", "choice.items"),
    "granting no field": (grant(item([])), "FIELD_INVALID", "choice.items[0].names"),
    "granting all": (grant(item(["*"])), "FIELD_INVALID", "choice.items[0].names[0]"),
    "a field that was not asked for": (
        grant(item((*ADDRESS_FIELDS, "poBoxNumber"))),
        "CHOICE_NOT_OFFERED",
        "choice.items[0]",
    ),
    "evidence that was not asked for": (
        grant(item(), income),
        "CHOICE_NOT_OFFERED",
        "choice.items[1]",
    ),
    "evidence twice": (grant(item(), item()), "CHOICE_NOT_OFFERED", "choice.items[1]"),
    "less than is required": (
        grant(item(["postalCode"])),
        "CHOICE_NOT_OFFERED",
        "choice.items[0].names",
    ),
    "a later end": (grant(item(), end=91), "CHOICE_NOT_OFFERED", "choice.end_time"),
    "an end before now": (grant(item(), end=-1), "CHOICE_NOT_OFFERED", "choice.end_time"),
    "another end than was shown": (grant(item(), end=30), "SHOWN_DIFFERS", "shown"),
    "another language than was shown": (grant(item(), language="cy"), "SHOWN_DIFFERS", "shown"),
    "another digest": (
        grant_with(lambda r: setattr(r.shown, "shown_hash", bytes(32))),
        "SHOWN_DIFFERS",
        "shown",
    ),
    "another salt": (
        grant_with(lambda r: setattr(r.shown, "salt", bytes(16))),
        "SHOWN_DIFFERS",
        "shown",
    ),
    "shown an hour ago": (
        grant_with(lambda r: r.shown.shown_time.CopyFrom(in_days(-1 / 24))),
        "SHOWN_DIFFERS",
        "shown",
    ),
    "a passkey's proof that is none": (
        grant_with(
            lambda r: r.approval.CopyFrom(
                Approval(kind=APPROVAL_KIND_WEBAUTHN, proof=CANARY.encode())
            )
        ),
        "FIELD_INVALID",
        "approval.assertion",
    ),
    "a sign-in with a proof": (
        grant_with(
            lambda r: r.approval.CopyFrom(
                Approval(kind=APPROVAL_KIND_SESSION, proof=CANARY.encode())
            )
        ),
        "FIELD_INVALID",
        "approval.proof",
    ),
    # fetching beyond the consent
    "fetching nothing": (fetch(fields=[]), "FIELD_INVALID", "fields"),
    "fetching no field": (fetch(("postal_address", [])), "FIELD_INVALID", "fields[0].names"),
    "fetching all": (fetch(("postal_address", ["*"])), "FIELD_INVALID", "fields[0].names[0]"),
    "fetching an unknown field": (
        fetch(("postal_address", ["shoeSize"])),
        "FIELD_UNKNOWN",
        "fields[0]",
    ),
    "fetching what is not granted": (
        fetch(("postal_address", ["poBoxNumber"])),
        "FIELD_NOT_GRANTED",
        "fields[0].names",
    ),
    "fetching a type that is not granted": (
        fetch(("bank_account", sorted(BANK))),
        "FIELD_NOT_GRANTED",
        "fields[0]",
    ),
    "fetching an item twice": (
        fetch(("postal_address", ["postalCode"]), ("postal_address", ["streetName"])),
        "FIELD_NOT_GRANTED",
        "fields[1]",
    ),
    "fetching an item that is not there": (
        fetch(("postal_address", ["postalCode"]), item=9),
        "FIELD_NOT_GRANTED",
        "fields[0]",
    ),
    "fetching for another purpose": (fetch(purpose_code="none"), "PURPOSE_DIFFERS", "purpose_code"),
    "fetching under nothing": (
        fetch(authority=disclosure_pb2.Authority()),
        "FIELD_INVALID",
        "authority.authority",
    ),
    # the registry
    "a purpose for nobody": (
        publish(lambda r: r.bounds.ClearField("service_ids")),
        "FIELD_INVALID",
        "bounds.service_ids",
    ),
    "a purpose for all fields": (
        publish(lambda r: r.bounds.evidence[0].names.append("*")),
        "FIELD_INVALID",
        "bounds.evidence[0].names[5]",
    ),
    "a purpose without English": (
        publish(lambda r: setattr(r.texts[0], "language", "cy")),
        "FIELD_INVALID",
        "texts",
    ),
    "a second version first": (publish(a_second), "REGISTRY_CONFLICT", "version"),
}
"""What is sent, the reason of the refusal, and the field that it names."""


@pytest.mark.parametrize("what", CASES)
def test_what_is_wrong_is_named_and_changes_nothing(
    server: Server, samples: Samples, what: str
) -> None:
    call, reason, field = CASES[what]
    prepared = Prepared(samples)

    answer = call(prepared)  # type: ignore[arg-type]

    assert (answer.code, answer.reason) == (CODES[reason], reason)
    assert field in answer.fields
    must_be_told(answer)
    assert head(server) == prepared.head


def test_a_consent_is_revoked_once(server: Server, world: World, samples: Samples) -> None:
    shared = world.share(samples.citizen, samples.service)
    assert world.revoke(shared).is_ok

    with untouched(server):
        again = world.revoke(shared)

    assert (again.code, again.reason) == ("FAILED_PRECONDITION", "CONSENT_REVOKED")


def test_a_request_is_granted_once(server: Server, world: World, samples: Samples) -> None:
    asked = world.ask(samples.service)
    world.claim(samples.citizen, asked)
    first, second = (world.previewed(samples.citizen, asked) for _ in range(2))
    samples.citizen.caller.ask("ConsentService/GrantConsent", first)

    with untouched(server):
        again = samples.citizen.caller.call("ConsentService/GrantConsent", second)

    assert again.reason == "REQUEST_ALREADY_DECIDED"


def test_a_code_is_redeemed_once(server: Server, world: World, samples: Samples) -> None:
    shared = world.share(samples.citizen, samples.service)

    with untouched(server):
        again = samples.service.caller.call(
            "ConsentService/RedeemCode", redeeming(shared.asked, shared.code)
        )

    assert again.reason == "CODE_ALREADY_REDEEMED"


def test_a_request_is_claimed_by_one(
    server: Server, world: World, samples: Samples, others: Samples
) -> None:
    asked = world.ask(samples.service)
    world.claim(samples.citizen, asked)
    request = consent.ClaimRequestRequest(request_id=new_id(), handoff_token=asked.handoff_token)

    with untouched(server):
        again = others.citizen.caller.call("ConsentService/ClaimRequest", request)

    assert again.reason == "REQUEST_ALREADY_CLAIMED"


def test_a_refused_attempt_is_recorded_three_times_a_day(world: World, samples: Samples) -> None:
    shared = world.share(samples.citizen, samples.service)
    before = len(world.replay(samples.citizen.vault_id))

    fields = [disclosure_pb2.FieldSelection(evidence_type="income", names=["payer"])]
    for _ in range(5):
        refused = world.disclose(shared, fields=fields, case_ref=CANARY)
        assert refused.reason == "FIELD_NOT_GRANTED"
    # They are recorded after the reply, so that its timing tells nothing.
    time.sleep(0.3)
    added = world.replay(samples.citizen.vault_id)[before:]

    kept = [json.loads(record.facts) for record in added]
    assert [facts["type"] for facts in kept] == ["disclosure-refused.1"] * 3 + ["vault-read.1"]
    assert [facts.get("more_unlisted") for facts in kept[:3]] == [False, False, True]


def test_a_suspended_service_gets_nothing(server: Server, world: World, samples: Samples) -> None:
    service = world.service()
    shared = world.share(samples.citizen, service)
    suspended = samples.make("RegistryService/SuspendService", "operator")
    suspended.service_id = service.service_id
    world.operator.ask("RegistryService/SuspendService", suspended)

    with untouched(server):
        refused = world.disclose(shared)
        asked = service.caller.call(
            "ConsentService/RequestConsent",
            samples.make("ConsentService/RequestConsent", "service"),
        )

    assert {refused.reason, asked.reason} == {"SERVICE_SUSPENDED"}


def test_a_withdrawn_purpose_permits_nothing(
    server: Server, world: World, samples: Samples
) -> None:
    service = world.service()
    shared = world.share(samples.citizen, service)
    withdrawn = samples.make("RegistryService/WithdrawPurpose", "operator")
    withdrawn.purpose_code = service.purpose_code
    world.operator.ask("RegistryService/WithdrawPurpose", withdrawn)

    with untouched(server):
        refused = world.disclose(shared)

    assert refused.reason == "PURPOSE_NOT_ALLOWED"


def test_every_reason_of_the_contract_has_its_code() -> None:
    reasons = set(error_reason_pb2.ErrorReason.keys()) - {"ERROR_REASON_UNSPECIFIED"}

    assert {f"ERROR_REASON_{reason}" for reason in CODES} == reasons


def test_sharing_what_was_never_shared_is_not_there(world: World, samples: Samples) -> None:
    stranger = world.stranger()
    shared = Shared(
        citizen=stranger,
        service=samples.service,
        asked=samples.shared.asked,
        code="",
        consent_id=new_id(),
        subject_id=new_id(),
        receipt=samples.shared.receipt,
    )

    assert world.disclose(shared).reason == "NOT_FOUND"
    assert world.revoke(shared).reason == "VAULT_NOT_OPEN"
