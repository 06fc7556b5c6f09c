# SPDX-License-Identifier: Apache-2.0
"""Requests that were stored before they had a start, or could name whom they ask, still count."""

from __future__ import annotations

from functools import reduce

import pytest
from msgspec.structs import asdict

from tests.builders import (
    CODE,
    REQUEST,
    SALT,
    SERVICE,
    SUBJECT,
    VERIFIER,
    a_choice,
    a_page,
    a_stamp,
    asked_terms,
    at,
    consent_requested,
    drafted,
    evidence_provided,
    happened,
    linked,
    request_claimed,
    request_made,
    vault_opened,
)
from vault.domain import choice, request
from vault.domain.canonical import digest, encode
from vault.domain.events import Draft
from vault.domain.request_forms import AskedTerms1, ConsentRequested1, RequestMade1
from vault.domain.values import Time
from vault.store.record import read_event


def asked_before() -> AskedTerms1:
    """Return what the service asks, as it was stored before there was a start."""
    terms = asdict(asked_terms())
    del terms["start"]
    return AskedTerms1(**terms)


def made_before() -> Draft:
    facts = RequestMade1(
        time=at(),
        salt=SALT,
        asked=asked_before(),
        code_challenge=digest(VERIFIER.encode()),
        expires=at(days=30),
    )
    return drafted(facts)


def requested_before(time: Time | None = None) -> Draft:
    facts = ConsentRequested1(
        time=time or at(2),
        salt=SALT,
        service=SERVICE,
        subject=SUBJECT,
        consent_request_id=REQUEST,
        asked=asked_before(),
        expires=at(2, days=30),
    )
    return drafted(facts)


def test_a_request_that_was_made_before_starts_when_it_was_made() -> None:
    assert made_before().facts.upcast() == request_made(start=at()).facts


def test_a_request_that_entered_her_vault_before_starts_when_it_did() -> None:
    assert requested_before().facts.upcast() == consent_requested(start=at(2)).facts


@pytest.mark.parametrize("draft", [request_made(), consent_requested()])
def test_a_request_of_today_is_what_it_is(draft: Draft) -> None:
    assert draft.facts.upcast() is draft.facts


@pytest.mark.parametrize("draft", [made_before(), requested_before()])
def test_a_form_of_before_reads_back_in_exactly_its_own_form(draft: Draft) -> None:
    (event,) = linked([draft], REQUEST)

    assert read_event(encode(event.link) + b"\n" + encode(event.facts)) == event


def test_a_request_that_was_made_before_can_be_claimed_and_redeemed() -> None:
    events = linked([made_before(), request_claimed()], REQUEST)

    state = reduce(request.fold, events, None)

    draft = request.redeem(state, a_stamp(at(2)), SERVICE, CODE, VERIFIER)
    assert draft.facts.time == at(2)


def test_a_request_that_entered_her_vault_before_can_be_chosen_for() -> None:
    given = happened(vault_opened(), evidence_provided(), requested_before())

    terms, _ = choice.terms_of(
        given,
        at(4),
        consent_request_id=REQUEST,
        consent_id="",
        choice=a_choice(),
        shown=a_page(),
    )

    assert (terms.start, terms.end) == (at(3), at(days=20))
