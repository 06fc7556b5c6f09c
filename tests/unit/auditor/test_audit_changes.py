# SPDX-License-Identifier: Apache-2.0
"""The auditor's rule for what becomes of consents, requests and evidence, on forged histories.

Each was linked properly again: no digest helps.
"""

from typing import Any

import pytest
from msgspec.structs import replace

from clients.auditor.report import Report
from tests.unit.auditor.stories import (
    ADDRESS_NAMES,
    CARE,
    COUNCIL,
    INCOME_NAMES,
    SALT,
    Placed,
    Story,
    a_story_of_changes,
    asked_terms,
    asks,
    audited,
    chooses,
    version_of,
    wants,
)
from tests.unit.auditor.tampering import (
    EditFacts,
    EditLink,
    changed,
    judged,
    numbered,
    relinked,
    replaced_event,
    whys,
    with_acting,
    with_asked,
    with_facts,
    with_link,
    with_mark,
    with_terms,
)
from vault.domain import consent, registry
from vault.domain.amendment import ConsentExtended, ConsentNarrowed, Remaining
from vault.domain.consent import ConsentGranted, ConsentPaused, ConsentResumed
from vault.domain.disclosure import EvidenceDisclosed, Opening, Plan
from vault.domain.dispute import DisputeResolved, EvidenceDisputed
from vault.domain.evidence import EvidenceReplaced
from vault.domain.request import ConsentRefused, ConsentRequestCancelled, ConsentRequested
from vault.domain.values import NO_REGISTRY, Frequency, Item, Terms, Time, later

STORY = a_story_of_changes()
REQUEST = version_of(STORY, ConsentRequested)
GRANT = version_of(STORY, ConsentGranted)
REFUSED = version_of(STORY, ConsentRefused)
TAKEN_BACK = version_of(STORY, ConsentRequestCancelled)
NARROWING = version_of(STORY, ConsentNarrowed)
SECOND_NARROWING = version_of(STORY, ConsentNarrowed, 1)
EXTENSION = version_of(STORY, ConsentExtended)
PAUSE = version_of(STORY, ConsentPaused)
RESUMPTION = version_of(STORY, ConsentResumed)
DISPUTE = version_of(STORY, EvidenceDisputed)
SECOND_DISPUTE = version_of(STORY, EvidenceDisputed, 1)
THIRD_DISPUTE = version_of(STORY, EvidenceDisputed, 2)
SETTLEMENT = version_of(STORY, DisputeResolved)
REPLACEMENT = version_of(STORY, EvidenceReplaced)
USE_AFTER_NARROWING = version_of(STORY, EvidenceDisclosed, 1)
USE_AFTER_PAUSE = version_of(STORY, EvidenceDisclosed, 2)
LATE_USE = version_of(STORY, EvidenceDisclosed, 3)


def terms_at(version: int) -> Terms:
    facts: Any = STORY.vault[version - 1].event.facts
    return facts.terms  # type: ignore[no-any-return]


def time_at(version: int) -> Time:
    return STORY.vault[version - 1].event.facts.time


def scope_of(version: int, **parts: Any) -> Any:
    """Return the scope of some terms with its first item changed."""
    first, *others = terms_at(version).scope
    return (replace(first, **parts), *others)


def item(evidence_id: str, revision: int = 0, number: int = 1) -> tuple[Item, ...]:
    return (Item(item=number, evidence_id=evidence_id, revision=revision),)


INCOME = terms_at(GRANT).scope[1]
LATER = Time("2026-04-01T00:00:00.000001Z")
TOO_LATE = Time("2026-05-03T12:00:34.000000Z")

