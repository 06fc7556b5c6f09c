# SPDX-License-Identifier: Apache-2.0
"""The checker that judges the race of revoke against disclose, judged on histories made by hand."""

from __future__ import annotations

import random
from itertools import permutations

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.faults.linearizability import NEVER, Kind, Operation, Outcome, is_linearizable


def call(kind: Kind, outcome: Outcome, called: float, returned: float) -> Operation:
    return Operation(kind, outcome, called, NEVER if outcome == "unknown" else returned)


def sequential(*steps: tuple[Kind, Outcome]) -> list[Operation]:
    return [call(kind, outcome, 2 * at, 2 * at + 1) for at, (kind, outcome) in enumerate(steps)]


def test_nothing_happened_is_right() -> None:
    assert is_linearizable([])


def test_disclosing_then_revoking_then_being_refused_is_right() -> None:
    assert is_linearizable(
        sequential(("disclose", "done"), ("stop", "done"), ("disclose", "refused"))
    )


def test_disclosing_after_the_revocation_returned_is_wrong() -> None:
    assert not is_linearizable(sequential(("stop", "done"), ("disclose", "done")))


def test_being_refused_before_anybody_revoked_is_wrong() -> None:
    assert not is_linearizable(sequential(("disclose", "refused"), ("stop", "done")))


def test_revoking_twice_is_wrong() -> None:
    assert not is_linearizable(sequential(("stop", "done"), ("stop", "done")))


def test_a_second_revocation_that_is_refused_is_right() -> None:
    assert is_linearizable(sequential(("stop", "done"), ("stop", "refused")))


def test_a_disclosure_beside_the_revocation_may_come_out_either_way() -> None:
    revoked = call("stop", "done", 0, 10)

    assert is_linearizable([revoked, call("disclose", "done", 5, 15)])
    assert is_linearizable([revoked, call("disclose", "refused", 5, 15)])


def test_a_refusal_beside_the_revocation_binds_what_comes_later() -> None:
    """The cached consent: one was refused already, a later one was not."""
    revoked = call("stop", "done", 0, 100)
    refused = call("disclose", "refused", 5, 15)

    assert not is_linearizable([revoked, refused, call("disclose", "done", 20, 30)])


def test_an_unknown_revocation_may_have_happened() -> None:
    assert is_linearizable([call("stop", "unknown", 0, 0), call("disclose", "refused", 50, 60)])


def test_an_unknown_revocation_may_happen_late() -> None:
    unknown = call("stop", "unknown", 0, 0)

    assert is_linearizable(
        [unknown, call("disclose", "done", 50, 60), call("disclose", "refused", 70, 80)]
    )


def test_an_unknown_revocation_may_never_happen() -> None:
    assert is_linearizable([call("stop", "unknown", 0, 0), call("disclose", "done", 50, 60)])


def test_an_unknown_revocation_does_not_come_and_go() -> None:
    unknown = call("stop", "unknown", 0, 0)

    assert not is_linearizable(
        [unknown, call("disclose", "refused", 50, 60), call("disclose", "done", 70, 80)]
    )


def test_an_unknown_disclosure_says_nothing() -> None:
    assert is_linearizable([call("stop", "done", 0, 10), call("disclose", "unknown", 20, 0)])


def test_an_unknown_call_does_not_happen_before_it_was_made() -> None:
    assert not is_linearizable([call("disclose", "refused", 0, 10), call("stop", "unknown", 20, 0)])


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
    history[turned] = flipped(history[turned])

    assert is_linearizable(history) == some_order_fits(history)


def test_flipped_results_are_mostly_found() -> None:
    drawn = random.Random("flipped")
    found = 0
    for _ in range(500):
        history = a_history(drawn, 30, 4)
        known = [n for n, operation in enumerate(history) if operation.outcome != "unknown"]
        turned = drawn.choice(known)
        history[turned] = flipped(history[turned])
        found += not is_linearizable(history)

    assert found > 350


def flipped(operation: Operation) -> Operation:
    other: dict[Outcome, Outcome] = {"done": "refused", "refused": "done", "unknown": "unknown"}
    outcome = other[operation.outcome]
    return Operation(operation.kind, outcome, operation.called, operation.returned)


def a_history(drawn: random.Random, length: int, clients: int) -> list[Operation]:
    """Return what clients would see of calls that took effect one after the other."""
    in_force, history = True, []
    free = [0.0] * clients
    for at in range(length):
        client = drawn.randrange(clients)
        kind: Kind = drawn.choices(("disclose", "stop"), (9, 1))[0]
        moment = float(at + 1)
        outcome: Outcome = "done" if in_force else "refused"
        called = drawn.uniform(min(max(free[client], moment - clients), moment), moment)
        returned = moment + drawn.uniform(0, clients)
        in_force = in_force and kind != "stop"
        if drawn.random() < 0.1:
            outcome = "unknown"
        history.append(call(kind, outcome, called, returned))
        free[client] = max(free[client], moment)
    return history


def some_order_fits(history: list[Operation]) -> bool:
    """Try every order of every choice of the unknown calls that took effect."""
    known = [operation for operation in history if operation.outcome != "unknown"]
    unknown = [operation for operation in history if operation.outcome == "unknown"]
    for chosen in range(1 << len(unknown)):
        happened = known + [o for n, o in enumerate(unknown) if chosen >> n & 1]
        if any(fits(order) for order in permutations(happened)):
            return True
    return False


def fits(order: tuple[Operation, ...]) -> bool:
    in_force = True
    for number, operation in enumerate(order):
        if any(later.returned < operation.called for later in order[number + 1 :]):
            return False
        if operation.outcome == "done" and not in_force:
            return False
        if operation.outcome == "refused" and in_force:
            return False
        in_force = in_force and (operation.kind != "stop")
    return True
