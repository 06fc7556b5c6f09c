# SPDX-License-Identifier: Apache-2.0
"""The auditor's rule, on histories that were changed and linked properly again: no digest helps."""

from typing import Any

import pytest
from msgspec.structs import replace

from clients.auditor.report import Report
from tests.unit.auditor.stories import (
    ADDRESS_NAMES,
    CARE,
    COUNCIL,
    INCOME_NAMES,
    KEY_ID,
    NOTICE,
    Placed,
    Story,
    an_honest_story,
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
    flipped,
    judged,
    numbered,
    relinked,
    replaced_event,
    whys,
    with_asked,
    with_facts,
    with_link,
    with_mark,
    with_terms,
)
from vault.domain import consent, registry, vault
from vault.domain.consent import ConsentGranted, ConsentRevoked
from vault.domain.disclosure import DisclosureRefused, EvidenceDisclosed, Opening, Plan
from vault.domain.evidence import EvidenceProvided, EvidenceReplaced
from vault.domain.request import ConsentRequested
from vault.domain.values import (
    DisclosedFields,
    Frequency,
    Item,
    RegistryMark,
    RequestedFields,
    Terms,
    Time,
    later,
)

STORY = an_honest_story()
COUNCIL_USE = version_of(STORY, EvidenceDisclosed)
CARE_USE = version_of(STORY, EvidenceDisclosed, 1)
CARE_USE_AFTER_REPLACEMENT = version_of(STORY, EvidenceDisclosed, 2)
REPEAT = version_of(STORY, EvidenceDisclosed, 3)
GRANT = version_of(STORY, ConsentGranted)
REQUEST = version_of(STORY, ConsentRequested)
REVOCATION = version_of(STORY, ConsentRevoked)
REFUSAL = version_of(STORY, DisclosureRefused)
PROVISION = version_of(STORY, EvidenceProvided)
REPLACEMENT = version_of(STORY, EvidenceReplaced)


def fields(*names: str, item: int = 1) -> tuple[DisclosedFields, ...]:
    return (DisclosedFields(item=item, names=names),)


def scope(terms: Terms, **parts: Any) -> Any:
    return (replace(terms.scope[0], **parts), *terms.scope[1:])


TIME = STORY.vault[COUNCIL_USE - 1].event.facts.time
EARLY = STORY.vault[REQUEST - 2].event.facts.time
LATE = STORY.vault[GRANT].event.facts.time
TERMS: Terms = STORY.vault[GRANT - 1].event.facts.terms  # type: ignore[attr-defined]

