# SPDX-License-Identifier: Apache-2.0
"""What became of a service's requests and consents, oldest first, to be followed with a cursor.

A service learns what became of a request that went out as a link only after it redeemed the code
(`RequestState.is_known`). Until then changes are kept hidden; then they appear at the place of the
redemption, in their own order, so that a cursor that went past their own places still meets them.
What the service did itself, cancelling, it is told at once, and of whom only if it knows her.

Requests lie in lane 0, consents in whichever lane her vault is, and each lane is followed for
itself. So a change is told as of two places: its own, and that in lane 0 from which the service
may know of it. What is told as of a place in every lane is the same in whatever order they were
followed, and a cursor is such a place: nothing is passed over or told twice, also when a lane lags
behind or the rows are built anew.
"""

from __future__ import annotations

import json
from typing import Final, Literal, NamedTuple, TypeAlias

import msgspec
from eventsourcing.persistence import Tracking
from msgspec import Struct

from projections.tracking import Row, VersionedProjection, forms_of
from vault.domain.amendment import ConsentExtended, ConsentNarrowed, Difference, difference
from vault.domain.canonical import encode
from vault.domain.consent import ConsentGranted, ConsentPaused, ConsentResumed, ConsentRevoked
from vault.domain.events import Event, Facts
from vault.domain.lane import FIRST_LANE, LARGEST_LANE, lane_of
from vault.domain.request import (
    ConsentRefused,
    RequestCancelled,
    RequestClaimed,
    RequestMade,
    RequestRedeemed,
)
from vault.domain.values import Terms, Time
from vault.store.command import Sizes

ChangeKind: TypeAlias = Literal[
    "granted", "refused", "cancelled", "narrowed", "extended", "paused", "resumed", "revoked"
]

# `known` is the size of lane 0 with the event from which on the service may know of a request, NULL
# until then. `position` is the size of the lane with the event; `shown` the size of lane 0 as of
# which the service is told, NULL until then: a change in lane 0 is told no sooner than it is there.
# `terms` are canonical JSON, whole, "" where the event does not set them.
_SCHEMA: Final = """
CREATE TABLE requests (
    consent_request_id TEXT PRIMARY KEY,
    service TEXT NOT NULL,
    subject TEXT NOT NULL,
    known BIGINT
);
CREATE TABLE changes (
    lane BIGINT NOT NULL,
    position BIGINT NOT NULL,
    shown BIGINT,
    service TEXT NOT NULL,
    kind TEXT NOT NULL,
    time TEXT NOT NULL,
    consent_request_id TEXT NOT NULL,
    consent_id TEXT NOT NULL,
    subject TEXT NOT NULL,
    terms TEXT NOT NULL,
    PRIMARY KEY (service, lane, position)
);
CREATE INDEX changes_as_shown ON changes (service, shown, lane, position);
CREATE INDEX changes_hidden ON changes (consent_request_id) WHERE shown IS NULL;
CREATE INDEX changes_of_consent ON changes (consent_id, lane, position) WHERE consent_id <> '';
"""

_MADE: Final = """
INSERT INTO requests (consent_request_id, service, subject, known)
VALUES (:request, :service, :subject, NULL)
ON CONFLICT DO NOTHING
"""

_CLAIMED: Final = "UPDATE requests SET subject = :subject WHERE consent_request_id = :request"

_KNOWN: Final = """
UPDATE requests SET known = :position WHERE consent_request_id = :request AND known IS NULL
"""

_SHOWN: Final = """
UPDATE changes SET shown = :position WHERE consent_request_id = :request AND shown IS NULL
"""

_CANCELLED: Final = """
INSERT INTO changes (lane, position, shown, service, kind, time, consent_request_id, consent_id,
    subject, terms)
SELECT :lane, :position, :position, service, 'cancelled', :time, consent_request_id, '',
    CASE WHEN known IS NULL THEN '' ELSE subject END, ''
FROM requests WHERE consent_request_id = :request
ON CONFLICT DO NOTHING
"""

