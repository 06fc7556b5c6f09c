# SPDX-License-Identifier: Apache-2.0
"""Asking somebody: why (one of the published purposes), what, for which case, and by which way."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from clients.connection import CallError
from clients.web.failure import NotThereError
from clients.web.room import EVERYBODY, Room
from clients.web.staff.pages import HANDED
from clients.web.staff.service import STAFF, challenge_of, service_of, verifier_of, wrote
from clients.wording.published import whole_list

if TYPE_CHECKING:
    from starlette.responses import Response

    from clients.web.here import Here
    from vault.api.v1.consent_pb2 import RequestedScope
    from vault.api.v1.consent_service_pb2 import RequestConsentRequest, RequestConsentResponse
    from vault.api.v1.registry_pb2 import Purpose

room = Room(__name__)

NEEDED: Final = "needed"
MAY: Final = "may"
WAYS: Final = ("link", "code")
_LONGEST_REFERENCE: Final = 200
_CODE: Final = re.compile(r"[A-Za-z0-9._~-]{1,200}")


@room.get("/staff/ask", roles=STAFF)
def choose(here: Here) -> Response:
    """Ask why: for which of the service's purposes."""
    return here.page("staff/choose.html", purposes=purposes_of(here), subject=here.asked("of"))


@room.get("/staff/ask/{purpose_code}", roles=STAFF)
def form(here: Here) -> Response:
    """Ask what, for which case, and how it reaches her."""
    return _form(here)


@room.post("/staff/ask/{purpose_code}", roles=STAFF)
def ask(here: Here) -> Response:
    """Ask her."""
    purpose, scope = _purpose(here), _scope(here)
    errors = _wrong(here, scope)
    if errors:
        return _form(here, errors)
    try:
        made = here.vault.consents.RequestConsent(_request(here, purpose, scope))
    except CallError as error:
        if error.reason not in {"FIELD_INVALID", "PURPOSE_EXCEEDED", "LIMIT_EXCEEDED"}:
            raise
        return _form(here, {"parts": here.words.one_of("ask.refused", error.reason)})
    _hand_over(here, made)
    return here.to(f"/staff/requests/{made.consent_request.consent_request_id}")


@room.get("/code", roles=EVERYBODY)
def code(here: Here) -> Response:
    """Show somebody who answered a link the code for whoever sent it: she comes back to here."""
    found = here.asked("code")
    if not _CODE.fullmatch(found):
        raise NotThereError
    return here.page("staff/code.html", code=found)


def purposes_of(here: Here) -> list[Purpose]:
    """Return the purposes that the service may use now, as published."""
    from vault.api.v1.registry_service_pb2 import ListPurposesRequest  # noqa: PLC0415

    service_id = service_of(here)
    whole = whole_list(here.vault.registry.ListPurposes, ListPurposesRequest(), "purposes")
    return [
        purpose
        for purpose in whole.purposes
        if service_id in purpose.bounds.service_ids and not purpose.is_withdrawn
    ]


def field_id(evidence_type: str, name: str) -> str:
    """Return under which name a form has a part of a kind of information."""
    return f"part:{evidence_type}:{name}"


def _form(here: Here, errors: dict[str, str] | None = None) -> Response:
    return here.page(
        "staff/ask.html",
        errors=errors,
        purpose=_purpose(here),
        field_id=field_id,
        subject=here.form.text("subject") or here.asked("of"),
    )


def _purpose(here: Here) -> Purpose:
    code = here.path("purpose_code")
    found = next((one for one in purposes_of(here) if one.purpose_code == code), None)
    if found is None:
        raise NotThereError
    return found


def _scope(here: Here) -> list[RequestedScope]:
    """Return what was chosen, one entry for each kind of information."""
    from vault.api.v1.consent_pb2 import RequestedScope  # noqa: PLC0415

    chosen = []
    for allowed in _purpose(here).bounds.evidence:
        said = {
            name: here.form.text(field_id(allowed.evidence_type, name)) for name in allowed.names
        }
        entry = RequestedScope(
            evidence_type=allowed.evidence_type,
            required=[name for name, how in said.items() if how == NEEDED],
            optional=[name for name, how in said.items() if how == MAY],
        )
        if entry.required or entry.optional:
            chosen.append(entry)
    return chosen


def _wrong(here: Here, scope: list[RequestedScope]) -> dict[str, str]:
    """Return what is wrong with the form, by field; what the purpose allows, the vault says."""
    words, said = here.words, here.form.text
    wrong: dict[str, str] = {}
    if not scope:
        wrong["parts"] = words("ask.no.parts")
    if not 0 < len(said("case")) <= _LONGEST_REFERENCE:
        wrong["case"] = words("ask.no.case")
    if not _count(said("times")):
        wrong["times"] = words("ask.no.number")
    if not said("subject") and said("way") not in WAYS:
        wrong["way"] = words("page.needed")
    return wrong


def _request(here: Here, purpose: Purpose, scope: list[RequestedScope]) -> RequestConsentRequest:
    from vault.api.v1.consent_pb2 import Frequency  # noqa: PLC0415
    from vault.api.v1.consent_service_pb2 import RequestConsentRequest  # noqa: PLC0415

    said, bounds = here.form.text, purpose.bounds
    case, subject, times = said("case"), said("subject"), _count(said("times"))
    is_by_link = not subject and said("way") == "link"
    return RequestConsentRequest(
        request_id=here.once,
        purpose_code=purpose.purpose_code,
        scope=scope,
        frequency=None
        if times == 1
        else Frequency(count=times, period_seconds=bounds.frequency_period_seconds),
        retention_days=bounds.retention_days,
        code_challenge=challenge_of(verifier_of(here, case)) if is_by_link else "",
        return_uri=f"{here.house.settings.origin}/code" if is_by_link else "",
        subject_id=subject,
        with_short_code=not subject and said("way") == "code",
        external_reference=case,
        case_ref=case,
    )


def _hand_over(here: Here, made: RequestConsentResponse) -> None:
    """Keep how it is handed over for the page that comes next: it is told this once."""
    wrote(here, made.position_token)
    here.session.notes[HANDED] = {
        "request": made.consent_request.consent_request_id,
        "link": made.handoff_uri,
        "code": made.short_code,
    }


def _count(text: str) -> int:
    return int(text) if text.isdecimal() and len(text) <= 6 else 0