EDITED_FACTS = [
    # A use.
    (CARE_USE, with_facts(consent_id="consent-9"), "consent consent-9 was never granted"),
    (CARE_USE, with_facts(consent_id="consent-1"), "the consent is another service's"),
    (CARE_USE, with_facts(service=COUNCIL), "the consent is another service's"),
    (CARE_USE, with_facts(subject="somebody"), "knows her by another subject"),
    (CARE_USE, with_facts(purpose="care-plan@1"), "the consent is for purpose home-care@1"),
    (CARE_USE, with_facts(purpose="home-care@2"), "the consent is for purpose home-care@1"),
    (CARE_USE, with_facts(fields=fields("line1", "town")), "not granted: town"),
    (CARE_USE, with_facts(fields=fields()), "not granted: no field at all"),
    (CARE_USE, with_facts(fields=fields("line1", item=2)), "its items are not in order"),
    (CARE_USE, with_facts(fields=()), "its items are not in order"),
    (CARE_USE, with_facts(time=Time("2026-04-01T00:00:00.000000Z")), "outside the consent's time"),
    (REPEAT, with_facts(bundle_hash=flipped(NOTICE)), "not what the use that it repeats was"),
    (REPEAT, with_facts(repeats=NOTICE), "it repeats a use that is not there"),
    (REPEAT, with_facts(repeats=""), "the consent allows one use, and they were made"),
    (COUNCIL_USE, with_facts(repeats=NOTICE), "it repeats a use that is not there"),
    # A consent.
    (GRANT, with_facts(consent_request_id="request-9"), "request request-9 is not in her vault"),
    (GRANT, with_facts(subject="somebody"), "knows her by another subject"),
    (GRANT, with_facts(consent_id="consent-9"), "its terms name another consent"),
    (GRANT, with_terms(end=Time("2026-04-01T00:00:00.000001Z")), "asked for: end"),
    (GRANT, with_terms(end=TERMS.shown_time), "it had ended before it was granted"),
    (GRANT, with_terms(start=EARLY, shown_time=EARLY), "before it was asked for"),
    (GRANT, with_terms(start=LATE, shown_time=LATE), "not shown to her within the day before"),
    (GRANT, with_terms(retention_days=31), "asked for: retention_days"),
    (GRANT, with_terms(largest_age_days=0), "asked for: largest_age_days"),
    (GRANT, with_terms(one_time=False), "asked for: one_time"),
    (GRANT, with_terms(frequency=Frequency(count=9, period_seconds=60)), "asked for: frequency"),
    (GRANT, with_terms(notice_hash=""), "asked for: notice_hash"),
    (GRANT, with_terms(storage="US"), "asked for: storage"),
    (GRANT, with_terms(jurisdiction="US"), "asked for: jurisdiction"),
    (GRANT, with_terms(method="view"), "asked for: method"),
    (GRANT, with_terms(start=Time("2026-01-01T00:00:00.000000Z")), "or starts before that"),
    (GRANT, with_terms(scope=scope(TERMS, optional=("postcode", "town", "uprn"))), "(postal_addr"),
    (GRANT, with_terms(scope=scope(TERMS, required=("line1", "town"))), "item 1 (postal_address)"),
    (GRANT, with_terms(scope=scope(TERMS, evidence_type="income")), "evidence of another type"),
    (GRANT, with_terms(scope=scope(TERMS, item=3)), "its items are not numbered"),
    (
        GRANT,
        with_terms(scope=scope(TERMS, mode="following")),
        "item 1 is following, its revision 1",
    ),
    (GRANT, with_terms(scope=TERMS.scope[:1]), "its items are not numbered"),
    # A request.
    (REQUEST, with_asked(retention_days=366), "beyond purpose care-plan@1: how long it is kept"),
    (REQUEST, with_asked(purpose=replace(TERMS.purpose, version=2)), "@2 was never published"),
    (REQUEST, with_asked(storage="US"), "beyond purpose care-plan@1: its basis, method, place"),
    (REQUEST, with_asked(notice_hash=""), "beyond purpose care-plan@1: its notice"),
    (REQUEST, with_facts(service=CARE), "it asks for another service than it names"),
    (REQUEST, with_facts(expires=Time("2026-03-02T09:00:12.000000Z")), "the request had lapsed"),
    # A stop and a refusal.
    (REVOCATION, with_facts(consent_id="consent-9"), "consent consent-9 was never granted"),
    (REVOCATION, with_facts(time=Time("2026-04-01T00:00:00.000000Z")), "the consent had ended on"),
    (REVOCATION, with_facts(service=COUNCIL), "the consent is another service's"),
    (REFUSAL, with_facts(consent_id="consent-9"), "consent consent-9 was never granted"),
    (REFUSAL, with_facts(service=COUNCIL), "the consent is another service's"),
    (REFUSAL, with_facts(purpose="care-plan@1"), "the consent is for purpose home-care@1"),
    (REFUSAL, with_facts(more_unlisted=True), "whether more were not listed is wrong"),
    # Evidence.
    (PROVISION, with_facts(issued_date="2026-03-04"), "issued in the future"),
    (PROVISION, with_facts(names=()), "the evidence has no fields"),
    (PROVISION, with_facts(evidence_type="income"), "evidence of another type"),
    (PROVISION, with_facts(names=("postcode", "town")), "does not have every granted field"),
    (REPLACEMENT, with_facts(names=("line1", "town")), "does not have every field that left"),
    (REPLACEMENT, with_facts(evidence_type="income"), "the piece of evidence is of another type"),
    # Time.
    (REFUSAL, with_facts(time=TIME), "its time does not come after the one before it"),
]


