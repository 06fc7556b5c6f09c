# SPDX-License-Identifier: Apache-2.0
"""With whom she shares and shared, folded from the records of an exported folder."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any, Final

from clients.export.history import report_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from clients.export.folder import Entry
    from vault.api.v1.consent_pb2 import Consent

_CHANGING: Final = ("consent-granted", "consent-narrowed", "consent-extended")
_DECISION_FORMS: Final = {
    "consent": 1,
    "legitimate-interest": 1,
    "contract": 2,
    "public-task": 2,
    "vital-interest": 3,
    "legal-obligation": 3,
}
_MODES: Final = {"pinned": 1, "following": 2}
_METHODS: Final = {"view": 1, "store": 2}


def sharings_of(entries: Iterable[Entry], now: str) -> tuple[Consent, ...]:
    """Return them newest first, each in its state at a time."""
    found: dict[str, Consent] = {}
    for entry in entries:
        _share(found, entry)
    return tuple(_with_state(one, now) for one in reversed(found.values()))


def _share(found: dict[str, Consent], entry: Entry) -> None:
    """Take what happened to a sharing."""
    facts, kind = entry.facts, entry.kind
    if kind in _CHANGING:
        consent_id = facts["terms"]["consent_id"]
        known = found.get(consent_id)
        found[consent_id] = _agreed(facts["terms"])
        if known is not None:
            _keep(found[consent_id], known)
    sharing = found.get(facts.get("consent_id", ""))
    if sharing is None:
        return
    match kind:
        case "consent-paused":
            sharing.pause_time.FromJsonString(facts["time"])
        case "consent-resumed":
            sharing.ClearField("pause_time")
        case "consent-revoked":
            sharing.revoke_time.FromJsonString(facts["time"])
        case "evidence-disclosed" if not facts["repeats"]:
            sharing.disclosure_count += 1
            sharing.last_disclosure_time.FromJsonString(facts["time"])
        case "recipient-reported":
            sharing.last_report.CopyFrom(report_of(facts))


def _keep(sharing: Consent, known: Consent) -> None:
    sharing.disclosure_count = known.disclosure_count
    for name in ("pause_time", "revoke_time", "last_disclosure_time", "last_report"):
        if known.HasField(name):
            getattr(sharing, name).CopyFrom(getattr(known, name))


def _agreed(terms: Mapping[str, Any]) -> Consent:
    from vault.api.v1 import consent_pb2 as pb  # noqa: PLC0415
    from vault.api.v1.registry_pb2 import LegalBasis, LegalBasisCode  # noqa: PLC0415

    basis = terms["basis"]
    code = f"LEGAL_BASIS_CODE_{basis['code'].upper().replace('-', '_')}"
    sharing = pb.Consent(
        consent_id=terms["consent_id"],
        service_id=terms["recipient"]["service"],
        organisation_id=terms["recipient"]["organisation"],
        purpose=f"{terms['purpose']['code']}@{terms['purpose']['version']}",
        legal_basis=LegalBasis(code=LegalBasisCode.Value(code), statute=basis["statute"]),
        scope=[
            pb.ItemScope(
                item=one["item"],
                evidence_type=one["evidence_type"],
                mode=_MODES[one["mode"]],  # type: ignore[arg-type]
                required=one["required"],
                optional=one["optional"],
            )
            for one in terms["scope"]
        ],
        frequency=pb.Frequency(**terms["frequency"]),
        one_time=terms["one_time"],
        largest_age_days=terms["largest_age_days"],
        retention_days=terms["retention_days"],
        method=_METHODS[terms["method"]],  # type: ignore[arg-type]
        storage=terms["storage"],
        decision_form=_DECISION_FORMS[basis["code"]],  # type: ignore[arg-type]
    )
    sharing.start_time.FromJsonString(terms["start"])
    sharing.end_time.FromJsonString(terms["end"])
    return sharing


def _with_state(sharing: Consent, now: str) -> Consent:
    from vault.api.v1 import consent_pb2 as pb  # noqa: PLC0415

    end = sharing.end_time.ToDatetime(tzinfo=dt.UTC)
    if sharing.HasField("revoke_time"):
        sharing.state = pb.CONSENT_STATE_REVOKED
    elif end <= dt.datetime.fromisoformat(now):
        sharing.state = pb.CONSENT_STATE_EXPIRED
    elif sharing.HasField("pause_time"):
        sharing.state = pb.CONSENT_STATE_PAUSED
    else:
        sharing.state = pb.CONSENT_STATE_ACTIVE
    return sharing