# In lane 0 the request is there, and perhaps known; from another lane's point of view, perhaps not
# yet: then it says so when it is followed.
_CHANGED: Final = """
INSERT INTO changes (lane, position, shown, service, kind, time, consent_request_id, consent_id,
    subject, terms)
SELECT :lane, :position, (
        SELECT CASE WHEN :lane = 0 THEN max(known, :position) ELSE known END
        FROM requests WHERE requests.consent_request_id = found.request
    ), :service, :kind, :time, found.request, :consent, :subject, :terms
FROM (SELECT {request} AS request) AS found WHERE found.request IS NOT NULL
ON CONFLICT DO NOTHING
"""
_REQUEST_CHANGED: Final = _CHANGED.format(request=":request")
_CONSENT_CHANGED: Final = _CHANGED.format(
    request="(SELECT consent_request_id FROM changes"
    " WHERE consent_id = :consent AND kind = 'granted')"
)

_CHANGE: Final = """
SELECT shown, lane, position, kind, time, consent_request_id, consent_id, subject, terms, (
    SELECT earlier.terms FROM changes AS earlier
    WHERE earlier.consent_id = changes.consent_id AND earlier.consent_id <> ''
        AND earlier.lane = changes.lane AND earlier.position < changes.position
        AND earlier.terms <> ''
    ORDER BY earlier.position DESC LIMIT 1
)
"""

# `sizes` are by lane.
_REVEALED: Final = f"""
{_CHANGE} FROM changes
WHERE service = :service AND (shown, lane, position) > (:shown, :lane, :position)
    AND shown <= :reached
    AND (lane = 0 OR position <= (SELECT value FROM json_each(:sizes) WHERE key = '' || lane))
ORDER BY shown, lane, position LIMIT :limit
"""  # noqa: S608

# Which lanes went on, as far as lane 0 reveals it. `stretches` are from and to, by lane. They are
# found by where they lie: a + keeps SQLite from beginning with all that was ever shown.
_LANES: Final = """
SELECT CAST(stretch.key AS INTEGER) FROM json_each(:stretches) AS stretch WHERE EXISTS (
    SELECT 1 FROM changes
    WHERE service = :service AND lane = CAST(stretch.key AS INTEGER)
        AND position > json_extract(stretch.value, '$[0]')
        AND position <= json_extract(stretch.value, '$[1]')
        AND +shown <= :reached
)
"""

_WENT_ON: Final = f"""
{_CHANGE} FROM changes
WHERE service = :service AND lane = :lane AND position > :told AND position <= :size
    AND +shown <= :reached
ORDER BY position LIMIT :limit
"""

_KINDS: Final[dict[type[Facts], ChangeKind]] = {
    ConsentGranted: "granted",
    ConsentRefused: "refused",
    ConsentNarrowed: "narrowed",
    ConsentExtended: "extended",
    ConsentPaused: "paused",
    ConsentResumed: "resumed",
    ConsentRevoked: "revoked",
}
_TERMS: Final = msgspec.json.Decoder(Terms)


_NO_LANE: Final = LARGEST_LANE + 1
"""Stands behind all lanes: of what was shown as of a size, everything was told."""


_OfVault: TypeAlias = (
    ConsentRefused
    | ConsentGranted
    | ConsentNarrowed
    | ConsentExtended
    | ConsentPaused
    | ConsentResumed
    | ConsentRevoked
)


class Cursor(NamedTuple):
    """A place in the list of a service: which changes it was told.

    Those of `sizes`, the size of each lane but 0, as far as they were shown before the size `shown`
    of lane 0; and of those that were shown as of that size, all up to `position` in `lane`.
    """

    shown: int
    lane: int
    position: int
    sizes: tuple[tuple[int, int], ...] = ()

    @property
    def is_between(self) -> bool:
        """Whether more may be shown as of the same size of lane 0, and not told."""
        return self.lane < _NO_LANE


