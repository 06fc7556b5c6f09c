# SPDX-License-Identifier: Apache-2.0
"""`citizen-vault contact`: how she is reached, and what she is told."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Final

import typer

from clients.cli.command import command, noun
from clients.cli.session import Session
from clients.wording.times import moment

if TYPE_CHECKING:
    from clients.wording.words import Words
    from vault.api.v1.contact_pb2 import Contact
    from vault.api.v1.vault_service_pb2 import GetContactResponse

app = noun("How you are reached, and what you are told.")


class Way(StrEnum):
    """A way to reach somebody."""

    EMAIL = "email"
    TELEPHONE = "telephone"
    POST = "post"


class Told(StrEnum):
    """What somebody can be told."""

    NEW_REQUEST = "new-request"
    FIRST_USE = "first-use"
    REFUSED_ATTEMPT = "refused-attempt"
    END_NEAR = "end-near"
    NEW_SIGN_IN = "new-sign-in"


class Pace(StrEnum):
    """How soon somebody is told."""

    AT_ONCE = "at-once"
    WEEKLY = "weekly"
    SAFETY_ONLY = "safety-only"


class Language(StrEnum):
    """In which language."""

    EN = "en"
    CY = "cy"


_FIELDS: Final = {Way.EMAIL: "email", Way.TELEPHONE: "telephone", Way.POST: "postal_lines"}


@command(app, "show", for_citizens=True)
def show(session: Session) -> None:
    """Show how you are reached, and what you are told."""
    response = _kept(session)
    if session.output.is_json:
        session.output.message(response)
        return
    if not response.HasField("contact"):
        session.output.say(session.words("contact.none"))
        return
    _say(session, response.contact)
    session.output.say(_since(response, session.words))


@command(app, "set", for_citizens=True)
def set_contact(
    session: Session,
    *,
    email: Annotated[str, typer.Option("--email", metavar="ADDRESS", help="By e-mail.")] = "",
    telephone: Annotated[
        str, typer.Option("--telephone", metavar="NUMBER", help="By text message.")
    ] = "",
    post: Annotated[
        list[str] | None,
        typer.Option(
            "--post", metavar="LINE", help="By letter: once for each line, the name first."
        ),
    ] = None,
    remove: Annotated[
        list[Way] | None, typer.Option("--remove", help="Not this way any more.")
    ] = None,
    written_in: Annotated[
        Language | None, typer.Option("--in", help="The language of messages.")
    ] = None,
    pace: Annotated[
        Pace | None,
        typer.Option("--pace", help="As it happens, once a week, or only for your safety."),
    ] = None,
    discreet: Annotated[
        bool | None,
        typer.Option(
            "--discreet/--not-discreet",
            help="Messages name nobody and nothing: they say that there is something new.",
        ),
    ] = None,
    tell: Annotated[list[Told] | None, typer.Option("--tell", help="Tell of this again.")] = None,
    mute: Annotated[list[Told] | None, typer.Option("--mute", help="Do not tell of this.")] = None,
) -> None:
    """Say how you are reached, and what you are told. What you do not name stays as it is."""
    from vault.api.v1.contact_pb2 import ContactPace, NotificationKind  # noqa: PLC0415
    from vault.api.v1.vault_service_pb2 import SetContactRequest  # noqa: PLC0415

    said = _kept(session).contact
    for way in remove or ():
        said.ClearField(_FIELDS[way])  # type: ignore[arg-type]
    said.email = email or said.email
    said.telephone = telephone or said.telephone
    if post:
        said.postal_lines[:] = post
    if written_in:
        said.language = written_in
    if pace:
        said.pace = ContactPace.Value(f"CONTACT_PACE_{_constant(pace)}")
    if discreet is not None:
        said.discreet = discreet
    muted = {NotificationKind.Value(f"NOTIFICATION_KIND_{_constant(one)}") for one in mute or ()}
    heard = {NotificationKind.Value(f"NOTIFICATION_KIND_{_constant(one)}") for one in tell or ()}
    said.muted_kinds[:] = sorted((muted | set(said.muted_kinds)) - heard)
    response = session.connection.vaults.SetContact(
        SetContactRequest(request_id=session.request_id, acting=session.acting, contact=said)
    )
    if session.output.is_json:
        session.output.message(response)
        return
    session.output.say(session.words("contact.kept"), "bold")
    _say(session, response.contact)


def _kept(session: Session) -> GetContactResponse:
    from vault.api.v1.vault_service_pb2 import GetContactRequest  # noqa: PLC0415

    request = GetContactRequest(acting=session.acting)
    response: GetContactResponse = session.connection.vaults.GetContact(request)
    return response


def _say(session: Session, contact: Contact) -> None:
    from vault.api.v1.contact_pb2 import ContactPace, NotificationKind  # noqa: PLC0415

    words = session.words
    pace = ContactPace.Name(contact.pace).removeprefix("CONTACT_PACE_")
    muted = [
        words(f"contact.kind.{NotificationKind.Name(kind).removeprefix('NOTIFICATION_KIND_')}")
        for kind in contact.muted_kinds
    ]
    session.output.table(
        [words("contact.what"), words("contact.how")],
        [
            (words("contact.email"), contact.email or words("contact.no.address")),
            (words("contact.telephone"), contact.telephone or words("contact.no.address")),
            (words("contact.post"), ", ".join(contact.postal_lines) or words("contact.no.address")),
            (words("contact.language"), words(f"contact.language.{contact.language or 'en'}")),
            (words("contact.pace"), words(f"contact.pace.{pace}")),
            (words("contact.discreet"), words("explain.yes" if contact.discreet else "explain.no")),
            (words("contact.muted"), "; ".join(muted) or words("contact.muted.none")),
        ],
    )


def _since(response: GetContactResponse, words: Words) -> str:
    from vault.api.v1.vault_pb2 import CAPACITY_OFFICIAL  # noqa: PLC0415

    is_officials = response.acting.capacity == CAPACITY_OFFICIAL
    key = "contact.set.by.official" if is_officials else "contact.set"
    return words(key, time=moment(response.set_time, words))


def _constant(word: str) -> str:
    return word.upper().replace("-", "_")
