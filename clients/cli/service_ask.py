# SPDX-License-Identifier: Apache-2.0
"""`citizen-vault service ask`: by a link, a short code for whoever helps her, or her subject.

The secret of each link (RFC 7636) stays in a file for its owner alone, beside the sign-in.
"""

from __future__ import annotations

import dataclasses
import hashlib
import secrets
from typing import TYPE_CHECKING, Annotated

import typer

from clients.cli.command import command
from clients.cli.errors import UsageError
from clients.cli.service import CaseRef, Reference, RequestId, StaffRef
from clients.cli.service_views import show_request
from clients.cli.session import Session
from clients.cli.state import Asked
from clients.cli.times import end_of, start_of
from clients.receipts import b64
from clients.wording.times import moment

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vault.api.v1.consent_pb2 import RequestedScope
    from vault.api.v1.consent_service_pb2 import RequestConsentResponse

top = typer.Typer()


@command(top, "ask")
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
    start: Annotated[
        str, typer.Option("--start", metavar="YYYY-MM-DD", help="The first day; else at once.")
    ] = "",
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
    subject: Annotated[
        str,
        typer.Option("--subject", metavar="SUBJECT_ID", help="Whom you ask, if you know her."),
    ] = "",
    short_code: Annotated[
        bool,
        typer.Option("--short-code", help="Get a short code for whoever helps her, and no link."),
    ] = False,
    validate_only: Annotated[
        bool,
        typer.Option("--validate-only", help="Say whether it would be accepted; ask nobody."),
    ] = False,
    case: CaseRef = "",
    staff: StaffRef = "",
    reference: Reference = "",
    request_id: RequestId = "",
) -> None:
    """Ask a citizen for evidence: by a link to hand to her, a short code, or her subject.

    For a link it makes `state`, code verifier and challenge (S256) and keeps them for `redeem`.
    """
    from vault.api.v1.consent_pb2 import Frequency  # noqa: PLC0415
    from vault.api.v1.consent_service_pb2 import RequestConsentRequest  # noqa: PLC0415

    is_by_link = not (subject or short_code)
    if (subject and short_code) or (return_uri and not is_by_link):
        raise UsageError(
            "One request reaches her in one way.",
            "A link (with or without --return-uri), or --subject, or --short-code.",
        )
    session.request_id = request_id or session.request_id
    secret = _secret(session, is_returning=bool(return_uri)) if is_by_link else None
    if secret is not None and not validate_only:
        # Kept before asking: a repeat with the same request id must send the same challenge.
        session.state.keep_asked(secret)
    request = RequestConsentRequest(
        request_id=session.request_id,
        purpose_code=purpose,
        scope=scope_of(need or [], may or []),
        start_time=start_of(start) if start else None,
        end_time=end_of(until) if until else None,
        frequency=Frequency(count=times, period_seconds=every_days * 86400) if times else None,
        largest_age_days=largest_age_days,
        retention_days=keep_days,
        expire_time=end_of(answer_by) if answer_by else None,
        code_challenge=challenge_of(secret.code_verifier) if secret else "",
        return_uri=return_uri,
        state=secret.state if secret else "",
        subject_id=subject,
        with_short_code=short_code,
        validate_only=validate_only,
        external_reference=reference,
        case_ref=case,
        staff_ref=staff,
    )
    response = session.connection.consents.RequestConsent(request)
    asked = response.consent_request
    if secret is not None and not validate_only:
        session.state.keep_asked(dataclasses.replace(secret, key=asked.consent_request_id))
    if session.output.is_json:
        session.output.message(response)
        return
    show_request(session, asked)
    if validate_only:
        session.output.say("\nIt would be accepted. Nobody was asked.")
    else:
        _say_how_to_reach_her(session, response)


def _secret(session: Session, *, is_returning: bool) -> Asked:
    """Return what is kept of a request by link: that of an earlier try, or a new one."""
    return session.state.asked(session.request_id) or Asked(
        key=session.request_id,
        code_verifier=secrets.token_urlsafe(32),
        state=secrets.token_urlsafe(16) if is_returning else "",
    )


def _say_how_to_reach_her(session: Session, response: RequestConsentResponse) -> None:
    output, asked = session.output, response.consent_request
    if response.handoff_uri:
        output.say("\nHand her this link:")
        output.line(response.handoff_uri)
        output.say("When she comes back with its code:")
        output.line(f"citizen-vault service redeem {asked.consent_request_id} CODE")
        return
    if response.short_code:
        lapses = moment(asked.expire_time, session.words)
        output.say(f"\nGive this short code to her, for whoever helps her, until {lapses}:")
        output.line(response.short_code)
    else:
        output.say("\nIt is among her questions now; there is nothing to hand over.")
    output.say("To see what becomes of it:")
    output.line("citizen-vault service changes --follow")


def challenge_of(verifier: str) -> str:
    """Return BASE64URL(SHA-256(verifier)) (RFC 7636 section 4.2)."""
    digest = hashlib.sha256(verifier.encode("ascii")).digest()
    return b64(digest)


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