@pytest.mark.parametrize(("version", "edit", "why"), EDITED_FACTS, ids=numbered(EDITED_FACTS))
def test_an_edited_fact_is_found(version: int, edit: EditFacts, why: str) -> None:
    report = judged(relinked(changed(STORY.vault, version, facts=edit)), STORY)

    assert report.verdict == "FAILED"
    assert why in "; ".join(finding.why for finding in report.findings)


def item(evidence_id: str = "address", revision: int = 1, number: int = 1) -> tuple[Item, ...]:
    return (Item(item=number, evidence_id=evidence_id, revision=revision),)


EDITED_LINKS = [
    (CARE_USE, with_link(items=item("income")), "another piece of evidence than the granted one"),
    (CARE_USE, with_link(items=item(revision=2)), "item 1 is revision 2, allowed was 1"),
    (CARE_USE, with_link(items=item(number=2)), "its items are not in order"),
    (CARE_USE, with_link(items=()), "its items are not in order"),
    (CARE_USE_AFTER_REPLACEMENT, with_link(items=item(revision=1)), "revision 1, allowed was 2"),
    (GRANT, with_mark(size=3), "purpose care-plan@1 was not published"),
    (GRANT, with_link(items=item()), "its items are not numbered"),
    (GRANT, with_link(items=(*item(), *item("address", 0, 2))), "evidence is named twice"),
    (GRANT, with_link(items=(*item("none"), *item("income", 0, 2))), "that does not exist"),
    (GRANT, with_link(items=(*item("address", 7), *item("income", 0, 2))), "has no revision 7"),
    (PROVISION, with_link(items=item(number=0, revision=2)), "begins with another revision"),
    (PROVISION, with_link(items=()), "does not name exactly one piece"),
    (REPLACEMENT, with_link(items=item(number=0, revision=4)), "does not follow revision 1"),
    (REPLACEMENT, with_link(items=item("none", 1, 0)), "replaces evidence that was never provided"),
    (REVOCATION, with_link(items=item()), "names evidence that it has nothing to do with"),
    (CARE_USE, with_link(request_key=STORY.vault[2].event.link.request_key), "its request key"),
    (CARE_USE, with_link(registry=RegistryMark(size=0, confirmed_time="")), "names no version"),
    (CARE_USE, with_mark(size=0), "its registry mark is incomplete"),
    (
        CARE_USE,
        with_mark(size=3),
        "service 00000000-0000-4000-8000-0000000000c2 was not registered",
    ),
    (CARE_USE, with_mark(size=7), "purpose home-care@1 was not published"),
    (CARE_USE, with_mark(size=10), "decided on registry version 10; what was shown ends at 9"),
    (CARE_USE, with_mark(confirmed_time=TIME), "more than a second before"),
]


@pytest.mark.parametrize(("version", "edit", "why"), EDITED_LINKS, ids=numbered(EDITED_LINKS))
def test_an_edited_link_is_found(version: int, edit: EditLink, why: str) -> None:
    report = judged(relinked(changed(STORY.vault, version, link=edit)), STORY)

    assert why in whys(report, version)


def test_a_use_moved_behind_the_stop_is_found() -> None:
    placed = list(STORY.vault)
    use = placed.pop(CARE_USE - 1)
    after = placed[REVOCATION - 2].event.facts.time
    use = changed([use], CARE_USE, facts=with_facts(time=later(after, microseconds=1)))[0]
    placed.insert(REVOCATION - 1, use)

    report = judged(relinked(placed), STORY)

    assert any("consent consent-2 was revoked at version" in f.why for f in report.findings)


def test_a_removed_stop_is_found_where_its_refusal_is_kept_or_not_at_all() -> None:
    """A removed stop that was relinked shows in a receipt only: the verdict says as much."""
    placed = [p for p in STORY.vault if p.event.link.version != REVOCATION]

    report = judged(relinked(placed), STORY)

    assert report.findings == ()
    assert "no checkpoint was shown" in report.line