EDITED_FACTS = [
    # A request, and a start in the future.
    (REQUEST, with_asked(end=Time("2026-05-01T09:00:17.000000Z")), "care@1: its end"),
    (GRANT, with_terms(start=Time("2026-03-02T09:59:59.999999Z")), "asked for: start"),
    (GRANT, with_terms(start=Time("2026-04-01T00:00:00.000000Z")), "or ends before it starts"),
    # Answers.
    (REFUSED, with_facts(consent_request_id="request-8"), "request-8 is not in her vault"),
    (REFUSED, with_facts(consent_request_id="request-0"), "the request was granted at version 7"),
    (REFUSED, with_facts(service=COUNCIL), "the request is another service's"),
    (REFUSED, with_facts(subject="somebody"), "or knows her by another subject"),
    (TAKEN_BACK, with_facts(consent_request_id="request-0"), "was granted at version 7"),
    (TAKEN_BACK, with_facts(consent_request_id="request-1"), "was refused at version 8"),
    (TAKEN_BACK + 1, with_facts(consent_request_id="request-2"), "was taken back at version 9"),
    (TAKEN_BACK, with_facts(consent_request_id="request-9"), "was taken back at version 9"),
    (TAKEN_BACK, with_facts(service=COUNCIL), "the request is another service's"),
    # A narrowing.
    (NARROWING, with_terms(end=LATER), "it gives more than before: end"),
    (SECOND_NARROWING, with_terms(end=TOO_LATE), "it gives more than before: end"),
    (
        SECOND_NARROWING,
        with_terms(frequency=Frequency(count=3, period_seconds=86_400)),
        "it gives more than before: frequency",
    ),
    (
        SECOND_NARROWING,
        with_terms(frequency=Frequency(count=1, period_seconds=60)),
        "it gives more than before: frequency",
    ),
    (
        NARROWING,
        with_terms(scope=scope_of(NARROWING, optional=("postcode", "uprn"))),
        "it gives more than before: item 1 (postal_address)",
    ),
    (
        NARROWING,
        with_terms(scope=scope_of(NARROWING, required=("line1", "postcode"))),
        "it gives more than before: item 1",
    ),
    (
        NARROWING,
        with_terms(scope=scope_of(NARROWING, required=(), optional=("line1", "postcode"))),
        "it gives more than before: item 1",
    ),
    (
        NARROWING,
        with_terms(scope=scope_of(NARROWING, mode="pinned")),
        "it gives more than before: item 1",
    ),
    (
        NARROWING,
        with_terms(scope=scope_of(NARROWING, evidence_type="income")),
        "it gives more than before: item 1 (income)",
    ),
    (NARROWING, with_terms(scope=scope_of(NARROWING, item=3)), "more than before: item 3"),
    (SECOND_NARROWING, with_terms(scope=(INCOME,)), "it gives more than before: item 2"),
    (NARROWING, with_terms(scope=()), "its items are not those that remain"),
    (
        NARROWING,
        with_terms(scope=scope_of(NARROWING) * 2),
        "its items are not those that remain",
    ),
    *(
        (NARROWING, with_terms(**{part: value}), f"stays as it is: {part}")
        for part, value in {
            "consent_id": "other",
            "recipient": replace(terms_at(GRANT).recipient, service=COUNCIL),
            "purpose": replace(terms_at(GRANT).purpose, code="care-plan"),
            "basis": replace(terms_at(GRANT).basis, code="consent"),
            "method": "view",
            "start": time_at(GRANT),
            "one_time": True,
            "largest_age_days": 1,
            "retention_days": 31,
            "storage": "US",
            "jurisdiction": "US",
            "notice_hash": "",
            "language": "cy",
        }.items()
    ),
    # An extension.
    (EXTENSION, with_terms(end=terms_at(NARROWING).end), "it does not end later than"),
    (EXTENSION, with_terms(end=TOO_LATE), "the terms go beyond purpose home-care@1: its end"),
    (EXTENSION, with_terms(scope=terms_at(GRANT).scope), "it gives more than before: item 2"),
    (
        EXTENSION,
        with_terms(scope=scope_of(EXTENSION, optional=())),
        "it changes more than the end",
    ),
    (EXTENSION, with_terms(language="cy"), "it changes what stays as it is: language"),
    (EXTENSION, with_terms(retention_days=31), "it changes what stays as it is: retention_days"),
    (
        EXTENSION,
        with_terms(frequency=Frequency(count=3, period_seconds=86_400)),
        "it gives more than before: frequency",
    ),
    (
        EXTENSION,
        with_terms(frequency=Frequency(count=1, period_seconds=86_400)),
        "it changes more than the end",
    ),
    (EXTENSION, with_terms(shown_time=TOO_LATE), "it was not shown to her within the day before"),
    (EXTENSION, with_terms(shown_time=time_at(PAUSE)), "not shown to her within the day before"),
    # Pausing and resuming.
    (PAUSE, with_facts(consent_id="other"), "consent other was never granted"),
    (PAUSE, with_facts(service=COUNCIL), "the consent is another service's"),
    (RESUMPTION, with_facts(subject="somebody"), "or knows her by another subject"),
    (RESUMPTION, with_facts(time=LATER), "the consent had ended on 2026-03-20"),
    # A use under the terms of its moment.
    (
        USE_AFTER_NARROWING,
        with_facts(fields=STORY.vault[version_of(STORY, EvidenceDisclosed) - 1].event.facts.fields),  # type: ignore[attr-defined]
        "its items are not in order",
    ),
    (LATE_USE, with_facts(time=TOO_LATE), "it lies outside the consent's time"),
    # Disputes.
    (DISPUTE, with_facts(names=("line1", "uprn")), "does not have every disputed field"),
    (DISPUTE, with_facts(names=()), "or none is named"),
    (DISPUTE, with_facts(evidence_type="income"), "the piece of evidence is of another type"),
    (SECOND_DISPUTE, with_facts(dispute_id="dispute-9"), "a dispute that was never raised"),
    (THIRD_DISPUTE, with_facts(dispute_id="dispute-1"), "the dispute is there already"),
    (SETTLEMENT, with_facts(dispute_id="dispute-1"), "a dispute that was never raised"),
    (SETTLEMENT, with_facts(evidence_type="postal_address"), "evidence is of another type"),
    (REPLACEMENT, with_facts(changed=("town",)), "a field is disputed already"),
]


