# SPDX-License-Identifier: Apache-2.0
"""`sign-in`, `sign-out` and `whoami`: who uses this command line.

For now people sign in at the development issuer, which believes everybody and is only there in
development. Several may be signed in at once; `--as NAME` chooses one for a command.
"""

from __future__ import annotations

import datetime as dt
import time
from enum import StrEnum
from typing import Annotated, Any

import typer

from clients.cli.command import command
from clients.cli.errors import CommandError, UsageError
from clients.cli.output import as_json
from clients.cli.session import DEVELOPMENT_TOKEN_SECONDS, Session
from clients.cli.state import SignIn
from clients.connection import CallError, development_token
from clients.wording.times import moment

top = typer.Typer()


class Role(StrEnum):
    """Who somebody can be."""

    CITIZEN = "citizen"
    OFFICIAL = "official"
    SERVICE = "service"
    AUDITOR = "auditor"
    SERVICE_AUDITOR = "service-auditor"
    OPERATOR = "operator"


@command(top, "sign-in")
def sign_in(
    session: Session,
    *,
    role: Annotated[Role, typer.Option("--role", help="Who you are to the server.")],
    sub: Annotated[
        str,
        typer.Option(
            "--id",
            metavar="ID",
            help="What the issuer calls you; else the name. A service: its id.",
        ),
    ] = "",
    service: Annotated[
        str,
        typer.Option(
            "--service", metavar="SERVICE_ID", help="A service-auditor's: whose facts it may see."
        ),
    ] = "",
) -> None:
    """Sign in at the development issuer, under the name said with --as."""
    name = session.sign_in_name
    if not name:
        raise UsageError("Say who you are.", "--as NAME")
    if (role is Role.SERVICE_AUDITOR) != bool(service):
        raise UsageError(
            "A service-auditor, and nobody else, names a service.",
            "--role service-auditor --service SERVICE_ID",
        )
    issuer = session.issuer
    token = development_token(issuer, role.value, sub or name, service_id=service)
    expires = int(time.time()) + DEVELOPMENT_TOKEN_SECONDS
    session.state.keep_sign_in(
        SignIn(
            name=name,
            role=role.value,
            sub=sub or name,
            issuer=issuer,
            token=token,
            expires=expires,
            service_id=service,
        )
    )
    if session.output.is_json:
        session.output.json({"name": name, "role": role.value, "sub": sub or name})
        return
    session.output.say(f"Signed in as {name} ({role.value}).")


@command(top, "sign-out")
def sign_out(session: Session) -> None:
    """Forget whoever signed in last, or the one said with --as."""
    gone = session.state.forget_sign_in(session.sign_in_name)
    if not gone:
        raise CommandError("Nobody of that name is signed in.", "citizen-vault whoami")
    if session.output.is_json:
        session.output.json({"name": gone})
        return
    session.output.say(f"Signed out: {gone}.")


@command(top, "whoami", for_citizens=True)
def whoami(session: Session) -> None:
    """Show who is signed in, at which server, and since when a citizen has a place there."""
    from vault.api.v1.vault_service_pb2 import GetVaultRequest  # noqa: PLC0415

    words, who = session.words, session.sign_in
    expires = dt.datetime.fromtimestamp(who.expires, tz=dt.UTC)
    found: dict[str, Any] = {
        "name": who.name,
        "role": who.role,
        "sub": who.sub,
        "server": session.target,
        "expire_time": expires.isoformat().replace("+00:00", "Z"),
    }
    since = ""
    if who.role == Role.CITIZEN.value:
        try:
            request = GetVaultRequest(acting=session.acting)
            place = session.connection.vaults.GetVault(request).vault
        except CallError as error:
            if error.reason != "VAULT_NOT_OPEN":
                raise
            since = words("error.VAULT_NOT_OPEN")
        else:
            found["vault"] = as_json(place)
            since = moment(place.open_time, words)
    if session.output.is_json:
        session.output.json(found)
        return
    session.output.facts(
        [
            (words("who.name"), who.name),
            (words("who.role"), who.role),
            (words("who.known.as"), who.sub if who.sub != who.name else ""),
            (words("who.server"), str(found["server"])),
            (words("who.since"), since),
        ]
    )
