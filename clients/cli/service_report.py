# SPDX-License-Identifier: Apache-2.0
"""`citizen-vault service report`: a service tells her how far the matter is, or how it ended."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from clients.cli.command import command
from clients.cli.service import CaseRef, RequestId, StaffRef
from clients.cli.service_permission import ConsentId, FromRequest, SubjectId, permission
from clients.cli.session import Session
from clients.wording.times import exact

top = typer.Typer()


class Status(StrEnum):
    """How far a matter is."""

    RECEIVED = "received"
    IN_PROGRESS = "in-progress"
    MORE_NEEDED = "more-needed"
    GRANTED = "granted"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"
    DONE = "done"


@command(top, "report")
def report(
    session: Session,
    status: Annotated[Status, typer.Argument(help="How far the matter is.")],
    *,
    from_request: FromRequest = "",
    consent_id: ConsentId = "",
    subject: SubjectId = "",
    case: CaseRef = "",
    staff: StaffRef = "",
    request_id: RequestId = "",
) -> None:
    """Tell her how far the matter is for which you fetch. She sees it at once."""
    from vault.api.v1 import disclosure_pb2  # noqa: PLC0415
    from vault.api.v1.disclosure_service_pb2 import ReportOutcomeRequest  # noqa: PLC0415

    session.request_id = request_id or session.request_id
    under = permission(session, from_request, consent_id, subject, purpose="any")
    name = f"REPORT_STATUS_{status.value.upper().replace('-', '_')}"
    response = session.connection.disclosures.ReportOutcome(
        ReportOutcomeRequest(
            request_id=session.request_id,
            subject_id=under.subject_id,
            authority=under.authority,
            status=disclosure_pb2.ReportStatus.Value(name),
            case_ref=case,
            staff_ref=staff,
        )
    )
    if session.output.is_json:
        session.output.message(response)
        return
    session.output.say(f"Told her: {status.value.replace('-', ' ')}.", "bold")
    session.output.facts(
        [
            ("When", exact(response.report.report_time, session.words)),
            ("Entry", str(response.receipt.leaf_index)),
        ]
    )
