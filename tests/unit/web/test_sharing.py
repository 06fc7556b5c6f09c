# SPDX-License-Identifier: Apache-2.0
"""What a page says of one sharing: that nobody looks, what they may keep, whom to write to."""

from __future__ import annotations

import datetime as dt
import urllib.parse
from types import SimpleNamespace
from typing import Any

import pytest

from clients.web.sharing import shown
from clients.web.sharing.stopping import email_in, mail_to
from clients.web.words import PageWords
from vault.api.v1 import consent_pb2
from vault.api.v1.consent_pb2 import Consent

NOW = dt.datetime(2026, 11, 22, 12, tzinfo=dt.UTC)


def days_ago(days: float) -> dt.datetime:
    return NOW - dt.timedelta(days=days)


def sharing(
    granted: float = 100,
    last: float | None = None,
    started: float | None = None,
    state: Any = consent_pb2.CONSENT_STATE_ACTIVE,
    retention_days: int = 30,
) -> Consent:
    """Return a sharing; times are so many days ago."""
    found = Consent(consent_id="c", state=state, retention_days=retention_days)
    found.grant_time.FromDatetime(days_ago(granted))
    found.start_time.FromDatetime(days_ago(granted if started is None else started))
    if last is not None:
        found.last_disclosure_time.FromDatetime(days_ago(last))
        found.disclosure_count = 1
    return found


@pytest.mark.parametrize(
    ("found", "is_unused"),
    [
        (sharing(granted=60), True),
        (sharing(granted=59.9), False),
        (sharing(granted=300, last=60), True),
        (sharing(granted=300, last=59.9), False),
        # Shared long ago, to start later: it can only be unused since it began.
        (sharing(granted=300, started=10), False),
        (sharing(granted=300, state=consent_pb2.CONSENT_STATE_PAUSED), False),
        (sharing(granted=300, state=consent_pb2.CONSENT_STATE_REVOKED), False),
    ],
    ids=["60 days", "59", "last 60", "last 59", "begun lately", "paused", "stopped"],
)
def test_unused_is_what_nobody_looked_at_for_sixty_days(found: Consent, *, is_unused: bool) -> None:
    assert shown.is_unused(found, NOW) is is_unused


def test_what_starts_later_is_not_there_yet() -> None:
    later = sharing(granted=0)
    later.start_time.FromDatetime(dt.datetime.now(dt.UTC) + dt.timedelta(days=1))

    assert shown.state(later) == "LATER"
    assert shown.is_live(later)
    assert not shown.is_unused(later, dt.datetime.now(dt.UTC) + dt.timedelta(days=90))


@pytest.mark.parametrize(
    ("found", "until"),
    [
        (sharing(last=10), "12 December 2026"),
        (sharing(last=10, retention_days=0), ""),
        (sharing(), ""),
    ],
    ids=["a copy", "no copy", "never seen"],
)
def test_they_may_keep_what_they_saw_last_for_so_long(found: Consent, until: str) -> None:
    here: Any = SimpleNamespace(words=PageWords("en", "sharing"))

    assert shown.may_keep_until(here, found) == until


@pytest.mark.parametrize(
    ("contact", "email"),
    [
        ("privacy@brightcare.example", "privacy@brightcare.example"),
        (
            "Write to Data Protection, data.team+a@aber.gov.example, or call.",
            "data.team+a@aber.gov.example",
        ),
        ("1 High Street, Aber", ""),
        ("a@b", ""),
    ],
)
def test_an_address_is_found_in_what_they_say_of_themselves(contact: str, email: str) -> None:
    assert email_in(contact) == email


def test_a_letter_becomes_an_email_that_nothing_can_be_slipped_into() -> None:
    text = "To A & B?\n\nbcc=everybody@example.org #1 + 100% £"

    address = mail_to("a+b@example.org", "Please & thank you", text)

    scheme, _, rest = address.partition(":")
    to, _, query = rest.partition("?")
    said = urllib.parse.parse_qs(query, strict_parsing=True)
    assert (scheme, urllib.parse.unquote(to)) == ("mailto", "a+b@example.org")
    assert said == {"subject": ["Please & thank you"], "body": [text.replace("\n", "\r\n")]}
    assert "+" not in query


def test_what_they_saw_is_what_was_sent_and_not_what_was_refused() -> None:
    def use(kind: str, *names: str, reason: str = "") -> Any:
        items = [SimpleNamespace(evidence_type=kind, names=names)]
        return SimpleNamespace(reason=reason, items=items)

    story = shown.Story(
        uses=(
            use("postal_address", "streetName"),
            use("bank_account", "sortCode", reason="FIELD_NOT_GRANTED"),
            use("postal_address", "postalCode"),
        ),
        changes=(),
        is_whole=True,
    )

    assert story.seen == {"postal_address": frozenset({"streetName", "postalCode"})}