def forged_use(story: Story, consent_id: str, *names: str) -> Placed:
    """Record a use of a consent's first item whatever the rules say."""
    state = story.state
    found = state.consents[consent_id]
    piece = state.evidence[found.items[0].evidence_id]
    opening = Opening(
        item=1,
        evidence=piece,
        revision=piece.revision(found.items[0].revision),
        names=tuple(sorted(names)),
    )
    return story.record_use(Plan(consent=found, consent_id=consent_id, openings=(opening,)))


def test_a_use_after_the_stop_is_found() -> None:
    story = an_honest_story()
    use = forged_use(story, "consent-2", "line1")

    report = story.audit()

    assert f"was revoked at version {REVOCATION}" in whys(report, use.event.link.version)
    assert not report.uses[-1].allowed


def test_a_use_beyond_the_frequency_is_found_and_one_in_the_next_window_is_not() -> None:
    story = a_frequent_story()
    forged_use(story, "consent", "line1")
    one_too_many = forged_use(story, "consent", "line1")
    story.wait(days=1)
    forged_use(story, "consent", "line1")

    report = story.audit()

    assert whys(report, one_too_many.event.link.version) == (
        "the consent allows 2 uses in this window, and they were made"
    )
    assert [use.allowed for use in report.uses] == [True, True, False, True]


def test_windows_begin_with_the_consent_and_not_at_midnight() -> None:
    story = a_frequent_story()
    story.time = Time("2026-03-02T23:59:59.000000Z")
    forged_use(story, "consent", "line1")
    forged_use(story, "consent", "line1")

    assert [use.allowed for use in story.audit().uses] == [True, True, False]


def test_a_use_at_the_end_is_found_and_one_just_before_is_not() -> None:
    story = a_frequent_story()
    story.time = Time("2026-03-31T23:59:59.999999Z")
    forged_use(story, "consent", "line1")
    story.time = Time("2026-04-01T00:00:00.000000Z")
    forged_use(story, "consent", "line1")

    assert [use.allowed for use in story.audit().uses] == [True, True, False]


def test_evidence_older_than_the_largest_age_is_found() -> None:
    story = a_frequent_story(largest_age_days=3)
    story.wait(days=4)
    forged_use(story, "consent", "line1")

    assert [use.allowed for use in story.audit().uses] == [True, False]


def a_frequent_story(largest_age_days: int = 0) -> Story:
    """Return a history with one consent, two uses a day, used once."""
    story = Story()
    story.found()
    story.provide("address", "postal_address", ADDRESS_NAMES)
    story.ask(
        "request",
        asked_terms(
            CARE,
            "home-care",
            asks("postal_address", ("line1",)),
            frequency=Frequency(count=2, period_seconds=86_400),
            largest_age_days=largest_age_days,
        ),
    )
    story.grant("request", "consent", chooses("address", "line1"))
    story.disclose("consent", wants("postal_address", "line1"))
    return story


# --- The registry -------------------------------------------------------------------------------


def test_a_use_by_a_suspended_service_is_found() -> None:
    story = a_frequent_story()
    story.register(registry.suspend_service(story.registered, story.stamp, CARE))
    forged_use(story, "consent", "line1")

    assert "was suspended" in story.audit().findings[0].why


def test_a_grant_without_a_mark_is_judged_by_the_registry_of_that_time() -> None:
    story = a_frequent_story()
    granted = version_of(story, ConsentGranted)
    unmarked = with_link(registry=RegistryMark(size=0, confirmed_time=""))
    edited = relinked(changed(story.vault, granted, link=unmarked))
    assert whys(judged(edited, story), granted) == ""

    story.register(registry.suspend_service(story.registered, story.stamp, CARE))
    suspended = story.registry[-1].event
    early = replace(suspended.facts, time=story.vault[granted - 2].event.facts.time)
    story.registry[-1] = Placed(replaced_event(suspended, early), story.registry[-1].leaf_index)

    assert f"service {CARE} was suspended" in whys(judged(edited, story), granted)