@pytest.mark.parametrize(("version", "edit", "why"), EDITED_FACTS, ids=numbered(EDITED_FACTS))
def test_an_edited_fact_is_found(version: int, edit: EditFacts, why: str) -> None:
    report = judged(relinked(changed(STORY.vault, version, facts=edit)), STORY)

    assert report.verdict == "FAILED"
    assert why in "; ".join(finding.why for finding in report.findings)


ADDRESS = item("address")
EDITED_LINKS = [
    (NARROWING, with_link(items=item("income")), "its items are not those that remain"),
    (NARROWING, with_link(items=item("address", 1)), "its items are not those that remain"),
    (NARROWING, with_link(items=()), "its items are not those that remain"),
    (
        NARROWING,
        with_link(items=(*ADDRESS, *item("income", 1, 2))),
        "its items are not those that remain",
    ),
    (EXTENSION, with_link(items=item("income")), "its items are not those that remain"),
    (
        EXTENSION,
        with_link(items=(*ADDRESS, *item("income", 1, 2))),
        "its items are not those that remain",
    ),
    (EXTENSION, with_acting(capacity="helper"), "not somebody who acts as helper"),
    (EXTENSION, with_acting(capacity="official"), "not somebody who acts as official"),
    (EXTENSION, with_mark(size=7), "purpose home-care@1 was not published"),
    (RESUMPTION, with_mark(size=7), "purpose home-care@1 was not published"),
    (PAUSE, with_link(items=ADDRESS), "names evidence that it has nothing to do with"),
    (REFUSED, with_link(items=ADDRESS), "names evidence that it has nothing to do with"),
    (DISPUTE, with_link(items=()), "it does not name exactly one piece of evidence"),
    (DISPUTE, with_link(items=ADDRESS), "it does not name exactly one piece of evidence"),
    (DISPUTE, with_link(items=item("none", 1, 0)), "about evidence that does not exist"),
    (DISPUTE, with_link(items=item("address", 2, 0)), "revision 2, the current one was 1"),
    (THIRD_DISPUTE, with_link(items=item("address", 1, 0)), "revision 1, the current one was 2"),
    (SETTLEMENT, with_link(items=item("address", 2, 0)), "a dispute that was never raised"),
]


