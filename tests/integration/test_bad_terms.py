# SPDX-License-Identifier: Apache-2.0
"""What can be wrong with terms, decisions and disputes: each told by its own reason and field.

Nothing is recorded of it, a service's refused attempts left out.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable
from typing import Any, Final

import pytest

from tests.samples import Prepared, Samples, in_days
from tests.verdict import CANARY, CODES, head, must_be_told
from tests.wire import Answer
from tests.world import (
    ADDRESS_FIELDS,
    INCOME,
    LETTER,
    Shared,
    checking,
    disclosing_document,
    new_id,
    providing,
    redeeming,
)
from vault.api.v1 import audit_service_pb2 as audit
from vault.api.v1 import consent_pb2 as pb
from vault.api.v1 import consent_service_pb2 as consent
from vault.api.v1 import disclosure_pb2, vault_pb2
from vault.api.v1 import evidence_service_pb2 as evidence

Call = Callable[[Any], Answer]
Change = Callable[[Any], None]

SECOND: Final = 1 / 86_400
ONCE: Final = {"frequency": None}


def changed(method: str, change: Change, role: str = "citizen") -> Call:
    """Send a sample with something changed."""

    def call(samples: Any) -> Answer:
        request = samples.make(method, role)
        change(request)
        answer: Answer = samples.caller(role).call(method, request)
        return answer

    return call


def narrow(change: Change) -> Call:
    return changed("ConsentService/NarrowConsent", change)


def extend(change: Change) -> Call:
    return changed("ConsentService/ExtendConsent", change)


def grant(change: Change) -> Call:
    return changed("ConsentService/GrantConsent", change)


def dispute(change: Change) -> Call:
    return changed("EvidenceService/DisputeEvidence", change)


def ask(change: Change) -> Call:
    return changed("ConsentService/RequestConsent", change, "service")


def left(*items: tuple[int, Iterable[str]]) -> Change:
    def change(request: Any) -> None:
        del request.items[:]
        request.items.extend(pb.RemainingFields(item=item, names=names) for item, names in items)

    return change


def only(**values: Any) -> Change:
    """Set some fields and clear what narrows otherwise."""

    def change(request: Any) -> None:
        for name in ("items", "end_time", "frequency_count"):
            request.ClearField(name)
        request.MergeFrom(type(request)(**values))

    return change


def ends(days: float) -> Change:
    return lambda request: request.end_time.CopyFrom(in_days(days))


def putting(**values: Any) -> Change:
    def change(request: Any) -> None:
        for name, value in values.items():
            request.ClearField(name)
            request.MergeFrom(type(request)(**{name: value}))

    return change


def starts(days: float) -> Change:
    return lambda request: request.choice.start_time.CopyFrom(in_days(days))


# --- Consents in every state ---------------------------------------------------------------------

Prepare = Callable[[Any], Shared]


def once(samples: Any) -> Shared:
    """Share for one disclosure, which is made."""
    shared: Shared = samples.world.share(samples.citizen, samples.service, **ONCE)
    assert samples.world.disclose(shared).is_ok
    return shared


def used_up(samples: Any) -> Shared:
    """Share for two disclosures in a day, which are made."""
    twice = pb.Frequency(count=2, period_seconds=86_400)
    shared: Shared = samples.world.share(samples.citizen, samples.service, frequency=twice)
    assert all(samples.world.disclose(shared).is_ok for _ in range(2))
    return shared


def revoked(samples: Any) -> Shared:
    shared: Shared = samples.world.share(samples.citizen, samples.service)
    assert samples.world.revoke(shared).is_ok
    return shared


def paused(samples: Any) -> Shared:
    shared: Shared = samples.paused()
    return shared


def standing(samples: Any) -> Shared:
    shared: Shared = samples.shared
    return shared


def ended(samples: Any) -> Shared:
    """Share for half a second, which passes."""
    end = {"end_time": in_days(SECOND / 2)}
    shared: Shared = samples.world.share(samples.citizen, samples.service, end)
    time.sleep(0.5)
    return shared


def not_begun(samples: Any) -> Shared:
    """Share from tomorrow."""
    start = {"start_time": in_days(1)}
    shared: Shared = samples.world.share(samples.citizen, samples.service, start)
    return shared


def too_old(samples: Any) -> Shared:
    """Share income that was stated years ago, for whoever wants it younger than a month."""
    request = providing("income", INCOME)
    request.issued_date = "2024-02-29"
    provided = samples.citizen.caller.ask("EvidenceService/ProvideEvidence", request)
    scope = pb.RequestedScope(evidence_type="income", required=["payer"])
    item = pb.ItemChoice(evidence_id=provided.evidence.evidence_id, names=["payer"])
    shared: Shared = samples.world.share(
        samples.citizen, samples.service, {"items": [item]}, scope=[scope], largest_age_days=30
    )
    return shared


def under(prepare: Prepare, method: str, **said: Any) -> Call:
    """Have the citizen change a consent that is in some state."""

    def call(samples: Any) -> Answer:
        shared = prepare(samples)
        request = METHODS_OF[method](request_id=new_id(), consent_id=shared.consent_id, **said)
        samples.ready()
        answer: Answer = samples.citizen.caller.call(f"ConsentService/{method}", request)
        return answer

    return call


METHODS_OF: Final[dict[str, Callable[..., Any]]] = {
    "NarrowConsent": consent.NarrowConsentRequest,
    "ExtendConsent": consent.ExtendConsentRequest,
    "PauseConsent": consent.PauseConsentRequest,
    "ResumeConsent": consent.ResumeConsentRequest,
    "RevokeConsent": consent.RevokeConsentRequest,
}
LESS: Final = {"items": [pb.RemainingFields(item=1, names=["postalCode"])]}


def longer(days: float = 89.0) -> dict[str, Any]:
    return {"end_time": in_days(days), "validate_only": True}


def fetch(prepare: Prepare, **changes: Any) -> Call:
    def call(samples: Any) -> Answer:
        shared = prepare(samples)
        samples.ready()
        answer: Answer = samples.world.disclose(shared, **changes)
        return answer

    return call


INCOME_FIELD: Final = {
    "fields": [disclosure_pb2.FieldSelection(evidence_type="income", names=["payer"])]
}

CONSENTS: Final[dict[str, tuple[Call, str, str]]] = {
    # narrowing
    "narrowing to a field that is not shared": (
        narrow(left((1, [*ADDRESS_FIELDS, "addressCountry"]))),
        "NARROWING_WIDENS",
        "items[0]",
    ),
    "narrowing to an item that is not there": (
        narrow(left((1, ["postalCode"]), (9, ["postalCode"]))),
        "NARROWING_WIDENS",
        "items[1]",
    ),
    "narrowing to a later end": (narrow(ends(91)), "NARROWING_WIDENS", "end_time"),
    "narrowing to more often": (
        narrow(only(frequency_count=1_000_000)),
        "FIELD_INVALID",
        "items",
    ),
    "narrowing an item twice": (
        narrow(left((1, ["postalCode"]), (1, ["streetName"]))),
        "FIELD_INVALID",
        "items[1]",
    ),
    "narrowing to all fields": (
        narrow(left((1, ["*"]))),
        "FIELD_INVALID",
        "items[0].names[0]",
    ),
    "narrowing to no field": (narrow(left((1, []))), "FIELD_INVALID", "items[0].names"),
    "narrowing to item nought": (
        narrow(left((0, ["postalCode"]))),
        "FIELD_INVALID",
        "items[0].item",
    ),
    "narrowing to the past": (narrow(ends(-1)), "FIELD_INVALID", "end_time"),
    "narrowing nothing": (narrow(only()), "FIELD_INVALID", "items"),
    "narrowing to what is shared": (
        narrow(only(items=[pb.RemainingFields(item=1, names=ADDRESS_FIELDS)])),
        "FIELD_INVALID",
        "items",
    ),
    "narrowing how often, of one": (
        under(
            lambda s: s.world.share(s.citizen, s.service, **ONCE),
            "NarrowConsent",
            frequency_count=1,
        ),
        "NARROWING_WIDENS",
        "frequency_count",
    ),
    "narrowing what is revoked": (
        under(revoked, "NarrowConsent", **LESS),
        "CONSENT_REVOKED",
        "",
    ),
    "narrowing what has ended": (under(ended, "NarrowConsent", **LESS), "CONSENT_EXPIRED", ""),
    # extending
    "extending beyond the purpose": (
        under(standing, "ExtendConsent", end_time=in_days(91), validate_only=True),
        "PURPOSE_EXCEEDED",
        "end_time",
    ),
    "extending to the year 9999": (extend(ends(2_900_000)), "PURPOSE_EXCEEDED", "end_time"),
    "extending to an earlier end": (extend(ends(5)), "FIELD_INVALID", "end_time"),
    "extending to another end than was shown": (extend(ends(21)), "SHOWN_DIFFERS", "shown"),
    "extending by what was shown of nothing": (
        extend(lambda r: setattr(r.shown, "shown_hash", bytes(32))),
        "SHOWN_DIFFERS",
        "shown",
    ),
    "extending by what was shown a day ago": (
        extend(lambda r: r.shown.shown_time.CopyFrom(in_days(-1.1))),
        "SHOWN_DIFFERS",
        "shown",
    ),
    "extending by what is shown tomorrow": (
        extend(lambda r: r.shown.shown_time.CopyFrom(in_days(1))),
        "SHOWN_DIFFERS",
        "shown",
    ),
    "extending without being shown": (
        extend(lambda r: r.ClearField("shown")),
        "FIELD_INVALID",
        "shown",
    ),
    "extending and only looking": (
        extend(lambda r: setattr(r, "validate_only", True)),
        "FIELD_INVALID",
        "validate_only",
    ),
    "extending what is revoked": (
        under(revoked, "ExtendConsent", **longer()),
        "CONSENT_REVOKED",
        "",
    ),
    "extending what has ended": (under(ended, "ExtendConsent", **longer()), "CONSENT_EXPIRED", ""),
    "extending what was used once": (
        under(once, "ExtendConsent", **longer(89.99)),
        "FREQUENCY_EXHAUSTED",
        "",
    ),
    # pausing, resuming, revoking
    "pausing twice": (under(paused, "PauseConsent"), "CONSENT_PAUSED", ""),
    "pausing what is revoked": (under(revoked, "PauseConsent"), "CONSENT_REVOKED", ""),
    "pausing what has ended": (under(ended, "PauseConsent"), "CONSENT_EXPIRED", ""),
    "resuming what is not paused": (under(standing, "ResumeConsent"), "CONSENT_NOT_PAUSED", ""),
    "resuming what is revoked": (under(revoked, "ResumeConsent"), "CONSENT_REVOKED", ""),
    "revoking what has ended": (under(ended, "RevokeConsent"), "CONSENT_EXPIRED", ""),
    # fetching
    "fetching a second time what is for once": (fetch(once), "FREQUENCY_EXHAUSTED", ""),
    "fetching after the last of a window": (fetch(used_up), "FREQUENCY_EXHAUSTED", ""),
    "fetching what is paused": (fetch(paused), "CONSENT_PAUSED", ""),
    "fetching after the end": (fetch(ended), "CONSENT_EXPIRED", ""),
    "fetching before the start": (fetch(not_begun), "CONSENT_NOT_STARTED", ""),
    "fetching what is too old": (fetch(too_old, **INCOME_FIELD), "EVIDENCE_TOO_OLD", ""),
}


# --- Requests ------------------------------------------------------------------------------------


def pending(samples: Any) -> Any:
    asked = samples.ask()
    samples.world.claim(samples.citizen, asked)
    return asked


def refused(samples: Any) -> Any:
    asked = pending(samples)
    request = consent.RefuseConsentRequest(
        request_id=new_id(), consent_request_id=asked.consent_request_id
    )
    assert samples.citizen.caller.call("ConsentService/RefuseConsent", request).is_ok
    return asked


def cancelled(samples: Any, asked: Any = None) -> Any:
    asked = asked or pending(samples)
    request = consent.CancelRequestRequest(
        request_id=new_id(), consent_request_id=asked.consent_request_id
    )
    assert samples.service.caller.call("ConsentService/CancelRequest", request).is_ok
    return asked


def lapsed(samples: Any) -> Any:
    asked = samples.ask(expire_time=in_days(SECOND / 2))
    samples.world.claim(samples.citizen, asked)
    time.sleep(0.5)
    return asked


def decide(prepare: Callable[[Any], Any], method: str) -> Call:
    """Decide on, or take back, a request that is in some state."""

    def call(samples: Any) -> Answer:
        asked = prepare(samples)
        request: Any
        if method == "GrantConsent":
            request = samples.make("ConsentService/GrantConsent", "citizen")
        elif method == "RefuseConsent":
            request = consent.RefuseConsentRequest(request_id=new_id())
        elif method == "PreviewConsent":
            request = samples.make("ConsentService/PreviewConsent", "citizen")
        else:
            request = consent.CancelRequestRequest(request_id=new_id())
        request.consent_request_id = asked.consent_request_id
        samples.ready()
        who = samples.service if method == "CancelRequest" else samples.citizen
        answer: Answer = who.caller.call(f"ConsentService/{method}", request)
        return answer

    return call


def granted(samples: Any) -> Any:
    return samples.shared.asked


def claim(prepare: Callable[[Any], Any]) -> Call:
    """Have another citizen claim a request."""

    def call(samples: Any) -> Answer:
        asked, other = prepare(samples), samples.world.mair
        request = consent.ClaimRequestRequest(
            request_id=new_id(), handoff_token=asked.handoff_token
        )
        samples.ready()
        answer: Answer = other.caller.call("ConsentService/ClaimRequest", request)
        return answer

    return call


def lapsed_unclaimed(samples: Any) -> Any:
    asked = samples.ask(expire_time=in_days(SECOND / 4))
    time.sleep(0.25)
    return asked


def redeem(change: Change) -> Call:
    return changed("ConsentService/RedeemCode", change, "service")


def redeem_again(samples: Any) -> Answer:
    request = redeeming(samples.shared.asked, samples.shared.code)
    answer: Answer = samples.service.caller.call("ConsentService/RedeemCode", request)
    return answer


def known_too_often(samples: Any) -> Answer:
    """Ask somebody whom one knows for the 21st time."""
    citizen, service = samples.world.citizen(), samples.service
    shared = samples.world.share(citizen, service)
    for _ in range(20):
        samples.world.ask(service, subject_id=shared.subject_id)
    request = samples.make("ConsentService/RequestConsent", "service")
    request.code_challenge = ""
    request.subject_id = shared.subject_id
    answer: Answer = service.caller.call("ConsentService/RequestConsent", request)
    return answer


REQUESTS: Final[dict[str, tuple[Call, str, str]]] = {
    "granting what was cancelled": (decide(cancelled, "GrantConsent"), "REQUEST_CANCELLED", ""),
    "refusing what was cancelled": (decide(cancelled, "RefuseConsent"), "REQUEST_CANCELLED", ""),
    "being shown what was cancelled": (
        decide(cancelled, "PreviewConsent"),
        "REQUEST_CANCELLED",
        "",
    ),
    "cancelling twice": (decide(cancelled, "CancelRequest"), "REQUEST_CANCELLED", ""),
    "cancelling twice what nobody claimed": (
        decide(lambda s: cancelled(s, s.ask()), "CancelRequest"),
        "REQUEST_CANCELLED",
        "",
    ),
    "claiming what was cancelled": (
        claim(lambda s: cancelled(s, s.ask())),
        "REQUEST_CANCELLED",
        "",
    ),
    "cancelling what was granted": (
        decide(granted, "CancelRequest"),
        "REQUEST_ALREADY_DECIDED",
        "",
    ),
    "cancelling what was refused": (
        decide(refused, "CancelRequest"),
        "REQUEST_ALREADY_DECIDED",
        "",
    ),
    "granting what was refused": (decide(refused, "GrantConsent"), "REQUEST_ALREADY_DECIDED", ""),
    "refusing what was granted": (decide(granted, "RefuseConsent"), "REQUEST_ALREADY_DECIDED", ""),
    "refusing twice": (decide(refused, "RefuseConsent"), "REQUEST_ALREADY_DECIDED", ""),
    "granting too late": (decide(lapsed, "GrantConsent"), "REQUEST_EXPIRED", ""),
    "refusing too late": (decide(lapsed, "RefuseConsent"), "REQUEST_EXPIRED", ""),
    "cancelling too late": (decide(lapsed, "CancelRequest"), "REQUEST_EXPIRED", ""),
    "claiming too late": (claim(lapsed_unclaimed), "REQUEST_EXPIRED", ""),
    "claiming what is claimed": (claim(pending), "REQUEST_ALREADY_CLAIMED", ""),
    "redeeming with another verifier": (
        redeem(lambda r: setattr(r, "code_verifier", "v" * 43)),
        "NOT_FOUND",
        "",
    ),
    "redeeming another code": (
        redeem(lambda r: setattr(r, "code", r.code[::-1])),
        "NOT_FOUND",
        "",
    ),
    "redeeming again": (redeem_again, "CODE_ALREADY_REDEEMED", ""),
    "asking in two ways": (
        ask(putting(with_short_code=True)),
        "FIELD_INVALID",
        "with_short_code",
    ),
    "asking in no way": (ask(putting(code_challenge="")), "FIELD_INVALID", "code_challenge"),
    "asking too often whom one knows": (known_too_often, "LIMIT_EXCEEDED", ""),
    "asking from the past": (ask(putting(start_time=in_days(-1))), "FIELD_INVALID", "start_time"),
    "asking from after the end": (
        ask(putting(start_time=in_days(20), end_time=in_days(10))),
        "FIELD_INVALID",
        "start_time",
    ),
    "asking until the year 9999": (
        ask(putting(end_time=in_days(2_900_000))),
        "PURPOSE_EXCEEDED",
        "end_time",
    ),
    "a start before the request's": (
        start_early,
        "CHOICE_NOT_OFFERED",
        "choice.start_time",
    ),
    "a start after the end": (grant(starts(90.5)), "CHOICE_NOT_OFFERED", "choice.start_time"),
    "another start than was shown": (grant(starts(1)), "SHOWN_DIFFERS", "shown"),
    "another mode than was shown": (
        grant(lambda r: setattr(r.choice.items[0], "mode", pb.EVIDENCE_MODE_PINNED)),
        "SHOWN_DIFFERS",
        "shown",
    ),
    "a field that her evidence lacks": (
        share_what_is_not_there,
        "CHOICE_NOT_OFFERED",
        "choice.items[0]",
    ),
}


def start_early(samples: Any) -> Answer:
    asked = samples.ask(start_time=in_days(10))
    samples.world.claim(samples.citizen, asked)
    request = samples.world.previewed(samples.citizen, asked)
    request.choice.start_time.CopyFrom(in_days(5))
    samples.ready()
    answer: Answer = samples.citizen.caller.call("ConsentService/GrantConsent", request)
    return answer


def share_what_is_not_there(samples: Any) -> Answer:
    """Choose the end of an income that has none."""
    names = ["payer", "validUntil"]
    asked = samples.ask(
        scope=[pb.RequestedScope(evidence_type="income", optional=["payer", "frequency"])]
    )
    samples.world.claim(samples.citizen, asked)
    item = pb.ItemChoice(evidence_id=samples.citizen.evidence["income"], names=names)
    request = consent.PreviewConsentRequest(
        consent_request_id=asked.consent_request_id,
        choice=pb.ConsentChoice(items=[item], language="en"),
    )
    samples.ready()
    answer: Answer = samples.citizen.caller.call("ConsentService/PreviewConsent", request)
    return answer


# --- Disputes, documents, looks ------------------------------------------------------------------


def settle_twice(samples: Any) -> Answer:
    first = samples.make("EvidenceService/ResolveDispute", "citizen")
    samples.citizen.caller.ask("EvidenceService/ResolveDispute", first)
    first.request_id = new_id()
    samples.ready()
    answer: Answer = samples.citizen.caller.call("EvidenceService/ResolveDispute", first)
    return answer


def dispute_twice(samples: Any) -> Answer:
    first = samples.make("EvidenceService/DisputeEvidence", "citizen")
    samples.citizen.caller.ask("EvidenceService/DisputeEvidence", first)
    first.request_id = new_id()
    samples.ready()
    answer: Answer = samples.citizen.caller.call("EvidenceService/DisputeEvidence", first)
    return answer


def document(*names: str, kind: str = "document") -> Call:
    selection = disclosure_pb2.FieldSelection(evidence_type=kind, names=names)
    return lambda s: s.service.caller.call(
        "DisclosureService/DiscloseDocument", disclosing_document(s.letter, fields=selection)
    )


def check(**changes: Any) -> Call:
    return lambda s: s.service.caller.call(
        "DisclosureService/CheckDisclosures", checking(s.shared, **changes)
    )


def provide_a_document(samples: Any) -> Answer:
    request = providing("document", {**LETTER})
    answer: Answer = samples.citizen.caller.call("EvidenceService/ProvideEvidence", request)
    return answer


def replace_a_document(samples: Any) -> Answer:
    request = samples.make("EvidenceService/ReplaceEvidence", "citizen")
    request.evidence_id = samples.document
    request.values = json.dumps(dict(LETTER)).encode()
    answer: Answer = samples.citizen.caller.call("EvidenceService/ReplaceEvidence", request)
    return answer


def at_two_moments(request: Any) -> None:
    request.as_of_token = CANARY
    request.as_of_time.CopyFrom(in_days(0))


LETTER_PROOF: Final = vault_pb2.Approval(kind=vault_pb2.APPROVAL_KIND_PAPER, proof=CANARY.encode())

OTHERS: Final[dict[str, tuple[Call, str, str]]] = {
    "disputing a field that is not there": (
        dispute(putting(names=["shoeSize"])),
        "FIELD_INVALID",
        "names",
    ),
    "disputing a field that the piece lacks": (
        dispute(putting(names=["poBoxNumber"])),
        "FIELD_INVALID",
        "names",
    ),
    "disputing everything": (dispute(putting(names=["*"])), "FIELD_INVALID", "names[0]"),
    "disputing nothing": (dispute(lambda r: r.ClearField("names")), "FIELD_INVALID", "names"),
    "disputing one twice at once": (
        dispute(putting(names=["streetName"] * 2)),
        "FIELD_INVALID",
        "names",
    ),
    "disputing again": (dispute_twice, "FIELD_INVALID", "names"),
    "disputing without a word": (dispute(putting(statement="")), "FIELD_INVALID", "statement"),
    "disputing in 2,001 characters": (
        dispute(putting(statement=(CANARY * 300)[:2_001])),
        "FIELD_INVALID",
        "statement",
    ),
    "settling again": (settle_twice, "DISPUTE_RESOLVED", ""),
    "settling somehow": (
        changed("EvidenceService/ResolveDispute", lambda r: r.ClearField("outcome")),
        "FIELD_INVALID",
        "outcome",
    ),
    "a document whose content is not asked for": (
        document("title"),
        "FIELD_INVALID",
        "fields",
    ),
    "an address as a document": (
        document("postalCode", kind="postal_address"),
        "FIELD_INVALID",
        "fields",
    ),
    "a document with a field that is not granted": (
        document("content", "issuedBy"),
        "FIELD_NOT_GRANTED",
        "fields.names",
    ),
    "a document with a field that nobody knows": (
        document("content", "shoeSize"),
        "FIELD_UNKNOWN",
        "fields",
    ),
    "a document that is provided": (provide_a_document, "FIELD_INVALID", "evidence_type"),
    "a document that is replaced by values": (
        replace_a_document,
        "FIELD_INVALID",
        "evidence_id",
    ),
    "checking nothing": (
        lambda s: s.service.caller.call("DisclosureService/CheckDisclosures", b""),
        "FIELD_INVALID",
        "checks",
    ),
    "checking 101 times": (
        changed(
            "DisclosureService/CheckDisclosures",
            lambda r: r.checks.extend([r.checks[0]] * 100),
            "service",
        ),
        "FIELD_INVALID",
        "checks",
    ),
    "checking an unknown field": (
        check(
            fields=[
                disclosure_pb2.FieldSelection(evidence_type="postal_address", names=["shoeSize"])
            ]
        ),
        "FIELD_UNKNOWN",
        "checks[0].fields[0]",
    ),
    "a revision that is not there": (
        changed("EvidenceService/GetEvidence", lambda r: setattr(r, "revision", 1_000_000)),
        "NOT_FOUND",
        "",
    ),
    "a state of two moments": (
        changed("AuditService/GetVaultState", at_two_moments),
        "FIELD_INVALID",
        "as_of_time",
    ),
    "a replay to two moments": (
        changed("AuditService/ReplayVault", at_two_moments),
        "FIELD_INVALID",
        "as_of_token",
    ),
    "a state before there was one": (
        changed("AuditService/GetVaultState", lambda r: r.as_of_time.CopyFrom(in_days(-1))),
        "NOT_FOUND",
        "",
    ),
    "explaining what is no disclosure": (
        changed("AuditService/ExplainDisclosure", lambda r: setattr(r, "version", 1)),
        "NOT_FOUND",
        "",
    ),
    "a citizen's letter": (
        grant(lambda r: r.approval.CopyFrom(LETTER_PROOF)),
        "FIELD_INVALID",
        "approval.kind",
    ),
}

CASES: Final = {**CONSENTS, **REQUESTS, **OTHERS}


@pytest.mark.parametrize("what", CASES)
def test_what_is_wrong_is_named_and_changes_nothing(samples: Samples, what: str) -> None:
    call, reason, field = CASES[what]
    prepared = Prepared(samples)

    answer = call(prepared)

    assert (answer.code, answer.reason) == (CODES[reason], reason), answer.told
    assert answer.fields == [field] if field else not answer.fields, answer.told
    must_be_told(answer)
    assert head(samples.world.server) == prepared.head


PERMISSIONS: Final[dict[str, tuple[Prepare, str]]] = {
    "standing": (standing, ""),
    "paused": (paused, "CONSENT_PAUSED"),
    "revoked": (revoked, "CONSENT_REVOKED"),
    "ended": (ended, "CONSENT_EXPIRED"),
    "not begun": (not_begun, "CONSENT_NOT_STARTED"),
    "used once": (once, "FREQUENCY_EXHAUSTED"),
    "used up": (used_up, "FREQUENCY_EXHAUSTED"),
}


@pytest.mark.parametrize("what", PERMISSIONS)
def test_a_check_says_what_a_fetch_would_and_records_nothing(samples: Samples, what: str) -> None:
    prepare, reason = PERMISSIONS[what]
    prepared = Prepared(samples)
    shared = prepare(prepared)
    prepared.ready()
    request = checking(shared)
    request.checks.append(checking(samples.shared, purpose_code="none").checks[0])

    results = samples.service.caller.ask("DisclosureService/CheckDisclosures", request).results

    assert [(result.is_permitted, result.reason) for result in results] == [
        (not reason, reason),
        (False, "PURPOSE_DIFFERS"),
    ]
    assert head(samples.world.server) == prepared.head


VALIDATED: Final = {
    "ConsentService/RequestConsent": "service",
    "ConsentService/NarrowConsent": "citizen",
    "ConsentService/ExtendConsent": "citizen",
    "RegistryService/PublishPurpose": "operator",
    "RegistryService/PublishEvidenceType": "operator",
}


@pytest.mark.parametrize("method", VALIDATED)
def test_what_is_only_validated_is_not_recorded(samples: Samples, method: str) -> None:
    prepared = Prepared(samples)
    request = prepared.make(method, VALIDATED[method])
    request.validate_only = True
    if method == "ConsentService/ExtendConsent":
        request.ClearField("shown")

    answer = samples.caller(VALIDATED[method]).call(method, request)

    assert answer.is_ok, answer.told
    assert head(samples.world.server) == prepared.head


def test_a_link_and_a_code_together_are_none(samples: Samples) -> None:
    request = samples.make("ConsentService/ClaimRequest", "official")
    request.handoff_token = CANARY

    answer = samples.world.official.call("ConsentService/ClaimRequest", request)

    assert (answer.reason, answer.fields) == ("FIELD_INVALID", ["handoff_token", "short_code"])


def test_an_auditors_look_is_recorded_whatever_it_finds(samples: Samples) -> None:
    request = audit.ExplainDisclosureRequest(vault_id=samples.citizen.vault_id, version=1)
    before = len(samples.world.replay(samples.citizen.vault_id))

    answer = samples.world.auditor.call("AuditService/ExplainDisclosure", request)
    records = samples.world.replay(samples.citizen.vault_id)

    assert answer.reason == "NOT_FOUND"
    added = [json.loads(record.facts)["type"] for record in records[before:]]
    assert added == ["vault-read.1"] * 2


def test_a_dispute_of_a_revision_stays_with_it(samples: Samples) -> None:
    """A field that gets another value is disputed no more."""
    disputed = samples.make("EvidenceService/DisputeEvidence", "citizen")
    samples.citizen.caller.ask("EvidenceService/DisputeEvidence", disputed)
    replaced = samples.make("EvidenceService/ReplaceEvidence", "citizen")
    replaced.evidence_id = disputed.evidence_id
    values = {**json.loads(replaced.values), "streetName": "Heol Newydd"}
    replaced.values = json.dumps(values).encode()

    samples.citizen.caller.ask("EvidenceService/ReplaceEvidence", replaced)
    request = evidence.GetEvidenceRequest(evidence_id=disputed.evidence_id)
    seen = samples.citizen.caller.ask("EvidenceService/GetEvidence", request).evidence

    assert not [field.name for field in seen.fields if field.is_disputed]
