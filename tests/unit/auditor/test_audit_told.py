# SPDX-License-Identifier: Apache-2.0
"""The auditor's rule for what a service told her, on honest and on forged histories."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from tests.unit.auditor.stories import (
    ADDRESS_NAMES,
    CARE,
    COUNCIL,
    Story,
    asked_terms,
    asks,
    audited,
    chooses,
    wants,
)
from tests.unit.auditor.tampering import (
    EditFacts,
    EditLink,
    changed,
    judged,
    numbered,
    relinked,
    whys,
    with_acting,
    with_facts,
    with_link,
    with_mark,
)
from vault.domain import registry
from vault.domain.events import Draft
from vault.domain.report import RecipientReported
from vault.domain.values import NO_REGISTRY, Frequency


def a_story(*, is_used: bool = True) -> Story:
    """Return a consent, used or not, and what its service told of the matter."""
    story = Story()
    story.found()
    story.provide("address", "postal_address", ADDRESS_NAMES)
    frequency = Frequency(count=2, period_seconds=86_400)
    asked = asked_terms(CARE, "home-care", asks("postal_address", ("line1",)), frequency=frequency)
    story.ask("request", asked)
    story.grant("request", "consent", chooses("address", "line1"))
    if is_used:
        story.disclose("consent", wants("postal_address", "line1"))
    story.tell("consent", "in-progress")
    return story


def tell_anyway(story: Story) -> None:
    """Record the last report once more, now, whether it is allowed or not."""
    told = [one.event for one in story.vault if isinstance(one.event.facts, RecipientReported)][-1]
    draft = Draft(facts=replace(told.facts, time=story.time))
    story.record(draft, story.mark, acting=told.link.acting)


def why_of(
    story: Story, facts: EditFacts = lambda facts: facts, link: EditLink = lambda link: link
) -> str:
    """Return what is found of the last record of a story once it is changed."""
    last = len(story.vault)
    return whys(judged(relinked(changed(story.vault, last, facts, link)), story), last)


def test_what_a_service_may_tell_is_in_order() -> None:
    story = a_story()
    story.tell("consent", "granted")
    story.revoke("consent")
    story.tell("consent", "done")

    assert story.audit().findings == ()


EDITS: list[tuple[EditFacts, EditLink, str]] = [
    (with_facts(status="granted"), lambda link: link, "granted is no progress"),
    (with_facts(kind="outcome"), lambda link: link, "in-progress is no outcome"),
    (with_facts(purpose="care-plan@1"), lambda link: link, "for purpose home-care@1"),
    (with_facts(service=COUNCIL), lambda link: link, "another service's"),
    (with_facts(subject="somebody"), lambda link: link, "by another subject"),
    (with_facts(consent_id="another"), lambda link: link, "was never granted"),
    (lambda facts: facts, with_acting(capacity="self"), "somebody who acts as self"),
    (lambda facts: facts, with_link(registry=NO_REGISTRY), "no version of the registry"),
    (lambda facts: facts, with_mark(size=99), "no version of the registry"),
]


@pytest.mark.parametrize(("facts", "link", "why"), EDITS, ids=numbered(EDITS))
def test_what_a_service_could_not_tell_is_found(facts: Any, link: Any, why: str) -> None:
    assert why in why_of(a_story(), facts, link)


def test_a_sixth_report_of_a_day_is_found() -> None:
    story = a_story()
    for _ in range(4):
        story.tell("consent", "more-needed")
    tell_anyway(story)

    assert "more than 5 are recorded" in whys(story.audit(), len(story.vault))


def test_a_report_on_what_was_stopped_unused_is_found() -> None:
    story = a_story(is_used=False)
    story.revoke("consent")
    tell_anyway(story)

    assert "was revoked unused" in whys(story.audit(), len(story.vault))


def test_a_report_on_what_ended_unused_is_found_unless_a_use_may_be_withheld() -> None:
    story = a_story(is_used=False)
    story.wait(days=60)
    tell_anyway(story)
    lines = [placed.line for placed in story.vault]
    told = len(lines)

    withheld = [*lines[: told - 2], story.vault[told - 2].line_with(link="", facts=""), lines[-1]]

    assert "had ended unused" in whys(story.audit(), told)
    assert not whys(audited(withheld, [one.line for one in story.registry]), told)


def test_a_report_of_a_suspended_service_is_found() -> None:
    story = a_story()
    story.register(registry.suspend_service(story.registered, story.stamp, CARE))
    tell_anyway(story)

    assert "was suspended" in whys(story.audit(), len(story.vault))
