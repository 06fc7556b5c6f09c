# SPDX-License-Identifier: Apache-2.0
"""Old forms, read for ever: both programs take a sample of one for the same, in today's form."""

import json
from dataclasses import asdict

import pytest

from clients.auditor.canonical import encode as our_encode
from clients.auditor.facts import VAULT_FACTS, ConsentRequested
from clients.auditor.record import read_facts
from tests.vectors.generate import FOLDER, samples, written
from vault.domain import request
from vault.domain.canonical import encode
from vault.domain.events import Event
from vault.domain.request import RequestMade
from vault.store.record import read_event

FILES = {path.stem: path.read_text(encoding="ascii") for path in FOLDER.glob("*.json")}
OLD_REQUESTS = {"request-made.1": "request-made.2", "consent-requested.1": "consent-requested.2"}
OLD_FORMS = {**OLD_REQUESTS, "sign-in-linked.1": "sign-in-linked.2"}


def event_of(name: str) -> Event:
    sample = json.loads(FILES[name])
    return read_event(f"{sample['link']}\n{sample['facts']}".encode())


def test_every_sample_can_still_be_made_byte_for_byte() -> None:
    assert dict(written(*sample) for sample in samples()) == FILES


@pytest.mark.parametrize("name", sorted(FILES))
def test_a_sample_is_read_in_todays_form(name: str) -> None:
    facts = event_of(name).facts

    today = facts.upcast()

    assert type(today).__struct_config__.tag == OLD_FORMS.get(name, name)
    assert (today is facts) == (name not in OLD_FORMS)
    assert today.upcast() is today


@pytest.mark.parametrize("name", sorted(OLD_REQUESTS))
def test_an_old_request_started_when_it_was_made_or_entered(name: str) -> None:
    old = json.loads(json.loads(FILES[name])["facts"])

    today = json.loads(encode(event_of(name).facts.upcast()))

    expected = old | {"type": OLD_FORMS[name], "asked": old["asked"] | {"start": old["time"]}}
    assert today == ({"subject": ""} if name == "request-made.1" else {}) | expected


def test_an_old_request_folds_as_one_of_today() -> None:
    event = event_of("request-made.1")
    today = event.facts.upcast()
    assert isinstance(today, RequestMade)

    state = request.fold(None, event)

    assert state is not None
    assert (state.asked, state.subject, state.expires) == (today.asked, "", today.expires)


def test_the_auditor_reads_an_old_request_as_the_server_does() -> None:
    text = json.loads(FILES["consent-requested.1"])["facts"]

    ours = read_facts(text, VAULT_FACTS)

    assert isinstance(ours, ConsentRequested)
    assert ours.type == "consent-requested.1"
    theirs = event_of("consent-requested.1").facts.upcast()
    assert our_encode(asdict(ours) | {"type": "consent-requested.2"}) == encode(theirs).decode()


def test_the_auditor_reads_an_old_way_as_the_server_does() -> None:
    text = json.loads(FILES["sign-in-linked.1"])["facts"]

    ours = read_facts(text, VAULT_FACTS)

    theirs = event_of("sign-in-linked.1").facts.upcast()
    assert our_encode(asdict(ours) | {"type": "sign-in-linked.2"}) == encode(theirs).decode()
