# SPDX-License-Identifier: Apache-2.0
"""The auditor's rule for passkeys: added once for ever, by herself; removed once."""

import pytest
from msgspec.structs import replace

from tests.builders import OTHER_CONSENT, PASSKEY, passkey_added, passkey_removed
from tests.unit.auditor.stories import SESSION, Story
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
)
from vault.domain.canonical import b64
from vault.domain.events import Draft

OTHER = OTHER_CONSENT
OTHER_KEY = {"credential": b64(b"other"), "public_key": b64(b"other key")}


def at_now(story: Story, draft: Draft) -> Draft:
    return replace(draft, facts=replace(draft.facts, time=story.stamp.time))


def a_story_of_passkeys() -> Story:
    story = Story()
    story.found()
    for draft in (passkey_added(), passkey_added(OTHER, **OTHER_KEY), passkey_removed()):
        story.record(at_now(story, draft), approval=SESSION)
    return story


STORY = a_story_of_passkeys()
REMOVAL = len(STORY.vault)
SECOND = REMOVAL - 1
FIRST = REMOVAL - 2


def test_passkeys_that_come_and_go_are_nothing_to_find() -> None:
    assert judged(STORY.vault, STORY).findings == ()


EDITED = [
    (SECOND, with_facts(passkey_id=PASSKEY), "the passkey was added already"),
    (
        SECOND,
        with_facts(credential=passkey_added().facts.credential),  # type: ignore[attr-defined]
        "the passkey was added already",
    ),
    (
        SECOND,
        with_facts(public_key=passkey_added().facts.public_key),  # type: ignore[attr-defined]
        "the passkey was added already",
    ),
    (REMOVAL, with_facts(passkey_id="other"), "it removes a passkey that was never added"),
]


@pytest.mark.parametrize(("version", "edit", "why"), EDITED, ids=numbered(EDITED))
def test_a_passkey_that_does_not_fit_is_found(version: int, edit: EditFacts, why: str) -> None:
    report = judged(relinked(changed(STORY.vault, version, facts=edit)), STORY)

    assert why in whys(report, version)


def test_a_passkey_is_removed_once() -> None:
    story = a_story_of_passkeys()
    story.record(at_now(story, passkey_removed()))

    report = judged(story.vault, story)

    assert f"removed already at version {REMOVAL}" in whys(report, REMOVAL + 1)


def test_a_removed_passkey_is_not_added_again() -> None:
    story = a_story_of_passkeys()
    story.record(at_now(story, passkey_added()), approval=SESSION)

    assert "the passkey was added already" in whys(judged(story.vault, story), REMOVAL + 1)


@pytest.mark.parametrize("capacity", ["helper", "operator", "service"])
def test_nobody_adds_a_passkey_for_her(capacity: str) -> None:
    edit: EditLink = with_acting(capacity=capacity)

    report = judged(relinked(changed(STORY.vault, FIRST, link=edit)), STORY)

    assert "she alone adds a passkey" in whys(report, FIRST)
