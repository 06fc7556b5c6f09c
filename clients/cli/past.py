# SPDX-License-Identifier: Apache-2.0
"""What was true of a citizen's things at a moment: a day, a time, or a place in history."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from clients.cli.errors import CommandError, ExitCode
from clients.cli.times import is_typed_time, moment_of
from clients.connection import CallError
from clients.wording.times import exact

if TYPE_CHECKING:
    from clients.cli.session import Session
    from vault.api.v1.audit_pb2 import VaultState

AsOf = Annotated[
    str,
    typer.Option(
        "--as-of",
        metavar="WHEN",
        help="As it was then: at the end of a day, at a time, or at a position token of --json.",
    ),
]


def state_as_of(session: Session, typed: str) -> VaultState | None:
    """Return what was true at a moment, and say which; None if it was printed as JSON.

    Raises:
        CommandError: if there was nothing of hers yet, or an official asks for her.
        UsageError: if a day or time cannot be meant, or has not come yet.
    """
    from vault.api.v1.audit_service_pb2 import GetVaultStateRequest  # noqa: PLC0415

    if session.assistance is not None:
        raise CommandError(session.words("as.of.hers"), exit_code=ExitCode.NOT_ALLOWED)
    request = GetVaultStateRequest(vault_id=place_of(session))
    if is_typed_time(typed):
        request.as_of_time.CopyFrom(moment_of(typed, session.words))
    else:
        request.as_of_token = typed
    try:
        response = session.connection.audits.GetVaultState(request)
    except CallError as error:
        # Her place was made later.
        if error.reason != "NOT_FOUND" or session.output.is_json:
            raise
        raise CommandError(session.words("nothing.then")) from None
    if session.output.is_json:
        session.output.message(response)
        return None
    found = response.state
    session.output.say(session.words("as.of", time=exact(found.as_of_time, session.words)))
    return found


def place_of(session: Session) -> str:
    """Return the id of the place for her information."""
    from vault.api.v1.vault_service_pb2 import GetVaultRequest  # noqa: PLC0415

    response = session.connection.vaults.GetVault(GetVaultRequest(acting=session.acting))
    return response.vault.vault_id
