# SPDX-License-Identifier: Apache-2.0
"""What the auditor says of a history with which nothing is wrong."""

import pytest

from clients.auditor.audit import AsOf, audit
from clients.auditor.consents import Standing
from clients.auditor.report import NOTE, Report, as_json, as_text
from tests.unit.auditor.stories import CARE, COUNCIL, PUBLIC_KEY, Story, an_honest_story, version_of
from vault.domain.consent import ConsentGranted, ConsentRevoked
from vault.domain.evidence import EvidenceProvided

VERSIONS = len(an_honest_story().vault)


@pytest.fixture(scope="module")
def story() -> Story:
    return an_honest_story()


@pytest.fixture(scope="module")
def report(story: Story) -> Report:
    return story.audit()


def standing(report: Report, consent_id: str) -> Standing:
    return next(c.then for c in report.consents if c.consent_id == consent_id)


def test_an_honest_history_holds_together(report: Report) -> None:
    assert report.findings == ()
    assert report.exit == 0


def test_without_a_log_it_is_not_said_to_be_complete(report: Report) -> None:
    assert report.line == (
        "CONSISTENT ONLY (no log, no witness: "
        "this shows the history holds together, not that it is complete)"
    )


def test_receipts_that_hold_are_counted_and_their_pin_is_named(story: Story) -> None:
    receipts = [placed.receipt for placed in story.vault]

    pinned = story.audit(receipts=receipts, receipt_keys=[PUBLIC_KEY])

    count = len(story.vault)
    assert pinned.line.startswith(f"CONSISTENT ONLY ({count} receipts hold, receipt key pinned; no")


def test_receipts_by_a_key_that_is_not_pinned_say_so(story: Story) -> None:
    report = story.audit(receipts=[story.vault[4].receipt])

    assert "by a key that only the registry names" in report.line


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
    assert list(as_text(report))[-1] == NOTE
    assert as_json(report)["note"] == NOTE


def test_the_json_report_has_its_documented_shape(report: Report) -> None:
    answer = as_json(report)

    assert set(answer) == {
        "verdict",
        "line",
        "note",
        "exit",
        "stream",
        "version",
        "registry_version",
        "withheld",
        "keys_pinned",
        "uses",
        "refusals",
        "findings",
        "as_of",
        "consents",
        "receipts",
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


@pytest.mark.parametrize("version", range(1, VERSIONS + 1))
def test_a_withheld_record_keeps_its_place_and_is_no_failure(story: Story, version: int) -> None:
    lines = [placed.line for placed in story.vault]
    lines[version - 1] = story.vault[version - 1].line_with(link="", facts="")

    report = _audit(lines, story)

    assert (report.findings, report.verdict, report.exit) == ((), "WITHHELD", 1)


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
    return audit(lines, [placed.line for placed in story.registry])
