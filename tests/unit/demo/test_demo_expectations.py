# SPDX-License-Identifier: Apache-2.0
"""Expectations: what comes out otherwise ends the story and says how."""

import pytest

from clients.connection import CallError
from clients.demo.expectations import Expectations, UnexpectedError


def _refuse() -> None:
    raise CallError("FAILED_PRECONDITION", "CONSENT_REVOKED", "It was revoked.")


def test_what_comes_as_expected_is_returned_and_counted() -> None:
    expect = Expectations()

    came = expect.equal("a number", 3, 3)

    assert (came, expect.met) == (3, 1)


def test_what_comes_otherwise_says_what_was_expected_and_what_came() -> None:
    with pytest.raises(UnexpectedError) as caught:
        Expectations().equal("things that came", 4, 3)

    assert (caught.value.claim, caught.value.expected, caught.value.came) == (
        "things that came",
        "3",
        "4",
    )


def test_a_claim_that_does_not_hold_ends_the_story() -> None:
    with pytest.raises(UnexpectedError):
        Expectations().true("it is so", came=False)


def test_a_refusal_for_the_expected_reason_is_returned() -> None:
    refusal = Expectations().refused("they are refused", "CONSENT_REVOKED", _refuse)

    assert refusal.code == "FAILED_PRECONDITION"


def test_a_refusal_for_another_reason_ends_the_story() -> None:
    with pytest.raises(UnexpectedError) as caught:
        Expectations().refused("they are refused", "FIELD_NOT_GRANTED", _refuse)

    assert caught.value.came == "CONSENT_REVOKED"


def test_an_answer_where_a_refusal_is_expected_ends_the_story() -> None:
    with pytest.raises(UnexpectedError) as caught:
        Expectations().refused("they are refused", "CONSENT_REVOKED", lambda: None)

    assert caught.value.came == "answered"
