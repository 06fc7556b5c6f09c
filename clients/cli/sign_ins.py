# SPDX-License-Identifier: Apache-2.0
"""`citizen-vault sign-ins`: the ways by which she comes to her information, and ending them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from clients import approving
from clients.cli.command import command, noun
from clients.cli.numbers import short, whole_id
from clients.cli.session import Session
from clients.wording.entries import WAYS
from clients.wording.times import moment

if TYPE_CHECKING:
    from vault.api.v1.vault_pb2 import SignIn, Vault

app = noun("The sign-ins that lead to your information.")


@command(app, "list", for_citizens=True)
def list_sign_ins(session: Session) -> None:
    """Show every way to your information, and which are closed."""
    from vault.api.v1.vault_service_pb2 import GetVaultRequest  # noqa: PLC0415

    response = session.connection.vaults.GetVault(GetVaultRequest(acting=session.acting))
    if session.output.is_json:
        session.output.message(response)
        return
    _say(session, response.vault)


@command(app, "code", for_citizens=True)
def code(
    session: Session,
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Make it without asking again.")] = False,
) -> None:
    """Make a code with which another sign-in of yours is let in."""
    from vault.api.v1.vault_service_pb2 import CreateLinkCodeRequest  # noqa: PLC0415

    words, output, vaults = session.words, session.output, session.connection.vaults
    request = CreateLinkCodeRequest(
        request_id=session.request_id, acting=session.acting, validate_only=True
    )
    preview = vaults.CreateLinkCode(request)
    challenge = approving.to_create_link_code(preview)
    minutes, hours = preview.good_seconds // 60, -(-preview.wait_seconds // 3600)
    output.tell(words("link.code.means", minutes=minutes, hours=hours))
    if not yes and not session.agrees(words("link.code.ask")):
        output.tell(words("nothing.changed"))
        return
    request.validate_only = False
    request.shown.CopyFrom(preview.shown)
    if approval := session.approval_of(challenge):
        request.approval.CopyFrom(approval)
    response = vaults.CreateLinkCode(request)
    if output.is_json:
        output.message(response)
        return
    output.say(words("link.code", code=response.link_code), "bold")
    output.say(words("link.code.until", time=moment(response.expire_time, words)))


@command(app, "link", for_citizens=True)
def link(
    session: Session,
    link_code: Annotated[
        str, typer.Argument(metavar="CODE", help="As the other sign-in shows it.")
    ],
) -> None:
    """Link this sign-in to the information whose owner made the code."""
    from vault.api.v1.vault_service_pb2 import LinkSignInRequest  # noqa: PLC0415

    response = session.connection.vaults.LinkSignIn(
        LinkSignInRequest(request_id=session.request_id, acting=session.acting, link_code=link_code)
    )
    if session.output.is_json:
        session.output.message(response)
        return
    session.output.say(session.words("linked"), "bold")
    _say(session, response.vault)


@command(app, "close", for_citizens=True)
def close(
    session: Session,
    number: Annotated[
        str, typer.Argument(metavar="NUMBER", help="As in the list; its beginning will do.")
    ],
) -> None:
    """Close a way to your information, at once."""
    from vault.api.v1.vault_service_pb2 import (  # noqa: PLC0415
        GetVaultRequest,
        UnlinkSignInRequest,
    )

    vaults = session.connection.vaults

    def known() -> list[str]:
        found = vaults.GetVault(GetVaultRequest(acting=session.acting))
        return [one.sign_in_id for one in found.vault.sign_ins]

    response = vaults.UnlinkSignIn(
        UnlinkSignInRequest(
            request_id=session.request_id,
            acting=session.acting,
            sign_in_id=whole_id(number, known, session.words),
        )
    )
    if session.output.is_json:
        session.output.message(response)
        return
    session.output.say(session.words("way.closed"))


@command(app, "end-all", for_citizens=True)
def end_all(session: Session) -> None:
    """Sign out everywhere, at once, here too."""
    from vault.api.v1.vault_service_pb2 import SignOutEverywhereRequest  # noqa: PLC0415

    response = session.connection.vaults.SignOutEverywhere(
        SignOutEverywhereRequest(request_id=session.request_id, acting=session.acting)
    )
    if session.output.is_json:
        session.output.message(response)
        return
    session.output.say(session.words("signed.out.everywhere"))


def _say(session: Session, place: Vault) -> None:
    words = session.words
    session.output.table(
        [
            words("column.number"),
            words("column.what"),
            words("column.since"),
            words("column.state"),
        ],
        [
            (
                short(one.sign_in_id),
                words.one_of("way", WAYS.get(one.means, "")),
                moment(one.link_time, words),
                _state(session, one, is_this=one.sign_in_id == place.sign_in_id),
            )
            for one in place.sign_ins
        ],
        unbroken=(0,),
    )
    if place.HasField("sign_out_time"):
        session.output.say(words("signed.out.at", time=moment(place.sign_out_time, words)))


def _state(session: Session, one: SignIn, *, is_this: bool) -> str:
    words = session.words
    if one.HasField("unlink_time"):
        return words("way.ended", time=moment(one.unlink_time, words))
    lines = [words("way.this" if is_this else "way.open")]
    if one.HasField("wait_end_time"):
        lines.append(words("way.waits", time=moment(one.wait_end_time, words)))
    return "\n".join(lines)
