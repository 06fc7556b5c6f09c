# SPDX-License-Identifier: Apache-2.0
"""The checker that judges races of decisions against disclosures, on histories made by hand."""

from __future__ import annotations

import random
from itertools import permutations
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.faults.linearizability import (
    ASKED,
    CHANGES,
    DONE,
    NEVER,
    UNKNOWN,
    Consent,
    Kind,
    Operation,
    end_of,
    is_linearizable,
    outcomes_of,
    perform,
)

GRANTED = Consent(granted=True)
KINDS: tuple[Kind, ...] = get_args(Kind)


def call(kind: Kind, outcome: str, called: float, returned: float) -> Operation:
    return Operation(kind, outcome, called, NEVER if outcome == UNKNOWN else returned)


def sequential(*steps: tuple[Kind, str]) -> list[Operation]:
    return [call(kind, outcome, 2 * at, 2 * at + 1) for at, (kind, outcome) in enumerate(steps)]


def is_right(*history: Operation) -> bool:
    return is_linearizable(history, GRANTED)


@pytest.mark.parametrize(
    ("steps", "outcome"),
    [
        ([], DONE),
        (["revoke"], "CONSENT_REVOKED"),
        (["pause"], "CONSENT_PAUSED"),
        (["pause", "resume"], DONE),
        (["pause", "revoke"], "CONSENT_REVOKED"),
        (["narrow"], "FIELD_NOT_GRANTED"),
        (["narrow", "pause"], "CONSENT_PAUSED"),
        (["shorten"], DONE),
        (["end"], DONE),
        (["shorten", "end"], "CONSENT_EXPIRED"),
        (["pause", "shorten", "end"], "CONSENT_EXPIRED"),
    ],
)
def test_what_may_be_disclosed_after_what(steps: list[Kind], outcome: str) -> None:
    consent = GRANTED
    for step in steps:
        done, consent = perform(step, consent)
        assert done == DONE

    assert perform("disclose", consent) == (outcome, consent)
    assert perform("check", consent) == (outcome, consent)
    part = DONE if outcome == "FIELD_NOT_GRANTED" else outcome
    assert perform("disclose part", consent) == (part, consent)
    assert perform("check part", consent) == (part, consent)


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_there_before_the_grant(kind: Kind) -> None:
    assert perform(kind, ASKED)[0] == (DONE if kind in {"grant", "end"} else "NOT_FOUND")


@pytest.mark.parametrize(
    ("kind", "outcome"),
    [
        ("grant", "REQUEST_ALREADY_DECIDED"),
        ("pause", "CONSENT_PAUSED"),
        ("resume", "CONSENT_NOT_PAUSED"),
        ("revoke", "CONSENT_REVOKED"),
        ("narrow", "FIELD_INVALID"),
        ("shorten", "FIELD_INVALID"),
    ],
)
def test_nothing_is_decided_twice(kind: Kind, outcome: str) -> None:
    before = ASKED if kind == "grant" else GRANTED._replace(paused=kind == "resume")
    done, after = perform(kind, before)

    assert (done, perform(kind, after)) == (DONE, (outcome, after))


def test_an_end_that_has_passed_cannot_be_named() -> None:
    ended = GRANTED._replace(is_past_end=True)

    assert perform("shorten", ended) == ("FIELD_INVALID", ended)


def test_nothing_happened_is_right() -> None:
    assert is_linearizable([])


def test_a_whole_life_in_order_is_right() -> None:
    life: list[tuple[Kind, str]] = [
        ("disclose", "NOT_FOUND"),
        ("grant", DONE),
        ("disclose", DONE),
        ("pause", DONE),
        ("disclose", "CONSENT_PAUSED"),
        ("resume", DONE),
        ("disclose", DONE),
        ("narrow", DONE),
        ("disclose", "FIELD_NOT_GRANTED"),
        ("disclose part", DONE),
        ("revoke", DONE),
        ("disclose part", "CONSENT_REVOKED"),
    ]

    assert is_linearizable(sequential(*life))
    for left_out in (n for n, (kind, _) in enumerate(life) if kind in CHANGES):
        assert not is_linearizable(sequential(*life[:left_out], *life[left_out + 1 :]))


