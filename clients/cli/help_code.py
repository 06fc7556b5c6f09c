# SPDX-License-Identifier: Apache-2.0
"""`citizen-vault help-code`: a code that a citizen gives to an official who helps her."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final

import typer

from clients.cli.command import command, noun
from clients.cli.numbers import short, whole_id
from clients.cli.session import Session
from clients.wording.times import moment

if TYPE_CHECKING:
    from vault.api.v1.vault_pb2 import SignIn, Vault
    from vault.api.v1.vault_service_pb2 import GetVaultResponse

app = noun("A code for an official who helps you at a counter, on the phone or by letter.")

_CODE: Final = 1
"""`SIGN_IN_MEANS_ASSISTANCE_CODE`: a sign-in is another thing, see `sign_ins.py`."""


@command(app, "create", for_citizens=True)
def create(session: Session) -> None:
    """Make a code. An official to whom you give it can help you with your information."""
    from vault.api.v1.vault_service_pb2 import CreateAssistanceCodeRequest  # noqa: PLC0415

    response = session.opening_place(
        session.connection.vaults.CreateAssistanceCode,
        CreateAssistanceCodeRequest(request_id=session.request_id, acting=session.acting),
    )
    if session.output.is_json:
        session.output.message(response)
        return
    words, output = session.words, session.output
    output.say(words("help.code", code=response.assistance_code), "bold")
    output.say(words("help.code.means"))
    newest = max(_codes(response.vault), key=lambda one: one.link_time.ToNanoseconds())
    output.say(words("to.close", id=short(newest.sign_in_id)))


@command(app, "list", for_citizens=True)
def list_codes(session: Session) -> None:
    """Show which codes there are and which are closed; never the codes themselves."""
    response = _place(session)
    if session.output.is_json:
        session.output.message(response)
        return
    words = session.words
    found = _codes(response.vault)
    if not found:
        session.output.say(words("no.help.codes"))
        return
    session.output.table(
        [words("column.number"), words("column.since"), words("column.state")],
        [
            (short(one.sign_in_id), moment(one.link_time, words), _state(session, one))
            for one in found
        ],
        unbroken=(0,),
    )


@command(app, "close", for_citizens=True)
def close(
    session: Session,
    number: Annotated[
        str, typer.Argument(metavar="NUMBER", help="As in the list; its beginning will do.")
    ],
) -> None:
    """Close a code: nobody can use it any more."""
    from vault.api.v1.vault_service_pb2 import UnlinkSignInRequest  # noqa: PLC0415

    response = session.connection.vaults.UnlinkSignIn(
        UnlinkSignInRequest(
            request_id=session.request_id,
            acting=session.acting,
            sign_in_id=whole_id(
                number,
                lambda: [one.sign_in_id for one in _codes(_place(session).vault)],
                session.words,
            ),
        )
    )
    if session.output.is_json:
        session.output.message(response)
        return
    session.output.say(session.words("help.code.closed"))


def _codes(place: Vault) -> list[SignIn]:
    return [one for one in place.sign_ins if one.means == _CODE]


def _place(session: Session) -> GetVaultResponse:
    from vault.api.v1.vault_service_pb2 import GetVaultRequest  # noqa: PLC0415

    return session.connection.vaults.GetVault(GetVaultRequest(acting=session.acting))


def _state(session: Session, one: SignIn) -> str:
    words = session.words
    if not one.HasField("unlink_time"):
        return words("help.code.open")
    return words("help.code.ended", time=moment(one.unlink_time, words))
