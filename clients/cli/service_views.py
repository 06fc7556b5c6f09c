# SPDX-License-Identifier: Apache-2.0
"""How a service's requests and consents are shown to the people who run it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from clients.wording.terms import often
from clients.wording.times import exact, last_day, moment

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from clients.cli.session import Session
    from vault.api.v1.consent_pb2 import Consent, ConsentDifference, ConsentRequest
    from vault.api.v1.registry_pb2 import DecisionForm, LegalBasis


_FORMS: Final[Mapping[int, str]] = {
    1: "hers",
    2: "hers; you need it, but she can send it another way",
    3: "the law decides, not she",
}


def show_request(session: Session, asked: ConsentRequest) -> None:
    """Print a request: its state, what it asks, and what came of it; or what it would ask."""
    from vault.api.v1.consent_pb2 import ConsentRequestState  # noqa: PLC0415

    words, output = session.words, session.output
    once = not asked.HasField("frequency")
    start = moment(asked.start_time, words) if asked.HasField("start_time") else ""
    state = spoken(ConsentRequestState.Name(asked.state), "CONSENT_REQUEST_STATE_")
    is_asked = bool(asked.consent_request_id)
    output.facts(
        [
            ("Request", asked.consent_request_id),
            ("State", state if is_asked else ""),
            ("Purpose", asked.purpose),
            *(
                (f"Asks {scope.evidence_type}", _named(scope.required, scope.optional))
                for scope in asked.scope
            ),
            ("Whose choice", form_of(asked.decision_form)),
            ("Earliest start", start),
            ("Latest end", last_day(asked.end_time, words)),
            ("How often", "once" if once else often(asked.frequency, words)),
            ("Largest age", f"{asked.largest_age_days} days" if asked.largest_age_days else ""),
            ("Kept", _kept(asked.method, asked.retention_days)),
            ("Asked", moment(asked.request_time, words) if is_asked else ""),
            ("Lapses", moment(asked.expire_time, words)),
            ("Reference", asked.external_reference),
            ("Subject", asked.subject_id or ("not told yet" if is_asked else "")),
            ("Consent", asked.consent_id or ("none yet, or not told yet" if is_asked else "")),
        ]
    )


def show_consent(session: Session, consent: Consent) -> None:
    """Print a consent as the service that was given it sees it."""
    from vault.api.v1.consent_pb2 import ConsentState, EvidenceMode  # noqa: PLC0415

    words, output = session.words, session.output
    paused = exact(consent.pause_time, words) if consent.HasField("pause_time") else ""
    revoked = exact(consent.revoke_time, words) if consent.HasField("revoke_time") else ""
    used = (
        f"{consent.disclosure_count}, last {exact(consent.last_disclosure_time, words)}"
        if consent.HasField("last_disclosure_time")
        else "0"
    )
    output.facts(
        [
            ("Consent", consent.consent_id),
            ("State", spoken(ConsentState.Name(consent.state), "CONSENT_STATE_")),
            ("Paused", paused),
            ("Revoked", revoked),
            ("Subject", consent.subject_id),
            ("Purpose", consent.purpose),
            ("Legal basis", basis_of(consent.legal_basis)),
            ("Whose choice", form_of(consent.decision_form)),
            ("From", moment(consent.start_time, words)),
            ("Until", last_day(consent.end_time, words)),
            ("How often", "once" if consent.one_time else often(consent.frequency, words)),
            ("Largest age", f"{consent.largest_age_days} days" if consent.largest_age_days else ""),
            ("Kept", _kept(consent.method, consent.retention_days)),
            ("Stored in", consent.storage),
            ("Law of", consent.jurisdiction),
            ("Fetched", used),
            ("Told her", told_of(session, consent)),
            ("Request", consent.consent_request_id),
        ]
    )
    output.table(
        ["Item", "Type", "Required", "Optional", "Revisions"],
        [
            (
                str(item.item),
                item.evidence_type,
                ", ".join(item.required),
                ", ".join(item.optional),
                spoken(EvidenceMode.Name(item.mode), "EVIDENCE_MODE_"),
            )
            for item in consent.scope
        ],
        right=(0,),
    )


def told_of(session: Session, consent: Consent) -> str:
    """Return what was last told of the matter, and when; "" if nothing was."""
    from vault.api.v1.disclosure_pb2 import ReportStatus  # noqa: PLC0415

    if not consent.HasField("last_report"):
        return ""
    told = consent.last_report
    status = spoken(ReportStatus.Name(told.status), "REPORT_STATUS_")
    return f"{status}, {exact(told.report_time, session.words)}"


def difference_rows(session: Session, difference: ConsentDifference) -> list[tuple[str, str]]:
    """Return what changed between two terms of one consent, as pairs of a name and a text."""
    words = session.words
    removed = [f"{one.evidence_type}: {', '.join(one.names)}" for one in difference.removed]
    rows = [("No longer", "\n".join(removed))]
    if difference.HasField("end_time_after"):
        before = last_day(difference.end_time_before, words)
        rows.append(("Until", f"{last_day(difference.end_time_after, words)}; before: {before}"))
    if difference.HasField("frequency_after"):
        before = often(difference.frequency_before, words)
        rows.append(("How often", f"{often(difference.frequency_after, words)}; before: {before}"))
    return rows


def basis_of(basis: LegalBasis) -> str:
    """Return the receiver's own legal basis, with its statute."""
    from vault.api.v1.registry_pb2 import LegalBasisCode  # noqa: PLC0415

    name = spoken(LegalBasisCode.Name(basis.code), "LEGAL_BASIS_CODE_")
    return f"{name}, {basis.statute}" if basis.statute else name


def form_of(form: DecisionForm.ValueType) -> str:
    """Return whose choice it honestly is."""
    return _FORMS.get(form, "")


def _kept(method: int, days: int) -> str:
    from vault.api.v1.registry_pb2 import PROCESSING_METHOD_VIEW  # noqa: PLC0415

    return "viewed only" if method == PROCESSING_METHOD_VIEW else f"{days} days"


def _named(required: Sequence[str], optional: Sequence[str]) -> str:
    parts = [*required, *(f"{name} (optional)" for name in optional)]
    return ", ".join(parts)


def spoken(name: str, prefix: str) -> str:
    """Return the name of an enum's value in words: "public task"."""
    return name.removeprefix(prefix).lower().replace("_", " ")
