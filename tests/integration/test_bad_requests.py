# SPDX-License-Identifier: Apache-2.0
"""Requests that are made, claimed, redeemed, decided or taken back as they cannot be."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final

import pytest

from tests.samples import Samples, in_days
from tests.verdict import CANARY
from tests.wire import Answer
from tests.world import new_id, redeeming
from tests.wrong import SECOND, Call, Case, Change, changed, kept, must_be_named, putting
from vault.api.v1 import consent_pb2 as pb
from vault.api.v1 import consent_service_pb2 as consent


def grant(change: Change) -> Call:
    return changed("ConsentService/GrantConsent", change)


def ask(change: Change) -> Call:
    return changed("ConsentService/RequestConsent", change, "service")


def starts(days: float) -> Change:
    return lambda request: request.choice.start_time.CopyFrom(in_days(days))


def pending(samples: Any) -> Any:
    asked = samples.ask()
    samples.world.claim(samples.citizen, asked)
    return asked


def refused(samples: Any) -> Any:
    """Have her say no to a service that knows it is her."""
    asked = samples.ask()
    code = samples.world.claim(samples.citizen, asked)
    assert samples.service.caller.call("ConsentService/RedeemCode", redeeming(asked, code)).is_ok
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


@kept
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


@kept
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


CASES: Final[dict[str, Case]] = {
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


@pytest.mark.parametrize("what", CASES)
def test_what_is_wrong_is_named_and_changes_nothing(samples: Samples, what: str) -> None:
    must_be_named(samples, CASES[what])


@pytest.mark.parametrize("answers", ["nothing", "no"])
def test_before_the_code_came_back_nothing_is_learnt_by_taking_back(
    samples: Samples, answers: str
) -> None:
    """Neither that somebody claimed it nor that somebody answered."""
    asked = pending(samples)
    if answers == "no":
        request = consent.RefuseConsentRequest(
            request_id=new_id(), consent_request_id=asked.consent_request_id
        )
        assert samples.citizen.caller.call("ConsentService/RefuseConsent", request).is_ok
    cancel = consent.CancelRequestRequest(
        request_id=new_id(), consent_request_id=asked.consent_request_id
    )

    seen = samples.service.caller.ask("ConsentService/CancelRequest", cancel).consent_request

    assert seen.state == pb.CONSENT_REQUEST_STATE_CANCELLED
    assert not seen.subject_id


def test_a_link_and_a_code_together_are_none(samples: Samples) -> None:
    request = samples.make("ConsentService/ClaimRequest", "official")
    request.handoff_token = CANARY

    answer = samples.world.official.call("ConsentService/ClaimRequest", request)

    assert (answer.reason, answer.fields) == ("FIELD_INVALID", ["handoff_token", "short_code"])
