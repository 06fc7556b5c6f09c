# SPDX-License-Identifier: Apache-2.0
"""Consents that are narrowed, extended, paused, stopped or used as they cannot be."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import pytest

from tests.samples import Prepared, Samples, in_days
from tests.verdict import head
from tests.world import ADDRESS_FIELDS, checking
from tests.wrong import (
    ONCE,
    Call,
    Case,
    Change,
    Prepare,
    changed,
    ended,
    fetch,
    must_be_named,
    not_begun,
    once,
    paused,
    revoked,
    standing,
    too_old,
    under,
    used_up,
)
from vault.api.v1 import consent_pb2 as pb
from vault.api.v1 import disclosure_pb2


def narrow(change: Change) -> Call:
    return changed("ConsentService/NarrowConsent", change)


def extend(change: Change) -> Call:
    return changed("ConsentService/ExtendConsent", change)


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


LESS: Final = {"items": [pb.RemainingFields(item=1, names=["postalCode"])]}


def longer(days: float = 89.0) -> dict[str, Any]:
    return {"end_time": in_days(days), "validate_only": True}


INCOME_FIELD: Final = {
    "fields": [disclosure_pb2.FieldSelection(evidence_type="income", names=["payer"])]
}

CASES: Final[dict[str, Case]] = {
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
        under(used_up, "NarrowConsent", frequency_count=3),
        "NARROWING_WIDENS",
        "frequency_count",
    ),
    "narrowing to as often": (
        under(used_up, "NarrowConsent", frequency_count=2),
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


@pytest.mark.parametrize("what", CASES)
def test_what_is_wrong_is_named_and_changes_nothing(samples: Samples, what: str) -> None:
    must_be_named(samples, CASES[what])


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
