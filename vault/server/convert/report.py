# SPDX-License-Identifier: Apache-2.0
"""Reports on the wire: how far a matter is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from vault.api.v1 import disclosure_pb2 as pb
from vault.api.v1 import disclosure_service_pb2 as service_pb
from vault.application.commands import Particulars
from vault.domain.consent import ReportKind, ReportStatus
from vault.domain.values import Time
from vault.server.convert.times import timestamp

REPORT_STATUSES: Final[Mapping[pb.ReportStatus.ValueType, ReportStatus]] = {
    pb.REPORT_STATUS_RECEIVED: "received",
    pb.REPORT_STATUS_IN_PROGRESS: "in-progress",
    pb.REPORT_STATUS_MORE_NEEDED: "more-needed",
    pb.REPORT_STATUS_GRANTED: "granted",
    pb.REPORT_STATUS_REFUSED: "refused",
    pb.REPORT_STATUS_WITHDRAWN: "withdrawn",
    pb.REPORT_STATUS_DONE: "done",
}

_KINDS: Final[Mapping[ReportKind, pb.ReportKind.ValueType]] = {
    "progress": pb.REPORT_KIND_PROGRESS,
    "outcome": pb.REPORT_KIND_OUTCOME,
}
_STATUS_VALUES: Final = {value: key for key, value in REPORT_STATUSES.items()}


def reported_from(request: service_pb.ReportOutcomeRequest) -> Particulars:
    """Return what a service says beside its report; whoever records it adds the digest."""
    return Particulars(digest="", case_ref=request.case_ref, staff_ref=request.staff_ref)


def report_message(kind: ReportKind, status: ReportStatus, time: Time) -> pb.RecipientReport:
    """Return how far a matter is."""
    return pb.RecipientReport(
        kind=_KINDS[kind], status=_STATUS_VALUES[status], report_time=timestamp(time)
    )