def test_a_use_after_the_suspension_ended_is_allowed() -> None:
    story = a_frequent_story()
    story.register(registry.suspend_service(story.registered, story.stamp, CARE))
    story.register(registry.reinstate_service(story.registered, story.stamp, CARE))
    forged_use(story, "consent", "line1")

    assert story.audit().findings == ()


def test_a_use_for_a_withdrawn_purpose_is_found() -> None:
    story = a_frequent_story()
    story.register(registry.withdraw_purpose(story.registered, story.stamp, "home-care"))
    forged_use(story, "consent", "line1")

    assert "purpose home-care was withdrawn" in story.audit().findings[0].why


def test_a_use_decided_on_a_registry_before_the_stop_is_found_by_the_times() -> None:
    story = a_frequent_story()
    before = story.mark
    story.register(registry.suspend_service(story.registered, story.stamp, CARE))
    story.wait(seconds=5)
    use = forged_use(story, "consent", "line1")
    stale = changed(story.vault, use.event.link.version, link=with_mark(size=before.size))

    report = judged(relinked(stale), story)

    assert "the registry stopped 00000000-0000-4000-8000-0000000000c2" in report.findings[0].why


def test_a_stop_within_two_clocks_differences_is_not_held_against_a_use() -> None:
    story = a_frequent_story()
    before = story.mark
    story.register(registry.suspend_service(story.registered, story.stamp, CARE))
    use = forged_use(story, "consent", "line1")
    stale = changed(story.vault, use.event.link.version, link=with_mark(size=before.size))

    assert judged(relinked(stale), story).findings == ()


def test_a_registry_version_that_came_later_is_found() -> None:
    story = a_frequent_story()
    use = story.vault[-1]
    story.register(registry.withdraw_purpose(story.registered, story.stamp, "care-plan"))
    size = len(story.registry)
    edited = changed(story.vault, use.event.link.version, link=with_mark(size=size))

    report = judged(relinked(edited), story)

    assert "which came later" in report.findings[0].why


def edited_registry(version: int, **parts: Any) -> Report:
    placed = relinked(changed(STORY.registry, version, facts=with_facts(**parts)))
    return audited([one.line for one in STORY.vault], [one.line for one in placed])


PURPOSE = 7
BOUNDS = STORY.registry[PURPOSE - 1].event.facts.bounds  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("parts", "why"),
    [
        ({"services": (CARE,)}, "is not for service"),
        ({"longest_days": 10}, "its end"),
        ({"retention_days": 10}, "how long it is kept"),
        ({"evidence": BOUNDS.evidence[:1]}, "postal_address: line1, postcode"),
        ({"method": "view"}, "its basis, method, place or law"),
        ({"storage": "US"}, "its basis, method, place or law"),
    ],
)
def test_a_consent_beyond_its_purpose_is_found(parts: dict[str, Any], why: str) -> None:
    report = edited_registry(PURPOSE, bounds=replace(BOUNDS, **parts))

    assert why in whys(report, COUNCIL_USE)


@pytest.mark.parametrize(
    "bound",
    [
        Frequency(count=3, period_seconds=2 * 86_400),
        Frequency(count=1, period_seconds=60),
        # 36 hours reach into two of the consent's days.
        Frequency(count=3, period_seconds=36 * 3600),
        Frequency(count=0, period_seconds=0),
    ],
    ids=str,
)
def test_a_denser_consent_than_its_purpose_allows_is_found(bound: Frequency) -> None:
    bounds = replace(BOUNDS, frequency=bound)

    report = edited_registry(PURPOSE + 1, bounds=bounds)

    assert "its frequency" in whys(report, CARE_USE)


