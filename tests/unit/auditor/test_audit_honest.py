# SPDX-License-Identifier: Apache-2.0
"""What the auditor says of a history with which nothing is wrong."""

import pytest
from msgspec.structs import asdict

from clients.auditor.audit import AsOf
from clients.auditor.consents import Standing
from clients.auditor.facts import REGISTRY_FACTS, VAULT_FACTS
from clients.auditor.report import HISTORY_NOTE, Report, as_json, as_text
from tests.unit.auditor.stories import (
    ADDRESS_NAMES,
    CARE,
    COUNCIL,
    PUBLIC_KEY,
    SALT,
    Story,
    a_story_of_changes,
    an_assisted_story,
    an_honest_story,
    asked_terms,
    asks,
    audited,
    chooses,
    version_of,
    wants,
)
from vault.domain.amendment import ConsentExtended, ConsentNarrowed
from vault.domain.consent import ConsentGranted, ConsentPaused, ConsentRevoked
from vault.domain.events import Draft
from vault.domain.evidence import EvidenceProvided
from vault.domain.request import ConsentRequested
from vault.domain.request_forms import AskedTerms1, ConsentRequested1
from vault.domain.values import later

STORIES = {
    "sharing": an_honest_story(),
    "changes": a_story_of_changes(),
    "assisted": an_assisted_story(),
    "another lane": an_honest_story(lane=1),
}
every_story = pytest.mark.parametrize("story", STORIES.values(), ids=list(STORIES))
every_record = pytest.mark.parametrize(
    ("story", "version"),
    [
        pytest.param(story, version, id=f"{name}-{version}")
        for name, story in STORIES.items()
        for version in range(1, len(story.vault) + 1)
    ],
)


@pytest.fixture(scope="module")
def story() -> Story:
    return an_honest_story()


@pytest.fixture(scope="module")
def report(story: Story) -> Report:
    return story.audit()


def standing(report: Report, consent_id: str) -> Standing:
    return next(c.then for c in report.consents if c.consent_id == consent_id)


@every_story
def test_an_honest_history_holds_together(story: Story) -> None:
    report = story.audit()

    assert report.findings == ()
    assert all(use.allowed for use in report.uses)


def test_the_histories_hold_everything_that_is_written_in_a_vault() -> None:
    written = {
        type(placed.event.facts).__struct_config__.tag
        for story in STORIES.values()
        for placed in [*story.vault, *story.registry]
    }
    seldom = {
        "service-suspended.1",
        "service-reinstated.1",
        "purpose-withdrawn.1",
        "contact-set.1",
        "passkey-added.1",
        "passkey-removed.1",
        "vault-imported.1",
        "consent-requested.1",
        "sign-in-linked.1",
    }

    assert written == (VAULT_FACTS | REGISTRY_FACTS).keys() - seldom


def test_a_history_in_an_old_form_holds_together() -> None:
    story = Story()
    story.found()
    story.provide("address", "postal_address", ADDRESS_NAMES)
    asked = asdict(asked_terms(CARE, "home-care", asks("postal_address", ("line1",))))
    del asked["start"]
    old = ConsentRequested1(
        time=story.time,
        salt=SALT,
        service=CARE,
        subject="she",
        consent_request_id="request",
        asked=AskedTerms1(**asked),
        expires=later(story.time, days=30),
    )
    story.record(Draft(facts=old))
    story.grant("request", "consent", chooses("address", "line1"))
    story.disclose("consent", wants("postal_address", "line1"))

    report = story.audit()

    assert report.findings == ()
    assert [use.allowed for use in report.uses] == [True]


def test_without_a_log_it_is_not_said_to_be_complete(report: Report) -> None:
    assert report.coverage.verdict == "UNSIGNED"
    assert report.line.endswith("no checkpoint was shown, no independent witness signed)")


def test_receipts_that_hold_are_counted_and_their_pin_is_named(story: Story) -> None:
    receipts = [placed.receipt for placed in story.vault]

    pinned = story.audit(receipts=receipts, receipt_keys=[PUBLIC_KEY])

    count = len(story.vault)
    assert pinned.line.endswith(f"; {count} receipts hold)")
    assert {held.signature for held in pinned.receipts} == {"receipt key pinned"}


