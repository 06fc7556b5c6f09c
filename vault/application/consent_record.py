# SPDX-License-Identifier: Apache-2.0
"""The form of a consent receipt: ISO/IEC TS 27560:2023 in terms of the W3C DPV 2, as JSON-LD.

After the DPV guide for ISO/IEC TS 27560 (https://w3id.org/dpv/guides/consent-27560). What the
vocabulary has no term for stands under `cv`. Pure: parts in, a document out.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from vault.domain.canonical import b64, encode, unb64

if TYPE_CHECKING:
    from collections.abc import Mapping

    from vault.application.receipts import Receipt
    from vault.application.registry import Named, PurposeTexts
    from vault.domain.consent import Consent, ConsentStatus
    from vault.domain.registry import EvidenceType
    from vault.domain.request import Request
    from vault.domain.values import BasisCode, GrantedFields, Terms, Time

CONTEXT: Final = {
    "dpv": "https://w3id.org/dpv#",
    "loc": "https://w3id.org/dpv/loc#",
    "dct": "http://purl.org/dc/terms/",
    "rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
    "spdx": "http://spdx.org/rdf/terms#",
    "cv": "urn:x-citizen-vault:",
}
"""What the prefixes stand for."""

RECEIPT_FORM: Final = "https://w3id.org/dpv/schema/dpv-27560#receipt"
RECORD_FORM: Final = "https://w3id.org/dpv/schema/dpv-27560#record"

_BASES: Final[Mapping[BasisCode, str]] = {
    "consent": "dpv:ExplicitlyExpressedConsent",
    "contract": "dpv:Contract",
    "legal-obligation": "dpv:LegalObligation",
    "vital-interest": "dpv:VitalInterest",
    "public-task": "dpv:PublicInterest",
    "legitimate-interest": "dpv:LegitimateInterest",
}
_SENSITIVITIES: Final = {
    "sensitive": "dpv:SensitivePersonalData",
    "special": "dpv:SpecialCategoryPersonalData",
}
_STATES: Final[Mapping[ConsentStatus, str]] = {
    "active": "dpv:ConsentGiven",
    "paused": "dpv:ConsentStatusInvalidForProcessing",
    "revoked": "dpv:ConsentWithdrawn",
    "expired": "dpv:ConsentExpired",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What a receipt is made of.

    Attributes:
        version: how much of her stream counts; 0 where that is not told.
        texts_as_hashed: the texts of the purpose, exactly as they were published and hashed.
        types: of each type of evidence in the scope, the version that is published now.
        refused: requests of the same service that she refused.
        receipts: of every event that made the consent what it is, oldest first.
    """

    receipt_id: str
    origin: str
    consent_id: str
    consent: Consent
    status: ConsentStatus
    as_of: Time
    version: int
    controller: Named
    service: Named
    texts: tuple[PurposeTexts, ...]
    texts_as_hashed: bytes
    types: Mapping[str, EvidenceType]
    refused: tuple[Request, ...]
    receipts: tuple[Receipt, ...]


def receipt_bytes(parts: Parts) -> bytes:
    """Return a consent receipt, as JSON-LD."""
    record = {
        "@id": _urn(parts.consent_id),
        "@type": "dpv:ConsentRecord",
        "dct:identifier": parts.consent_id,
        "dct:conformsTo": {"@id": RECORD_FORM},
        "dct:created": parts.consent.granted,
        "dpv:hasDataSubject": _subject(parts),
        "dpv:hasDataController": _controller(parts),
        "dpv:hasNotice": _notice(parts),
        "dpv:hasProcess": _process(parts),
        "dpv:hasConsentStatus": _events(parts),
        "cv:state": parts.status,
        "cv:asOf": {"cv:time": parts.as_of, **_version(parts)},
        "cv:receipts": [_receipt(receipt) for receipt in parts.receipts],
    }
    receipt = {
        "@context": CONTEXT,
        "@id": _urn(parts.receipt_id),
        "@type": "dpv:ConsentReceipt",
        "dct:identifier": parts.receipt_id,
        "dct:conformsTo": {"@id": RECEIPT_FORM},
        "dct:issued": parts.as_of,
        "dct:publisher": parts.origin.rpartition("/")[0],
        "dpv:hasRecordOfActivity": [record, *(_refusal(parts, one) for one in parts.refused)],
    }
    return encode(receipt)


