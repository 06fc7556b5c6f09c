# SPDX-License-Identifier: Apache-2.0
"""`citizen-vault service`: a service takes back, redeems the code that comes back, and looks.

Asking is in `service_ask.py`, lists in `service_lists.py`, fetching in `service_fetch.py`,
`service_fetch_many.py` and `service_document.py`.
"""

from __future__ import annotations

import secrets
from typing import Annotated

import typer

from clients.cli.command import command, noun
from clients.cli.errors import CommandError
from clients.cli.service_views import show_consent, show_request
from clients.cli.session import Session

app = noun("For services: ask a citizen, redeem her code, fetch what she granted.")

RequestId = Annotated[
    str,
    typer.Option(
        "--request-id",
        metavar="UUID",
        help="Repeat an earlier command safely: the id that it failed with.",
    ),
]
CaseRef = Annotated[str, typer.Option("--case", metavar="REF", help="Your case.")]
StaffRef = Annotated[str, typer.Option("--staff", metavar="REF", help="Who asks, at your end.")]
Reference = Annotated[
    str, typer.Option("--reference", metavar="REF", help="Comes back on everything that follows.")
]
ConsentRequestId = Annotated[str, typer.Argument(metavar="CONSENT_REQUEST_ID")]


@command(app, "cancel")
def cancel(
    session: Session, consent_request_id: ConsentRequestId, request_id: RequestId = ""
) -> None:
    """Take a request of yours back, as long as she has not decided."""
    from vault.api.v1.consent_service_pb2 import CancelRequestRequest  # noqa: PLC0415

    session.request_id = request_id or session.request_id
    response = session.connection.consents.CancelRequest(
        CancelRequestRequest(request_id=session.request_id, consent_request_id=consent_request_id)
    )
    if session.output.is_json:
        session.output.message(response)
        return
    show_request(session, response.consent_request)


@command(app, "redeem")
def redeem(
    session: Session,
    consent_request_id: ConsentRequestId,
    code: Annotated[str, typer.Argument(metavar="CODE", help="The code that came back.")],
    *,
    state: Annotated[
        str, typer.Option("--state", help="The `state` that came back; it must be the one sent.")
    ] = "",
    request_id: RequestId = "",
) -> None:
    """Redeem the code that came back for the id of the subject."""
    from vault.api.v1.consent_service_pb2 import RedeemCodeRequest  # noqa: PLC0415

    session.request_id = request_id or session.request_id
    kept = session.state.asked(consent_request_id)
    if kept is None:
        raise CommandError(
            "The code verifier of this request is not kept here.",
            "Redeem it where it was asked: the same user and CITIZEN_VAULT_HOME.",
        )
    if state and not secrets.compare_digest(state, kept.state):
        raise CommandError(
            "The state that came back is not the one that was sent.",
            "Do not use this code: it may come from somebody else (RFC 6749 section 10.12).",
        )
    request = RedeemCodeRequest(
        request_id=session.request_id,
        consent_request_id=consent_request_id,
        code=code,
        code_verifier=kept.code_verifier,
    )
    response = session.connection.consents.RedeemCode(request)
    if session.output.is_json:
        session.output.message(response)
        return
    show_request(session, response.consent_request)


@command(app, "request")
def request(session: Session, consent_request_id: ConsentRequestId) -> None:
    """Show a request of yours: its state, and once redeemed the subject and the consent."""
    from vault.api.v1.consent_service_pb2 import GetRequestRequest  # noqa: PLC0415

    response = session.connection.consents.GetRequest(
        GetRequestRequest(consent_request_id=consent_request_id)
    )
    if session.output.is_json:
        session.output.message(response)
        return
    show_request(session, response.consent_request)


@command(app, "consent")
def consent(
    session: Session,
    consent_id: Annotated[str, typer.Argument(metavar="CONSENT_ID")],
    *,
    subject: Annotated[
        str, typer.Option("--subject", metavar="SUBJECT_ID", help="Your id of the subject.")
    ],
) -> None:
    """Show a consent that was given to you: its state, its terms, how often it was used."""
    from vault.api.v1.consent_service_pb2 import GetConsentRequest  # noqa: PLC0415

    response = session.connection.consents.GetConsent(
        GetConsentRequest(consent_id=consent_id, subject_id=subject)
    )
    if session.output.is_json:
        session.output.message(response)
        return
    show_consent(session, response.consent)
