# SPDX-License-Identifier: Apache-2.0
"""What she signs is what stood on her screen: made again here, never taken from the server.

    shown_hash   SHA-256(what was shown, canonical, its salt and time within)
    challenge    SHA-256(canonical ["citizen-vault/decision/1", stored name, shown_hash])

A challenge does not tell what it is of. A server that shows one thing and has another signed would
hold a proof that she decided what she never saw: other terms, another kind of decision, a passkey
of its own. So the bytes of the page are written again from what is shown and asked for, and only
the challenge that follows from them is handed on to whatever signs.
"""

from __future__ import annotations

import base64
import hashlib
import json
from typing import TYPE_CHECKING, Any, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

    from google.protobuf.timestamp_pb2 import Timestamp

    from vault.api.v1.consent_pb2 import Consent, ConsentChoice, ConsentRequest, Shown
    from vault.api.v1.consent_service_pb2 import (
        ExtendConsentResponse,
        PreviewConsentResponse,
        ResumeConsentResponse,
    )
    from vault.api.v1.evidence_pb2 import Evidence
    from vault.api.v1.registry_pb2 import Purpose
    from vault.api.v1.vault_pb2 import ApprovalChallenge
    from vault.api.v1.vault_service_pb2 import (
        AddPasskeyRequest,
        AddPasskeyResponse,
        CreateLinkCodeResponse,
    )

FORM: Final = "citizen-vault/decision/1"

# By their numbers on the wire.
_METHODS: Final = {1: "view", 2: "store"}
_PINNED: Final = 1
_MODES: Final = {1: "pinned", 2: "following"}
_ALGORITHMS: Final = {1: "ES256", 2: "EdDSA", 3: "RS256"}
_BASES: Final = {
    1: "consent",
    2: "contract",
    3: "legal-obligation",
    4: "vital-interest",
    5: "public-task",
    6: "legitimate-interest",
}
_WHO_DECIDES: Final = {1: 1, 6: 1, 2: 2, 5: 2, 3: 3, 4: 3}
"""Whose choice it honestly is (`DecisionForm`), by the legal basis."""

_ASKED: Final = (
    *("service_id", "organisation_id", "purpose", "frequency", "largest_age_days"),
    *("retention_days", "method", "decision_form"),
)
"""What is agreed as it is asked for."""
_STANDING: Final = (
    *("consent_id", *_ASKED, "legal_basis", "scope", "start_time", "one_time", "storage"),
    *("jurisdiction", "notice_hash", "language"),
)
"""What stays as it is, whatever becomes of the end."""


class NotAsShownError(Exception):
    """The server would have something signed that is not what it shows, or what is asked for."""

    def __init__(self) -> None:
        super().__init__("What is to be signed is not what was shown. Nothing was signed.")


class _Preview(Protocol):
    """What is common to all answers that show something before it is decided."""

    @property
    def shown(self) -> Shown: ...
    @property
    def shown_bytes(self) -> bytes: ...
    @property
    def approval_challenge(self) -> ApprovalChallenge: ...


def to_grant(
    preview: PreviewConsentResponse,
    asked: ConsentRequest,
    choice: ConsentChoice,
    pieces: Mapping[str, Evidence],
    purpose: Purpose | None,
) -> ApprovalChallenge:
    """Return what may be signed to share what she chose of what is asked.

    Args:
        pieces: her evidence by its id, as it was shown to her.
        purpose: the one that is asked for, whose texts she reads.

    Raises:
        NotAsShownError: if the challenge is of anything else.
    """
    consent, shown = preview.consent, preview.shown
    start = choice.start_time if choice.HasField("start_time") else asked.start_time
    end = choice.end_time if choice.HasField("end_time") else asked.end_time
    _check(_same(consent, asked, _ASKED))
    _check(consent.one_time == (not asked.HasField("frequency")))
    earliest = max(start.ToNanoseconds(), shown.shown_time.ToNanoseconds())
    _check(consent.start_time.ToNanoseconds() == earliest)
    _check(consent.end_time == end and consent.language == choice.language)
    _check(len(consent.scope) == len(choice.items))
    revisions = {}
    for item, chosen in zip(consent.scope, choice.items, strict=True):
        piece = pieces[chosen.evidence_id]
        _check((item.evidence_id, item.mode) == (chosen.evidence_id, chosen.mode or 2))
        _check(item.evidence_type == piece.evidence_type)
        _check(sorted([*item.required, *item.optional]) == sorted(chosen.names))
        revisions[item.item] = piece.revision
    page = _terms_page(consent, shown, purpose, revisions)
    return _challenge_of("consent-granted.1", preview, page)


def to_extend(
    preview: ExtendConsentResponse, standing: Consent, end: Timestamp, purpose: Purpose | None
) -> ApprovalChallenge:
    """Return what may be signed to share the same until a later end.

    Args:
        standing: what is shared now.
        purpose: what for, with the texts that she reads.

    Raises:
        NotAsShownError: if the challenge is of anything else.
    """
    _check(_same(preview.consent, standing, _STANDING) and preview.consent.end_time == end)
    return _challenge_of("consent-extended.1", preview, _standing_page(preview, purpose))


def to_resume(
    preview: ResumeConsentResponse, standing: Consent, purpose: Purpose | None
) -> ApprovalChallenge:
    """Return what may be signed to let go on what is paused, as it stands.

    Raises:
        NotAsShownError: if the challenge is of anything else.
    """
    _check(_same(preview.consent, standing, (*_STANDING, "end_time")))
    return _challenge_of("consent-resumed.1", preview, _standing_page(preview, purpose))