def test_disclosing_after_the_revocation_returned_is_wrong() -> None:
    assert not is_right(*sequential(("revoke", DONE), ("disclose", DONE)))


def test_being_refused_before_anybody_revoked_is_wrong() -> None:
    assert not is_right(*sequential(("disclose", "CONSENT_REVOKED"), ("revoke", DONE)))


def test_being_refused_after_the_resumption_returned_is_wrong() -> None:
    """The stale refusal."""
    steps: list[tuple[Kind, str]] = [("pause", DONE), ("resume", DONE)]

    assert not is_right(*sequential(*steps, ("disclose", "CONSENT_PAUSED")))
    assert not is_right(*sequential(*steps, ("check", "CONSENT_PAUSED")))


def test_being_refused_for_another_reason_is_wrong() -> None:
    assert not is_right(*sequential(("revoke", DONE), ("disclose", "CONSENT_PAUSED")))


def test_a_disclosure_beside_the_revocation_may_come_out_either_way() -> None:
    revoked = call("revoke", DONE, 0, 10)

    assert is_right(revoked, call("disclose", DONE, 5, 15))
    assert is_right(revoked, call("disclose", "CONSENT_REVOKED", 5, 15))


def test_a_refusal_beside_the_revocation_binds_what_comes_later() -> None:
    """The cached consent: one was refused already, a later one was not."""
    revoked = call("revoke", DONE, 0, 100)
    refused = call("disclose", "CONSENT_REVOKED", 5, 15)

    assert not is_right(revoked, refused, call("disclose", DONE, 20, 30))


def test_the_end_comes_at_its_moment() -> None:
    """By whichever clock a consent is taken for expired, it is not the one that was named."""
    shortened, end = call("shorten", DONE, 0, 10), call("end", DONE, 49, 51)

    assert is_right(shortened, end, call("disclose", DONE, 20, 60))
    assert is_right(shortened, end, call("disclose", "CONSENT_EXPIRED", 20, 60))
    assert not is_right(shortened, end, call("disclose", DONE, 55, 60))
    assert not is_right(shortened, end, call("disclose", "CONSENT_EXPIRED", 20, 45))


def test_a_stop_that_was_decided_before_the_end_may_be_recorded_after_it() -> None:
    """Others saw the end already; it is not taken back, and binds what is called later."""
    shortened, end = call("shorten", DONE, 0, 10), call("end", DONE, 49, 51)
    expired = call("check", "CONSENT_EXPIRED", 40, 60)
    revoked = call("revoke", DONE, 30, 90)

    assert is_right(shortened, end, expired, revoked)
    assert is_right(shortened, end, expired, revoked, call("disclose", "CONSENT_REVOKED", 95, 99))
    assert not is_right(shortened, end, expired, call("revoke", DONE, 52, 90))


def test_an_unknown_revocation_may_have_happened() -> None:
    refused = call("disclose", "CONSENT_REVOKED", 50, 60)

    assert is_right(call("revoke", UNKNOWN, 0, 0), refused)


def test_an_unknown_revocation_may_happen_late() -> None:
    unknown = call("revoke", UNKNOWN, 0, 0)
    refused = call("disclose", "CONSENT_REVOKED", 70, 80)

    assert is_right(unknown, call("disclose", DONE, 50, 60), refused)


def test_an_unknown_revocation_may_never_happen() -> None:
    assert is_right(call("revoke", UNKNOWN, 0, 0), call("disclose", DONE, 50, 60))


