# SPDX-License-Identifier: Apache-2.0
"""The registry on the wire: organisations, services, purposes, evidence types, receipt keys."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from vault.api.v1 import registry_pb2 as pb
from vault.application.registry import Named, PurposeTexts, Texts
from vault.application.wording import TextWarning, WarningKind
from vault.domain.canonical import unb64
from vault.domain.errors import FieldInvalidError
from vault.domain.registry import Bounds, EvidenceType, Purpose, Service
from vault.domain.values import (
    Basis,
    BasisCode,
    Frequency,
    Method,
    Time,
    TypeFields,
    WhoDecides,
    who_decides,
)
from vault.server.convert.times import timestamp

BASES: Final[Mapping[pb.LegalBasisCode.ValueType, BasisCode]] = {
    pb.LEGAL_BASIS_CODE_CONSENT: "consent",
    pb.LEGAL_BASIS_CODE_CONTRACT: "contract",
    pb.LEGAL_BASIS_CODE_LEGAL_OBLIGATION: "legal-obligation",
    pb.LEGAL_BASIS_CODE_VITAL_INTEREST: "vital-interest",
    pb.LEGAL_BASIS_CODE_PUBLIC_TASK: "public-task",
    pb.LEGAL_BASIS_CODE_LEGITIMATE_INTEREST: "legitimate-interest",
}
METHODS: Final[Mapping[pb.ProcessingMethod.ValueType, Method]] = {
    pb.PROCESSING_METHOD_VIEW: "view",
    pb.PROCESSING_METHOD_STORE: "store",
}
METHOD_VALUES: Final[Mapping[Method, pb.ProcessingMethod.ValueType]] = {
    value: key for key, value in METHODS.items()
}

DECISION_FORMS: Final[Mapping[WhoDecides, pb.DecisionForm.ValueType]] = {
    "she": pb.DECISION_FORM_HER_CHOICE,
    "she-or-another-way": pb.DECISION_FORM_ANOTHER_WAY,
    "the-law": pb.DECISION_FORM_LAW_DECIDES,
}

_WARNING_KINDS: Final[Mapping[WarningKind, pb.TextWarningKind.ValueType]] = {
    "translation-missing": pb.TEXT_WARNING_KIND_TRANSLATION_MISSING,
    "sentence-long": pb.TEXT_WARNING_KIND_SENTENCE_LONG,
    "not-translated": pb.TEXT_WARNING_KIND_NOT_TRANSLATED,
}
_BASIS_VALUES: Final = {value: key for key, value in BASES.items()}
_ALGORITHM: Final = "Ed25519"


def texts_from(texts: Iterable[pb.LocalizedText], field: str) -> Texts:
    """Return a text by language.

    Raises:
        FieldInvalidError: if English is missing, or a language comes twice.
    """
    found: Texts = {}
    for text in texts:
        if text.language in found:
            raise FieldInvalidError(field, "A language comes twice.")
        found[text.language] = text.text
    if "en" not in found:
        raise FieldInvalidError(field, 'The language "en" is missing.')
    return found


def bounds_from(bounds: pb.PurposeBounds) -> Bounds:
    """Return the bounds of a purpose in their one order.

    Raises:
        FieldInvalidError: if one type of evidence comes twice.
    """
    types = [fields.evidence_type for fields in bounds.evidence]
    if len(set(types)) != len(types):
        raise FieldInvalidError("bounds.evidence", "A type of evidence comes twice.")
    return Bounds(
        services=tuple(sorted({service_id.lower() for service_id in bounds.service_ids})),
        basis=Basis(code=BASES[bounds.legal_basis.code], statute=bounds.legal_basis.statute),
        evidence=tuple(
            TypeFields(evidence_type=fields.evidence_type, names=tuple(sorted(fields.names)))
            for fields in sorted(bounds.evidence, key=lambda fields: fields.evidence_type)
        ),
        longest_days=bounds.longest_days,
        frequency=Frequency(
            count=bounds.frequency_count, period_seconds=bounds.frequency_period_seconds
        ),
        retention_days=bounds.retention_days,
        method=METHODS[bounds.method],
        storage=bounds.storage,
        jurisdiction=bounds.jurisdiction,
    )


def purpose_texts_from(texts: Iterable[pb.PurposeTexts]) -> tuple[PurposeTexts, ...]:
    """Return the texts of a purpose; whether every language is there is the use case's to judge."""
    return tuple(
        PurposeTexts(
            language=text.language,
            title=text.title,
            why=text.why,
            if_refused=text.if_refused,
            if_stopped=text.if_stopped,
            other_ways=text.other_ways,
            help_line=text.help_line,
            needed_by=text.needed_by,
        )
        for text in texts
    )


