# SPDX-License-Identifier: Apache-2.0
"""What became of a service's requests and consents, oldest first, to be followed with a cursor.

A service learns what became of a request that went out as a link only after it redeemed the code
(`RequestState.is_known`). Until then changes are kept hidden; then they appear at the place of the
redemption, in their own order, so that a cursor that went past their own places still meets them.
What the service did itself, cancelling, it is told at once, and of whom only if it knows her.
"""

from __future__ import annotations

from typing import Final, Literal, NamedTuple, TypeAlias

import msgspec
from eventsourcing.persistence import Tracking
from msgspec import Struct

from projections.tracking import Row, VersionedProjection, forms_of
from vault.domain.amendment import ConsentExtended, ConsentNarrowed, Difference, difference
from vault.domain.canonical import encode
from vault.domain.consent import ConsentGranted, ConsentPaused, ConsentResumed, ConsentRevoked
from vault.domain.events import Event, Facts
from vault.domain.request import (
    ConsentRefused,
    ConsentRequestCancelled,
    RequestCancelled,
    RequestClaimed,
    RequestMade,
    RequestRedeemed,
)
from vault.domain.values import Terms, Time

ChangeKind: TypeAlias = Literal[
    "granted", "refused", "cancelled", "narrowed", "extended", "paused", "resumed", "revoked"
]

# A request `is_known` if its service may know whom it reached and what became of it.
# `position` is the tree size with the event; `shown` that from which on the service is told, NULL
# while it is not. `terms` are canonical JSON, whole, "" where the event does not set them.
_SCHEMA: Final = """
CREATE TABLE requests (
    consent_request_id TEXT PRIMARY KEY,
    service TEXT NOT NULL,
    subject TEXT NOT NULL,
    is_known BOOLEAN NOT NULL
);
CREATE TABLE changes (
    position BIGINT PRIMARY KEY,
    shown BIGINT,
    service TEXT NOT NULL,
    kind TEXT NOT NULL,
    time TEXT NOT NULL,
    consent_request_id TEXT NOT NULL,
    consent_id TEXT NOT NULL,
    subject TEXT NOT NULL,
    terms TEXT NOT NULL
);
CREATE INDEX changes_as_shown ON changes (service, shown, position);
CREATE INDEX changes_hidden ON changes (consent_request_id) WHERE shown IS NULL;
CREATE INDEX changes_of_consent ON changes (consent_id, position) WHERE consent_id <> '';
CREATE UNIQUE INDEX changes_that_cancel ON changes (consent_request_id) WHERE kind = 'cancelled';
"""

_MADE: Final = """
INSERT INTO requests (consent_request_id, service, subject, is_known)
VALUES (:request, :service, :subject, :is_known)
ON CONFLICT DO NOTHING
"""

_CLAIMED: Final = "UPDATE requests SET subject = :subject WHERE consent_request_id = :request"

_REDEEMED: Final = "UPDATE requests SET is_known = TRUE WHERE consent_request_id = :request"

_SHOWN: Final = """
UPDATE changes SET shown = :position WHERE consent_request_id = :request AND shown IS NULL
"""

# A request is cancelled in its own stream or in her vault, perhaps in both: it is told once.
_CHANGED: Final = """
INSERT INTO changes
    (position, shown, service, kind, time, consent_request_id, consent_id, subject, terms)
SELECT :position, CASE WHEN is_known OR :kind = 'cancelled' THEN :position END, service, :kind,
    :time, consent_request_id, :consent,
    CASE WHEN is_known OR :kind <> 'cancelled' THEN subject ELSE '' END, :terms
FROM requests WHERE consent_request_id = {request}
ON CONFLICT DO NOTHING
"""
_REQUEST_CHANGED: Final = _CHANGED.format(request=":request")
_CONSENT_CHANGED: Final = _CHANGED.format(
    request="(SELECT consent_request_id FROM changes"
    " WHERE consent_id = :consent AND kind = 'granted')"
)

_AFTER: Final = """
SELECT shown, position, kind, time, consent_request_id, consent_id, subject, terms, (
    SELECT earlier.terms FROM changes AS earlier
    WHERE earlier.consent_id = changes.consent_id AND earlier.consent_id <> ''
        AND earlier.position < changes.position AND earlier.terms <> ''
    ORDER BY earlier.position DESC LIMIT 1
)
FROM changes WHERE service = :service AND (shown, position) > (:shown, :position)
ORDER BY shown, position LIMIT :limit
"""