START: Final = Cursor(0, 0, 0)
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
    version = 2
    schema = _SCHEMA
    topics = forms_of(
        "request-made",
        "request-claimed",
        "request-redeemed",
        "request-cancelled",
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
        stream, facts = domain_event.link.stream, domain_event.facts.upcast()
        place = {"lane": lane_of(stream), "position": tracking.notification_id}
        match facts:
            case RequestMade() | RequestClaimed() | RequestRedeemed() | RequestCancelled():
                self._take_request(facts, stream, place)
            case ConsentRefused():
                self._changed(place, facts, request=facts.consent_request_id)
            case ConsentGranted():
                request, consent = facts.consent_request_id, facts.consent_id
                self._changed(place, facts, request=request, consent=consent, terms=facts.terms)
            case ConsentNarrowed() | ConsentExtended():
                self._changed(place, facts, consent=facts.consent_id, terms=facts.terms)
            case ConsentPaused() | ConsentResumed() | ConsentRevoked():
                self._changed(place, facts, consent=facts.consent_id)

    async def changes(self, service: str, after: Cursor, limit: int) -> Changes:
        """Return what a service may know and was not told yet.

        Args:
            after: what the list before gave, or `START`.
            limit: at most so many; at least 1.
        """
        reached, told = dict(await self.view.sizes()), dict(after.sizes)
        first = reached.pop(FIRST_LANE, 0)
        # A cursor of another process may be ahead of this view, which does not have all of it yet.
        is_behind = any(reached.get(lane, 0) < size for lane, size in told.items())
        if first < after.shown or (is_behind and after.is_between):
            return Changes(changes=(), cursor=after, has_more=False)
        if is_behind:
            first, found = after.shown, list[Change]()
        else:
            found = await self._revealed(service, after, first, limit + 1)
        if len(found) <= limit:
            found += await self._went_on(service, told, reached, first, limit + 1 - len(found))
        changes = tuple(found[:limit])
        return Changes(
            changes=changes,
            cursor=changes[-1].cursor if changes else after,
            has_more=len(found) > limit,
        )

    async def _revealed(
        self, service: str, after: Cursor, reached: int, limit: int
    ) -> list[Change]:
        """Return what lane 0 went on to reveal, of other lanes as far as they were told before."""
        rows = await self.view.ask(
            _REVEALED,
            service=service,
            shown=after.shown,
            lane=after.lane,
            position=after.position,
            reached=reached,
            sizes=json.dumps(dict(after.sizes)),
            limit=limit,
        )
        return [_change(row, Cursor(row[0], row[1], row[2], after.sizes)) for row in rows]

    async def _went_on(
        self, service: str, told: Sizes, sizes: Sizes, reached: int, limit: int
    ) -> list[Change]:
        """Return what other lanes went on to say, one after the other, as far as it is revealed."""
        stretches = {lane: (told.get(lane, 0), size) for lane, size in sizes.items()}
        lanes = await self.view.ask(
            _LANES, service=service, stretches=json.dumps(stretches), reached=reached
        )
        found: list[Change] = []
        so_far = dict(told)
        for (lane,) in sorted(lanes):
            begin, end = stretches[lane]
            rows = await self.view.ask(
                _WENT_ON,
                service=service,
                lane=lane,
                told=begin,
                size=end,
                reached=reached,
                limit=limit - len(found),
            )
            for row in rows:
                so_far[lane] = row[2]
                place = Cursor(reached, _NO_LANE, 0, tuple(sorted(so_far.items())))
                found.append(_change(row, place))
            if len(found) == limit:
                break
            so_far[lane] = end
        return found

    def _take_request(
        self,
        facts: RequestMade | RequestClaimed | RequestRedeemed | RequestCancelled,
        stream: str,
        place: dict[str, int],
    ) -> None:
        write, position = self.view.write, place["position"]
        match facts:
            case RequestMade():
                service, subject = facts.asked.recipient.service, facts.subject
                write(_MADE, request=stream, service=service, subject=subject)
            case RequestClaimed():
                write(_CLAIMED, request=stream, subject=facts.subject)
            case RequestCancelled():
                write(_CANCELLED, request=stream, time=facts.time, **place)
        if isinstance(facts, RequestRedeemed) or (
            isinstance(facts, RequestMade) and not facts.code_challenge
        ):
            write(_KNOWN, request=stream, position=position)
            write(_SHOWN, request=stream, position=position)

    def _changed(
        self,
        place: dict[str, int],
        facts: _OfVault,
        *,
        request: str = "",
        consent: str = "",
        terms: Terms | None = None,
    ) -> None:
        self.view.write(
            _REQUEST_CHANGED if request else _CONSENT_CHANGED,
            service=facts.service,
            subject=facts.subject,
            kind=_KINDS[type(facts)],
            time=facts.time,
            request=request,
            consent=consent,
            terms=encode(terms).decode("ascii") if terms else "",
            **place,
        )


def _change(row: Row, cursor: Cursor) -> Change:
    _, _, _, kind, time, consent_request_id, consent_id, subject, terms, before = row
    # A grant sets terms, and has none before it.
    amends = bool(terms and before)
    return Change(
        cursor=cursor,
        kind=kind,
        time=time,
        consent_request_id=consent_request_id,
        consent_id=consent_id,
        subject=subject,
        difference=difference(_TERMS.decode(before), _TERMS.decode(terms)) if amends else None,
    )