def test_an_unknown_revocation_does_not_come_and_go() -> None:
    refused = call("disclose", "CONSENT_REVOKED", 50, 60)

    assert not is_right(call("revoke", UNKNOWN, 0, 0), refused, call("disclose", DONE, 70, 80))


def test_an_unknown_disclosure_says_nothing() -> None:
    assert is_right(call("revoke", DONE, 0, 10), call("disclose", UNKNOWN, 20, 0))


def test_an_unknown_call_does_not_happen_before_it_was_made() -> None:
    refused = call("disclose", "CONSENT_REVOKED", 0, 10)

    assert not is_right(refused, call("revoke", UNKNOWN, 20, 0))


@given(seed=st.integers(0, 2**32), length=st.integers(1, 60), clients=st.integers(1, 8))
@settings(max_examples=200, deadline=None)
def test_what_happened_one_after_the_other_is_right_however_long_calls_took(
    seed: int, length: int, clients: int
) -> None:
    assert is_linearizable(a_history(random.Random(seed), length, clients))


@given(seed=st.integers(0, 2**32), length=st.integers(1, 6), clients=st.integers(1, 4))
@settings(max_examples=300, deadline=None)
def test_the_checker_agrees_with_trying_every_order(seed: int, length: int, clients: int) -> None:
    drawn = random.Random(seed)
    history = a_history(drawn, length, clients)
    turned = drawn.randrange(len(history))
    history[turned] = flipped(history[turned], drawn)

    assert is_linearizable(history) == some_order_fits(history)


def test_flipped_results_are_mostly_found() -> None:
    drawn = random.Random("flipped")
    found = 0
    for _ in range(500):
        history = a_history(drawn, 30, 4)
        known = [n for n, operation in enumerate(history) if operation.outcome != UNKNOWN]
        turned = drawn.choice(known)
        history[turned] = flipped(history[turned], drawn)
        found += not is_linearizable(history)

    assert found > 350


def flipped(operation: Operation, drawn: random.Random) -> Operation:
    """Return a call with another answer, one that this kind of call may give."""
    consents = (Consent(*(n >> bit & 1 == 1 for bit in range(6))) for n in range(64))
    given = {perform(operation.kind, consent)[0] for consent in consents}
    other = drawn.choice(sorted(given - {operation.outcome}) or [operation.outcome])
    outcome = UNKNOWN if operation.outcome == UNKNOWN else other
    return Operation(operation.kind, outcome, operation.called, operation.returned)


def a_history(drawn: random.Random, length: int, clients: int) -> list[Operation]:
    """Return what clients would see of calls that took effect one after the other."""
    consent, history = ASKED, []
    free = [0.0] * clients
    for at in range(length):
        client = drawn.randrange(clients)
        kind: Kind = drawn.choice(KINDS) if drawn.random() < 0.5 else "disclose"
        moment = float(at + 1)
        outcome, consent = perform(kind, consent)
        called = drawn.uniform(min(max(free[client], moment - clients), moment), moment)
        returned = moment + drawn.uniform(0, clients)
        if drawn.random() < 0.1:
            outcome = UNKNOWN
        history.append(call(kind, outcome, called, returned))
        free[client] = max(free[client], moment)
    return history


def some_order_fits(history: list[Operation]) -> bool:
    """Try every order of every choice of the unknown calls that took effect."""
    known = [operation for operation in history if operation.outcome != UNKNOWN]
    unknown = [operation for operation in history if operation.outcome == UNKNOWN]
    for chosen in range(1 << len(unknown)):
        happened = known + [o for n, o in enumerate(unknown) if chosen >> n & 1]
        if any(fits(order) for order in permutations(happened)):
            return True
    return False


def fits(order: tuple[Operation, ...]) -> bool:
    consents, end = {ASKED}, end_of(order)
    for number, operation in enumerate(order):
        if any(later.returned < operation.called for later in order[number + 1 :]):
            return False
        consents = {after for c in consents for after in outcomes_of(operation, c, end)}
    return bool(consents)
