# SPDX-License-Identifier: Apache-2.0
"""A service's request: within the bounds of its purpose, claimed once, redeemed once."""

from __future__ import annotations

from functools import reduce
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.builders import (
    ABSENT,
    CODE,
    DAY,
    NOTICE,
    ONCE,
    ORGANISATION,
    OTHER_SERVICE,
    OTHER_SUBJECT,
    REQUEST,
    SALT,
    SERVICE,
    SUBJECT,
    VERIFIER,
    a_question,
    a_stamp,
    asked,
    asked_terms,
    at,
    drafted,
    linked,
    purpose_published,
    registered,
    request_cancelled,
    request_claimed,
    request_made,
    requested_fields,
    some_bounds,
)
from vault.domain import request
from vault.domain.canonical import digest
from vault.domain.errors import (
    CodeAlreadyRedeemedError,
    FieldInvalidError,
    FieldUnknownError,
    HistoryBrokenError,
    NotFoundError,
    PurposeExceededError,
    PurposeNotAllowedError,
    RequestAlreadyClaimedError,
    RequestCancelledError,
    RequestExpiredError,
    ServiceSuspendedError,
    VaultError,
)
from vault.domain.events import Draft
from vault.domain.registry import RegistryState, ServiceSuspended
from vault.domain.request import (
    Question,
    RequestCancelled,
    RequestMade,
    RequestRedeemed,
    RequestState,
)
from vault.domain.values import Frequency, Time, later


def make(
    question: Question, registry: RegistryState | None = None, service: str = SERVICE
) -> RequestMade:
    draft = request.make(registry or registered(), a_stamp(at()), service, question)
    assert isinstance(draft.facts, RequestMade)
    assert draft.items == ()
    return draft.facts


def redeemed() -> Draft:
    return drafted(RequestRedeemed(time=at(2), salt=SALT))


# --- Making --------------------------------------------------------------------------------------


def test_a_request_states_the_widest_terms_it_could_come_to() -> None:
    facts = make(a_question(end=at(days=20), frequency=Frequency(count=4, period_seconds=DAY)))

    assert facts == RequestMade(
        time=at(),
        salt=SALT,
        asked=asked_terms(),
        subject="",
        code_challenge=digest(VERIFIER.encode()),
        expires=at(days=20),
    )


def test_what_a_request_would_be_is_what_it_is_when_it_is_made() -> None:
    would_be = request.proposed(registered(), a_stamp(at()), SERVICE, a_question())

    assert would_be == make(a_question())


def test_recipient_basis_and_place_come_from_the_registry() -> None:
    terms = make(a_question()).asked

    assert (terms.recipient.service, terms.recipient.organisation) == (SERVICE, ORGANISATION)
    bounds = some_bounds()
    assert (terms.basis, terms.method) == (bounds.basis, bounds.method)
    assert (terms.storage, terms.jurisdiction, terms.notice_hash) == ("GB", "GB", NOTICE)


def test_a_request_that_says_no_frequency_fetches_once() -> None:
    terms = make(a_question()).asked

    assert terms.one_time
    assert terms.frequency == ONCE


def test_a_request_with_a_frequency_is_not_for_once() -> None:
    terms = make(a_question(frequency=Frequency(count=1, period_seconds=DAY))).asked

    assert not terms.one_time


@pytest.mark.parametrize(("longest_days", "expected_days"), [(30, 30), (90, 90), (400, 90)])
def test_a_request_that_says_no_end_ends_after_90_days_or_what_the_purpose_allows(
    longest_days: int, expected_days: int
) -> None:
    registry = registered(purpose_published(version=2, longest_days=longest_days))

    assert make(a_question(), registry).asked.end == at(days=expected_days)


def test_a_request_that_says_no_start_starts_when_it_is_made() -> None:
    assert make(a_question()).asked.start == at()


@pytest.mark.parametrize("start", [at(), at(1), at(days=7), later(at(days=20), microseconds=-1)])
def test_a_request_may_start_at_any_time_before_its_end(start: Time) -> None:
    assert make(a_question(start=start, end=at(days=20))).asked.start == start


