# SPDX-License-Identifier: Apache-2.0
"""`citizen-vault import`: a citizen brings here what she took away from somewhere else.

It goes on from where it ended there. What she shared there is not shared here: the page says with
whom it was, so that she knows what she would have to share again.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from clients.cli.command import FOR_CITIZENS, command
from clients.cli.import_folder import header_of, messages
from clients.cli.progress import progress
from clients.cli.session import Session
from clients.connection import CallError
from clients.export.copy import Copy
from clients.wording.terms import state_key

if TYPE_CHECKING:
    from collections.abc import Sequence

    from clients.cli.errors import CommandError
    from vault.api.v1.vault_service_pb2 import ImportHeader, ImportVaultResponse, LeftBehind

top = typer.Typer()

IMPORT_SECONDS: Final = 600.0
_REASONS: Final = {1: "GONE", 2: "TYPE_UNKNOWN", 3: "SCHEMA_DIFFERS", 4: "ATTESTED"}
_LASTING: Final = frozenset({"ACTIVE", "PAUSED"})


@command(top, "import", for_citizens=True, panel=FOR_CITIZENS)
def bring(
    session: Session,
    folder: Annotated[str, typer.Argument(metavar="DIR", help="What `export` wrote elsewhere.")],
) -> None:
    """Bring here what you took away from somewhere else. It goes on from where it ended there."""
    path, words, output = Path(folder), session.words, session.output
    header = header_of(path, session.request_id, session.acting, words)
    copy = Copy(path, words)
    response = _sent(session, header, path, len(copy.entries))
    if output.is_json:
        output.message(response)
        return
    output.say(words("import.done", count=response.carried_count), "bold")
    output.say(words("entry", entry=response.receipt.leaf_index) + ".")
    session.published = copy.published
    _say_left(session, response.left_behind, response.left_behind_count)
    shared = [one for one in copy.sharings if state_key(one) in _LASTING]
    if shared:
        output.heading(words("import.shared"))
        for one in shared:
            who = copy.published.who(one.service_id)
            output.say(f"  {who}: {copy.published.purpose_title(one.purpose)}")
        output.say(words("import.shared.next"))


def _sent(session: Session, header: ImportHeader, path: Path, total: int) -> ImportVaultResponse:
    failed: list[CommandError] = []

    def send(begun: ImportHeader) -> Any:
        with progress(
            session.output, session.words("import.sending"), total, of_bytes=False
        ) as step:
            stream = messages(begun, path, session.words, step, failed)
            return session.connection.vaults.ImportVault(stream, timeout=IMPORT_SECONDS)

    try:
        response: ImportVaultResponse = session.opening_place(send, header)
    except CallError:
        if failed:
            raise failed[0] from None
        raise
    return response


def _say_left(session: Session, left: Sequence[LeftBehind], count: int) -> None:
    words, published = session.words, session.published
    if not left:
        return
    session.output.heading(words("import.left"))
    for one in left:
        title = published.kind(one.evidence_type).title
        number = words("version.number", number=one.revision)
        why = words(f"import.left.{_REASONS.get(one.reason, 'GONE')}")
        session.output.say(f"  {title} ({number}): {why}")
    if count > len(left):
        session.output.say("  " + words("import.left.more", count=count - len(left)))
