# SPDX-License-Identifier: Apache-2.0
"""`citizen-vault service`: a service asks, redeems the code that comes back, looks at both.

The secret of each request (RFC 7636) stays in a file for its owner alone, beside the sign-in.
Fetching is in `service_fetch.py`.
"""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import secrets
from typing import TYPE_CHECKING, Annotated

import typer

from clients.cli.command import command, noun
from clients.cli.errors import CommandError, UsageError
from clients.cli.service_views import show_consent, show_request
from clients.cli.session import Session
from clients.cli.state import Asked
from clients.cli.times import end_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vault.api.v1.consent_pb2 import RequestedScope

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


@command(app, "ask")
def ask(
    session: Session,
    purpose: Annotated[str, typer.Argument(metavar="PURPOSE", help="The code of a purpose.")],
    *,
    need: Annotated[
        list[str] | None,
        typer.Option(
            "--need",
            metavar="TYPE:FIELD,FIELD",
            help="Fields without which you cannot go on; repeat it for more types.",
        ),
    ] = None,
    may: Annotated[
        list[str] | None,
        typer.Option("--may", metavar="TYPE:FIELD,FIELD", help="Fields that she may leave out."),
    ] = None,
    until: Annotated[
        str,
        typer.Option("--until", metavar="YYYY-MM-DD", help="The last day; else 90 days, or less."),
    ] = "",
    times: Annotated[
        int, typer.Option("--times", min=0, help="How often in each period; 0 is once in all.")
    ] = 0,
    every_days: Annotated[
        int, typer.Option("--every-days", min=1, max=366, help="The length of that period.")
    ] = 30,
    keep_days: Annotated[
        int, typer.Option("--keep-days", min=0, help="How long you keep it; 0 for viewing only.")
    ] = 0,
    largest_age_days: Annotated[
        int, typer.Option("--largest-age-days", min=0, help="How old it may be; 0 is any age.")
    ] = 0,
    answer_by: Annotated[
        str, typer.Option("--answer-by", metavar="YYYY-MM-DD", help="Else 30 days from now.")
    ] = "",
    return_uri: Annotated[
        str, typer.Option("--return-uri", metavar="URI", help="Where her browser goes back to.")
    ] = "",
    case: CaseRef = "",
    staff: StaffRef = "",
    reference: Reference = "",
    request_id: RequestId = "",
) -> None:
    """Ask a citizen for evidence, and print the link to hand to her.

    Makes `state`, code verifier and challenge (S256) and keeps them for `redeem`.
    """
    from vault.api.v1.consent_pb2 import Frequency  # noqa: PLC0415
    from vault.api.v1.consent_service_pb2 import RequestConsentRequest  # noqa: PLC0415

    session.request_id = request_id or session.request_id
    secret = session.state.asked(session.request_id) or Asked(
        key=session.request_id,
        code_verifier=secrets.token_urlsafe(32),
        state=secrets.token_urlsafe(16) if return_uri else "",
    )
    # Kept before asking: a repeat with the same request id must send the same challenge.
    session.state.keep_asked(secret)
    request = RequestConsentRequest(
        request_id=session.request_id,
        purpose_code=purpose,
        scope=scope_of(need or [], may or []),
        end_time=end_of(until) if until else None,
        frequency=Frequency(count=times, period_seconds=every_days * 86400) if times else None,
        largest_age_days=largest_age_days,
        retention_days=keep_days,
        expire_time=end_of(answer_by) if answer_by else None,
        code_challenge=challenge_of(secret.code_verifier),
        return_uri=return_uri,
        state=secret.state,
        external_reference=reference,
        case_ref=case,
        staff_ref=staff,
    )
    response = session.connection.consents.RequestConsent(request)
    asked = response.consent_request
    session.state.keep_asked(dataclasses.replace(secret, key=asked.consent_request_id))
    if session.output.is_json:
        session.output.message(response)
        return
    show_request(session, asked)
    session.output.say("\nHand her this link:")
    session.output.line(response.handoff_uri)
    session.output.say("When she comes back with its code:")
    session.output.line(f"citizen-vault service redeem {asked.consent_request_id} CODE")


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


def challenge_of(verifier: str) -> str:
    """Return BASE64URL(SHA-256(verifier)) (RFC 7636 section 4.2)."""
    digest = hashlib.sha256(verifier.encode("ascii")).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode("ascii")


def scope_of(need: Sequence[str], may: Sequence[str]) -> list[RequestedScope]:
    """Return what `--need` and `--may` name, one entry for each type.

    Raises:
        UsageError: if nothing is named, or something is not TYPE:FIELD,FIELD.
    """
    from vault.api.v1.consent_pb2 import RequestedScope  # noqa: PLC0415

    by_type: dict[str, RequestedScope] = {}
    for typed, is_needed in [*((text, True) for text in need), *((text, False) for text in may)]:
        evidence_type, names = type_and_names(typed)
        entry = by_type.setdefault(evidence_type, RequestedScope(evidence_type=evidence_type))
        (entry.required if is_needed else entry.optional).extend(names)
    if not by_type:
        raise UsageError("Nothing is asked for.", "--need TYPE:FIELD,FIELD or --may TYPE:FIELD")
    return list(by_type.values())


def type_and_names(typed: str) -> tuple[str, list[str]]:
    """Return what TYPE:FIELD,FIELD names.

    Raises:
        UsageError: if it is something else.
    """
    evidence_type, colon, names = typed.partition(":")
    found = [name.strip() for name in names.split(",") if name.strip()]
    if not evidence_type or not colon or not found:
        raise UsageError(
            f"{typed} is not TYPE:FIELD,FIELD.", "postal_address:streetName,postalCode"
        )
    return evidence_type, found
