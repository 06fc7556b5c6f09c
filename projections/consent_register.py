# SPDX-License-Identifier: Apache-2.0
"""Every service's requests and consents, newest first: what a service's own lists are made of.

What became of a request that went out as a link, and of whom it reached, is told only once the code
was redeemed (`RequestState.is_known`); until then it looks as if nobody had opened it.
"""

from __future__ import annotations

from typing import Final

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
)
from vault.domain.disclosure import EvidenceDisclosed
from vault.domain.events import Event, Facts
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

# A request `is_known` if its service may know whom it reached and what became of it. `position` is
# the tree size with the event that made the row. `asked` and `terms` are canonical JSON, whole. A
# time is "" as long as it has not come.
_SCHEMA: Final = """
CREATE TABLE requests (
    consent_request_id TEXT PRIMARY KEY,
    position BIGINT NOT NULL,
    service TEXT NOT NULL,
    subject TEXT NOT NULL,
    is_known BOOLEAN NOT NULL,
    asked TEXT NOT NULL,
    made TEXT NOT NULL,
    expires TEXT NOT NULL,
    cancelled TEXT NOT NULL,
    refused TEXT NOT NULL,
    consent_id TEXT NOT NULL
);
CREATE INDEX requests_of_service ON requests (service, position);
CREATE TABLE consents (
    consent_id TEXT PRIMARY KEY,
    position BIGINT NOT NULL,
    consent_request_id TEXT NOT NULL,
    service TEXT NOT NULL,
    subject TEXT NOT NULL,
    terms TEXT NOT NULL,
    granted TEXT NOT NULL,
    paused TEXT NOT NULL,
    revoked TEXT NOT NULL,
    disclosures BIGINT NOT NULL,
    last_disclosure TEXT NOT NULL
);
CREATE INDEX consents_of_service ON consents (service, position);
"""

_MADE: Final = """
INSERT INTO requests (consent_request_id, position, service, subject, is_known,
    asked, made, expires, cancelled, refused, consent_id)
VALUES (:request, :position, :service, :subject, :is_known,
    :asked, :made, :expires, '', '', '')
ON CONFLICT DO NOTHING
"""

_CLAIMED: Final = "UPDATE requests SET subject = :subject WHERE consent_request_id = :request"

_REDEEMED: Final = "UPDATE requests SET is_known = TRUE WHERE consent_request_id = :request"

# A request is cancelled in its own stream or in her vault, perhaps in both: the first counts.
_CANCELLED: Final = """
UPDATE requests SET cancelled = :time WHERE consent_request_id = :request AND cancelled = ''
"""

_REFUSED: Final = "UPDATE requests SET refused = :time WHERE consent_request_id = :request"

_ANSWERED: Final = "UPDATE requests SET consent_id = :consent WHERE consent_request_id = :request"

_GRANTED: Final = """
INSERT INTO consents (consent_id, position, consent_request_id, service, subject, terms,
    granted, paused, revoked, disclosures, last_disclosure)
SELECT :consent, :position, consent_request_id, service, subject, :terms, :time, '', '', 0, ''
FROM requests WHERE consent_request_id = :request
ON CONFLICT DO NOTHING
"""

_AMENDED: Final = "UPDATE consents SET terms = :terms WHERE consent_id = :consent"

_PAUSED: Final = "UPDATE consents SET paused = :time WHERE consent_id = :consent"

_REVOKED: Final = "UPDATE consents SET revoked = :time WHERE consent_id = :consent"

_DISCLOSED: Final = """
UPDATE consents SET disclosures = disclosures + :count, last_disclosure = :time
WHERE consent_id = :consent
"""

_CONSENTS: Final = """
SELECT consents.position, terms, consents.subject, consents.consent_request_id, granted, paused,
    revoked, disclosures, last_disclosure
FROM consents JOIN requests ON requests.consent_request_id = consents.consent_request_id
WHERE consents.service = :service AND consents.position < :before AND is_known
ORDER BY consents.position DESC LIMIT :limit
"""