@pytest.mark.parametrize(("version", "edit", "why"), EDITED_LINKS, ids=numbered(EDITED_LINKS))
def test_an_edited_link_is_found(version: int, edit: EditLink, why: str) -> None:
    report = judged(relinked(changed(STORY.vault, version, link=edit)), STORY)

    assert why in whys(report, version)


@pytest.mark.parametrize(
    ("removed", "found_at", "why"),
    [
        ([PAUSE], RESUMPTION, "the consent was not paused"),
        ([RESUMPTION], USE_AFTER_PAUSE, f"was paused since version {PAUSE}"),
        ([EXTENSION], SECOND_NARROWING, "it gives more than before: end"),
        ([EXTENSION, SECOND_NARROWING], LATE_USE, "it lies outside the consent's time"),
        ([EXTENSION, SECOND_NARROWING], LATE_USE + 1, "the consent had ended on 2026-03-20"),
        ([NARROWING], EXTENSION, "it changes more than the end"),
        ([SECOND_DISPUTE], SETTLEMENT, "it settles a dispute that was never raised"),
    ],
)
def test_a_removed_record_shows_in_what_only_it_explains(
    removed: list[int], found_at: int, why: str
) -> None:
    left = [placed for placed in STORY.vault if placed.event.link.version not in removed]

    report = judged(relinked(left), STORY)

    assert why in whys(report, found_at - len(removed))


def twice(story: Story, version: int, **parts: Any) -> str:
    """Return why a record is found that stands once more at the end of a history."""
    first = story.vault[version - 1].event
    again = replaced_event(first, replace(first.facts, time=story.time, **parts))
    placed = [*story.vault, Placed(again, story.positions + 1)]
    return whys(judged(relinked(placed), story), len(placed))


def test_a_request_that_was_taken_back_before_it_came_never_comes() -> None:
    why = twice(STORY, REQUEST, consent_request_id="request-9")

    assert f"the request was taken back at version {TAKEN_BACK + 1}" in why


def test_a_request_is_answered_once() -> None:
    assert "the request was refused at version 8" in twice(STORY, REFUSED)
    assert "the request was taken back at version 9" in twice(STORY, TAKEN_BACK)
    assert "the request was taken back at version 10" in twice(STORY, TAKEN_BACK + 1)


@pytest.mark.parametrize(
    ("name", "answer"),
    [("request-1", "refused at version 8"), ("request-2", "taken back at version 9")],
)
def test_a_request_that_was_refused_or_taken_back_is_never_granted(name: str, answer: str) -> None:
    terms = replace(terms_at(GRANT), consent_id="two")

    why = twice(STORY, GRANT, consent_id="two", terms=terms, consent_request_id=name)

    assert f"the request was {answer}" in why


@pytest.mark.parametrize("kind", [ConsentRefused, ConsentRequestCancelled])
def test_a_request_that_lapsed_is_answered_no_more(
    kind: type[ConsentRefused | ConsentRequestCancelled],
) -> None:
    story = a_shared_story()
    asked = asked_terms(CARE, "home-care", asks("income", ("amount",)))
    request = story.ask("lapsed", asked).event
    facts: Any = request.facts
    forged = kind(
        time=facts.expires,
        salt=SALT,
        service=CARE,
        subject=facts.subject,
        consent_request_id="lapsed",
    )
    placed = [*story.vault, Placed(replaced_event(request, forged), story.positions + 1)]

    report = judged(relinked(placed), story)

    assert whys(report, len(placed)) == f"the request had lapsed on {facts.expires}"