def test_a_later_start_reaches_no_further_than_the_purpose() -> None:
    """The longest days count from when it is asked: nobody asks today for what is far away."""
    with pytest.raises(PurposeExceededError):
        make(a_question(start=at(days=20), end=at(days=31)))


@pytest.mark.parametrize("expires", [at(days=1), at(days=15)])
def test_a_request_may_lapse_before_or_after_it_would_start(expires: Time) -> None:
    facts = make(a_question(start=at(days=7), end=at(days=20), expires=expires))

    assert (facts.asked.start, facts.expires) == (at(days=7), expires)


def test_a_request_lapses_after_30_days() -> None:
    registry = registered(purpose_published(version=2, longest_days=400))

    assert make(a_question(), registry).expires == at(days=30)


def test_a_request_lapses_with_what_it_asks_for() -> None:
    assert make(a_question(end=at(5))).expires == at(5)


def test_the_current_version_of_the_purpose_is_asked_for() -> None:
    registry = registered(purpose_published(version=2))

    assert make(a_question(), registry).asked.purpose.version == 2


def test_what_just_fits_the_bounds_is_asked() -> None:
    question = a_question(
        scope=(
            requested_fields("income", ("amount",), ("payer",)),
            requested_fields("postal_address", ("postalCode", "streetName"), ()),
        ),
        end=at(days=30),
        frequency=Frequency(count=4, period_seconds=DAY),
        retention_days=90,
        expires=at(days=90),
    )

    assert make(question).asked.end == at(days=30)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"end": later(at(days=30), microseconds=1)}, "end_time"),
        ({"frequency": Frequency(count=5, period_seconds=DAY)}, "frequency"),
        ({"frequency": Frequency(count=1, period_seconds=DAY // 5)}, "frequency"),
        ({"retention_days": 91}, "retention_days"),
        ({"scope": (requested_fields(required=("addressCountry",)),)}, "scope[0].required"),
        ({"scope": (requested_fields(optional=("addressCountry",)),)}, "scope[0].optional"),
        (
            {"scope": (requested_fields(), requested_fields(required=("addressCountry",)))},
            "scope[1].required",
        ),
    ],
)
def test_a_request_beyond_its_purpose_is_refused_before_she_is_disturbed(
    changes: dict[str, Any], field: str
) -> None:
    with pytest.raises(PurposeExceededError) as refused:
        make(a_question(**changes))

    assert refused.value.field == field


@pytest.mark.parametrize(
    ("changes", "error", "field"),
    [
        ({"end": at()}, FieldInvalidError, "end_time"),
        ({"end": at(-1)}, FieldInvalidError, "end_time"),
        ({"start": later(at(), microseconds=-1)}, FieldInvalidError, "start_time"),
        ({"start": at(days=20), "end": at(days=20)}, FieldInvalidError, "start_time"),
        ({"start": at(days=21), "end": at(days=20)}, FieldInvalidError, "start_time"),
        ({"start": at(days=30)}, FieldInvalidError, "start_time"),
        ({"expires": at()}, FieldInvalidError, "expire_time"),
        (
            {"expires": later(at(days=90), microseconds=1)},
            FieldInvalidError,
            "expire_time",
        ),
        (
            {"scope": (requested_fields(required=(), optional=()),)},
            FieldInvalidError,
            "scope[0]",
        ),
        (
            {"scope": (requested_fields(optional=("postalCode",)),)},
            FieldInvalidError,
            "scope[0].optional",
        ),
        (
            {"scope": (requested_fields("shoe_size", ("left",), ()),)},
            FieldUnknownError,
            "scope[0].required",
        ),
        (
            {"scope": (requested_fields(required=("*",)),)},
            FieldUnknownError,
            "scope[0].required",
        ),
        (
            {"scope": (requested_fields(optional=("colour",)),)},
            FieldUnknownError,
            "scope[0].optional",
        ),
    ],
)
def test_a_request_that_makes_no_sense_is_refused(
    changes: dict[str, Any], error: type[VaultError], field: str
) -> None:
    with pytest.raises(error) as refused:
        make(a_question(**changes))

    assert refused.value.field == field


def test_an_unknown_service_cannot_ask() -> None:
    with pytest.raises(NotFoundError):
        make(a_question(), service=ABSENT)


def test_a_suspended_service_cannot_ask() -> None:
    suspended = ServiceSuspended(time=at(), salt=SALT, service=SERVICE)

    with pytest.raises(ServiceSuspendedError):
        make(a_question(), registered(drafted(suspended)))


def test_a_service_cannot_ask_for_a_purpose_of_another() -> None:
    with pytest.raises(PurposeNotAllowedError):
        make(a_question(), service=OTHER_SERVICE)


periods = st.integers(60, 40_000)


@given(count=st.integers(1, 6), period=periods, bound_count=st.integers(1, 6), bound=periods)
def test_a_frequency_within_the_bounds_never_exceeds_them_in_any_window(
    count: int, period: int, bound_count: int, bound: int
) -> None:
    registry = registered(
        purpose_published(version=2, frequency=Frequency(count=bound_count, period_seconds=bound))
    )
    try:
        make(a_question(frequency=Frequency(count=count, period_seconds=period)), registry)
    except PurposeExceededError:
        return

    # As much as the asked windows allow, as late in one and as early in the next as there is.
    for window in range(40):
        start, end = window * bound, (window + 1) * bound
        touched = (end - 1) // period - start // period + 1
        assert touched * count <= bound_count


@pytest.mark.parametrize(
    ("count", "period"), [(4, DAY), (1, DAY // 4), (2, DAY // 2), (4, 2 * DAY), (4, 7 * DAY)]
)
def test_windows_that_fit_into_those_of_the_bound_are_asked(count: int, period: int) -> None:
    frequency = Frequency(count=count, period_seconds=period)

    assert make(a_question(frequency=frequency)).asked.frequency == frequency


@pytest.mark.parametrize("subject", ["", SUBJECT])
@pytest.mark.parametrize("code_challenge", ["", digest(VERIFIER.encode())])
def test_a_request_says_whom_it_asks_and_what_code_must_come_back(
    subject: str, code_challenge: str
) -> None:
    facts = make(a_question(subject=subject, code_challenge=code_challenge))

    assert (facts.subject, facts.code_challenge) == (subject, code_challenge)


# --- Claiming ------------------------------------------------------------------------------------


def test_claiming_names_her_by_the_subject_alone() -> None:
    draft = request.claim(asked(), a_stamp(at(1)), SUBJECT, digest(CODE.encode()))

    assert draft == request_claimed()


def test_a_claimed_request_cannot_be_claimed_again() -> None:
    given = asked(request_claimed())

    with pytest.raises(RequestAlreadyClaimedError):
        request.claim(given, a_stamp(at(2)), OTHER_SUBJECT, digest(CODE.encode()))


def test_a_request_for_somebody_the_service_knows_cannot_be_claimed_by_link() -> None:
    with pytest.raises(RequestAlreadyClaimedError):
        request.claim(known(), a_stamp(at(1)), OTHER_SUBJECT, digest(CODE.encode()))


def test_a_request_that_was_taken_back_cannot_be_claimed() -> None:
    with pytest.raises(RequestCancelledError):
        request.claim(asked(request_cancelled()), a_stamp(at(2)), SUBJECT, digest(CODE.encode()))


def test_a_claimed_request_that_was_taken_back_stays_claimed() -> None:
    given = asked(request_claimed(), request_cancelled())

    with pytest.raises(RequestAlreadyClaimedError):
        request.claim(given, a_stamp(at(2)), SUBJECT, digest(CODE.encode()))


def test_nothing_is_claimed_in_a_broken_history() -> None:
    with pytest.raises(HistoryBrokenError):
        request.claim(replace(asked(), broken_at=1), a_stamp(at(1)), SUBJECT, digest(CODE.encode()))


@pytest.mark.parametrize(("time", "is_late"), [(at(30 * DAY - 1), False), (at(30 * DAY), True)])
def test_a_request_lapses_exactly_when_it_says(time: Time, *, is_late: bool) -> None:
    if is_late:
        with pytest.raises(RequestExpiredError):
            request.claim(asked(), a_stamp(time), SUBJECT, digest(CODE.encode()))
    else:
        draft = request.claim(asked(), a_stamp(time), SUBJECT, digest(CODE.encode()))
        assert draft.facts.time == time


# --- Redeeming -----------------------------------------------------------------------------------


def test_the_code_that_came_back_is_redeemed() -> None:
    draft = request.redeem(asked(request_claimed()), a_stamp(at(2)), SERVICE, CODE, VERIFIER)

    assert draft == redeemed()


def test_a_code_is_redeemed_once() -> None:
    given = asked(request_claimed(), redeemed())

    with pytest.raises(CodeAlreadyRedeemedError):
        request.redeem(given, a_stamp(at(3)), SERVICE, CODE, VERIFIER)


@pytest.mark.parametrize(
    ("service", "code", "verifier"),
    [
        (OTHER_SERVICE, CODE, VERIFIER),
        (SERVICE, "another code", VERIFIER),
        (SERVICE, "", VERIFIER),
        (SERVICE, CODE, "another verifier"),
        (SERVICE, CODE, digest(VERIFIER.encode())),
    ],
)
def test_a_wrong_service_code_or_verifier_finds_nothing(
    service: str, code: str, verifier: str
) -> None:
    given = asked(request_claimed())

    with pytest.raises(NotFoundError):
        request.redeem(given, a_stamp(at(2)), service, code, verifier)


def test_a_wrong_code_finds_nothing_even_after_the_right_one_was_redeemed() -> None:
    given = asked(request_claimed(), redeemed())

    with pytest.raises(NotFoundError):
        request.redeem(given, a_stamp(at(3)), SERVICE, "another code", VERIFIER)


def test_an_unclaimed_request_has_no_code() -> None:
    with pytest.raises(NotFoundError):
        request.redeem(asked(), a_stamp(at(2)), SERVICE, "", VERIFIER)


def test_a_request_that_was_never_made_has_no_code() -> None:
    with pytest.raises(NotFoundError):
        request.redeem(None, a_stamp(at(2)), SERVICE, CODE, VERIFIER)


@pytest.mark.parametrize("code", ["", CODE])
@pytest.mark.parametrize("verifier", ["", VERIFIER])
def test_where_no_browser_brings_a_code_back_there_is_none_to_redeem(
    code: str, verifier: str
) -> None:
    for state in (known(), by_short_code(claim_short_code())):
        with pytest.raises(NotFoundError):
            request.redeem(state, a_stamp(at(2)), SERVICE, code, verifier)


def test_nothing_is_redeemed_in_a_broken_history() -> None:
    broken = replace(asked(request_claimed()), broken_at=2)

    with pytest.raises(HistoryBrokenError):
        request.redeem(broken, a_stamp(at(2)), SERVICE, CODE, VERIFIER)


# --- Taking back ---------------------------------------------------------------------------------


def cancel(state: RequestState | None, time: Time | None = None, service: str = SERVICE) -> Draft:
    return request.cancel_unclaimed(state, a_stamp(time or at(1)), service)


def test_a_request_is_taken_back_in_its_own_stream() -> None:
    assert cancel(asked()) == request_cancelled()


def test_a_request_can_be_taken_back_although_it_was_claimed() -> None:
    assert cancel(asked(request_claimed()), at(2)).facts == RequestCancelled(time=at(2), salt=SALT)


def test_a_request_of_somebody_the_service_knows_can_be_taken_back() -> None:
    assert cancel(known()) == request_cancelled()


@pytest.mark.parametrize("given", [None, asked()])
def test_only_the_service_that_asked_takes_back(given: RequestState | None) -> None:
    with pytest.raises(NotFoundError):
        cancel(given, service=OTHER_SERVICE)


def test_what_was_never_asked_cannot_be_taken_back() -> None:
    with pytest.raises(NotFoundError):
        cancel(None)


@pytest.mark.parametrize(
    "given", [(request_cancelled(),), (request_claimed(), request_cancelled())]
)
def test_a_request_is_taken_back_once(given: tuple[Draft, ...]) -> None:
    with pytest.raises(RequestCancelledError):
        cancel(asked(*given), at(2))


def test_a_request_that_nobody_claimed_in_time_cannot_be_taken_back() -> None:
    last = later(at(days=30), microseconds=-1)

    assert cancel(asked(), last).facts == RequestCancelled(time=last, salt=SALT)
    with pytest.raises(RequestExpiredError):
        cancel(asked(), at(days=30))


def test_a_broken_history_does_not_stop_a_service_from_taking_back() -> None:
    assert cancel(replace(asked(), broken_at=1)) == request_cancelled()


# --- Whom a service may know ---------------------------------------------------------------------


def known() -> RequestState:
    """Return a request of a service that knows whom it asks."""
    return made(subject=SUBJECT, code_challenge="")


def by_short_code(*more: Draft) -> RequestState:
    """Return a request whose short code she hands to an official."""
    return made(*more, subject="", code_challenge="")


def claim_short_code() -> Draft:
    """Return that the official claimed it for her: no code goes back."""
    return request.claim(by_short_code(), a_stamp(at(1)), SUBJECT, "")


def made(*more: Draft, **changes: str) -> RequestState:
    """Return a request with another subject or challenge, and to which more happened."""
    first = request_made()
    facts = replace(first.facts, **changes)
    state = reduce(request.fold, linked([replace(first, facts=facts), *more], REQUEST), None)
    assert state is not None
    return state


@pytest.mark.parametrize(
    ("state", "is_known"),
    [
        (asked(), False),
        (asked(request_claimed()), False),
        (asked(request_claimed(), redeemed()), True),
        (known(), True),
        (by_short_code(), False),
        (by_short_code(claim_short_code()), True),
    ],
)
def test_a_service_knows_whom_it_reached_when_the_code_came_back_or_none_is_needed(
    state: RequestState, *, is_known: bool
) -> None:
    assert state.is_known is is_known


def test_an_official_claims_by_short_code_once() -> None:
    given = by_short_code(claim_short_code())

    with pytest.raises(RequestAlreadyClaimedError):
        request.claim(given, a_stamp(at(2)), OTHER_SUBJECT, "")


# --- What it folds to ----------------------------------------------------------------------------


def test_a_request_folds_to_what_was_asked_claimed_and_redeemed() -> None:
    state = asked(request_claimed(), redeemed())

    assert (state.asked, state.made, state.expires) == (asked_terms(), at(), at(days=30))
    assert (state.subject, state.code_hash) == (SUBJECT, digest(CODE.encode()))
    assert state.is_redeemed
    assert (state.version, state.broken_at, state.cancelled) == (3, 0, "")


def test_a_request_that_was_taken_back_knows_since_when() -> None:
    assert asked(request_cancelled()).cancelled == at(1)


@pytest.mark.parametrize(
    ("state", "time", "status"),
    [
        (asked(), later(at(days=30), microseconds=-1), "pending"),
        (asked(request_claimed()), at(2), "pending"),
        (asked(), at(days=30), "expired"),
        (asked(request_cancelled()), at(2), "cancelled"),
        (asked(request_cancelled()), at(days=30), "cancelled"),
    ],
)
def test_a_request_tells_what_it_is_as_far_as_its_own_stream_goes(
    state: RequestState, time: Time, status: str
) -> None:
    assert state.status(time) == status


def test_a_request_of_a_service_that_knows_her_has_its_subject_from_the_start() -> None:
    assert known().subject == SUBJECT


def test_a_stream_that_begins_otherwise_is_no_request() -> None:
    (event,) = linked([request_claimed()], REQUEST)

    assert request.fold(None, event) is None