_KINDS: Final[dict[type[Facts], ChangeKind]] = {
    ConsentGranted: "granted",
    ConsentRefused: "refused",
    RequestCancelled: "cancelled",
    ConsentRequestCancelled: "cancelled",
    ConsentNarrowed: "narrowed",
    ConsentExtended: "extended",
    ConsentPaused: "paused",
    ConsentResumed: "resumed",
    ConsentRevoked: "revoked",
}
_TERMS: Final = msgspec.json.Decoder(Terms)


class Cursor(NamedTuple):
    """A place in the list of a service: behind the change that was told as of `shown`."""

    shown: int
    position: int


START: Final = Cursor(0, 0)
"""Before the first change ever."""


class Change(Struct, frozen=True, kw_only=True):
    """Something that became of a request or consent; `cursor` goes on behind it."""

    cursor: Cursor
    kind: ChangeKind
    time: Time
    consent_request_id: str
    consent_id: str
    subject: str
    difference: Difference | None


class Changes(Struct, frozen=True, kw_only=True):
    """Changes, oldest first; where to go on, also if there are none; whether more wait already."""

    changes: tuple[Change, ...]
    cursor: Cursor
    has_more: bool


class ChangeFeed(VersionedProjection):
    """The changes of all services."""

    name = "change-feed"
    version = 1
    schema = _SCHEMA
    topics = forms_of(
        "request-made",
        "request-claimed",
        "request-redeemed",
        "request-cancelled",
        "consent-request-cancelled",
        "consent-refused",
        "consent-granted",
        "consent-narrowed",
        "consent-extended",
        "consent-paused",
        "consent-resumed",
        "consent-revoked",
    )

    def process_event(self, domain_event: Event, tracking: Tracking) -> None:
        """Note what an event changes. What it builds on may have been deleted: then nothing."""
        stream, position = domain_event.link.stream, tracking.notification_id
        facts = domain_event.facts.upcast()
        match facts:
            case RequestMade():
                self.view.write(
                    _MADE,
                    request=stream,
                    service=facts.asked.recipient.service,
                    subject=facts.subject,
                    is_known=not facts.code_challenge,
                )
            case RequestClaimed():
                self.view.write(_CLAIMED, request=stream, subject=facts.subject)
            case RequestRedeemed():
                self.view.write(_REDEEMED, request=stream)
                self.view.write(_SHOWN, request=stream, position=position)
            case RequestCancelled():
                self._changed(position, facts, request=stream)
            case ConsentRequestCancelled() | ConsentRefused():
                self._changed(position, facts, request=facts.consent_request_id)
            case ConsentGranted():
                request, consent = facts.consent_request_id, facts.consent_id
                self._changed(position, facts, request=request, consent=consent, terms=facts.terms)
            case ConsentNarrowed() | ConsentExtended():
                self._changed(position, facts, consent=facts.consent_id, terms=facts.terms)
            case ConsentPaused() | ConsentResumed() | ConsentRevoked():
                self._changed(position, facts, consent=facts.consent_id)

    async def changes(self, service: str, after: Cursor, limit: int) -> Changes:
        """Return what a service may know and was not told yet.

        Args:
            after: what the list before gave, or `START`.
            limit: at most so many; at least 1.
        """
        rows = await self.view.ask(
            _AFTER, service=service, shown=after.shown, position=after.position, limit=limit + 1
        )
        changes = tuple(_change(row) for row in rows[:limit])
        return Changes(
            changes=changes,
            cursor=changes[-1].cursor if changes else after,
            has_more=len(rows) > limit,
        )

    def _changed(
        self,
        position: int,
        facts: Facts,
        *,
        request: str = "",
        consent: str = "",
        terms: Terms | None = None,
    ) -> None:
        self.view.write(
            _REQUEST_CHANGED if request else _CONSENT_CHANGED,
            position=position,
            kind=_KINDS[type(facts)],
            time=facts.time,
            request=request,
            consent=consent,
            terms=encode(terms).decode("ascii") if terms else "",
        )


def _change(row: Row) -> Change:
    shown, position, kind, time, consent_request_id, consent_id, subject, terms, before = row
    # A grant sets terms, and has none before it.
    amends = bool(terms and before)
    return Change(
        cursor=Cursor(shown, position),
        kind=kind,
        time=time,
        consent_request_id=consent_request_id,
        consent_id=consent_id,
        subject=subject,
        difference=difference(_TERMS.decode(before), _TERMS.decode(terms)) if amends else None,
    )