def organisation_message(organisation_id: str, named: Named) -> pb.Organisation:
    """Return an organisation."""
    return pb.Organisation(
        organisation_id=organisation_id,
        name=_texts_messages(named.name),
        contact=_texts_messages(named.contact),
    )


def service_message(service: Service, named: Named) -> pb.Service:
    """Return a service."""
    return pb.Service(
        service_id=service.service,
        organisation_id=service.organisation,
        name=_texts_messages(named.name),
        is_suspended=service.is_suspended,
    )


def purpose_message(
    purpose: Purpose, texts: Iterable[PurposeTexts], *, is_withdrawn: bool
) -> pb.Purpose:
    """Return a version of a purpose."""
    bounds = purpose.bounds
    return pb.Purpose(
        purpose_code=purpose.purpose.code,
        version=purpose.purpose.version,
        bounds=pb.PurposeBounds(
            service_ids=bounds.services,
            dpv_iri=purpose.purpose.iri,
            legal_basis=basis_message(bounds.basis),
            evidence=[
                pb.EvidenceFields(evidence_type=fields.evidence_type, names=fields.names)
                for fields in bounds.evidence
            ],
            longest_days=bounds.longest_days,
            frequency_count=bounds.frequency.count,
            frequency_period_seconds=bounds.frequency.period_seconds,
            retention_days=bounds.retention_days,
            method=METHOD_VALUES[bounds.method],
            storage=bounds.storage,
            jurisdiction=bounds.jurisdiction,
        ),
        texts=[
            pb.PurposeTexts(
                language=text.language,
                title=text.title,
                why=text.why,
                if_refused=text.if_refused,
                if_stopped=text.if_stopped,
                other_ways=text.other_ways,
                help_line=text.help_line,
                needed_by=text.needed_by,
            )
            for text in texts
        ],
        is_withdrawn=is_withdrawn,
        publish_time=timestamp(Time(purpose.time)),
        decision_form=DECISION_FORMS[who_decides(bounds.basis)],
    )


def evidence_type_message(published: EvidenceType, definition: bytes) -> pb.EvidenceType:
    """Return a version of an evidence type."""
    return pb.EvidenceType(
        evidence_type=published.evidence_type,
        schema_version=published.schema_version,
        definition=definition,
    )


def receipt_key_message(key_id: str, public_key: str) -> pb.ReceiptKey:
    """Return a receipt key."""
    return pb.ReceiptKey(key_id=key_id, algorithm=_ALGORITHM, public_key=unb64(public_key))


def basis_message(basis: Basis) -> pb.LegalBasis:
    """Return a receiver's legal basis."""
    return pb.LegalBasis(code=_BASIS_VALUES[basis.code], statute=basis.statute)


def warning_messages(warnings: Iterable[TextWarning]) -> list[pb.TextWarning]:
    """Return what would be better for those who read published texts."""
    return [
        pb.TextWarning(field=w.field, language=w.language, kind=_WARNING_KINDS[w.kind])
        for w in warnings
    ]


def _texts_messages(texts: Texts) -> list[pb.LocalizedText]:
    return [pb.LocalizedText(language=language, text=texts[language]) for language in sorted(texts)]
