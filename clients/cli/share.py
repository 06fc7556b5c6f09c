# SPDX-License-Identifier: Apache-2.0
"""`citizen-vault share`: a citizen chooses, sees what they would see, and shares it."""

from __future__ import annotations

from typing import Annotated

import typer

from clients.cli.command import FOR_CITIZENS, command
from clients.cli.deciding import Wishes, granted, offer_of
from clients.cli.request import request_id_of
from clients.cli.session import Session

top = typer.Typer()


@command(top, "share", for_citizens=True, panel=FOR_CITIZENS)
def share(
    session: Session,
    number: Annotated[
        str, typer.Argument(metavar="NUMBER", help="Whose question you answer; see request list.")
    ],
    *,
    choose: Annotated[
        list[str] | None,
        typer.Option(
            "--choose",
            metavar="KIND:PART,PART",
            help="What may be seen; repeat it for more. KIND alone is every part they ask for.",
        ),
    ] = None,
    start: Annotated[
        str,
        typer.Option("--from", metavar="YYYY-MM-DD", help="From the beginning of a later day."),
    ] = "",
    until: Annotated[
        str,
        typer.Option("--until", metavar="YYYY-MM-DD", help="Until the end of an earlier day."),
    ] = "",
    this_version: Annotated[
        bool, typer.Option("--this-version", help="Only as it is now, not what you change later.")
    ] = False,
    only_show: Annotated[
        bool, typer.Option("--only-show", help="Show what they would see, and share nothing.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Share it without asking again.")] = False,
) -> None:
    """Choose what to share, see what they would see, and share it.

    Without --choose you are asked, part by part. Nothing is chosen for you.
    """
    from vault.api.v1.consent_service_pb2 import GetRequestRequest  # noqa: PLC0415

    request = GetRequestRequest(
        acting=session.acting, consent_request_id=request_id_of(session, number)
    )
    asked = session.connection.consents.GetRequest(request).consent_request
    offer = offer_of(session, asked, Wishes(choose or (), start, until, this_version))
    if only_show and session.output.is_json:
        session.output.message(offer.preview)
    if only_show:
        return
    response = granted(session, offer, is_agreed=yes)
    if response is not None and session.output.is_json:
        session.output.message(response)