def _subject(parts: Parts) -> dict[str, Any]:
    subject = parts.consent.subject
    return {"@id": _urn(subject), "@type": "dpv:DataSubject", "dct:identifier": subject}


def _controller(parts: Parts) -> dict[str, Any]:
    organisation = parts.consent.terms.recipient.organisation
    return {
        "@id": _urn(organisation),
        "@type": "dpv:DataController",
        "dct:identifier": organisation,
        "dpv:hasName": _in_languages(parts.controller.name),
        "dpv:hasContact": _in_languages(parts.controller.contact),
    }


def _notice(parts: Parts) -> dict[str, Any]:
    terms = parts.consent.terms
    return {
        "@type": "dpv:ConsentNotice",
        "dct:language": terms.language,
        "dct:date": terms.shown_time,
        "dct:title": _in_languages({text.language: text.title for text in parts.texts}),
        "dct:description": _in_languages({text.language: text.why for text in parts.texts}),
        "cv:textAsHashed": parts.texts_as_hashed.decode(),
        "spdx:checksum": {
            "spdx:algorithm": {"@id": "spdx:checksumAlgorithm_sha256"},
            "spdx:checksumValue": unb64(terms.notice_hash).hex(),
        },
    }


def _process(parts: Parts) -> dict[str, Any]:
    terms = parts.consent.terms
    by_law = {"dct:title": terms.basis.statute} if terms.basis.statute else {}
    law = {"dpv:hasApplicableLaw": by_law} if by_law else {}
    return {
        "@type": "dpv:Process",
        "dpv:hasService": {
            "@id": _urn(terms.recipient.service),
            "@type": "dpv:Service",
            "dct:identifier": terms.recipient.service,
            "dpv:hasName": _in_languages(parts.service.name),
        },
        "dpv:hasPurpose": _purpose(terms, parts.texts),
        "dpv:hasLegalBasis": {"@id": _BASES[terms.basis.code]},
        **law,
        "dpv:hasRecipient": {"@id": _urn(terms.recipient.organisation)},
        "dpv:hasPersonalData": [
            field for fields in terms.scope for field in _personal_data(fields, parts.types)
        ],
        "dpv:hasProcessing": [{"@id": name} for name in _processing(terms)],
        "dpv:hasStorageCondition": [
            {"@type": "dpv:StorageLocation", "dpv:hasLocation": {"@id": f"loc:{terms.storage}"}},
            {
                "@type": "dpv:StorageDuration",
                "dpv:hasDuration": _duration("dpv:TemporalDuration", f"P{terms.retention_days}D"),
            },
        ],
        "dpv:hasProcessingCondition": {
            "@type": "dpv:ProcessingDuration",
            "dpv:hasDuration": _duration("dpv:UntilTimeDuration", terms.end),
            "cv:start": terms.start,
        },
        "dpv:hasFrequency": _frequency(terms),
        "cv:largestAgeDays": terms.largest_age_days,
        "dpv:hasJurisdiction": {"@id": f"loc:{terms.jurisdiction}"},
        "dpv:hasConsentControl": {
            "@type": "dpv:WithdrawConsent",
            "dpv:isExercisedAt": "vault.api.v1.ConsentService/RevokeConsent",
            "dct:description": _in_languages({t.language: t.if_stopped for t in parts.texts}),
        },
        "dpv:hasRight": {
            "@type": "dpv:DataSubjectRight",
            "dpv:isExercisedAt": _in_languages({t.language: t.help_line for t in parts.texts}),
        },
    }


def _purpose(terms: Terms, texts: tuple[PurposeTexts, ...]) -> dict[str, Any]:
    return {
        "@type": ["dpv:Purpose", terms.purpose.iri],
        "dct:identifier": terms.purpose.name,
        "dct:title": _in_languages({text.language: text.title for text in texts}),
    }