def to_add_passkey(preview: AddPasskeyResponse, asked: AddPasskeyRequest) -> ApprovalChallenge:
    """Return what may be signed to add this very passkey, for the site that is shown.

    Raises:
        NotAsShownError: if the challenge is of anything else.
    """
    page = {
        "credential": _b64(asked.credential),
        "algorithm": _ALGORITHMS.get(asked.algorithm, ""),
        "public_key": _b64(asked.public_key),
        "rp_id": preview.passkey.rp_id,
        **_shown_when(preview.shown),
    }
    return _challenge_of("passkey-added.1", preview, page)


def to_create_link_code(preview: CreateLinkCodeResponse) -> ApprovalChallenge:
    """Return what may be signed to let another sign-in be linked, which then waits as is shown.

    Raises:
        NotAsShownError: if the challenge is of anything else.
    """
    page = {
        "good_seconds": preview.good_seconds,
        "wait_seconds": preview.wait_seconds,
        **_shown_when(preview.shown),
    }
    return _challenge_of("link-code-created.1", preview, page)


def _challenge_of(stored_name: str, preview: _Preview, page: Any) -> ApprovalChallenge:
    """Return the challenge of a preview if it is that of a page, for one kind of decision."""
    shown_bytes = _encode(page)
    shown_hash = hashlib.sha256(shown_bytes).digest()
    signed = _encode([FORM, stored_name, _b64(shown_hash)])
    _check(preview.shown_bytes == shown_bytes)
    _check(preview.shown.shown_hash == shown_hash)
    _check(preview.approval_challenge.challenge == hashlib.sha256(signed).digest())
    return preview.approval_challenge


def _standing_page(
    preview: ExtendConsentResponse | ResumeConsentResponse, purpose: Purpose | None
) -> list[Any]:
    # Which revision was pinned long ago is on no screen: here alone the server is believed.
    try:
        revisions = {one["item"]: one["revision"] for one in json.loads(preview.shown_bytes)[1]}
    except (ValueError, LookupError, TypeError, RecursionError):
        raise NotAsShownError from None
    return _terms_page(preview.consent, preview.shown, purpose, revisions)


def _terms_page(
    consent: Consent, shown: Shown, purpose: Purpose | None, revisions: Mapping[int, int]
) -> list[Any]:
    """Return `[terms, items]` as they are hashed: all of it from what is shown."""
    if purpose is None:
        # Without its texts she cannot know what she agrees to.
        raise NotAsShownError
    code, basis, often = purpose.purpose_code, consent.legal_basis, consent.frequency
    _check(consent.purpose == f"{code}@{purpose.version}")
    _check(consent.notice_hash == _notice_hash(purpose))
    _check(_same(consent, purpose.bounds, ("legal_basis", "storage", "jurisdiction")))
    _check(consent.decision_form == _WHO_DECIDES.get(basis.code))
    terms = {
        "consent_id": consent.consent_id,
        "recipient": {"service": consent.service_id, "organisation": consent.organisation_id},
        "purpose": {"code": code, "version": purpose.version, "iri": purpose.bounds.dpv_iri},
        "basis": {"code": _BASES.get(basis.code, ""), "statute": basis.statute},
        "method": _METHODS.get(consent.method, ""),
        "scope": [
            {
                "item": item.item,
                "evidence_type": item.evidence_type,
                "mode": _MODES.get(item.mode, ""),
                "required": list(item.required),
                "optional": list(item.optional),
            }
            for item in consent.scope
        ],
        "start": _time(consent.start_time),
        "end": _time(consent.end_time),
        "frequency": {"count": often.count, "period_seconds": often.period_seconds},
        "one_time": consent.one_time,
        "largest_age_days": consent.largest_age_days,
        "retention_days": consent.retention_days,
        "storage": consent.storage,
        "jurisdiction": consent.jurisdiction,
        "notice_hash": _b64(consent.notice_hash),
        "language": consent.language,
        **_shown_when(shown),
    }
    items = [
        {
            "item": item.item,
            "evidence_id": item.evidence_id,
            "revision": revisions.get(item.item) if item.mode == _PINNED else 0,
        }
        for item in consent.scope
    ]
    return [terms, items]


def _notice_hash(purpose: Purpose) -> bytes:
    """Return the digest of a purpose's texts, in every language, as it is recorded."""
    names = [field.name for field in purpose.texts[0].DESCRIPTOR.fields] if purpose.texts else []
    texts = [{name: getattr(one, name) for name in names} for one in purpose.texts]
    return hashlib.sha256(_encode(texts)).digest()


def _same(one: Any, other: Any, names: tuple[str, ...]) -> bool:
    return all(getattr(one, name) == getattr(other, name) for name in names)


def _check(holds: bool) -> None:
    if not holds:
        raise NotAsShownError


def _shown_when(shown: Shown) -> dict[str, str]:
    return {"shown_time": _time(shown.shown_time), "salt": _b64(shown.salt)}


def _encode(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


def _b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def _time(stamp: Timestamp) -> str:
    try:
        return stamp.ToDatetime().isoformat(timespec="microseconds") + "Z"
    except (ValueError, OverflowError):
        raise NotAsShownError from None