def test_receipts_by_a_key_that_is_not_pinned_say_so(story: Story) -> None:
    report = story.audit(receipts=[story.vault[4].receipt])

    assert report.receipts[0].signature == "by a key that only the registry names"


def test_every_use_is_allowed_by_the_consent_that_it_names(report: Report) -> None:
    assert [(use.service, use.consent_id, use.repeats) for use in report.uses] == [
        (COUNCIL, "consent-1", False),
        (CARE, "consent-2", False),
        (CARE, "consent-2", False),
        (COUNCIL, "consent-1", True),
    ]
    assert all(use.allowed and use.consent_id in use.why for use in report.uses)


def test_a_use_names_the_fields_that_left(report: Report) -> None:
    fields = [(f.evidence_type, f.names) for f in report.uses[0].fields]

    assert fields == [("postal_address", ("line1", "postcode")), ("income", ("amount",))]


def test_refusals_are_listed_with_their_reason(report: Report) -> None:
    reasons = [refusal.reason for refusal in report.refusals]

    assert reasons == ["FIELD_NOT_GRANTED", "CONSENT_REVOKED"]


def test_a_stopped_consent_was_allowed_then_and_is_not_now(story: Story) -> None:
    revoked = version_of(story, ConsentRevoked)

    report = story.audit(as_of=AsOf(version=revoked - 1))

    consent = next(c for c in report.consents if c.consent_id == "consent-2")
    assert (consent.then.state, consent.then.allowed) == ("active", True)
    assert (consent.at_end.state, consent.at_end.allowed) == ("revoked", False)


def test_a_time_answers_like_the_version_at_that_time(story: Story) -> None:
    before = story.vault[version_of(story, ConsentRevoked) - 2].event
    by_version = story.audit(as_of=AsOf(version=before.link.version))

    by_time = story.audit(as_of=AsOf(time=before.facts.time))

    assert by_time == by_version


def test_a_paused_consent_is_not_allowed_and_goes_on_later() -> None:
    story = STORIES["changes"]
    paused = version_of(story, ConsentPaused)

    while_paused = standing(story.audit(as_of=AsOf(version=paused)), "consent")
    later_on = standing(story.audit(as_of=AsOf(version=paused + 2)), "consent")

    assert (while_paused.state, while_paused.allowed) == ("paused", False)
    assert while_paused.why == f"paused since version {paused}, 2026-03-02T12:00:29.000000Z"
    assert (later_on.state, later_on.allowed) == ("active", True)


def test_a_consent_that_has_not_started_is_not_allowed_yet() -> None:
    story = STORIES["changes"]
    granted = version_of(story, ConsentGranted)

    then = standing(story.audit(as_of=AsOf(version=granted)), "consent")
    at_once = standing(story.audit(as_of=AsOf(time="2026-03-02T11:00:00.000000Z")), "consent")

    assert (then.allowed, then.why) == (False, "starts 2026-03-02T11:00:00.000000Z")
    assert at_once.allowed


def test_a_changed_consent_stands_in_its_last_terms_and_says_so() -> None:
    story = STORIES["changes"]
    narrowed, extended = version_of(story, ConsentNarrowed), version_of(story, ConsentExtended)

    in_march = standing(story.audit(as_of=AsOf(time="2026-03-19T00:00:00.000000Z")), "consent")
    in_april = standing(story.audit(as_of=AsOf(time="2026-04-12T00:00:00.000000Z")), "consent")
    report = story.audit(as_of=AsOf(version=extended - 1))

    assert in_march.uses_left == 1
    assert (in_april.state, in_april.uses_left) == ("active", 1)
    assert f", terms of version {narrowed}, in force until 2026-03-20" in report.uses[1].why
    assert f", terms of version {narrowed}, in force until" in standing(report, "consent").why