def test_a_request_more_than_may_wait_is_found() -> None:
    story = Story()
    story.found()
    asked = asked_terms(CARE, "home-care", asks("income", ("amount",)))
    for number in range(20):
        story.ask(f"request-{number}", asked)
    story.ask("other", asked_terms(COUNCIL, "care-plan", asks("income", ("amount",))))
    before = story.audit()

    why = twice(story, 2, consent_request_id="one-too-many")

    assert before.findings == ()
    assert why == "20 requests of the service wait for her already"


def test_a_request_that_was_answered_waits_no_more() -> None:
    story = Story()
    story.found()
    asked = asked_terms(CARE, "home-care", asks("income", ("amount",)))
    for number in range(20):
        story.ask(f"request-{number}", asked)
    answer = story.refuse_request("request-7").event.link.version
    story.ask("request-20", asked)

    assert story.audit().findings == ()
    assert withheld(story, answer).findings == ()


def a_shared_story(frequency: Frequency | None = None) -> Story:
    """Return a history with one consent that is in force."""
    story = Story()
    story.found()
    story.provide("address", "postal_address", ADDRESS_NAMES)
    asked = asked_terms(
        CARE, "home-care", asks("postal_address", ("line1",), ("town",)), frequency=frequency
    )
    story.ask("request", asked)
    story.grant("request", "consent", chooses("address", "line1", "town"))
    return story


def forged_use(story: Story, *names: str) -> str:
    """Record a use whatever the rules say, and return why it is found."""
    state = story.state
    found = state.consents["consent"]
    piece = state.evidence["address"]
    opening = Opening(item=1, evidence=piece, revision=piece.current, names=names)
    use = story.record_use(Plan(consent=found, consent_id="consent", openings=(opening,)))
    report = story.audit()
    assert report.uses[-1].allowed == (not report.findings)
    return whys(report, use.event.link.version)


def test_a_use_while_paused_is_found_and_one_after_that_is_not() -> None:
    story = a_shared_story(Frequency(count=2, period_seconds=86_400))
    paused = story.pause("consent").event.link.version
    time = story.vault[-1].event.facts.time

    assert (
        forged_use(story, "line1") == f"consent consent was paused since version {paused}, {time}"
    )
    story.vault.pop()
    story.resume("consent")
    assert forged_use(story, "line1") == ""


def withheld(story: Story, version: int) -> Report:
    """Judge a history of which one record was deleted."""
    lines = [placed.line for placed in story.vault]
    lines[version - 1] = story.vault[version - 1].line_with(link="", facts="")
    return audited(lines, [placed.line for placed in story.registry])


def test_only_a_record_withheld_since_the_pause_can_explain_a_use() -> None:
    story = a_shared_story()
    before = story.provide("other", "income", INCOME_NAMES).event.link.version
    story.pause("consent")
    after = story.provide("another", "income", INCOME_NAMES).event.link.version
    assert "was paused since" in forged_use(story, "line1")

    assert withheld(story, before).verdict == "FAILED"
    assert withheld(story, after).findings == ()
    assert not withheld(story, after).uses[-1].allowed


def test_only_a_record_withheld_since_the_last_terms_can_explain_a_use_after_the_end() -> None:
    story = a_shared_story()
    before = version_of(story, ConsentRequested)
    after = story.provide("other", "income", INCOME_NAMES).event.link.version
    story.time = LATER
    assert "outside the consent's time" in forged_use(story, "line1")

    assert withheld(story, before).verdict == "FAILED"
    assert withheld(story, after).findings == ()
    assert not withheld(story, after).uses[-1].allowed


def test_no_withheld_record_explains_a_use_before_the_start() -> None:
    story = a_story_of_changes()
    late = with_terms(start=Time("2026-03-02T12:30:00.000000Z"))
    first = version_of(story, EvidenceDisclosed)
    story.vault = relinked(changed(story.vault[:first], GRANT, facts=late))

    report = withheld(story, first - 1)

    assert "it lies outside the consent's time" in whys(report, first)


def test_no_withheld_record_explains_an_extension_that_gives_more() -> None:
    story = a_story_of_changes()
    story.vault = relinked(
        changed(story.vault, EXTENSION, facts=with_terms(scope=terms_at(GRANT).scope))
    )

    assert withheld(story, EXTENSION - 1).verdict == "FAILED"


