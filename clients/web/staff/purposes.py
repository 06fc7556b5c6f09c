# SPDX-License-Identifier: Apache-2.0
"""Writing why a service asks: tried out by the vault, shown as it will be read, taken as a file.

Nothing is published from here: an operator does that with the file, `citizen-vault registry purpose
publish FILE`.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from starlette.responses import Response

from clients.connection import CallError
from clients.web.room import Room
from clients.web.staff.asking import field_id, purposes_of
from clients.web.staff.service import STAFF, service_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from clients.web.here import Here
    from vault.api.v1.registry_pb2 import PurposeBounds, PurposeTexts
    from vault.api.v1.registry_service_pb2 import PublishPurposeRequest, PublishPurposeResponse

room = Room(__name__)

LANGUAGES: Final = ("en", "cy")
TEXTS: Final = ("title", "why", "if_refused", "if_stopped", "other_ways", "help_line", "needed_by")
BASES: Final = (
    "consent", "contract", "legal-obligation", "vital-interest", "public-task",
    "legitimate-interest",
)  # fmt: skip
PURPOSES: Final = {
    "PublicBenefit": "PublicBenefit",
    "ServiceProvision": "ServiceProvision",
    "LegalObligation": "LegalObligation",
    "VerifyIdentity": "IdentityVerification",
}
DAY_SECONDS: Final = 86_400
_MOST: Final = 2**32 - 1
"""More than any purpose may have; what is too much, the vault says."""
_CODE: Final = "LEGAL_BASIS_CODE_"
_NUMBERS: Final = ("longest_days", "retention_days", "times", "period_days")
_TRIED_OUT: Final = frozenset({"FIELD_INVALID", "FIELD_UNKNOWN", "REGISTRY_CONFLICT", "NOT_FOUND"})


@room.get("/staff/purposes", roles=STAFF)
def listed(here: Here) -> Response:
    """List why the service may ask, as published."""
    return here.page("staff/purposes.html", purposes=purposes_of(here))


@room.get("/staff/purposes/new", roles=STAFF)
def new(here: Here) -> Response:
    """Ask for everything that a purpose has; with `like`, beginning with one that is there."""
    like = here.asked("like")
    found = next((one for one in purposes_of(here) if one.purpose_code == like), None)
    return _form(here, _typed_of(found) if found else {})


@room.post("/staff/purposes/new", roles=STAFF)
def check(here: Here) -> Response:
    """Have the vault try it out, and show what it says and how it will be read."""
    errors, tried = _tried(here)
    return _form(here, _typed(here), errors, tried)


@room.get("/staff/purposes/file", roles=STAFF)
def to_form(here: Here) -> Response:
    """Lead to the form: a file is made from one."""
    return here.to("/staff/purposes/new")


@room.post("/staff/purposes/file", roles=STAFF)
def file(here: Here) -> Response:
    """Return it as the file that an operator publishes, if the vault would take it."""
    from google.protobuf.json_format import MessageToDict  # noqa: PLC0415

    errors, tried = _tried(here)
    if errors:
        return _form(here, _typed(here), errors, tried)
    request = _request(here)
    request.ClearField("request_id")
    request.validate_only = False
    said = MessageToDict(request, preserving_proto_field_name=True)
    content = json.dumps(said, ensure_ascii=False, indent=2) + "\n"
    headers = {"content-disposition": f'attachment; filename="{request.purpose_code}.json"'}
    return Response(content, media_type="application/json", headers=headers)


def _form(
    here: Here,
    typed: Mapping[str, str],
    errors: Mapping[str, str] | None = None,
    tried: PublishPurposeResponse | None = None,
) -> Response:
    return here.page(
        "staff/purpose.html",
        errors=errors,
        typed=typed,
        kinds=here.published.kinds,
        field_id=field_id,
        languages=LANGUAGES,
        texts=TEXTS,
        bases=BASES,
        dpv=PURPOSES,
        tried=tried.purpose if tried else None,
        advice=_advice(here, tried) if tried else [],
    )


def _tried(here: Here) -> tuple[dict[str, str], PublishPurposeResponse | None]:
    """Return what is wrong with a purpose, by field of the form, and what it would be."""
    words = here.words
    errors = {
        name: words("ask.no.number") for name in _NUMBERS if not here.form.text(name).isdecimal()
    }
    if here.form.text("basis") not in BASES:
        errors["basis"] = words("page.needed")
    if errors:
        return errors, None
    try:
        return {}, here.vault.registry.PublishPurpose(_request(here))
    except CallError as error:
        if error.reason not in _TRIED_OUT:
            raise
        found = {
            _place(path): words.one_of("purpose.wrong", _last(path)) for path, _ in error.fields
        }
        return found or {"code": words.one_of("purpose.refused", error.reason)}, None


def _request(here: Here) -> PublishPurposeRequest:
    """Return what publishes it, only to be tried out."""
    from vault.api.v1.registry_service_pb2 import PublishPurposeRequest  # noqa: PLC0415

    code = here.form.text("code")
    known = next((one.version for one in purposes_of(here) if one.purpose_code == code), 0)
    return PublishPurposeRequest(
        request_id=here.once,
        purpose_code=code,
        version=known + 1,
        bounds=_bounds(here),
        texts=[texts for language in LANGUAGES if (texts := _texts(here, language))],
        validate_only=True,
    )


def _bounds(here: Here) -> PurposeBounds:
    from vault.api.v1 import registry_pb2 as pb  # noqa: PLC0415

    said = here.form.text
    chosen = {
        kind: [part.name for part in found.fields if here.form.has(field_id(kind, part.name))]
        for kind, found in here.published.kinds.items()
    }
    days = _number(said("retention_days"))
    return pb.PurposeBounds(
        service_ids=[service_of(here)],
        dpv_iri=f"https://w3id.org/dpv#{PURPOSES.get(said('dpv'), 'ServiceProvision')}",
        legal_basis=pb.LegalBasis(
            code=pb.LegalBasisCode.Value(_CODE + said("basis").upper().replace("-", "_")),
            statute=said("statute"),
        ),
        evidence=[
            pb.EvidenceFields(evidence_type=kind, names=names)
            for kind, names in chosen.items()
            if names
        ],
        longest_days=_number(said("longest_days")),
        frequency_count=_number(said("times")),
        frequency_period_seconds=min(_number(said("period_days")) * DAY_SECONDS, _MOST),
        retention_days=days,
        method=pb.PROCESSING_METHOD_STORE if days else pb.PROCESSING_METHOD_VIEW,
        storage=said("storage") or "GB",
        jurisdiction=said("storage") or "GB",
    )


def _texts(here: Here, language: str) -> PurposeTexts | None:
    """Return the texts of one language; None if nothing is typed. English is always there."""
    from vault.api.v1.registry_pb2 import PurposeTexts  # noqa: PLC0415

    typed = {name: here.form.text(f"{name}_{language}") for name in TEXTS}
    if language != LANGUAGES[0] and not any(typed.values()):
        return None
    return PurposeTexts(language=language, **typed)


def _typed(here: Here) -> dict[str, str]:
    return dict(here.form.pairs())


def _typed_of(purpose: Any) -> dict[str, str]:
    """Return a published purpose as if it had been typed."""
    from vault.api.v1.registry_pb2 import LegalBasisCode  # noqa: PLC0415

    bounds = purpose.bounds
    typed = {
        "code": purpose.purpose_code,
        "dpv": bounds.dpv_iri.rpartition("#")[2],
        "basis": LegalBasisCode.Name(bounds.legal_basis.code)
        .removeprefix(_CODE)
        .lower()
        .replace("_", "-"),
        "statute": bounds.legal_basis.statute,
        "longest_days": str(bounds.longest_days),
        "times": str(bounds.frequency_count),
        "period_days": str(max(1, bounds.frequency_period_seconds // DAY_SECONDS)),
        "retention_days": str(bounds.retention_days),
        "storage": bounds.storage,
    }
    for allowed in bounds.evidence:
        typed |= {field_id(allowed.evidence_type, name): "yes" for name in allowed.names}
    for texts in purpose.texts:
        typed |= {f"{name}_{texts.language}": getattr(texts, name) for name in TEXTS}
    return typed


def _advice(here: Here, tried: PublishPurposeResponse) -> list[str]:
    """Return what would be better for those who read the texts."""
    from vault.api.v1.registry_pb2 import TextWarningKind  # noqa: PLC0415

    words = here.words
    return [
        words(
            "purpose.advice",
            where=words.one_of("purpose.text", _last(one.field)),
            language=words(f"language.{one.language}"),
            what=words.one_of(
                "publish.warning",
                TextWarningKind.Name(one.kind).removeprefix("TEXT_WARNING_KIND_"),
            ),
        )
        for one in tried.warnings
    ]


def _place(path: str) -> str:
    """Return the field of the form that stands for a field of the message."""
    last = _last(path)
    if path.startswith("texts["):
        number = path[len("texts[") :].partition("]")[0]
        language = LANGUAGES[int(number)] if number.isdecimal() and int(number) < 2 else "en"
        return f"{last}_{language}"
    return {
        "purpose_code": "code",
        "version": "code",
        "evidence": "parts",
        "frequency_count": "times",
        "frequency_period_seconds": "period_days",
        "storage": "storage",
        "jurisdiction": "storage",
    }.get(last, last)


def _last(path: str) -> str:
    return path.rpartition(".")[2].partition("[")[0]


def _number(text: str) -> int:
    return int(text) if text.isdecimal() and len(text) <= 6 else 0
