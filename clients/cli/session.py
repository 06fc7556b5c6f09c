# SPDX-License-Identifier: Apache-2.0
"""One run of a command: who is signed in, which server, which language, and one `request_id`.

Connections and the registry's texts are fetched when they are first asked for.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import os
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from clients.cli.assistance import Assistance
from clients.cli.errors import CommandError, ExitCode, UsageError
from clients.cli.output import Output
from clients.cli.state import SignIn, State, config_home
from clients.connection import (
    CallError,
    Connection,
    development_approval,
    development_token,
)
from clients.wording.published import Published
from clients.wording.words import LANGUAGES, Words

if TYPE_CHECKING:
    from clients.connection import CallRecord
    from vault.api.v1.vault_pb2 import Acting, Approval, ApprovalChallenge
    from vault.api.v1.vault_service_pb2 import OpenVaultResponse

TIMEOUT_SECONDS: Final = 10.0
DEVELOPMENT_TOKEN_SECONDS: Final = 3600
_REFRESH_BEFORE_SECONDS: Final = 60


@dataclasses.dataclass(frozen=True)
class Choices:
    """What may be said with every command."""

    is_json: bool = False
    language: str = ""
    sign_in: str = ""
    server: str = ""
    is_explaining: bool = False
    assistance: Assistance | None = None


class Session:
    """What a command stands on. Close it when the command has ended."""

    def __init__(self, choices: Choices) -> None:
        language = choices.language or os.environ.get("CITIZEN_VAULT_LANGUAGE") or "en"
        if language not in LANGUAGES:
            raise UsageError(
                f"There are no texts in the language {language}.", "Choose en or cy (Cymraeg)."
            )
        self.words = Words(language, is_assisted=choices.assistance is not None)
        self.output = Output(is_json=choices.is_json, no_answer=self.words("no.answer"))
        self.state = State(config_home(os.environ, Path.home()))
        self.request_id = str(uuid.uuid4())
        self._choices = choices
        self._connection: Connection | None = None

    @functools.cached_property
    def sign_in(self) -> SignIn:
        """Return who is signed in.

        Raises:
            CommandError: if nobody is.
        """
        found = self.state.sign_in(self.sign_in_name)
        if found is None:
            message, step = self.words("not.signed.in"), self.words("not.signed.in.next")
            raise CommandError(message, step, ExitCode.NOT_ALLOWED)
        return found

    @property
    def sign_in_name(self) -> str:
        """Return the name said with the command, or ""."""
        return self._choices.sign_in or os.environ.get("CITIZEN_VAULT_AS", "")

    @property
    def connection(self) -> Connection:
        """Return the connection of whoever is signed in."""
        if self._connection is None:
            _ = self.sign_in
            on_call = _explain if self._choices.is_explaining else None
            self._connection = Connection(
                self.target,
                self._token,
                timeout_seconds=TIMEOUT_SECONDS,
                on_call=on_call,
                approve=self._signed_by_issuer,
            )
        return self._connection

    @functools.cached_property
    def published(self) -> Published:
        """Return what the registry publishes, in the language."""
        return Published(self.connection, self.words)

    @property
    def target(self) -> str:
        """Return the server's address.

        Raises:
            CommandError: if none is known.
        """
        named = self._choices.server or os.environ.get("CITIZEN_VAULT_TARGET", "")
        return named or self._told_by_server("target")

    @property
    def issuer(self) -> str:
        """Return the address of the provider where people sign in: in development, its issuer.

        Raises:
            CommandError: if none is known.
        """
        return os.environ.get("CITIZEN_VAULT_ISSUER", "") or self._told_by_server("issuer")

    @property
    def http(self) -> str:
        """Return where a server on this machine speaks JSON over HTTP.

        Raises:
            CommandError: if none is known.
        """
        return self._told_by_server("http")

    @property
    def acting(self) -> Acting:
        """Return for whom and how: a citizen for herself, from a command line; an official for her.

        Raises:
            UsageError: if an official needs her code, and nobody is there to be asked for it.
        """
        from vault.api.v1.vault_pb2 import CHANNEL_CLI, Acting  # noqa: PLC0415

        if self.assistance is not None:
            return self.assistance.acting(self.output, self.words)
        return Acting(channel=CHANNEL_CLI)

    @property
    def approval(self) -> Approval | None:
        """Return what shows that a decision is hers, beyond a sign-in. Stopping needs none.

        Raises:
            UsageError: if an official decides for her by letter, and does not say by which.
        """
        return self.assistance.approval(self.words) if self.assistance is not None else None

    def approval_of(self, challenge: ApprovalChallenge) -> Approval | None:
        """Return what shows that a decision is hers: an official's record, or her issuer's word.

        Args:
            challenge: what `clients.approving` found to be of what she was shown, and no other.

        Raises:
            UsageError: as `approval` does.
            CallError: if the issuer does not sign.
        """
        if self.assistance is not None:
            return self.approval
        return self.connection.approve(challenge)

    @property
    def assistance(self) -> Assistance | None:
        """Return how an official acts for somebody; None for everybody else."""
        return self._choices.assistance

    def open_place(self) -> OpenVaultResponse:
        """Make the place for her information, or find the one that is there."""
        from vault.api.v1.vault_service_pb2 import OpenVaultRequest  # noqa: PLC0415

        request = OpenVaultRequest(request_id=str(uuid.uuid4()), acting=self.acting)
        return self.connection.vaults.OpenVault(request)

    def opening_place(self, call: Any, request: Any) -> Any:
        """Make a call, and the place for her information first where there is none."""
        try:
            return call(request)
        except CallError as error:
            # An official opens one only when asked to, and hands over its code.
            if error.reason != "VAULT_NOT_OPEN" or self.assistance is not None:
                raise
        self.open_place()
        return call(request)

    def agrees(self, question: str) -> bool:
        """Ask a question; anything but a yes is a no.

        Raises:
            UsageError: if nobody is there to be asked.
        """
        if not self.output.is_interactive:
            raise UsageError(self.words("say.yes"))
        return self.output.ask(question).lower() in self.words.yes_letters

    @property
    def has_fallen_back(self) -> bool:
        """Return whether a text was not there in the language."""
        return "published" in self.__dict__ and self.published.fell_back

    def close(self) -> None:
        """Close the connection, if there is one."""
        if self._connection is not None:
            self._connection.close()

    def _token(self) -> str:
        sign_in = self.sign_in
        if sign_in.client_id:
            # Who signed in by a browser does so again by herself: nothing longer is kept of it.
            if sign_in.expires <= time.time():
                message, step = self.words("sign.in.over"), self.words("sign.in.over.next")
                raise CommandError(message, step, ExitCode.NOT_ALLOWED)
            return sign_in.token
        try:
            issuer = self.issuer
        except CommandError:
            issuer = sign_in.issuer
        # A server that was started again has another issuer, with another key.
        is_stale = sign_in.expires - time.time() < _REFRESH_BEFORE_SECONDS
        if is_stale or issuer != sign_in.issuer:
            token = development_token(
                issuer, sign_in.role, sign_in.sub, service_id=sign_in.service_id
            )
            expires = int(time.time()) + DEVELOPMENT_TOKEN_SECONDS
            sign_in = dataclasses.replace(sign_in, issuer=issuer, token=token, expires=expires)
            self.state.keep_sign_in(sign_in, is_current=False)
            self.__dict__["sign_in"] = sign_in
        return sign_in.token

    def _signed_by_issuer(self, challenge: ApprovalChallenge) -> Approval | None:
        if self.sign_in.client_id:
            from clients.cli import browser  # noqa: PLC0415

            return browser.approval(self, self.sign_in, challenge)
        return development_approval(self.sign_in.issuer, self.sign_in.sub, challenge)

    def _told_by_server(self, name: str) -> str:
        """Return what a server on this machine wrote down when it began to accept calls."""
        folder = os.environ.get("CITIZEN_VAULT_DATA", "")
        if not folder:
            raise CommandError(
                "No server is named.",
                "Set CITIZEN_VAULT_TARGET to its host:port, or CITIZEN_VAULT_DATA to the folder of "
                "a server that runs on this machine.",
                ExitCode.UNREACHABLE,
            )
        path = Path(folder) / "server.json"
        try:
            told: Any = json.loads(path.read_bytes())[name]
        except (OSError, ValueError, KeyError, TypeError):
            raise CommandError(
                f"No server runs in {folder}.",
                f"Start it: citizen-vault-server serve --data {folder}",
                ExitCode.UNREACHABLE,
            ) from None
        return str(told)


def _explain(record: CallRecord) -> None:
    """Tell of one call on stderr: its name, its time and how it ended."""
    ended = f"{record.error.code} {record.error.reason}".strip() if record.error else "OK"
    Output(is_json=False).tell(
        f"  {record.service}.{record.method}  {record.milliseconds:.1f} ms  {ended}"
    )