@pytest.mark.parametrize(
    ("version", "parts", "why"),
    [
        (1, {"algorithm": "RSA"}, "a receipt key is of an unknown algorithm"),
        (3, {"organisation": "none"}, "organisation is not registered"),
        (4, {"service": COUNCIL}, "the service is registered already"),
        (5, {"schema_version": 2}, "not the evidence type's next version"),
        (5, {"fields": ()}, "names a field that is not published"),
        (7, {"purpose": replace(TERMS.purpose, version=2)}, "not the purpose's next version"),
        (7, {"bounds": replace(BOUNDS, services=("none",))}, "a service that is not registered"),
    ],
)
def test_a_registry_that_contradicts_itself_is_found(
    version: int, parts: dict[str, Any], why: str
) -> None:
    report = edited_registry(version, **parts)

    assert why in "; ".join(f.why for f in report.findings if f.where.stream == "registry")


def test_a_service_that_moved_to_another_organisation_is_found() -> None:
    report = edited_registry(4, organisation="other")

    assert f"service {CARE} belongs to another organisation" in whys(report, CARE_USE)


def test_a_purpose_published_after_its_withdrawal_is_found() -> None:
    story = an_honest_story()
    purpose = replace(TERMS.purpose, version=2)
    publication = registry.publish_purpose(story.registered, story.stamp, purpose, BOUNDS)
    story.register(registry.withdraw_purpose(story.registered, story.stamp, "care-plan"))
    story.register(replace(publication, facts=replace(publication.facts, time=story.time)))

    (finding,) = story.audit().findings

    assert finding.why == "the purpose is withdrawn, or its version is 0"


def test_a_receipt_key_listed_twice_is_found() -> None:
    story = an_honest_story()
    story.register(registry.list_receipt_key(story.stamp, KEY_ID, NOTICE))

    (finding,) = story.audit().findings

    assert finding.why == "a receipt key of this id is listed already"


# --- Consents on both sides of what was asked -----------------------------------------------------


def test_a_consent_for_another_subject_than_asked_is_found() -> None:
    report = judged(relinked(changed(STORY.vault, GRANT, facts=with_facts(subject="other"))), STORY)

    assert "the request is another service's" in whys(report, GRANT)


@pytest.mark.parametrize(("microseconds", "count"), [(0, 0), (1, 1)])
def test_what_was_shown_may_be_decided_on_for_a_day(microseconds: int, count: int) -> None:
    story = a_frequent_story()
    story.vault.pop()
    version = version_of(story, ConsentGranted)
    facts: Any = story.vault[version - 1].event.facts
    late = later(facts.terms.shown_time, days=1, microseconds=microseconds)

    edited = changed(story.vault, version, facts=with_facts(time=late))

    assert len(judged(relinked(edited), story).findings) == count


def test_what_is_asked_may_be_shown_at_once() -> None:
    story = a_frequent_story()
    version = version_of(story, ConsentRequested)
    facts: Any = story.vault[version].event.facts

    edited = changed(story.vault, version, facts=with_facts(time=facts.terms.shown_time))

    assert judged(relinked(edited), story).findings == ()


def test_an_item_that_was_never_granted_is_found() -> None:
    edited = changed(
        STORY.vault,
        CARE_USE,
        facts=with_facts(fields=fields("line1", item=3)),
        link=with_link(items=item(number=3)),
    )

    assert whys(judged(relinked(edited), STORY), CARE_USE) == "item 3 was not granted"


def test_a_request_received_twice_is_found() -> None:
    request = STORY.vault[REQUEST - 1].event
    again = replaced_event(request, replace(request.facts, time=STORY.time))

    placed = [*STORY.vault, Placed(again, STORY.positions + 1)]

    (finding,) = judged(relinked(placed), STORY).findings

    assert finding.why == "the request is in her vault already"


def test_a_piece_of_evidence_provided_twice_is_found() -> None:
    provision = STORY.vault[PROVISION - 1].event
    again = replaced_event(provision, replace(provision.facts, time=STORY.time))
    placed = [*STORY.vault, Placed(again, STORY.positions + 1)]

    (finding,) = judged(relinked(placed), STORY).findings

    assert "the piece of evidence is there already" in finding.why


