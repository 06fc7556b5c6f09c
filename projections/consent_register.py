# SPDX-License-Identifier: Apache-2.0
"""Every service's requests and consents, newest first: what a service's own lists are made of.

What became of a request that went out as a link, and of whom it reached, is told only once the code
was redeemed (`RequestState.is_known`); until then it looks as if nobody had opened it.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import msgspec
from eventsourcing.persistence import Tracking
from msgspec import Struct

from projections.tracking import Row, VersionedProjection, forms_of
from vault.domain.amendment import ConsentExtended, ConsentNarrowed
from vault.domain.canonical import encode
from vault.domain.consent import (
    Consent,
    ConsentGranted,
    ConsentPaused,
    ConsentResumed,
    ConsentRevoked,
    Report,
)
from vault.domain.disclosure import EvidenceDisclosed
from vault.domain.events import Event, Facts
from vault.domain.lane import lane_of
from vault.domain.report import RecipientReported
from vault.domain.request import (
    ConsentRefused,
    ConsentRequestCancelled,
    Request,
    RequestCancelled,
    RequestClaimed,
    RequestMade,
    RequestRedeemed,
)
from vault.domain.values import AskedTerms, Terms, Time

# What a request's own stream says and what her vault says lie in tables of their own, for each lane
# is followed for itself: neither waits for the other, and the rows are the same in whatever order.
# A request `is_known` if its service may know whom it reached and what became of it. `position` is
# the size of the lane with the event that made the row. `asked`, `terms` and `report` are
# canonical JSON, whole. A time is "" as long as it has not come.
_SCHEMA: Final = """
CREATE TABLE requests (
    consent_request_id TEXT PRIMARY KEY,
    lane BIGINT NOT NULL,
    position BIGINT NOT NULL,
    service TEXT NOT NULL,
    subject TEXT NOT NULL,
    is_known BOOLEAN NOT NULL,
    asked TEXT NOT NULL,
    made TEXT NOT NULL,
    expires TEXT NOT NULL,
    cancelled TEXT NOT NULL
);
CREATE INDEX requests_of_service ON requests (service, made, lane, position);
CREATE TABLE answers (
    consent_request_id TEXT PRIMARY KEY,
    cancelled TEXT NOT NULL DEFAULT '',
    refused TEXT NOT NULL DEFAULT '',
    consent_id TEXT NOT NULL DEFAULT ''
);
CREATE TABLE consents (
    consent_id TEXT PRIMARY KEY,
    lane BIGINT NOT NULL,
    position BIGINT NOT NULL,
    consent_request_id TEXT NOT NULL,
    service TEXT NOT NULL,
    subject TEXT NOT NULL,
    terms TEXT NOT NULL,
    granted TEXT NOT NULL,
    paused TEXT NOT NULL,
    revoked TEXT NOT NULL,
    disclosures BIGINT NOT NULL,
    last_disclosure TEXT NOT NULL,
    report TEXT NOT NULL
);
CREATE INDEX consents_of_service ON consents (service, granted, lane, position);
"""

_MADE: Final = """
INSERT INTO requests (consent_request_id, lane, position, service, subject, is_known,
    asked, made, expires, cancelled)
VALUES (:request, :lane, :position, :service, :subject, :is_known, :asked, :made, :expires, '')
ON CONFLICT DO NOTHING
"""

_CLAIMED: Final = "UPDATE requests SET subject = :subject WHERE consent_request_id = :request"

_REDEEMED: Final = "UPDATE requests SET is_known = TRUE WHERE consent_request_id = :request"

_CANCELLED: Final = """
UPDATE requests SET cancelled = :time WHERE consent_request_id = :request AND cancelled = ''
"""

_ANSWERED: Final = """
INSERT INTO answers (consent_request_id, {column}) VALUES (:request, :answer)
ON CONFLICT (consent_request_id) DO UPDATE SET {column} = excluded.{column}
"""
_CANCELLED_IN_VAULT: Final = _ANSWERED.format(column="cancelled")
_REFUSED: Final = _ANSWERED.format(column="refused")
_CONSENTED: Final = _ANSWERED.format(column="consent_id")

_GRANTED: Final = """
INSERT INTO consents (consent_id, lane, position, consent_request_id, service, subject, terms,
    granted, paused, revoked, disclosures, last_disclosure, report)
