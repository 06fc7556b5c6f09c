# SPDX-License-Identifier: Apache-2.0
"""`citizen-vault assist`: an official helps somebody at a counter, on the phone or by letter.

The commands are the citizen's own, with her code: the same functions, the same words, which the
official reads to her. What only an official does stands here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final

import typer

from clients.cli import (
    contact,
    document,
    export,
    help_code,
    information,
    passkey,
    request,
    seen,
    share,
    sharing,
)
from clients.cli.asked import show_request
from clients.cli.assist_letter import letter as letter_of
from clients.cli.assistance import ASSISTING, OPENING
from clients.cli.command import assisted, command, noun
from clients.cli.errors import CommandError, UsageError
from clients.cli.files import new_file
from clients.cli.numbers import short
from clients.cli.output import as_json
from clients.cli.session import Session
from clients.wording.times import date_of

if TYPE_CHECKING:
    from clients.cli.assistance import Assistance
    from vault.api.v1.vault_pb2 import SignIn
    from vault.api.v1.vault_service_pb2 import OpenVaultResponse

app = noun("For officials: help somebody at a counter, on the phone or by letter.")
_requests = noun("Who is asking them, and why.")
_codes = noun("The codes that they give to whoever helps them.")

_LONGEST_SHORT_CODE: Final = 40

RequestId = Annotated[
    str,
    typer.Option(
        "--request-id",
        metavar="UUID",
        help="Repeat an earlier command safely: the id that it failed with.",
    ),
]

for _name, _hers, _group, _without in (
    ("information", information.app, noun("What is theirs."), {"start"}),
    ("document", document.app, noun("Their letters, certificates and photographs."), set()),
    ("request", request.app, _requests, {"open"}),
    ("sharing", sharing.app, noun("Who they share with."), set()),
    # Explaining is for auditors, and for herself.
    ("seen", seen.app, noun("Who saw what is theirs."), {"why"}),
    ("history", seen.history_app, noun("Everything that happened."), set()),
    ("help-code", help_code.app, _codes, {"create", "close"}),
    ("contact", contact.app, noun("How they are reached."), set()),
    ("passkey", passkey.app, noun("Their passkeys."), {"add"}),
):
    app.add_typer(assisted(_hers, _group, ASSISTING, without=_without), name=_name)
assisted(share.top, app, ASSISTING)
assisted(export.top, app, ASSISTING)


@command(app, "open", assisting=OPENING)
def open_place(
    session: Session,
    *,
    letter: Annotated[
        str,
        typer.Option(
            "--letter", metavar="FILE", help="Write the letter to a new file; needed with --json."
        ),
    ] = "",
    request_id: RequestId = "",
) -> None:
    """Make a place for somebody's information, and print the letter with their code.

    The code is shown this once. It stands in the letter and nowhere else.
    """
    from vault.api.v1.vault_service_pb2 import OpenVaultRequest  # noqa: PLC0415

    words, output, assistance = session.words, session.output, _assistance(session)
    if output.is_json and not letter:
        raise UsageError("The code does not stand in JSON.", "--letter FILE")
    session.request_id = request_id or session.request_id
    opening = OpenVaultRequest(request_id=session.request_id, acting=assistance.opening())
    call = session.connection.vaults.OpenVault
    if letter:
        # Looked at before opening: a code that cannot be written down is lost.
        with new_file(letter, words=words) as file:
            response = call(opening)
            file.write(_letter(session, response).encode())
    else:
        response = call(opening)
    if output.is_json:
        found = as_json(response)
        del found["assistance_code"]
        output.json({**found, "letter": letter})
        return
    output.say(words("assist.opened"), "bold")
    if letter:
        output.say(words("assist.letter.kept", file=letter))
        return
    output.say(words("assist.letter.below"))
    output.say()
    output.line(_letter(session, response))


@command(_requests, "open", for_citizens=True, assisting=ASSISTING)
def open_request(
    session: Session,
    told: Annotated[
        str,
        typer.Argument(
            metavar="SHORT_CODE|LINK", help="What those who ask gave them, or gave you for them."
        ),
    ],
) -> None:
    """Take in the question that somebody asks them, by its short code or its link.

    Nothing is shared.
    """
    from vault.api.v1.consent_service_pb2 import ClaimRequestRequest  # noqa: PLC0415

    is_link = "/" in told or len(told) > _LONGEST_SHORT_CODE
    if is_link:
        request.open_request(session, [told])
        return
    response = session.connection.consents.ClaimRequest(
        ClaimRequestRequest(
            request_id=session.request_id, acting=session.acting, short_code=told.strip()
        )
    )
    if session.output.is_json:
        session.output.message(response)
        return
    show_request(session, response.consent_request)


@command(_codes, "close", for_citizens=True, assisting=ASSISTING)
def close(
    session: Session,
    number: Annotated[
        str, typer.Argument(metavar="[NUMBER]", help="Which one, where they have several.")
    ] = "",
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Close it without asking again.")] = False,
) -> None:
    """Close a code of theirs: nobody can use it any more."""
    from vault.api.v1.vault_service_pb2 import GetVaultRequest, UnlinkSignInRequest  # noqa: PLC0415

    words, output = session.words, session.output
    place = session.connection.vaults.GetVault(GetVaultRequest(acting=session.acting)).vault
    chosen = _which(
        session, [one for one in place.sign_ins if not one.HasField("unlink_time")], number
    )
    if not yes and not session.agrees(words("assist.close.ask")):
        output.tell(words("assist.not.closed"))
        return
    response = session.connection.vaults.UnlinkSignIn(
        UnlinkSignInRequest(
            request_id=session.request_id, acting=session.acting, sign_in_id=chosen.sign_in_id
        )
    )
    if output.is_json:
        output.message(response)
        return
    output.say(words("assist.closed"))


def _which(session: Session, codes: list[SignIn], number: str) -> SignIn:
    words = session.words
    found = [one for one in codes if one.sign_in_id.startswith(number.lower())]
    if not found:
        raise CommandError(words("assist.no.code"))
    if len(found) > 1:
        known = [
            words(
                "assist.code.since",
                number=short(one.sign_in_id),
                date=date_of(one.link_time, words),
            )
            for one in found
        ]
        raise UsageError(f"{words('assist.which.code')} {'; '.join(known)}")
    return found[0]


def _letter(session: Session, opened: OpenVaultResponse) -> str:
    return letter_of(
        opened.assistance_code,
        _assistance(session).channel,
        opened.vault.open_time,
        session.words.language,
    )


def _assistance(session: Session) -> Assistance:
    if session.assistance is None:
        raise AssertionError  # every command here is registered with it
    return session.assistance