@pytest.mark.parametrize(("issued_date", "count"), [("2026-03-04", 0), ("2026-03-05", 1)])
def test_evidence_may_be_of_tomorrow_where_she_lives(issued_date: str, count: int) -> None:
    story = Story()
    story.found()
    story.time = Time("2026-03-03T00:00:00.000000Z")
    story.provide("address", "postal_address", ADDRESS_NAMES, issued_date="2026-03-03")
    edited = changed(story.vault, 2, facts=with_facts(issued_date=issued_date))

    assert len(judged(relinked(edited), story).findings) == count


def test_a_consent_id_granted_twice_is_found() -> None:
    second = version_of(STORY, ConsentGranted, 1)
    facts: Any = STORY.vault[second - 1].event.facts
    edit = with_facts(consent_id="consent-1", terms=replace(facts.terms, consent_id="consent-1"))

    report = judged(relinked(changed(STORY.vault, second, facts=edit)), STORY)

    assert whys(report, second) == "consent consent-1 is granted already"


def test_a_vault_opened_twice_is_found() -> None:
    story = an_honest_story()
    story.record(vault.open_vault(story.stamp))

    (finding,) = story.audit().findings

    assert finding.why == "a vault is opened by its first record and no other"


def test_a_vault_that_was_never_opened_is_found() -> None:
    report = judged(relinked(STORY.vault[1:]), STORY)

    assert "a vault is opened by its first record and no other" in whys(report, 1)


def test_a_required_piece_that_is_missing_is_found() -> None:
    request: ConsentRequested = STORY.vault[REQUEST - 1].event.facts  # type: ignore[assignment]
    more = RequestedFields(evidence_type="income", required=INCOME_NAMES, optional=())
    edit = with_asked(scope=(*request.asked.scope, more))

    report = judged(relinked(changed(STORY.vault, REQUEST, facts=edit)), STORY)

    assert (
        whys(report, GRANT)
        == "it is not what the request asked for: income is required and missing"
    )


def test_a_request_granted_twice_is_found() -> None:
    story = a_frequent_story()
    granted = next(p for p in story.vault if isinstance(p.event.facts, ConsentGranted))
    facts = granted.event.facts
    again = replace(
        facts, consent_id="two", time=story.time, terms=replace(facts.terms, consent_id="two")
    )
    placed = [*story.vault, Placed(replaced_event(granted.event, again), story.positions + 1)]

    report = judged(relinked(placed), story)

    assert "the request was granted at version" in report.findings[0].why


def test_a_consent_stopped_twice_is_found() -> None:
    story = an_honest_story()
    revoked = STORY.vault[REVOCATION - 1].event.facts
    story.record(replace(consent.revoke(STORY_BEFORE_STOP.state, story.stamp, "consent-2")))

    report = story.audit()

    assert isinstance(revoked, ConsentRevoked)
    assert f"revoked already at version {REVOCATION}" in report.findings[0].why


STORY_BEFORE_STOP = Story(vault=STORY.vault[: REVOCATION - 1])


def test_one_subject_for_two_services_is_found() -> None:
    story = an_honest_story()
    asked = asked_terms(CARE, "home-care", asks("income", ("amount",)))
    story.ask("request-3", asked, subject=f"subject-of-{COUNCIL}")

    report = story.audit()

    assert "share a subject" in report.findings[0].why


def test_a_fourth_refusal_of_one_day_is_found() -> None:
    story = an_honest_story()
    for _ in range(2):
        story.refuse("consent-2", "FIELD_NOT_GRANTED", wants("income", "amount"))
    last = story.vault[-1].event
    assert isinstance(last.facts, DisclosureRefused)
    assert last.facts.more_unlisted
    fourth = replace(last.facts, time=later(last.facts.time, seconds=1))
    placed = [*story.vault, Placed(replaced_event(last, fourth), story.positions + 1)]

    report = judged(relinked(placed), story)

    assert [f.why for f in report.findings] == ["more than 3 are recorded for one reason and day"]
