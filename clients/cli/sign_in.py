# SPDX-License-Identifier: Apache-2.0
"""`sign-in`, `sign-out` and `whoami`: who uses this command line.

People sign in by a browser at their OpenID provider, with `--browser` or where one is set up
(`CITIZEN_VAULT_CLIENT_ID`); programs and stories at the development issuer, which believes
everybody and is only there in development. Several may be signed in at once; `--as NAME` chooses
one for a command.
"""

from __future__ import annotations

import datetime as dt
import os
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
    STAFF = "staff"
    AUDITOR = "auditor"
    SERVICE_AUDITOR = "service-auditor"
    OPERATOR = "operator"


@command(top, "sign-in")
def sign_in(
    session: Session,
    *,
    role: Annotated[
        Role | None, typer.Option("--role", help="Who you are to the development issuer.")
    ] = None,
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
            "--service",
            metavar="SERVICE_ID",
            help="A member of staff: for which service she acts. "
            "A service-auditor: whose facts it may see.",
        ),
    ] = "",
    by_browser: Annotated[
        bool, typer.Option("--browser", help="Sign in by a browser on this machine.")
    ] = False,
) -> None:
    """Sign in, under the name said with --as: by a browser, or at the development issuer."""
    name = session.sign_in_name
    if by_browser or (role is None and os.environ.get("CITIZEN_VAULT_CLIENT_ID")):
        _say(session, _by_browser(session, name))
        return
    if not name or role is None:
        raise UsageError("Say who you are.", "--as NAME --role ROLE, or --browser")
    if (role in {Role.STAFF, Role.SERVICE_AUDITOR}) != bool(service):
        raise UsageError(
            "Staff and a service-auditor name their service, and nobody else does.",
            "--role staff --service SERVICE_ID",
        )
    issuer = session.issuer
    token = development_token(issuer, role.value, sub or name, service_id=service)
    expires = int(time.time()) + DEVELOPMENT_TOKEN_SECONDS
    kept = SignIn(
        name=name,
        role=role.value,
        sub=sub or name,
        issuer=issuer,
        token=token,
        expires=expires,
        service_id=service,
    )
    session.state.keep_sign_in(kept)
    _say(session, kept)


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


def _by_browser(session: Session, name: str) -> SignIn:
    """Have somebody sign in by a browser, and remember her under a name."""
    # What verifies tokens takes longer to import than most commands take to run.
    from clients.cli import browser  # noqa: PLC0415

    tokens = browser.signed_in(session)
    role, service_id = browser.role_of(tokens.access_token)
    kept = SignIn(
        name=name or role,
        role=role,
        sub=tokens.sub,
        issuer=session.issuer,
        token=tokens.access_token,
        expires=tokens.expires_at,
        service_id=service_id,
        client_id=browser.client_id(),
    )
    session.state.keep_sign_in(kept)
    return kept


def _say(session: Session, kept: SignIn) -> None:
    if session.output.is_json:
        session.output.json({"name": kept.name, "role": kept.role, "sub": kept.sub})
        return
    session.output.say(f"Signed in as {kept.name} ({kept.role}).")
