# SPDX-License-Identifier: Apache-2.0
"""The auditor's rule for the ways to her vault, on forged histories; and for what is protected."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from tests.unit.auditor.stories import (
    ADDRESS_NAMES,
    CARE,
    HERSELF,
    SESSION,
    WAY,
    Placed,
    Story,
    as_official,
    asked_terms,
    asks,
    audited,
    chooses,
    version_of,
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
)
from vault.domain.consent import ConsentGranted
from vault.domain.events import Draft
from vault.domain.evidence import EvidenceProvided
from vault.domain.protection import EvidenceProtected, ProtectionLifted
from vault.domain.sign_in import (
    LinkCodeCreated,
    SignedOutEverywhere,
    SignInLinked,
    SignInUnlinked,
)
from vault.domain.values import Item, later

SECOND = replace(HERSELF, actor="second")
WAIT = 3600


def a_story_of_ways() -> Story:
    """Return a history in which she lets another sign-in in, waits, and shares by it."""
    story = Story()
    story.found()
    story.provide("address", "postal_address", ADDRESS_NAMES)
    story.let_in(SECOND, WAIT)
    story.protect("address")
    story.wait(seconds=WAIT)
    story.acting = SECOND
    story.ask("request", asked_terms(CARE, "home-care", asks("postal_address", ("line1",))))
    story.grant("request", "consent", chooses("address", "line1"))
    story.lift("address")
    story.unlink("sign-in")
    story.sign_out()
    return story


STORY = a_story_of_ways()
PROVISION = version_of(STORY, EvidenceProvided)
CODE = version_of(STORY, LinkCodeCreated)
LINKING = version_of(STORY, SignInLinked)
PROTECTING = version_of(STORY, EvidenceProtected)
GRANT = version_of(STORY, ConsentGranted)
LIFTING = version_of(STORY, ProtectionLifted)
CLOSING = version_of(STORY, SignInUnlinked)
LAST = version_of(STORY, SignedOutEverywhere)
LINKED = STORY.vault[LINKING - 1].event.facts.time
OTHER_PIECE = Item(item=0, evidence_id="another", revision=0)

NEVER = "a way to her vault that was never opened"


def test_a_sign_in_that_she_let_in_and_that_waited_is_nothing_to_find() -> None:
    assert judged(STORY.vault, STORY).findings == ()


EDITED_FACTS = [
    (CODE, with_facts(expires=later(LINKED, seconds=7200)), "for a quarter of an hour"),
    (LINKING, with_facts(sign_in="sign-in"), "the way to her vault was opened already"),
    (LINKING, with_facts(link_code="another"), "with a code that was never made"),
    (LINKING, with_facts(link_code=""), "a sign-in is linked with a code, and nothing else is"),
    (LINKING, with_facts(means="assistance-code"), "a sign-in is linked with a code, and nothing"),
    (LINKING, with_facts(sign_in="third"), "a sign-in was linked that somebody else named"),
    (LINKING, with_facts(time=later(LINKED, seconds=900)), "the code was not good at that time"),
    (CLOSING, with_facts(sign_in="third"), f"it closes {NEVER}"),
]


@pytest.mark.parametrize(("version", "edit", "why"), EDITED_FACTS, ids=numbered(EDITED_FACTS))
def test_a_way_that_does_not_fit_is_found(version: int, edit: EditFacts, why: str) -> None:
    report = judged(relinked(changed(STORY.vault, version, facts=edit)), STORY)

    assert why in whys(report, version)


EDITED_LINKS = [
    (PROVISION, with_acting(actor="stranger"), f"she acted by {NEVER}"),
    (GRANT, with_acting(actor="stranger"), f"she acted by {NEVER}"),
    (LAST, with_acting(actor="sign-in"), f"that was closed at version {CLOSING}"),
    (LINKING, with_acting(actor="sign-in"), "a sign-in was linked that somebody else named"),
    (LINKING, with_acting(capacity="operator"), "a sign-in was linked that somebody else named"),
    (CODE, with_link(acting=as_official("phone", "")), "who did not have her at the counter"),
    (CODE, with_link(approval=replace(SESSION, kind="")), "nothing shows that the decision is"),
    (PROTECTING, with_link(items=()), "does not name exactly one piece"),
    (PROTECTING, with_link(items=(OTHER_PIECE,)), "about evidence that does not exist"),
    (LIFTING, with_acting(capacity="official"), "she alone lifts a protection"),
]


@pytest.mark.parametrize(("version", "edit", "why"), EDITED_LINKS, ids=numbered(EDITED_LINKS))
def test_who_came_by_no_way_of_hers_is_found(version: int, edit: EditLink, why: str) -> None:
    report = judged(relinked(changed(STORY.vault, version, link=edit)), STORY)

    assert why in whys(report, version)


def test_a_piece_is_protected_whole() -> None:
    item = STORY.vault[PROTECTING - 1].event.link.items[0]
    edit = with_link(items=(replace(item, revision=1),))

    report = judged(relinked(changed(STORY.vault, PROTECTING, link=edit)), STORY)

    assert "a piece is protected whole" in whys(report, PROTECTING)


def test_who_shares_before_the_wait_is_over_is_found() -> None:
    """The wait stands in the record of the code: whoever shortens it there has to sign it."""
    edit = with_facts(wait_seconds=WAIT * 2)

    report = judged(relinked(changed(STORY.vault, CODE, facts=edit)), STORY)

    assert f"linked at version {LINKING}, and had to wait 7200 seconds" in whys(report, GRANT)
    # Nor may it shut her out.
    assert "had to wait" in whys(report, CLOSING)
    assert whys(report, LAST) == ""


def test_who_hands_out_a_code_on_paper_has_waited_too() -> None:
    story = Story()
    story.found()
    story.let_in(SECOND, WAIT)
    story.acting = SECOND
    story.link("on paper")

    report = judged(story.vault, story)

    assert "had to wait" in whys(report, len(story.vault))


def test_who_keeps_her_out_by_signing_out_again_and_again_is_found() -> None:
    story = Story()
    story.found()
    story.sign_out()
    story.let_in(SECOND, WAIT)
    story.acting = SECOND
    once = story.sign_out()
    again = story.record(Draft(facts=replace(once.event.facts, time=story.stamp.time)))

    report = judged(story.vault, story)

    assert whys(report, once.event.link.version) == ""
    assert "had to wait" in whys(report, again.event.link.version)


def test_a_code_on_paper_is_closed_whatever_is_left() -> None:
    story = Story(acting=as_official("counter"))
    story.found()
    story.unlink(WAY)

    assert judged(story.vault, story).findings == ()


def test_the_wait_ends_at_the_second() -> None:
    granted = STORY.vault[GRANT - 1].event.facts.time
    waited = int((_seconds(granted)) - _seconds(LINKED))
    for wait_seconds, found in ((waited, False), (waited + 1, True)):
        edit = with_facts(wait_seconds=wait_seconds)

        report = judged(relinked(changed(STORY.vault, CODE, facts=edit)), STORY)

        assert ("had to wait" in whys(report, GRANT)) == found


def _seconds(time: str) -> float:
    hours, minutes, seconds = time[11:-1].split(":")
    return int(hours) * 3600 + int(minutes) * 60 + float(seconds)


def test_a_code_lets_one_sign_in_in() -> None:
    again = changed(
        STORY.vault[LINKING - 1 : LINKING],
        LINKING,
        facts=with_facts(sign_in="third"),
        link=lambda link: replace(link, acting=replace(link.acting, actor="third"), request_key=""),
    )
    placed = [*STORY.vault[:LINKING], *again, *STORY.vault[LINKING:]]

    report = judged(relinked(placed), STORY)

    assert f"the code was used already at version {LINKING}" in whys(report, LINKING + 1)


@pytest.mark.parametrize(
    ("stop", "why"),
    [
        (STORY.vault[LAST - 1], "she signed out everywhere after the code was made"),
        (STORY.vault[CLOSING - 1], "she closed a way after the code was made"),
    ],
    ids=["signed out", "closed a way"],
)
def test_a_code_that_she_stopped_lets_nobody_in(stop: Placed, why: str) -> None:
    edited = changed(
        [stop],
        stop.event.link.version,
        facts=with_facts(time=LINKED),
        link=with_link(acting=HERSELF, request_key=""),
    )
    placed = [*STORY.vault[:CODE], *edited, *STORY.vault[CODE:]]

    report = judged(relinked(placed), STORY)

    assert why in whys(report, LINKING + 1)


def test_the_last_way_cannot_be_closed() -> None:
    # Without the linking, the only way is that by which she opened it.
    placed = [p for p in STORY.vault if p.event.link.version < LINKING]
    placed += [STORY.vault[CLOSING - 1]]
    edited = relinked(changed(placed, CLOSING, link=lambda link: replace(link, acting=HERSELF)))

    report = judged(edited, STORY)

    assert "it closes the only way to her vault" in whys(report, len(edited))


def test_a_withheld_linking_is_not_held_against_what_follows() -> None:
    lines = [placed.line for placed in STORY.vault]
    withheld = STORY.vault[LINKING - 1].line_with(link="", facts="")

    report = audited(
        [withheld if number == LINKING - 1 else line for number, line in enumerate(lines)],
        [placed.line for placed in STORY.registry],
    )

    assert report.findings == ()
