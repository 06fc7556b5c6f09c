# SPDX-License-Identifier: Apache-2.0
"""Five questions that a page of a request has to answer, and where on it the answer stands.

Who is asking; what they would see; until when; what happens if she says no; how to stop it again.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from playwright.sync_api import Page

from clients.demo import asking, council, provider
from tests.browser.site import Person
from vault.api.v1.consent_pb2 import ConsentRequest

QUESTIONS: Final[Mapping[str, str]] = {
    "who": "Who is asking?",
    "what": "What would they see?",
    "until": "Until when?",
    "if-no": "What happens if I say no?",
    "how-to-stop": "How do I stop it again?",
}
"""The questions, by the id of the section that answers each."""

WORDS_A_MINUTE: Final = 180
"""How many words somebody reads in a minute who takes her time."""

INTRODUCTION: Final = """\
# What a request answers

Whoever is asked to share something has five questions. Each page of a request answers them in this
order, each in a section of its own; beside them it says why, what they will not see, what other
ways there are, whose choice it is, and how to complain. `make screens` writes this page from the
pages themselves, and a test compares.
"""

_DAY: Final = re.compile(r"\b\d{1,2} [A-Z][a-z]+ \d{4}(,? (at )?\d{1,2}:\d{2}([ap]m)?)?")
_LONGEST: Final = 110


@dataclass(frozen=True)
class Answered:
    """One question: the heading under which its answer stands, and what that says."""

    question: str
    heading: str
    text: str


def requests_of(person: Person) -> Iterator[ConsentRequest]:
    """Have everything asked of somebody that is asked in the demo; yield each as it waits."""
    story = person.story
    for asker, question in (
        (story.council, council.QUESTION),
        (story.brightcare, provider.question(provider.ADDRESS)),
    ):
        yield asking.open_link(story.mair, asking.ask(asker, question), story.expect).request


def answers_on(page: Page) -> list[Answered]:
    """Return what a page of a request answers, in the order in which it does."""
    sections = page.locator("main section[id]").all()
    return [
        Answered(
            question=str(section.get_attribute("id")),
            heading=section.locator("h2").first.inner_text(),
            text=_spaced(section.inner_text().partition("\n")[2]),
        )
        for section in sections
        if section.get_attribute("id") in QUESTIONS
    ]


def words_on(page: Page) -> int:
    """Return how many words there are to read before she decides, her own values included."""
    return len(page.inner_text("main").split())


def markdown(title: str, answers: list[Answered], words: int) -> list[str]:
    """Return the lines that say where the answers stand on a page."""
    rows = [
        f"| {QUESTIONS[found.question]} | {found.heading} | {_shortened(found.text)} |"
        for found in answers
    ]
    return [
        f"## {title}",
        "",
        f"About {round(words, -1)} words.",
        "",
        "| the question | stands under | and begins |",
        "| --- | --- | --- |",
        *rows,
        "",
    ]


def _spaced(text: str) -> str:
    return " ".join(text.split())


def _shortened(text: str) -> str:
    """Return how a text begins, without the days, which are others tomorrow."""
    text = _DAY.sub("(day)", text).replace("|", "/")
    if len(text) <= _LONGEST:
        return text
    return text[:_LONGEST].rsplit(" ", 1)[0] + " …"
