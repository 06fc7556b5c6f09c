# SPDX-License-Identifier: Apache-2.0
"""Changes on the wire: what became of a service's requests and consents."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from projections.change_feed import START, Change, ChangeKind, Cursor
from vault.api.v1 import disclosure_service_pb2 as pb
from vault.domain.lane import FIRST_LANE
from vault.server.convert.consent import difference_message
from vault.server.convert.times import timestamp

KINDS: Final[Mapping[ChangeKind, pb.ConsentChangeKind.ValueType]] = {
    "granted": pb.CONSENT_CHANGE_KIND_GRANTED,
    "refused": pb.CONSENT_CHANGE_KIND_REFUSED,
    "cancelled": pb.CONSENT_CHANGE_KIND_CANCELLED,
    "narrowed": pb.CONSENT_CHANGE_KIND_NARROWED,
    "extended": pb.CONSENT_CHANGE_KIND_EXTENDED,
    "paused": pb.CONSENT_CHANGE_KIND_PAUSED,
    "resumed": pb.CONSENT_CHANGE_KIND_RESUMED,
    "revoked": pb.CONSENT_CHANGE_KIND_REVOKED,
}


def change_message(change: Change, external_reference: str) -> pb.ConsentChange:
    """Return a change."""
    return pb.ConsentChange(
        kind=KINDS[change.kind],
        time=timestamp(change.time),
        consent_request_id=change.consent_request_id,
        consent_id=change.consent_id,
        subject_id=change.subject,
        difference=difference_message(change.difference) if change.difference else None,
        external_reference=external_reference,
    )


def cursor_name(cursor: Cursor) -> str:
    """Return a cursor as its token holds it."""
    sizes = ",".join(f"{lane}:{size}" for lane, size in cursor.sizes)
    return f"{cursor.shown}/{cursor.lane}/{cursor.position}/{sizes}"


def cursor_from(name: str) -> Cursor:
    """Return the cursor of a token that was verified to be ours; "" is the beginning."""
    if not name:
        return START
    shown, *rest = name.split("/")
    if len(rest) == 1:
        # As they were before there were other lanes.
        return Cursor(int(shown), FIRST_LANE, int(rest[0]))
    lane, position, sizes = rest
    pairs = (pair.partition(":") for pair in sizes.split(",") if pair)
    told = tuple((int(of), int(size)) for of, _, size in pairs)
    return Cursor(int(shown), int(lane), int(position), told)
