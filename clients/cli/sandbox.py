# SPDX-License-Identifier: Apache-2.0
"""`sandbox`: what it takes to try a development server by hand, with curl or another client.

Plain text on stdout, so that a shell can keep it: `TOKEN=$(citizen-vault sandbox credential ...)`.
"""

from __future__ import annotations

import urllib.parse
from typing import Annotated

import typer

from clients.cli.command import command, noun
from clients.cli.errors import CommandError, UsageError
from clients.cli.session import Session
from clients.cli.sign_in import Role
from clients.connection import development_token, is_loopback

app = noun("What it takes to try a development server by hand: where it is, and access tokens.")


@command(app, "address")
def address(session: Session) -> None:
    """Print where the server speaks JSON over HTTP."""
    if session.output.is_json:
        session.output.json({"http": session.http})
        return
    session.output.line(session.http)


@command(app, "credential")
def credential(
    session: Session,
    *,
    role: Annotated[Role, typer.Option("--role", help="Who you are to the server.")],
) -> None:
    """Print an access token, good for an hour, of whoever is said with --as. A service: its id."""
    sub = session.sign_in_name
    if not sub:
        raise UsageError("Say for whom.", "--as ID")
    issuer = session.issuer
    # Who signs in is nothing to tell an issuer of the real world.
    if not is_loopback(urllib.parse.urlsplit(issuer).hostname or ""):
        raise CommandError(
            "This is no development server: it signs in nobody by itself.",
            "Get a token from its issuer, or start a development server: make run",
        )
    token = development_token(issuer, role.value, sub)
    if session.output.is_json:
        session.output.json(
            {"access_token": token, "token_type": "Bearer", "role": role.value, "sub": sub}
        )
        return
    session.output.line(token)