_REQUESTS: Final = """
SELECT position, consent_request_id, asked, made, expires, cancelled,
    CASE WHEN is_known THEN subject ELSE '' END,
    CASE WHEN is_known THEN consent_id ELSE '' END,
    CASE WHEN is_known THEN refused ELSE '' END
FROM requests
WHERE service = :service AND position < :before {pending}
ORDER BY position DESC LIMIT :limit
"""
_ALL_REQUESTS: Final = _REQUESTS.format(pending="")
_PENDING_REQUESTS: Final = _REQUESTS.format(
    pending="""AND expires > :time AND cancelled = ''
    AND NOT (is_known AND (consent_id <> '' OR refused <> ''))"""
)

NEWEST: Final = 2**62
"""Where a list begins that ends with nothing before it."""

_TERMS: Final = msgspec.json.Decoder(Terms)
_ASKED: Final = msgspec.json.Decoder(AskedTerms)


class ConsentRow(Struct, frozen=True, kw_only=True):
    """A consent as its service may see it: no items. `position` names the row in its list."""

    position: int
    consent: Consent


class RequestRow(Struct, frozen=True, kw_only=True):
    """A request as its service may see it; `time` is when it was made. See `ConsentRow`."""

    position: int
    request: Request


class ConsentRegister(VersionedProjection):
    """The requests and consents of all services."""

    name = "consent-register"
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
        "evidence-disclosed",
    )

    def process_event(self, domain_event: Event, tracking: Tracking) -> None:
        """Note what an event changes. What it builds on may have been deleted: then nothing."""
        facts = domain_event.facts.upcast()
        self._change_requests(facts, domain_event.link.stream, tracking.notification_id)
        self._change_consents(facts, tracking.notification_id)

    async def consents(
        self, service: str, limit: int, before: int = NEWEST
    ) -> tuple[ConsentRow, ...]:
        """Return consents of a service, newest first.

        Args:
            before: the position of the last row of the page before.
        """
        rows = await self.view.ask(_CONSENTS, service=service, before=before, limit=limit)
        return tuple(_consent(row) for row in rows)

    async def requests(
        self,
        service: str,
        limit: int,
        before: int = NEWEST,
        *,
        pending_at: Time | None = None,
    ) -> tuple[RequestRow, ...]:
        """Return requests of a service, newest first.

        Args:
            before: the position of the last row of the page before.
            pending_at: only those that wait for an answer at this time, as far as it may know.
        """
        if pending_at is None:
            rows = await self.view.ask(_ALL_REQUESTS, service=service, before=before, limit=limit)
        else:
            rows = await self.view.ask(
                _PENDING_REQUESTS, service=service, before=before, limit=limit, time=pending_at
            )
        return tuple(_request(row) for row in rows)

    def _change_requests(self, facts: Facts, stream: str, position: int) -> None:
        write = self.view.write
        match facts:
            case RequestMade():
                write(
                    _MADE,
                    request=stream,
                    position=position,
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
            case ConsentRequestCancelled():
                write(_CANCELLED, request=facts.consent_request_id, time=facts.time)
            case ConsentRefused():
                write(_REFUSED, request=facts.consent_request_id, time=facts.time)
            case ConsentGranted():
                write(_ANSWERED, request=facts.consent_request_id, consent=facts.consent_id)

    def _change_consents(self, facts: Facts, position: int) -> None:
        write = self.view.write
        match facts:
            case ConsentGranted():
                write(
                    _GRANTED,
                    consent=facts.consent_id,
                    position=position,
                    request=facts.consent_request_id,
                    terms=_text(facts.terms),
                    time=facts.time,
                )
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


def _text(terms: Terms | AskedTerms) -> str:
    return encode(terms).decode("ascii")


def _consent(row: Row) -> ConsentRow:
    position, terms, subject, consent_request_id, granted, paused, revoked, disclosures, last = row
    consent = Consent(
        terms=_TERMS.decode(terms),
        items=(),
        subject=subject,
        consent_request_id=consent_request_id,
        granted=granted,
        paused=paused,
        revoked=revoked,
        disclosures=disclosures,
        last_disclosure=last,
    )
    return ConsentRow(position=position, consent=consent)


def _request(row: Row) -> RequestRow:
    position, request_id, asked, made, expires, cancelled, subject, consent_id, refused = row
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
    return RequestRow(position=position, request=request)
