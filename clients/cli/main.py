# SPDX-License-Identifier: Apache-2.0
"""Puts `citizen-vault` together: one group of commands for each noun."""

from __future__ import annotations

import os
from typing import Final

import typer

from clients.cli import (
    assist,
    audit,
    audit_explain,
    audit_log,
    audit_report,
    bring,
    confirmation,
    consent_receipt,
    contact,
    document,
    export,
    help_code,
    information,
    operate,
    passkey,
    proof,
    registry,
    registry_definitions,
    request,
    sandbox,
    seen,
    service,
    service_ask,
    service_document,
    service_fetch,
    service_fetch_many,
    service_lists,
    service_report,
    share,
    sharing,
    sign_in,
    sign_ins,
    silence,
)
from clients.cli.command import FOR_CITIZENS

_EPILOG: Final = """\
Exit codes: 0 done; 1 refused; 2 typed in a way that cannot be carried out; \
3 not signed in, or not allowed; 4 the server cannot be reached or cannot answer now.

Environment: CITIZEN_VAULT_TARGET (host:port), or CITIZEN_VAULT_DATA (the folder of a server on \
this machine); CITIZEN_VAULT_ISSUER, CITIZEN_VAULT_AS, CITIZEN_VAULT_LANGUAGE (en, cy), \
CITIZEN_VAULT_ZONE (Europe/London), CITIZEN_VAULT_HOME; for officials CITIZEN_VAULT_CHANNEL and \
CITIZEN_VAULT_ASSISTANCE_CODE."""

app = typer.Typer(
    name="citizen-vault",
    help="Your information, given once: who may see it, who saw it, and proof of it.",
    epilog=_EPILOG,
    no_args_is_help=True,
    add_completion=False,
    # A trace would show the values of variables, and they may be somebody's.
    pretty_exceptions_enable=False,
)

_FOR_OTHERS: Final = "For services, officials, auditors and operators"

app.add_typer(information.app, name="information", rich_help_panel=FOR_CITIZENS)
app.add_typer(document.app, name="document", rich_help_panel=FOR_CITIZENS)
app.add_typer(request.app, name="request", rich_help_panel=FOR_CITIZENS)
app.add_typer(share.top)
sharing.app.add_typer(silence.hers)
app.add_typer(sharing.app, name="sharing", rich_help_panel=FOR_CITIZENS)
app.add_typer(seen.app, name="seen", rich_help_panel=FOR_CITIZENS)
app.add_typer(seen.history_app, name="history", rich_help_panel=FOR_CITIZENS)
confirmation.app.add_typer(proof.top)
confirmation.app.add_typer(consent_receipt.hers)
app.add_typer(confirmation.app, name="confirmation", rich_help_panel=FOR_CITIZENS)
app.add_typer(export.top)
app.add_typer(bring.top)
app.add_typer(help_code.app, name="help-code", rich_help_panel=FOR_CITIZENS)
app.add_typer(contact.app, name="contact", rich_help_panel=FOR_CITIZENS)
app.add_typer(passkey.app, name="passkey", rich_help_panel=FOR_CITIZENS)
app.add_typer(sign_ins.app, name="sign-ins", rich_help_panel=FOR_CITIZENS)
service.app.add_typer(service_ask.top)
service.app.add_typer(proof.top)
service.app.add_typer(consent_receipt.services)
service.app.add_typer(service_lists.top)
service.app.add_typer(service_report.top)
service.app.add_typer(service_fetch.top)
service.app.add_typer(service_fetch_many.top)
service.app.add_typer(service_document.top)
app.add_typer(service.app, name="service", rich_help_panel=_FOR_OTHERS)
app.add_typer(assist.app, name="assist", rich_help_panel=_FOR_OTHERS)
audit.app.add_typer(audit_explain.top)
audit.app.add_typer(audit_log.top)
audit.app.add_typer(audit_report.top)
audit.app.add_typer(silence.top)
audit.app.add_typer(proof.top)
app.add_typer(audit.app, name="audit", rich_help_panel=_FOR_OTHERS)
registry.app.add_typer(registry_definitions.purposes, name="purpose")
registry.app.add_typer(registry_definitions.evidence_types, name="evidence-type")
app.add_typer(registry.app, name="registry", rich_help_panel=_FOR_OTHERS)
app.add_typer(operate.app, name="operate", rich_help_panel=_FOR_OTHERS)
app.add_typer(sandbox.app, name="sandbox", rich_help_panel=_FOR_OTHERS)
app.add_typer(sign_in.top)


def main() -> None:
    """Run the command line."""
    # gRPC's own messages on stderr are for its developers; ours say what to do next.
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    app(prog_name="citizen-vault")
