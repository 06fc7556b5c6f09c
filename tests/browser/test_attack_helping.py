# SPDX-License-Identifier: Apache-2.0
"""One official, several windows: nothing of one whom she helps reaches another."""

from __future__ import annotations

import json
from uuid import uuid4

import apsw
import pytest

from clients.demo.people import OFFICIAL
from tests.browser.belongings import belongings_of
from tests.browser.site import Person, Site
from tests.browser.visiting import Visitor
from vault.api.v1.evidence_service_pb2 import (
    GetEvidenceRequest,
    ListEvidenceRequest,
    ProtectEvidenceRequest,
)
from vault.api.v1.vault_service_pb2 import CreateAssistanceCodeRequest


@pytest.fixture
def nia(site: Site) -> Person:
    return site.person("nia")


@pytest.fixture
def official(site: Site) -> Visitor:
    visitor = Visitor(site.url)
    visitor.sign_in(OFFICIAL, "official")
    return visitor


def begin(official: Visitor, person: Person, csrf: str, channel: str = "phone") -> None:
    request = CreateAssistanceCodeRequest(request_id=str(uuid4()))
    code = person.story.mair.vaults.CreateAssistanceCode(request).assistance_code
    said = [("csrf", csrf), ("channel", channel), ("code", code)]
    assert official.post("/help/begin", said).location == "/"


def test_a_page_of_one_is_not_sent_for_another(
    official: Visitor, mair: Person, nia: Person
) -> None:
    door = official.csrf("/help")
    begin(official, mair, door)
    (form,) = [one for one in official.forms("/account/contact") if "contact" in one.action]
    csrf = official.csrf("/account/contact")
    # The door stood open in another window.
    begin(official, nia, door)

    answer = official.post(form.action, [("csrf", csrf), *form.fields])

    assert answer.status == 403


def test_what_is_kept_for_one_is_not_shown_for_another(
    official: Visitor, mair: Person, nia: Person
) -> None:
    door = official.csrf("/help")
    begin(official, mair, door, "counter")
    add = next(one for one in official.forms("/account/sign-ins/add") if "sign-ins" in one.action)
    official.post(add.action, add.fields)
    assert official.get("/account/sign-ins/code").status == 200

    begin(official, nia, door, "counter")

    assert official.get("/account/sign-ins/code").status == 404


def test_what_she_protects_is_shown_to_nobody_who_helps_her(
    official: Visitor, mair: Person
) -> None:
    had = belongings_of(mair)
    pieces = mair.story.mair.evidence.ListEvidence(ListEvidenceRequest()).evidence
    values = [
        value
        for one in pieces
        for value in json.loads(
            mair.story.mair.evidence.GetEvidence(
                GetEvidenceRequest(evidence_id=one.evidence_id)
            ).evidence.values
        ).values()
        if isinstance(value, str) and len(value) > 4
    ]
    for one in pieces:
        mair.story.mair.evidence.ProtectEvidence(
            ProtectEvidenceRequest(
                request_id=str(uuid4()), evidence_id=one.evidence_id, is_protected=True
            )
        )
    begin(official, mair, official.csrf("/help"))

    asked = had.of("consent_request_id")
    answers = [official.get(f"/requests/{asked}")]
    answers += [official.get(f"/information/{one.evidence_id}") for one in pieces]

    assert values
    assert "Nobody but the person it belongs to can read it here" in answers[0].text
    # Where she is reached may be the very address.
    reached = official.get("/account/contact")
    assert reached.status == 403
    assert "They have to do it themselves" in reached.text
    for answer in answers:
        # She is helped all the same.
        assert answer.status == 200
        assert not [value for value in values if value in answer.text]


def test_what_was_typed_before_a_time_out_is_offered_for_nobody(
    site: Site, official: Visitor, mair: Person, nia: Person
) -> None:
    begin(official, mair, official.csrf("/help"))
    typed = [("csrf", official.csrf()), ("telephone", "+44 1632 960111")]
    database = apsw.Connection(str(site.folder / "web" / "sessions.db"))
    try:
        database.set_busy_timeout(5000)
        database.execute("UPDATE sessions SET ends = unixepoch() - 1 WHERE ends > unixepoch()")
    finally:
        database.close()
    official.post("/account/contact", typed)
    official.sign_in(OFFICIAL, "official")

    begin(official, nia, official.csrf("/help"))

    assert "960111" not in official.get("/typed").text
