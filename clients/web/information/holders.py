# SPDX-License-Identifier: Apache-2.0
"""Who received something that she gave, who may see it now, and who still has what was before."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Final, Literal

from clients.wording.published import whole_list

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from clients.web.here import Here
    from clients.web.information.piece import Piece
    from vault.api.v1.consent_pb2 import Consent, ItemScope
    from vault.api.v1.evidence_pb2 import Evidence, EvidenceHolder

Outlook = Literal["following", "pinned", "once", "paused", "less", "ended", "stopped"]

_PINNED: Final = 1


@dataclasses.dataclass(frozen=True)
class OldHolder:
    """A service that has what is no longer so.

    Attributes:
        names: the parts that have changed since it looked.
        outlook: whether it will see what is so now.
    """

    holder: EvidenceHolder
    names: tuple[str, ...]
    outlook: Outlook


def sharings_with(here: Here, evidence_id: str) -> list[Consent]:
    """Return the agreements, of all times, that name a piece of hers."""
    return [
        consent
        for consent in sharings(here).values()
        if any(item.evidence_id == evidence_id for item in consent.scope)
    ]


def sharings(here: Here) -> Mapping[str, Consent]:
    """Return all her agreements, by their ids."""
    from vault.api.v1.consent_service_pb2 import ListConsentsRequest  # noqa: PLC0415

    request = ListConsentsRequest(acting=here.acting)
    whole = whole_list(here.vault.consents.ListConsents, request, "consents")
    return {consent.consent_id: consent for consent in whole.consents}


def old_holders(here: Here, piece: Piece) -> list[OldHolder]:
    """Return who has values that have changed since, each service once."""
    latest: dict[str, EvidenceHolder] = {}
    for holder in sorted(
        piece.found.holders, key=lambda one: one.last_disclosure_time.ToNanoseconds()
    ):
        latest[holder.service_id] = holder
    changed = {
        service: (holder, changed_since(piece.evidence, holder))
        for service, holder in latest.items()
    }
    if not any(names for _, names in changed.values()):
        return []
    known = sharings(here)
    return [
        OldHolder(holder, names, outlook_of(known[holder.consent_id], piece.evidence.evidence_id))
        for holder, names in changed.values()
        if names and holder.consent_id in known
    ]


def changed_since(evidence: Evidence, holder: EvidenceHolder) -> tuple[str, ...]:
    """Return the parts of what a service looked at that have changed since, or are gone."""
    looked = holder.last_disclosure_time.ToNanoseconds()
    now = {field.name: field.update_time.ToNanoseconds() for field in evidence.fields}
    return tuple(name for name in holder.names if name not in now or now[name] > looked)


def outlook_of(sharing: Consent, evidence_id: str) -> Outlook:
    """Return whether somebody will see what is so now, by what was agreed."""
    from vault.api.v1 import consent_pb2  # noqa: PLC0415

    match sharing.state:
        case consent_pb2.CONSENT_STATE_REVOKED:
            return "stopped"
        case consent_pb2.CONSENT_STATE_ACTIVE | consent_pb2.CONSENT_STATE_PAUSED:
            item = _item_of(sharing.scope, evidence_id)
        case _:
            return "ended"
    if item is None:
        return "less"
    if item.mode == _PINNED:
        return "pinned"
    if sharing.one_time and sharing.disclosure_count:
        return "once"
    return "paused" if sharing.state == consent_pb2.CONSENT_STATE_PAUSED else "following"


def _item_of(scope: Iterable[ItemScope], evidence_id: str) -> ItemScope | None:
    return next((item for item in scope if item.evidence_id == evidence_id), None)


def organisations(here: Here, holders: Iterable[OldHolder]) -> int:
    """Return how many organisations they are."""
    ids = set()
    for one in holders:
        organisation = here.published.organisation_of(one.holder.service_id)
        ids.add(organisation.organisation_id if organisation else one.holder.service_id)
    return len(ids)
