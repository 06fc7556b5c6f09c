# SPDX-License-Identifier: Apache-2.0
"""Requests and consents on the wire: questions and choices in, what became of them out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from vault.api.v1 import consent_pb2 as pb
from vault.api.v1 import consent_service_pb2 as service_pb
from vault.application.commands import Particulars
from vault.application.consents import ConsentView, Preview
from vault.application.requests import RequestView, of_vault
from vault.domain.amendment import Difference, Narrowing, Remaining
from vault.domain.canonical import b64, unb64
from vault.domain.choice import Choice, ItemChoice, Shown
from vault.domain.consent import Consent, ConsentStatus
from vault.domain.request import Question, Request, RequestStatus
from vault.domain.values import (
    Frequency,
    Item,
    Mode,
    RequestedFields,
    Terms,
    Time,
    who_decides,
)
from vault.server.convert.registry import DECISION_FORMS, METHOD_VALUES, basis_message
from vault.server.convert.report import report_message
from vault.server.convert.times import time_from, timestamp

MODES: Final[Mapping[pb.EvidenceMode.ValueType, Mode]] = {
    pb.EVIDENCE_MODE_PINNED: "pinned",
    pb.EVIDENCE_MODE_FOLLOWING: "following",
}
CONSENT_STATES: Final[Mapping[ConsentStatus, pb.ConsentState.ValueType]] = {
    "active": pb.CONSENT_STATE_ACTIVE,
    "paused": pb.CONSENT_STATE_PAUSED,
    "expired": pb.CONSENT_STATE_EXPIRED,
    "revoked": pb.CONSENT_STATE_REVOKED,
}
REQUEST_STATES: Final[Mapping[RequestStatus, pb.ConsentRequestState.ValueType]] = {
    "pending": pb.CONSENT_REQUEST_STATE_PENDING,
    "granted": pb.CONSENT_REQUEST_STATE_GRANTED,
    "refused": pb.CONSENT_REQUEST_STATE_REFUSED,
    "cancelled": pb.CONSENT_REQUEST_STATE_CANCELLED,
    "expired": pb.CONSENT_REQUEST_STATE_EXPIRED,
}

_MODE_VALUES: Final = {value: key for key, value in MODES.items()}


def question_from(request: service_pb.RequestConsentRequest) -> Question:
    """Return what a service asks.

    Raises:
        FieldInvalidError: if a time cannot be stored.
    """
    has = request.HasField
    return Question(
        purpose_code=request.purpose_code,
        scope=tuple(
            RequestedFields(
                evidence_type=fields.evidence_type,
                required=tuple(sorted(fields.required)),
                optional=tuple(sorted(fields.optional)),
            )
            for fields in request.scope
        ),
        start=time_from(request.start_time, "start_time") if has("start_time") else None,
        end=time_from(request.end_time, "end_time") if has("end_time") else None,
        frequency=_frequency_from(request.frequency) if has("frequency") else None,
        largest_age_days=request.largest_age_days,
        retention_days=request.retention_days,
        expires=time_from(request.expire_time, "expire_time") if has("expire_time") else None,
        subject=request.subject_id.lower(),
        code_challenge=request.code_challenge,
    )


def said_from(request: service_pb.RequestConsentRequest) -> Particulars:
    """Return what a service says beside its question; whoever records it adds the digest."""
    return Particulars(
        digest="",
        case_ref=request.case_ref,
        staff_ref=request.staff_ref,
        external_reference=request.external_reference,
        return_uri=request.return_uri,
        state=request.state,
    )


def choice_from(choice: pb.ConsentChoice) -> Choice:
    """Return what she chooses.

    Raises:
        FieldInvalidError: if the start or end cannot be stored.
    """
    has_start = choice.HasField("start_time")
    start = time_from(choice.start_time, "choice.start_time") if has_start else None
    end = time_from(choice.end_time, "choice.end_time") if choice.HasField("end_time") else None
    return Choice(
        items=tuple(
            ItemChoice(
                evidence_id=item.evidence_id.lower(),
                names=tuple(sorted(item.names)),
                mode=MODES.get(item.mode, "following"),
            )
            for item in choice.items
        ),
        start=start,
        end=end,
        language=choice.language,
    )


def narrowing_from(request: service_pb.NarrowConsentRequest) -> Narrowing:
    """Return what stays shared.

    Raises:
        FieldInvalidError: if the end cannot be stored.
    """
    has_end = request.HasField("end_time")
    items = tuple(
        Remaining(item=remaining.item, names=tuple(sorted(remaining.names)))
        for remaining in request.items
    )
    return Narrowing(
        items=items or None,
        end=time_from(request.end_time, "end_time") if has_end else None,
        frequency_count=request.frequency_count,
    )


def shown_from(shown: pb.Shown) -> tuple[Shown, str]:
    """Return when and with which salt her page was made, and the digest of what stood on it.

    Raises:
        FieldInvalidError: if the time cannot be stored.
    """
    time = time_from(shown.shown_time, "shown.shown_time")
    return Shown(time=time, salt=b64(shown.salt)), b64(shown.shown_hash)


def request_message(view: RequestView) -> pb.ConsentRequest:
    """Return a request, as far as the caller may know it."""
    asked = view.asked
    return pb.ConsentRequest(
        consent_request_id=view.consent_request_id,
        state=REQUEST_STATES[view.status],
        service_id=asked.recipient.service,
        organisation_id=asked.recipient.organisation,
        purpose=asked.purpose.name,
        scope=[
            pb.RequestedScope(
                evidence_type=fields.evidence_type,
                required=fields.required,
                optional=fields.optional,
            )
            for fields in asked.scope
        ],
        end_time=timestamp(asked.end),
        frequency=_frequency_message(asked.frequency),
        largest_age_days=asked.largest_age_days,
        retention_days=asked.retention_days,
        method=METHOD_VALUES[asked.method],
        request_time=timestamp(view.time),
        expire_time=timestamp(view.expires),
        subject_id=view.subject,
        consent_id=view.consent_id,
        external_reference=view.external_reference,
        start_time=timestamp(asked.start),
        decision_form=DECISION_FORMS[who_decides(asked.basis)],
    )


def request_as_of(asked: Request, time: Time) -> pb.ConsentRequest:
    """Return a request as it was at some time."""
    return request_message(of_vault(asked, time))


def difference_message(difference: Difference) -> pb.ConsentDifference:
    """Return what changed between two terms of one consent."""
    end_before, end_after = difference.end or ("", "")
    none = Frequency(count=0, period_seconds=0)
    before, after = difference.frequency or (none, none)
    return pb.ConsentDifference(
        removed=[
            pb.RemovedFields(
                item=removed.item, evidence_type=removed.evidence_type, names=removed.names
            )
            for removed in difference.removed
        ],
        end_time_before=timestamp(end_before),
        end_time_after=timestamp(end_after),
        frequency_before=_frequency_message(before),
        frequency_after=_frequency_message(after),
    )


def consent_message(view: ConsentView) -> pb.Consent:
    """Return a consent as it is now."""
    return _consent(view.consent_id, view.consent, view.status, shows=view.shows_evidence)


def consent_as_of(consent_id: str, consent: Consent, status: ConsentStatus) -> pb.Consent:
    """Return a consent as an auditor sees it at some time."""
    return _consent(consent_id, consent, status, shows=True)


def preview_message(preview: Preview) -> pb.Consent:
    """Return what a choice would come to."""
    message = _terms_message(preview.terms, preview.items)
    message.state = pb.CONSENT_STATE_ACTIVE
    return message


def shown_message(preview: Preview) -> pb.Shown:
    """Return what a decision must be given back."""
    return page_message(preview.shown, preview.shown_hash)


def page_message(shown: Shown, shown_hash: str) -> pb.Shown:
    """Return when and with which salt a page was made, and the digest of what stands on it."""
    return pb.Shown(
        shown_time=timestamp(shown.time),
        salt=unb64(shown.salt),
        shown_hash=unb64(shown_hash),
    )


def _consent(
    consent_id: str, consent: Consent, status: ConsentStatus, *, shows: bool
) -> pb.Consent:
    message = _terms_message(consent.terms, consent.items if shows else ())
    became = pb.Consent(
        consent_id=consent_id,
        state=CONSENT_STATES[status],
        subject_id=consent.subject,
        grant_time=timestamp(consent.granted),
        revoke_time=timestamp(consent.revoked),
        last_disclosure_time=timestamp(consent.last_disclosure),
        disclosure_count=consent.disclosures,
        consent_request_id=consent.consent_request_id,
        pause_time=timestamp(consent.paused),
        last_report=(
            report_message(told.kind, told.status, told.time) if (told := consent.report) else None
        ),
    )
    message.MergeFrom(became)
    return message


def _terms_message(terms: Terms, items: Sequence[Item]) -> pb.Consent:
    """Return terms; the pieces of evidence are named as far as items are given."""
    evidence = {item.item: item.evidence_id for item in items}
    return pb.Consent(
        consent_id=terms.consent_id,
        service_id=terms.recipient.service,
        organisation_id=terms.recipient.organisation,
        purpose=terms.purpose.name,
        legal_basis=basis_message(terms.basis),
        scope=[
            pb.ItemScope(
                item=granted.item,
                evidence_type=granted.evidence_type,
                mode=_MODE_VALUES[granted.mode],
                required=granted.required,
                optional=granted.optional,
                evidence_id=evidence.get(granted.item, ""),
            )
            for granted in terms.scope
        ],
        start_time=timestamp(terms.start),
        end_time=timestamp(terms.end),
        frequency=_frequency_message(terms.frequency),
        one_time=terms.one_time,
        largest_age_days=terms.largest_age_days,
        retention_days=terms.retention_days,
        method=METHOD_VALUES[terms.method],
        storage=terms.storage,
        jurisdiction=terms.jurisdiction,
        notice_hash=unb64(terms.notice_hash),
        language=terms.language,
        decision_form=DECISION_FORMS[who_decides(terms.basis)],
    )


def _frequency_from(frequency: pb.Frequency) -> Frequency:
    return Frequency(count=frequency.count, period_seconds=frequency.period_seconds)


def _frequency_message(frequency: Frequency) -> pb.Frequency | None:
    if not frequency.count:
        return None
    return pb.Frequency(count=frequency.count, period_seconds=frequency.period_seconds)