def _personal_data(
    fields: GrantedFields, types: Mapping[str, EvidenceType]
) -> list[dict[str, Any]]:
    known = types.get(fields.evidence_type)
    sensitivities = {field.name: field.sensitivity for field in known.fields} if known else {}
    found = []
    for name in sorted(fields.names):
        kinds = ["dpv:PersonalData"]
        if kind := _SENSITIVITIES.get(sensitivities.get(name, "")):
            kinds.append(kind)
        need = "dpv:Required" if name in fields.required else "dpv:Optional"
        found.append(
            {
                "@type": kinds,
                "dct:identifier": f"{fields.evidence_type}.{name}",
                "dpv:hasNecessity": {"@id": need},
                "cv:item": fields.item,
                "cv:mode": fields.mode,
            }
        )
    return found


def _processing(terms: Terms) -> tuple[str, ...]:
    return ("dpv:Retrieve", "dpv:Use", "dpv:Store" if terms.method == "store" else "dpv:Consult")


def _frequency(terms: Terms) -> dict[str, Any]:
    if terms.one_time:
        return {"@id": "dpv:SingularFrequency"}
    seconds = terms.frequency.period_seconds
    return {
        "@type": "dpv:Frequency",
        "cv:most": terms.frequency.count,
        "cv:within": _iso_duration(timedelta(seconds=seconds)),
    }


def _events(parts: Parts) -> list[dict[str, Any]]:
    """Return that she gave it, and what it is at the moment if that is something else."""
    consent = parts.consent
    given = {
        "@type": "dpv:ConsentGiven",
        "dpv:isIndicatedAtTime": consent.granted,
        "dpv:isIndicatedBy": {"@id": _urn(consent.subject)},
        "dpv:hasDuration": _duration("dpv:UntilTimeDuration", consent.terms.end),
    }
    since = {
        "active": "",
        "paused": consent.paused,
        "revoked": consent.revoked,
        "expired": consent.terms.end,
    }[parts.status]
    if not since:
        return [given]
    return [given, {"@type": _STATES[parts.status], "dpv:isIndicatedAtTime": since}]


def _refusal(parts: Parts, request: Request) -> dict[str, Any]:
    """Return the record of a purpose of the same service that she refused."""
    asked = request.asked
    return {
        "@id": _urn(request.consent_request_id),
        "@type": "dpv:ConsentRecord",
        "dct:identifier": request.consent_request_id,
        "dct:conformsTo": {"@id": RECORD_FORM},
        "dpv:hasDataController": {"@id": _urn(asked.recipient.organisation)},
        "dpv:hasDataSubject": {"@id": _urn(request.subject)},
        "dpv:hasProcess": {
            "@type": "dpv:Process",
            "dpv:hasPurpose": {
                "@type": ["dpv:Purpose", asked.purpose.iri],
                "dct:identifier": asked.purpose.name,
            },
            "dpv:hasPersonalData": [
                {"@type": "dpv:PersonalData", "dct:identifier": f"{one.evidence_type}.{name}"}
                for one in asked.scope
                for name in sorted(one.required + one.optional)
            ],
        },
        "dpv:hasConsentStatus": [
            {"@type": "dpv:ConsentRefused", "dpv:isIndicatedAtTime": request.refused}
        ],
        "cv:state": "refused",
        "cv:asOf": {"cv:time": parts.as_of, **_version(parts)},
    }


def _receipt(receipt: Receipt) -> dict[str, Any]:
    """Return a signed receipt in the form of its file."""
    return {
        "@type": "@json",
        "@value": {
            "facts": receipt.facts.decode(),
            "key_id": receipt.key_id,
            "leaf_hash": b64(receipt.leaf_hash),
            "leaf_index": receipt.leaf_index,
            "link_hash": b64(receipt.link_hash),
            "origin": receipt.origin,
            "signature": b64(receipt.signature),
        },
    }


def _version(parts: Parts) -> dict[str, int]:
    return {"cv:version": parts.version} if parts.version else {}


def _duration(kind: str, value: str) -> dict[str, str]:
    return {"@type": kind, "rdf:value": value}


def _iso_duration(length: timedelta) -> str:
    """Return a length of time as ISO 8601 writes it."""
    days, seconds = length.days, length.seconds
    return (f"P{days}D" if days else "P") + (f"T{seconds}S" if seconds else "")


def _in_languages(texts: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"@language": language, "@value": text} for language, text in sorted(texts.items())]


def _urn(uuid: str) -> str:
    return f"urn:uuid:{uuid}"
