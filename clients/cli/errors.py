# SPDX-License-Identifier: Apache-2.0
"""How a command fails: its exit code, what happened, and what to do next.

Citizens read about it in their own words (`words.py`); everybody else reads the server's message
and a next step from the table here.
"""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING, Final

from clients.connection import CallError

if TYPE_CHECKING:
    from clients.wording.words import Words


class ExitCode(IntEnum):
    """What a program learns from a command that ended."""

    OK = 0
    REFUSED = 1
    USAGE = 2
    NOT_ALLOWED = 3
    UNREACHABLE = 4
    NOT_AS_SHOWN = 5


class CommandError(Exception):
    """A command that cannot go on.

    Args:
        message: what happened.
        next_step: what to do next, or "".
    """

    def __init__(
        self, message: str, next_step: str = "", exit_code: ExitCode = ExitCode.REFUSED
    ) -> None:
        super().__init__(message)
        self.message = message
        self.next_step = next_step
        self.exit_code = exit_code


class UsageError(CommandError):
    """The command was typed in a way that cannot be carried out."""

    def __init__(self, message: str, next_step: str = "") -> None:
        super().__init__(message, next_step, ExitCode.USAGE)


_EXIT_CODES: Final = {
    "UNAVAILABLE": ExitCode.UNREACHABLE,
    "DEADLINE_EXCEEDED": ExitCode.UNREACHABLE,
    "UNAUTHENTICATED": ExitCode.NOT_ALLOWED,
    "PERMISSION_DENIED": ExitCode.NOT_ALLOWED,
}

_SIGN_IN: Final = "Sign in again: citizen-vault sign-in --as NAME --role ROLE"
_WHO: Final = "See who is signed in: citizen-vault whoami. Choose with --as NAME."
_TRY_AGAIN: Final = "Try the same command again in a moment."

_NEXT_STEPS: Final = {
    "CREDENTIAL_MISSING": _SIGN_IN,
    "CREDENTIAL_INVALID": _SIGN_IN,
    "CREDENTIAL_EXPIRED": _SIGN_IN,
    "ROLE_NOT_ALLOWED": _WHO,
    "NOT_FOUND": "Check the ids, and who is signed in: citizen-vault whoami",
    "FIELD_UNKNOWN": "See what is published: citizen-vault registry evidence-type list",
    "PURPOSE_EXCEEDED": "See what the purpose allows: citizen-vault registry purpose show CODE",
    "PURPOSE_NOT_ALLOWED": "See what is published: citizen-vault registry purpose list",
    "SERVICE_SUSPENDED": "Ask the operator of this vault.",
    "REQUEST_ALREADY_CLAIMED": "Ask again, for a new link: citizen-vault service ask",
    "REQUEST_EXPIRED": "Ask again, for a new link: citizen-vault service ask",
    "REQUEST_ALREADY_DECIDED": "See what became of it: citizen-vault service request REQUEST_ID",
    "REQUEST_CANCELLED": "You took it back. Ask again only if you must: citizen-vault service ask",
    "CAPACITY_NOT_ALLOWED": "She has to do it herself, with her own sign-in.",
    "CODE_ALREADY_REDEEMED": "See the request: citizen-vault service request REQUEST_ID",
    "APPROVAL_REQUIRED": "She has to show that it is hers: sign what PreviewConsent returns.",
    "APPROVAL_INVALID": "Have her sign what is shown now.",
    "CONSENT_REVOKED": "She stopped it. Ask again only if you must: citizen-vault service ask",
    "CONSENT_EXPIRED": "Ask again: citizen-vault service ask",
    "CONSENT_NOT_REVOKED": "There is nothing to prove: see when it stops.",
    "CONSENT_PAUSED": "It may go on. Wait for it: citizen-vault service changes --follow",
    "CONSENT_NOT_STARTED": "See when it starts: citizen-vault service consent CONSENT_ID",
    "PURPOSE_DIFFERS": "See its purpose: citizen-vault service consent CONSENT_ID",
    "FIELD_NOT_GRANTED": "See what it covers: citizen-vault service consent CONSENT_ID",
    "FREQUENCY_EXHAUSTED": "See how often it may be used: citizen-vault service consent CONSENT_ID",
    "EVIDENCE_TOO_OLD": "Ask her for something newer: citizen-vault service ask",
    "EVIDENCE_CHANGED": "Fetch it as something new: run the command without --request-id.",
    "TOKEN_INVALID": "Give a token or cursor of this server as it was printed, or none.",
    "REQUEST_ID_REUSED": "Run the command without --request-id.",
    "REGISTRY_CONFLICT": "See what is published: citizen-vault registry",
    "CONCURRENT_CHANGE": _TRY_AGAIN,
    "LIMIT_EXCEEDED": _TRY_AGAIN,
    "RELEASE_TOO_LATE": _TRY_AGAIN,
    "STORE_UNAVAILABLE": _TRY_AGAIN,
    "CLOCK_UNSURE": _TRY_AGAIN,
    "DEADLINE_PASSED": _TRY_AGAIN,
    "VAULT_FROZEN": "Tell the operator at once; then try again with the same --request-id.",
    "HISTORY_BROKEN": "Tell the operator at once; keep the call id.",
    "INTERNAL": "Tell the operator; keep the call id.",
}

_NEXT_STEPS_BY_CODE: Final = {
    "UNAVAILABLE": "Is it running? Name it: CITIZEN_VAULT_TARGET, CITIZEN_VAULT_DATA or --server.",
    "DEADLINE_EXCEEDED": _TRY_AGAIN,
    "UNAUTHENTICATED": _SIGN_IN,
    "PERMISSION_DENIED": _WHO,
    "UNIMPLEMENTED": "Use a command line of the same version as the server.",
}


def exit_code_of(error: CallError) -> ExitCode:
    """Return the exit code of a failed call."""
    return _EXIT_CODES.get(error.code, ExitCode.REFUSED)


def told_to_citizen(error: CommandError | CallError, words: Words) -> list[str]:
    """Return the lines that tell a citizen what happened and what to do next, in her words."""
    if isinstance(error, CommandError):
        lines, step = [error.message], words.commands(error.next_step)
    else:
        family = error.reason if words.maybe(f"error.{error.reason}") else error.code
        lines = [words.one_of("error", family)]
        step = words.maybe(f"step.{family}") or (
            words("not.signed.in.next") if family == "UNAUTHENTICATED" else ""
        )
    if step:
        lines.append(words("next", step=step))
    if isinstance(error, CallError) and error.call_id:
        lines.append(words("code", id=error.call_id))
    return lines


def next_step_of(error: CallError) -> str:
    """Return what a service, auditor or operator does next."""
    return next_step_for(error.reason) or _NEXT_STEPS_BY_CODE.get(error.code, "")


def next_step_for(reason: str) -> str:
    """Return what they do next about a reason, or "" if that says it all."""
    return _NEXT_STEPS.get(reason, "")
