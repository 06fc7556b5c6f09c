# SPDX-License-Identifier: Apache-2.0
"""`citizen-vault export`: a citizen takes away everything that is kept about her, with the proof.

Into a folder: files for programs, her documents, and a page to read. It needs no server any more.
"""

from __future__ import annotations

from typing import Annotated, Final

import typer

from clients.cli import export_folder
from clients.cli.command import FOR_CITIZENS, command
from clients.cli.progress import progress
from clients.cli.session import Session
from clients.export.copy import Copy
from clients.export.form import PAGE, expected
from clients.export.page import page_of

top = typer.Typer()

EXPORT_SECONDS: Final = 3600.0


@command(top, "export", for_citizens=True, panel=FOR_CITIZENS)
def export(
    session: Session,
    *,
    out: Annotated[str, typer.Option("--out", metavar="DIR", help="A new folder.")],
) -> None:
    """Take away everything that is kept about you, to keep, to read, or to go elsewhere with it."""
    from vault.api.v1.vault_service_pb2 import ExportVaultRequest  # noqa: PLC0415

    words, output = session.words, session.output
    with export_folder.new_folder(out, words) as folder:
        request = ExportVaultRequest(acting=session.acting)
        parts = iter(session.connection.vaults.ExportVault(request, timeout=EXPORT_SECONDS))
        total, parts = expected(parts)
        with progress(output, words("export.writing"), total, of_bytes=False) as step:
            written = export_folder.write(folder, parts, words, step)
        copy = Copy(folder, words)
        session.published = copy.published
        page = page_of(session, copy)
        (folder / PAGE).write_text(page, "utf-8")
    if output.is_json:
        output.json(
            {
                "folder": out,
                "entries": written.version,
                "documents": written.documents,
                "proofs": written.proven,
            }
        )
        return
    output.say(words("export.done", folder=out), "bold")
    output.facts(
        [
            (words("export.entries"), str(written.version)),
            (words("export.documents"), str(written.documents)),
            (
                words("export.proofs"),
                str(written.proven) if written.proven else words("export.no.proofs"),
            ),
        ]
    )
    output.say(words("export.read", page=f"{out}/{PAGE}"))
    output.say(words("export.private"))
