# SPDX-License-Identifier: Apache-2.0
"""Cases of what is wrong: how each is sent, what is told of it, and consents in every state."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias, TypeVar

from tests.samples import DAY, Prepared, Samples, in_days
from tests.verdict import CODES, head, must_be_told
from tests.wire import Answer
from tests.world import INCOME, Shared, new_id, providing
from vault.api.v1 import consent_pb2 as pb
from vault.api.v1 import consent_service_pb2 as consent

Call: TypeAlias = Callable[[Any], Answer]
"""Sends something that is wrong; takes `Prepared` samples."""
Change: TypeAlias = Callable[[Any], None]
Prepare: TypeAlias = Callable[[Any], Shared]
Case: TypeAlias = tuple[Call, str, str]
"""What is sent, the reason of the refusal, and the field that it names, "" if none."""

SECOND: Final = 1 / DAY
ONCE: Final[Mapping[str, Any]] = {"frequency": None}


def must_be_named(samples: Samples, case: Case) -> None:
    """Check that what is wrong is told by its reason and field, and that nothing is recorded."""
    call, reason, field = case
    prepared = Prepared(samples)

    answer = call(prepared)

    assert (answer.code, answer.reason) == (CODES[reason], reason), answer.told
    assert field in answer.fields if field else not answer.fields, answer.told
    must_be_told(answer)
    assert head(samples.world.server) == prepared.head


def changed(method: str, change: Change, role: str = "citizen") -> Call:
    """Send a sample with something changed."""

    def call(samples: Any) -> Answer:
        request = samples.make(method, role)
        change(request)
        answer: Answer = samples.caller(role).call(method, request)
        return answer

    return call


def putting(**values: Any) -> Change:
    def change(request: Any) -> None:
        for name, value in values.items():
            request.ClearField(name)
            request.MergeFrom(type(request)(**{name: value}))

    return change


T = TypeVar("T")


def kept(prepare: Callable[[Any], T]) -> Callable[[Any], T]:
    """Prepare once for each citizen what a refused call leaves as it is: it takes a while."""
    known: dict[str, T] = {}

    def find(samples: Any) -> T:
        vault_id = samples.citizen.vault_id
        if vault_id not in known:
            known[vault_id] = prepare(samples)
        return known[vault_id]

    return find


@kept
def once(samples: Any) -> Shared:
    """Share for one disclosure, which is made."""
    shared: Shared = samples.world.share(samples.citizen, samples.service, **ONCE)
    assert samples.world.disclose(shared).is_ok
    return shared


@kept
def used_up(samples: Any) -> Shared:
    """Share for two disclosures in a day, which are made."""
    twice = pb.Frequency(count=2, period_seconds=86_400)
    shared: Shared = samples.world.share(samples.citizen, samples.service, frequency=twice)
    assert all(samples.world.disclose(shared).is_ok for _ in range(2))
    return shared


@kept
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


@kept
def ended(samples: Any) -> Shared:
    """Share for half a second, which passes."""
    end = {"end_time": in_days(SECOND / 2)}
    shared: Shared = samples.world.share(samples.citizen, samples.service, end)
    time.sleep(0.5)
    return shared


@kept
def not_begun(samples: Any) -> Shared:
    """Share from tomorrow."""
    start = {"start_time": in_days(1)}
    shared: Shared = samples.world.share(samples.citizen, samples.service, start)
    return shared


@kept
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


def fetch(prepare: Prepare, **changes: Any) -> Call:
    def call(samples: Any) -> Answer:
        shared = prepare(samples)
        samples.ready()
        answer: Answer = samples.world.disclose(shared, **changes)
        return answer

    return call