def test_receipts_of_every_record_hold_and_say_what_it_was_about() -> None:
    story = STORIES["changes"]

    report = story.audit(receipts=[placed.receipt for placed in story.vault])

    assert all(receipt.holds for receipt in report.receipts)
    asked = report.receipts[version_of(story, ConsentRequested) - 1]
    paused = report.receipts[version_of(story, ConsentPaused) - 1]
    assert asked.about.startswith(f"consent-requested.2, service {CARE}, request request-0, at")
    assert paused.about.startswith(f"consent-paused.1, service {CARE}, consent consent, at")


def test_a_field_that_left_before_a_narrowing_keeps_its_type() -> None:
    types = [fields.evidence_type for fields in STORIES["changes"].audit().uses[0].fields]

    assert types == ["postal_address", "income"]


def test_before_its_grant_a_consent_is_not_granted(story: Story) -> None:
    granted = version_of(story, ConsentGranted)

    report = story.audit(as_of=AsOf(version=granted - 1))

    assert standing(report, "consent-1").state == "not granted"


def test_after_its_end_a_consent_is_expired(story: Story) -> None:
    report = story.audit(as_of=AsOf(time="2026-04-01T00:00:00.000000Z"))

    assert standing(report, "consent-1").state == "expired"


def test_uses_left_count_the_window_and_leave_repeats_out(story: Story) -> None:
    revoked = version_of(story, ConsentRevoked)

    report = story.audit(as_of=AsOf(version=revoked - 1))

    assert (standing(report, "consent-1").uses, standing(report, "consent-1").uses_left) == (1, 0)
    assert (standing(report, "consent-2").uses, standing(report, "consent-2").uses_left) == (2, 0)


def test_every_report_says_what_it_does_not_show(report: Report) -> None:
    assert list(as_text(report))[-1] == HISTORY_NOTE
    assert as_json(report)["note"] == HISTORY_NOTE


def test_the_json_report_has_its_documented_shape(report: Report) -> None:
    answer = as_json(report)

    assert set(answer) == {
        "verdict",
        "line",
        "note",
        "exit",
        "trust",
        "key_pinned",
        "witnesses",
        "proved",
        "stream",
        "origin",
        "version",
        "registry_version",
        "withheld",
        "keys_pinned",
        "signer",
        "signer_pinned",
        "uses",
        "refusals",
        "decisions",
        "findings",
        "finding_count",
        "as_of",
        "consents",
        "payloads",
        "checkpoints",
        "receipts",
        "faults",
        "continues",
    }
    assert set(answer["consents"][0]) == {  # type: ignore[index]
        "consent_id",
        "service",
        "purpose",
        "granted_version",
        "start",
        "end",
        "state",
        "allowed",
        "why",
        "uses",
        "uses_left",
        "at_end",
    }


@every_record
def test_a_withheld_record_keeps_its_place_and_is_no_failure(story: Story, version: int) -> None:
    lines = [placed.line for placed in story.vault]
    lines[version - 1] = story.vault[version - 1].line_with(link="", facts="")

    report = _audit(lines, story)

    assert (report.findings, report.withheld) == ((), 1)


def test_a_use_whose_consent_is_withheld_is_not_said_to_be_allowed(story: Story) -> None:
    lines = [placed.line for placed in story.vault]
    granted = version_of(story, ConsentGranted)
    lines[granted - 1] = story.vault[granted - 1].line_with(link="", facts="")

    report = _audit(lines, story)

    assert [use.allowed for use in report.uses] == [False, True, True, False]
    assert "2 uses cannot be judged" in report.line


def test_a_use_of_pinned_evidence_that_is_withheld_is_not_said_to_be_allowed(
    story: Story,
) -> None:
    lines = [placed.line for placed in story.vault]
    provided = version_of(story, EvidenceProvided)
    lines[provided - 1] = story.vault[provided - 1].line_with(link="", facts="")

    report = _audit(lines, story)

    assert not report.uses[0].allowed


def _audit(lines: list[bytes], story: Story) -> Report:
    return audited(lines, [placed.line for placed in story.registry])
