# SPDX-License-Identifier: Apache-2.0
"""`citizen-vault audit report`: what the auditor's program found, as a page for people.

One HTML file that holds everything: no script, nothing from elsewhere, so that it can be filed,
printed, and opened anywhere. It needs no server.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from clients.cli.command import command
from clients.cli.errors import CommandError, UsageError
from clients.cli.files import must_be_new
from clients.cli.receipt import write_new
from clients.cli.session import Session

top = typer.Typer()


@command(top, "report")
def report(
    session: Session,
    *,
    json_report: Annotated[
        str,
        typer.Option(
            "--json-report",
            metavar="FILE",
            help="What citizen-vault-auditor printed with --json.",
        ),
    ],
    out: Annotated[str, typer.Option("--out", metavar="FILE", help="A new HTML file.")],
    services: Annotated[
        str,
        typer.Option(
            "--services",
            metavar="FILE",
            help="What registry service list --json printed: services stand under their names.",
        ),
    ] = "",
) -> None:
    """Make a page for people of what the auditor's program found."""
    from clients.report.answers import Answers, ReportError  # noqa: PLC0415
    from clients.report.page import page  # noqa: PLC0415

    must_be_new(out)
    try:
        data = Path(json_report).read_bytes()
        names = Path(services).read_bytes() if services else b""
    except OSError as error:
        raise UsageError(f"{error.filename} cannot be read: {error.strerror}.") from None
    try:
        answers = Answers.read(data, names)
    except ReportError as error:
        raise CommandError(str(error), "citizen-vault-auditor ... --json > report.json") from None
    write_new(out, page(answers).encode())
    if session.output.is_json:
        session.output.json({"file": out, "verdict": answers.text("verdict")})
        return
    session.output.facts([("Written", out), ("Verdict", answers.text("verdict"))])