def test_a_use_of_what_was_narrowed_away_is_found() -> None:
    story = a_shared_story()
    assert forged_use(story, "town") == ""
    story.vault.pop()
    story.narrow("consent", Remaining(item=1, names=("line1",)))

    assert forged_use(story, "town") == "item 1 (postal_address): not granted: town"


def test_a_use_beyond_the_lower_frequency_is_found() -> None:
    story = a_shared_story(Frequency(count=2, period_seconds=86_400))
    story.disclose("consent", wants("postal_address", "line1"))
    assert forged_use(story, "line1") == ""
    story.vault.pop()
    story.narrow("consent", frequency_count=1)

    assert "the consent allows 1 uses in this window" in forged_use(story, "line1")


def test_a_use_after_the_earlier_end_is_found() -> None:
    story = a_shared_story()
    story.narrow("consent", end=Time("2026-03-05T00:00:00.000000Z"))
    story.wait(days=4)

    assert "it lies outside the consent's time" in forged_use(story, "line1")


def test_a_use_before_the_start_is_found() -> None:
    story = a_shared_story()
    start = Time("2026-03-03T00:00:00.000000Z")
    placed = changed(story.vault, version_of(story, ConsentGranted), facts=with_terms(start=start))
    story.vault = relinked(placed)

    assert "it lies outside the consent's time" in forged_use(story, "line1")
    story.vault.pop()
    story.time = start
    assert forged_use(story, "line1") == ""


@pytest.mark.parametrize(
    "kind",
    [ConsentPaused, ConsentResumed, ConsentNarrowed, ConsentExtended, consent.ConsentRevoked],
)
def test_nothing_becomes_of_a_consent_that_was_stopped(kind: type[Any]) -> None:
    why = twice(STORY, version_of(STORY, kind))

    assert f"the consent was revoked already at version {len(STORY.vault)}" in why


def test_a_consent_paused_twice_is_found() -> None:
    story = a_shared_story()
    version = story.pause("consent").event.link.version

    assert f"paused already at version {version}" in twice(story, version)


def test_a_resumption_that_was_withheld_explains_a_second_pause() -> None:
    story = a_shared_story()
    story.pause("consent")
    resumption = story.resume("consent").event.link.version
    story.pause("consent")

    assert withheld(story, resumption).findings == ()


def test_a_narrowing_to_nothing_is_found() -> None:
    edited = changed(STORY.vault, NARROWING, facts=with_terms(scope=()), link=with_link(items=()))

    assert "its items are not those that remain" in whys(judged(relinked(edited), STORY), NARROWING)


def test_an_extension_that_was_shown_before_the_grant_is_found() -> None:
    story = a_shared_story()
    granted = story.vault[-1].event.facts.time
    version = story.extend("consent", Time("2026-04-20T00:00:00.000000Z")).event.link.version
    why = "it was not shown to her within the day before, after the terms last changed"

    for time, found in ((granted, ""), (later(granted, microseconds=-1), why)):
        edited = changed(story.vault, version, facts=with_terms(shown_time=time))
        assert whys(judged(relinked(edited), story), version) == found


def test_an_extension_that_was_shown_before_she_narrowed_is_found() -> None:
    story = a_shared_story()
    story.narrow("consent", end=Time("2026-03-20T00:00:00.000000Z"))
    narrowed = story.vault[-1].event.facts.time
    version = story.extend("consent", Time("2026-04-20T00:00:00.000000Z")).event.link.version
    why = "it was not shown to her within the day before, after the terms last changed"

    for time, found in ((narrowed, ""), (later(narrowed, microseconds=-1), why)):
        edited = changed(story.vault, version, facts=with_terms(shown_time=time))
        assert whys(judged(relinked(edited), story), version) == found


def test_a_consent_that_is_used_up_for_today_may_be_extended() -> None:
    story = a_shared_story(Frequency(count=1, period_seconds=86_400))
    story.disclose("consent", wants("postal_address", "line1"))
    story.extend("consent", Time("2026-04-20T00:00:00.000000Z"))

    assert story.audit().findings == ()


