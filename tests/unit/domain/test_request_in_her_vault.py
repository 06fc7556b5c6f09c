# SPDX-License-Identifier: Apache-2.0
"""A request in her vault: received once, answered once, or taken back before she answers."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from msgspec.structs import replace

from tests.builders import (
    OTHER_REQUEST,
    OTHER_SERVICE,
    REQUEST,
    SALT,
    SERVICE,
    SUBJECT,
    a_consent,
    a_stamp,
    asked_terms,
    at,
    consent_refused,
    consent_request_cancelled,
    consent_requested,
    consent_revoked,
    drafted,
    evidence_provided,
    happened,
    vault_opened,
)
from vault.domain import request
from vault.domain.errors import (
    HistoryBrokenError,
    LimitExceededError,
    NotFoundError,
    RequestAlreadyClaimedError,
    RequestAlreadyDecidedError,
    RequestCancelledError,
    RequestExpiredError,
    VaultError,
    VaultNotOpenError,
)
from vault.domain.events import Draft
from vault.domain.request import (
    PENDING_OF_ONE_SERVICE,
    ConsentRefused,
    ConsentRequestCancelled,
    ConsentRequested,
)
from vault.domain.state import VaultState
from vault.domain.values import Recipient, Time, later

ASKED = (vault_opened(), evidence_provided(), consent_requested())


def receive(
    state: VaultState | None,
    request_id: str = REQUEST,
    *,
    time: Time | None = None,
    service: str = SERVICE,
    is_delivered: bool = True,
) -> Draft:
    return request.receive(
        state,
        a_stamp(time or at(2)),
        consent_request_id=request_id,
        subject=SUBJECT,
        asked=asked_terms(recipient=replace(asked_terms().recipient, service=service)),
        expires=at(2, days=30),
        is_delivered=is_delivered,
    )


def cancel(state: VaultState | None, time: Time | None = None) -> Draft:
    return request.cancel(
        state,
        a_stamp(time or at(3)),
        consent_request_id=REQUEST,
        service_id=SERVICE,
        subject=SUBJECT,
    )


def refuse(state: VaultState | None, time: Time | None = None) -> Draft:
    return request.refuse(state, a_stamp(time or at(3)), REQUEST)


either = pytest.mark.parametrize("verb", [cancel, refuse])


# --- It enters her vault -------------------------------------------------------------------------


def test_a_request_enters_her_vault_as_it_was_asked() -> None:
    draft = receive(happened(vault_opened()))

    assert draft == consent_requested()
    assert isinstance(draft.facts, ConsentRequested)


def test_a_request_enters_a_vault_once() -> None:
    with pytest.raises(RequestAlreadyClaimedError):
        receive(happened(*ASKED))


def test_a_second_request_enters_beside_the_first() -> None:
    assert isinstance(receive(happened(*ASKED), OTHER_REQUEST).facts, ConsentRequested)


def test_a_request_that_was_taken_back_on_its_way_never_enters() -> None:
    with pytest.raises(RequestCancelledError):
        receive(happened(vault_opened(), consent_request_cancelled()))


def test_no_request_enters_where_there_is_no_vault() -> None:
    with pytest.raises(VaultNotOpenError):
        receive(None)


def test_no_request_enters_a_broken_history() -> None:
    with pytest.raises(HistoryBrokenError):
        receive(replace(happened(vault_opened()), broken_at=1))


# --- How many may wait ---------------------------------------------------------------------------


def waiting(count: int, service: str = SERVICE) -> tuple[Draft, ...]:
    """Return that so many requests of a service wait."""
    recipient = Recipient(service=service, organisation="")
    return tuple(
        consent_requested(f"{service}-{number}", recipient=recipient) for number in range(count)
    )


def test_twenty_requests_of_one_service_may_wait_and_no_more() -> None:
    assert PENDING_OF_ONE_SERVICE == 20
    assert isinstance(receive(happened(vault_opened(), *waiting(19))).facts, ConsentRequested)
    with pytest.raises(LimitExceededError):
        receive(happened(vault_opened(), *waiting(20)))


def test_what_she_claims_herself_is_not_counted() -> None:
    """Else the count would tell the service what she claimed."""
    full = happened(vault_opened(), *waiting(20))
    claimed = replace(
        full, requests={k: replace(r, is_delivered=False) for k, r in full.requests.items()}
    )

    assert isinstance(receive(full, is_delivered=False).facts, ConsentRequested)
    assert isinstance(receive(claimed).facts, ConsentRequested)


def test_each_service_is_counted_for_itself() -> None:
    given = happened(vault_opened(), *waiting(20), *waiting(19, OTHER_SERVICE))

    assert isinstance(receive(given, service=OTHER_SERVICE).facts, ConsentRequested)
    with pytest.raises(LimitExceededError):
        receive(given)


@pytest.mark.parametrize("answered", [consent_refused, consent_request_cancelled])
def test_what_was_answered_or_taken_back_waits_no_more(answered: Callable[[str], Draft]) -> None:
    assert isinstance(
        receive(happened(vault_opened(), *waiting(20), answered(f"{SERVICE}-7"))).facts,
        ConsentRequested,
    )


def test_what_was_granted_waits_no_more() -> None:
    assert isinstance(
        receive(happened(*a_consent(), *waiting(19)), OTHER_REQUEST).facts, ConsentRequested
    )


def test_what_lapsed_waits_no_more() -> None:
    given = happened(vault_opened(), *waiting(20))

    assert isinstance(receive(given, time=at(2, days=30)).facts, ConsentRequested)
    with pytest.raises(LimitExceededError):
        receive(given, time=later(at(2, days=30), microseconds=-1))


# --- It is taken back ----------------------------------------------------------------------------


def test_taking_back_names_the_request_and_nothing_of_what_was_asked() -> None:
    draft = cancel(happened(*ASKED))

    assert draft.facts == ConsentRequestCancelled(
        time=at(3), salt=SALT, service=SERVICE, subject=SUBJECT, consent_request_id=REQUEST
    )
    assert draft.items == ()


def test_a_request_can_be_taken_back_before_it_got_here() -> None:
    draft = cancel(happened(vault_opened()))

    assert isinstance(draft.facts, ConsentRequestCancelled)
    assert happened(vault_opened(), draft).requests == {}


@pytest.mark.parametrize("given", [(vault_opened(),), ASKED])
def test_a_request_is_taken_back_once(given: tuple[Draft, ...]) -> None:
    with pytest.raises(RequestCancelledError):
        cancel(happened(*given, consent_request_cancelled()), at(4))


def test_taking_one_back_leaves_the_others() -> None:
    state = happened(*ASKED, consent_requested(OTHER_REQUEST), consent_request_cancelled())

    assert state.requests[REQUEST].status(at(4)) == "cancelled"
    assert state.requests[OTHER_REQUEST].status(at(4)) == "pending"


# --- She says no ---------------------------------------------------------------------------------


def test_refusing_names_the_request_and_nothing_of_what_was_asked() -> None:
    draft = refuse(happened(*ASKED))

    assert draft.facts == ConsentRefused(
        time=at(3), salt=SALT, service=SERVICE, subject=SUBJECT, consent_request_id=REQUEST
    )
    assert draft.items == ()


def test_a_request_that_is_not_there_cannot_be_refused() -> None:
    with pytest.raises(NotFoundError):
        refuse(happened(vault_opened()))


def test_refusing_one_leaves_the_others() -> None:
    state = happened(*ASKED, consent_requested(OTHER_REQUEST), consent_refused())

    assert state.requests[REQUEST].status(at(4)) == "refused"
    assert state.requests[OTHER_REQUEST].status(at(4)) == "pending"


# --- It waits for one answer ---------------------------------------------------------------------


@either
@pytest.mark.parametrize(
    ("given", "time", "error"),
    [
        (a_consent(), at(4), RequestAlreadyDecidedError),
        ((*a_consent(), consent_revoked()), at(9), RequestAlreadyDecidedError),
        ((*ASKED, consent_refused()), at(4), RequestAlreadyDecidedError),
        ((*ASKED, consent_request_cancelled()), at(4), RequestCancelledError),
        (ASKED, at(2, days=30), RequestExpiredError),
    ],
)
def test_what_waits_for_no_answer_is_neither_refused_nor_taken_back(
    verb: Callable[[VaultState, Time], Draft],
    given: tuple[Draft, ...],
    time: Time,
    error: type[VaultError],
) -> None:
    with pytest.raises(error):
        verb(happened(*given), time)


@either
def test_a_request_waits_until_the_last_microsecond(
    verb: Callable[[VaultState, Time], Draft],
) -> None:
    last = later(at(2, days=30), microseconds=-1)

    assert verb(happened(*ASKED), last).facts.time == last


@either
def test_nothing_is_answered_without_a_vault(verb: Callable[[VaultState | None], Draft]) -> None:
    with pytest.raises(VaultNotOpenError):
        verb(None)


@either
def test_nothing_is_answered_in_a_broken_history(
    verb: Callable[[VaultState | None], Draft],
) -> None:
    with pytest.raises(HistoryBrokenError):
        verb(replace(happened(*ASKED), broken_at=2))


# --- What it is ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "status"),
    [
        (ASKED, "expired"),
        (a_consent(), "granted"),
        ((*ASKED, consent_refused()), "refused"),
        ((*ASKED, consent_request_cancelled()), "cancelled"),
    ],
)
def test_a_request_that_was_answered_does_not_lapse(given: tuple[Draft, ...], status: str) -> None:
    assert happened(*given).requests[REQUEST].status(at(days=400)) == status


@pytest.mark.parametrize("time", [at(2), later(at(2, days=30), microseconds=-1)])
def test_a_request_waits_until_it_lapses(time: Time) -> None:
    assert happened(*ASKED).requests[REQUEST].status(time) == "pending"


def test_a_request_lapses_at_the_very_instant() -> None:
    assert happened(*ASKED).requests[REQUEST].status(at(2, days=30)) == "expired"


def test_a_refusal_of_what_a_history_lost_is_folded_over() -> None:
    assert happened(vault_opened(), consent_refused()).requests == {}


def test_a_request_is_received_as_it_stood_in_its_own_stream() -> None:
    later_start = asked_terms(start=at(days=2))
    facts = ConsentRequested(
        time=at(2),
        salt=SALT,
        service=SERVICE,
        subject=SUBJECT,
        consent_request_id=REQUEST,
        asked=later_start,
        expires=at(days=3),
    )

    found = happened(vault_opened(), drafted(facts)).requests[REQUEST]

    assert (found.asked, found.time, found.expires) == (later_start, at(2), at(days=3))