VALUES (:consent, :lane, :position, :request, :service, :subject, :terms, :time, '', '', 0, '', '')
ON CONFLICT DO NOTHING
"""

_AMENDED: Final = "UPDATE consents SET terms = :terms WHERE consent_id = :consent"

_PAUSED: Final = "UPDATE consents SET paused = :time WHERE consent_id = :consent"

_REVOKED: Final = "UPDATE consents SET revoked = :time WHERE consent_id = :consent"

_DISCLOSED: Final = """
UPDATE consents SET disclosures = disclosures + :count, last_disclosure = :time
WHERE consent_id = :consent
"""

_REPORTED: Final = "UPDATE consents SET report = :report WHERE consent_id = :consent"

_CONSENTS: Final = """
SELECT consents.lane, consents.position, terms, consents.subject, consents.consent_request_id,
    granted, paused, revoked, disclosures, last_disclosure, report
FROM consents CROSS JOIN requests ON requests.consent_request_id = consents.consent_request_id
WHERE consents.service = :service
    AND (granted, consents.lane, consents.position) < (:before, :lane, :position) AND is_known
ORDER BY granted DESC, consents.lane DESC, consents.position DESC LIMIT :limit
"""

# A request is cancelled in its own stream or in her vault, perhaps in both: the first counts.
_REQUESTS: Final = """
SELECT lane, position, requests.consent_request_id, asked, made, expires,
    CASE WHEN coalesce(answers.cancelled, '') = '' THEN requests.cancelled
        WHEN requests.cancelled = '' THEN answers.cancelled
        ELSE min(requests.cancelled, answers.cancelled) END AS first_cancelled,
    CASE WHEN is_known THEN subject ELSE '' END,
    CASE WHEN is_known THEN coalesce(consent_id, '') ELSE '' END AS known_consent,
    CASE WHEN is_known THEN coalesce(refused, '') ELSE '' END AS known_refused