def test_a_dispute_settled_twice_is_found() -> None:
    assert twice(STORY, SETTLEMENT) == f"the dispute was settled already at version {SETTLEMENT}"


def test_a_field_disputed_twice_is_found() -> None:
    assert twice(STORY, THIRD_DISPUTE, dispute_id="two") == "a field is disputed already"


def test_a_dispute_that_a_replacement_settled_is_settled() -> None:
    why = twice(STORY, SETTLEMENT, dispute_id="dispute-1", evidence_type="postal_address")
    assert "never raised" in why

    story = Story()
    story.found()
    story.provide("address", "postal_address", ADDRESS_NAMES)
    story.dispute("dispute", "address", "line1")
    replacement = story.replace("address", ADDRESS_NAMES).event.link.version
    settled = DisputeResolved(
        time=story.time,
        salt=SALT,
        evidence_type="postal_address",
        dispute_id="dispute",
        outcome="withdrawn",
    )
    event = replace(story.vault[-1].event, facts=settled)
    event = replace(event, link=replace(event.link, request_key=""))
    placed = [*story.vault, Placed(event, story.positions + 1)]

    report = judged(relinked(placed), story)

    assert f"settled already at version {replacement}" in whys(report, len(placed))


def test_an_extension_after_the_one_use_was_made_is_found() -> None:
    story = a_shared_story()
    story.extend("consent", Time("2026-04-20T00:00:00.000000Z"))
    assert story.audit().findings == ()
    extension = story.vault.pop()
    story.disclose("consent", wants("postal_address", "line1"))
    late = replace(extension.event.facts, time=story.time)
    placed = [*story.vault, Placed(replaced_event(extension.event, late), story.positions + 1)]

    report = judged(relinked(placed), story)

    assert whys(report, len(placed)) == "it was for one use, which was made"


def test_a_suspended_service_gets_no_extension_and_no_resumption() -> None:
    story = a_shared_story()
    story.pause("consent")
    resumed = story.resume("consent")
    extended = story.extend("consent", Time("2026-04-20T00:00:00.000000Z"))
    story.register(registry.suspend_service(story.registered, story.stamp, CARE))
    size = len(story.registry)

    for version in (resumed.event.link.version, extended.event.link.version):
        edited = changed(story.vault, version, link=with_mark(size=size))
        why = whys(judged(relinked(edited), story), version)
        assert why == f"service {CARE} was suspended"


def test_without_a_mark_the_registry_of_that_time_counts() -> None:
    story = a_shared_story()
    story.register(registry.suspend_service(story.registered, story.stamp, CARE))
    suspended = story.registry.pop()
    extension = story.extend("consent", Time("2026-04-20T00:00:00.000000Z"))
    version = extension.event.link.version
    edited = relinked(changed(story.vault, version, link=with_link(registry=NO_REGISTRY)))
    assert judged(edited, story).findings == ()
    story.registry.append(suspended)

    assert whys(judged(edited, story), version) == f"service {CARE} was suspended"


def test_bounds_count_from_when_the_end_was_decided() -> None:
    """A consent that was extended may be longer than its purpose lets one be that is granted."""
    story = a_shared_story()
    story.wait(days=28)
    story.extend("consent", later(story.time, days=60))
    story.wait(days=59)
    story.disclose("consent", wants("postal_address", "line1"))

    assert story.audit().findings == ()


@pytest.mark.parametrize(("microseconds", "count"), [(0, 0), (4_000_000, 0), (4_000_001, 1)])
def test_a_request_may_have_been_made_by_another_clock(microseconds: int, count: int) -> None:
    story = Story()
    story.found()
    asked = asked_terms(CARE, "home-care", asks("income", ("amount",)))
    end = later(story.time, days=60, microseconds=microseconds)
    story.ask("request", replace(asked, end=end))

    assert len(story.audit().findings) == count
