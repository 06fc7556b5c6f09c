# SPDX-License-Identifier: Apache-2.0
"""What a service asked for: the list, one of them, its code, taking it back, telling her of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from clients.connection import CallError
from clients.web.failure import NotThereError
from clients.web.room import Room
from clients.web.staff.service import STAFF, position, service_of, verifier_of, wrote

if TYPE_CHECKING:
    from starlette.responses import Response

    from clients.web.here import Here
    from vault.api.v1.consent_pb2 import Consent, ConsentRequest

room = Room(__name__)

PAGE_SIZE: Final = 25
HANDED: Final = "staff.handed"
STATUSES: Final = (
    "received", "in-progress", "more-needed", "granted", "refused", "withdrawn", "done",
)  # fmt: skip
_PENDING: Final = 1
_ACTIVE: Final = 1
_UNREDEEMABLE: Final = frozenset({"NOT_FOUND", "CODE_ALREADY_REDEEMED"})


@room.get("/staff", roles=STAFF)
def asked(here: Here) -> Response:
    """List what the service asked for, newest first."""
    from vault.api.v1.consent_service_pb2 import ListRequestsRequest  # noqa: PLC0415

    only_pending = here.asked("show") != "all"
    found = here.vault.consents.ListRequests(
        ListRequestsRequest(
            page_size=PAGE_SIZE,
            page_token=here.asked("after"),
            only_pending=only_pending,
            position_token=position(here),
        )
    )
    return here.page(
        "staff/list.html",
        asked=found.consent_requests,
        older=found.next_page_token,
        only_pending=only_pending,
        service=service_of(here),
    )


@room.get("/staff/requests/{consent_request_id:uuid}", roles=STAFF)
def one(here: Here) -> Response:
    """Show one of them: how to hand it over, or what came of it."""
    return _one(here)


@room.get("/staff/requests/{consent_request_id:uuid}/code", roles=STAFF)
def code(here: Here) -> Response:
    """Show it, with the form for the code that came back."""
    return _one(here)


@room.post("/staff/requests/{consent_request_id:uuid}/code", roles=STAFF)
def redeem(here: Here) -> Response:
    """Redeem the code that came back: from then on the answer is seen."""
    from vault.api.v1.consent_service_pb2 import RedeemCodeRequest  # noqa: PLC0415

    found, typed = request_of(here), here.form.text("code")
    if not typed:
        return _one(here, errors={"code": here.words("page.needed")})
    try:
        redeemed = here.vault.consents.RedeemCode(
            RedeemCodeRequest(
                request_id=here.once,
                consent_request_id=found.consent_request_id,
                code=typed,
                code_verifier=verifier_of(here, found.external_reference),
            )
        )
    except CallError as error:
        if error.reason not in _UNREDEEMABLE:
            raise
        return _one(here, errors={"code": here.words("code.wrong")})
    wrote(here, redeemed.position_token)
    here.session.notes.pop(HANDED, None)
    return here.to(f"/staff/requests/{found.consent_request_id}")


@room.get("/staff/requests/{consent_request_id:uuid}/take-back", roles=STAFF)
def ask_to_take_back(here: Here) -> Response:
    """Ask whether it is to be taken back."""
    return here.page("staff/take_back.html", asked=request_of(here))


@room.post("/staff/requests/{consent_request_id:uuid}/take-back", roles=STAFF)
def take_back(here: Here) -> Response:
    """Take it back."""
    from vault.api.v1.consent_service_pb2 import CancelRequestRequest  # noqa: PLC0415

    request_id = here.path("consent_request_id")
    cancelled = here.vault.consents.CancelRequest(
        CancelRequestRequest(request_id=here.once, consent_request_id=request_id)
    )
    wrote(here, cancelled.position_token)
    here.tell(here.words("taken.back"))
    return here.to(f"/staff/requests/{request_id}")


@room.get("/staff/requests/{consent_request_id:uuid}/report", roles=STAFF)
def ask_to_report(here: Here) -> Response:
    """Ask how far the matter is."""
    found = request_of(here)
    return here.page("staff/report.html", asked=found, consent=consent_of(here, found))


@room.post("/staff/requests/{consent_request_id:uuid}/report", roles=STAFF)
def report(here: Here) -> Response:
    """Tell her how far it is."""
    from vault.api.v1.disclosure_pb2 import Authority, ReportStatus  # noqa: PLC0415
    from vault.api.v1.disclosure_service_pb2 import ReportOutcomeRequest  # noqa: PLC0415

    found = request_of(here)
    consent = consent_of(here, found)
    status = here.form.text("status")
    if status not in STATUSES:
        needed = {"status": here.words("page.needed")}
        return here.page("staff/report.html", errors=needed, asked=found, consent=consent)
    here.vault.disclosures.ReportOutcome(
        ReportOutcomeRequest(
            request_id=here.once,
            subject_id=found.subject_id,
            authority=Authority(consent_id=found.consent_id),
            status=ReportStatus.Value(f"REPORT_STATUS_{status.upper().replace('-', '_')}"),
            case_ref=here.form.text("case"),
        )
    )
    here.tell(here.words("report.told"))
    return here.to(f"/staff/requests/{found.consent_request_id}")


def request_of(here: Here) -> ConsentRequest:
    """Return the request that the path names."""
    from vault.api.v1.consent_service_pb2 import GetRequestRequest  # noqa: PLC0415

    asked_for = GetRequestRequest(consent_request_id=here.path("consent_request_id"))
    return here.vault.consents.GetRequest(asked_for).consent_request


def consent_of(here: Here, found: ConsentRequest) -> Consent:
    """Return what came of a request.

    Raises:
        NotThereError: if nothing did, or nothing is told of it yet.
    """
    from vault.api.v1.consent_service_pb2 import GetConsentRequest  # noqa: PLC0415

    if not found.consent_id:
        raise NotThereError
    asked_for = GetConsentRequest(consent_id=found.consent_id, subject_id=found.subject_id)
    return here.vault.consents.GetConsent(asked_for).consent


def _one(here: Here, errors: dict[str, str] | None = None) -> Response:
    found = request_of(here)
    consent = consent_of(here, found) if found.consent_id else None
    handed: dict[str, Any] = here.session.notes.get(HANDED, {})
    return here.page(
        "staff/one.html",
        errors=errors,
        asked=found,
        consent=consent,
        handed=handed if handed.get("request") == found.consent_request_id else {},
        is_pending=found.state == _PENDING,
        is_active=consent is not None and consent.state == _ACTIVE,
    )