FROM requests LEFT JOIN answers ON answers.consent_request_id = requests.consent_request_id
WHERE service = :service AND (made, lane, position) < (:before, :lane, :position) {pending}
ORDER BY made DESC, lane DESC, position DESC LIMIT :limit
"""
_ALL_REQUESTS: Final = _REQUESTS.format(pending="")
_PENDING_REQUESTS: Final = _REQUESTS.format(
    pending="""AND expires > :time AND first_cancelled = ''
    AND known_consent = '' AND known_refused = ''"""
)

_TERMS: Final = msgspec.json.Decoder(Terms)
_ASKED: Final = msgspec.json.Decoder(AskedTerms)
_REPORT: Final = msgspec.json.Decoder(Report)


class RowKey(NamedTuple):
    """Where a row stands in its list: lists are of all lanes, by time."""

    time: str
    lane: int
    position: int


NEWEST: Final = RowKey("~", 0, 0)
"""Where a list begins that ends with nothing before it."""


class ConsentRow(Struct, frozen=True, kw_only=True):
    """A consent as its service may see it: no items. `key` names the row in its list."""

    key: RowKey
    consent: Consent


class RequestRow(Struct, frozen=True, kw_only=True):
    """A request as its service may see it; `time` is when it was made. See `ConsentRow`."""

    key: RowKey
    request: Request


class ConsentRegister(VersionedProjection):
    """The requests and consents of all services."""

    name = "consent-register"
    version = 3
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
        "evidence-disclosed",
        "recipient-reported",
    )

    def process_event(self, domain_event: Event, tracking: Tracking) -> None:
        """Note what an event changes. What it builds on may have been deleted: then nothing."""
        facts, stream = domain_event.facts.upcast(), domain_event.link.stream
        key = RowKey(facts.time, lane_of(stream), tracking.notification_id)
        match facts:
            case RequestMade() | RequestClaimed() | RequestRedeemed() | RequestCancelled():
                self._change_request(facts, stream, key)
            case ConsentGranted():
                self._grant(facts, key)
            case _:
                self._change_answer(facts)
                self._change_consent(facts)

    async def consents(
        self, service: str, limit: int, before: RowKey = NEWEST
    ) -> tuple[ConsentRow, ...]:
        """Return consents of a service, newest first.

        Args:
            before: the key of the last row of the page before.
        """
        rows = await self.view.ask(_CONSENTS, limit=limit, **_below(service, before))
        return tuple(_consent(row) for row in rows)

    async def requests(
        self,
        service: str,
        limit: int,
        before: RowKey = NEWEST,
        *,
        pending_at: Time | None = None,
    ) -> tuple[RequestRow, ...]:
        """Return requests of a service, newest first.

        Args:
            before: the key of the last row of the page before.
            pending_at: only those that wait for an answer at this time, as far as it may know.
        """
        bindings = _below(service, before)
        if pending_at is None:
            rows = await self.view.ask(_ALL_REQUESTS, limit=limit, **bindings)
        else:
            rows = await self.view.ask(_PENDING_REQUESTS, limit=limit, time=pending_at, **bindings)
        return tuple(_request(row) for row in rows)

    def _change_request(
        self,
        facts: RequestMade | RequestClaimed | RequestRedeemed | RequestCancelled,
        stream: str,
        key: RowKey,
    ) -> None:
        write = self.view.write
        match facts:
            case RequestMade():
                write(
                    _MADE,
                    request=stream,
                    lane=key.lane,
                    position=key.position,
                    service=facts.asked.recipient.service,
                    subject=facts.subject,
                    is_known=not facts.code_challenge,
                    asked=_text(facts.asked),
                    made=facts.time,
                    expires=facts.expires,
                )
            case RequestClaimed():
                write(_CLAIMED, request=stream, subject=facts.subject)
            case RequestRedeemed():
                write(_REDEEMED, request=stream)
            case RequestCancelled():
                write(_CANCELLED, request=stream, time=facts.time)

    def _grant(self, facts: ConsentGranted, key: RowKey) -> None:
        request, consent = facts.consent_request_id, facts.consent_id
        self.view.write(_CONSENTED, request=request, answer=consent)
        self.view.write(
            _GRANTED,
            consent=consent,
            lane=key.lane,
            position=key.position,
            request=request,
            service=facts.service,
            subject=facts.subject,
            terms=_text(facts.terms),
            time=facts.time,
        )

    def _change_answer(self, facts: Facts) -> None:
        match facts:
            case ConsentRequestCancelled(consent_request_id=request):
                self.view.write(_CANCELLED_IN_VAULT, request=request, answer=facts.time)
            case ConsentRefused(consent_request_id=request):
                self.view.write(_REFUSED, request=request, answer=facts.time)

    def _change_consent(self, facts: Facts) -> None:
        write = self.view.write
        match facts:
            case ConsentNarrowed() | ConsentExtended():
                write(_AMENDED, consent=facts.consent_id, terms=_text(facts.terms))
            case ConsentPaused():
                write(_PAUSED, consent=facts.consent_id, time=facts.time)
            case ConsentResumed():
                write(_PAUSED, consent=facts.consent_id, time="")
            case ConsentRevoked():
                write(_REVOKED, consent=facts.consent_id, time=facts.time)
            case EvidenceDisclosed():
                # A repeat sends the same bytes once more, and is not counted.
                count = 0 if facts.repeats else 1
                write(_DISCLOSED, consent=facts.consent_id, time=facts.time, count=count)
            case RecipientReported():
                told = Report(kind=facts.kind, status=facts.status, time=facts.time)
                write(_REPORTED, consent=facts.consent_id, report=encode(told).decode("ascii"))


def _below(service: str, key: RowKey) -> dict[str, str | int | bool]:
    return {"service": service, "before": key.time, "lane": key.lane, "position": key.position}


def _text(terms: Terms | AskedTerms) -> str:
    return encode(terms).decode("ascii")


def _consent(row: Row) -> ConsentRow:
    lane, position, terms, subject, request_id, granted, paused, revoked, count, last, told = row
    consent = Consent(
        terms=_TERMS.decode(terms),
        items=(),
        subject=subject,
        consent_request_id=request_id,
        granted=granted,
        paused=paused,
        revoked=revoked,
        disclosures=count,
        last_disclosure=last,
        report=_REPORT.decode(told) if told else None,
    )
    return ConsentRow(key=RowKey(granted, lane, position), consent=consent)


def _request(row: Row) -> RequestRow:
    lane, position, request_id, asked, made, expires, cancelled, subject, consent_id, refused = row
    request = Request(
        consent_request_id=request_id,
        subject=subject,
        asked=_ASKED.decode(asked),
        time=made,
        expires=expires,
        consent_id=consent_id,
        refused=refused,
        cancelled=cancelled,
    )
    return RequestRow(key=RowKey(made, lane, position), request=request)
