# SPDX-License-Identifier: Apache-2.0
"""Whoever is asked finds five answers on the page, in order, before there is anything to press."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page

from tests.browser.comprehension import QUESTIONS, answers_on, requests_of, words_on
from tests.browser.kinds import SignIn
from tests.browser.screens import COMPREHENSION, comprehension_of
from tests.browser.site import Person
from vault.api.v1.consent_pb2 import ConsentRequest

LONGEST_WORDS = 520


@pytest.mark.parametrize("language", ["en", "cy"])
def test_every_request_answers_five_questions_in_order(
    page: Page, signed_in: SignIn, mair: Person, language: str
) -> None:
    signed_in(page, mair, language)
    for request in requests_of(mair):
        page.goto(f"/requests/{request.consent_request_id}")
        answers = {found.question: found.text for found in answers_on(page)}

        assert list(answers) == list(QUESTIONS)
        for question, expected in _expected(mair, request, language).items():
            for text in expected:
                assert text in answers[question], (question, text)
        assert len(answers["how-to-stop"]) > 20


def test_no_section_of_a_request_is_hidden_or_ticked_before_she_chose(
    page: Page, signed_in: SignIn, mair: Person
) -> None:
    signed_in(page, mair)
    for request in requests_of(mair):
        page.goto(f"/requests/{request.consent_request_id}")

        for question in QUESTIONS:
            assert page.locator(f"main section#{question}").is_visible()
        assert page.locator("main :checked").count() == 0
        assert page.locator("main details:not([open])").count() == 0


def test_a_request_is_no_longer_than_people_read(
    page: Page, signed_in: SignIn, mair: Person
) -> None:
    signed_in(page, mair)
    for request in requests_of(mair):
        page.goto(f"/requests/{request.consent_request_id}")

        assert words_on(page) < LONGEST_WORDS


def test_the_documentation_says_where_the_answers_stand(
    page: Page, signed_in: SignIn, mair: Person
) -> None:
    signed_in(page, mair)

    assert COMPREHENSION.read_text(encoding="utf-8") == comprehension_of(page, mair)


def _expected(person: Person, request: ConsentRequest, language: str) -> dict[str, tuple[str, ...]]:
    """Return what has to stand under a question, as the registry and the request have it."""
    directory = person.story.directory
    asker = directory.asker_for(request.purpose.partition("@")[0])
    texts = asker.texts(language)
    words = directory.words if language == "en" else directory.welsh
    asked = [(scope.evidence_type, name) for scope in request.scope for name in scope.required]
    optional = [(scope.evidence_type, name) for scope in request.scope for name in scope.optional]
    return {
        "who": (asker.organisation,) if language == "en" else (),
        "what": tuple(words.label(*field) for field in (*asked, *optional)),
        "until": (str(request.end_time.ToDatetime().year),),
        "if-no": (texts.if_refused,),
        "how-to-stop": (texts.if_stopped,),
    }
