# SPDX-License-Identifier: Apache-2.0
"""What all pages stand on: settings, the vault, sessions, templates, the provider."""

from __future__ import annotations

import contextvars
import threading
import time
import urllib.parse
from typing import TYPE_CHECKING, Final

from clients.connection import Connection
from clients.oidc.provider import Provider, SignInError
from clients.web.sessions import Sessions
from clients.web.templates import Templates

if TYPE_CHECKING:
    from clients.web.settings import Settings

TOKEN: Final[contextvars.ContextVar[str]] = contextvars.ContextVar("token", default="")
"""The access token of whoever is here: one connection serves all visits."""

TIMEOUT_SECONDS: Final = 15.0
ASK_AGAIN_SECONDS: Final = 5.0
"""How long a provider that did not answer is left alone."""


class House:
    """Everything that outlives a visit."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.sessions = Sessions(settings.data / "sessions.db")
        self.templates = Templates(settings)
        self.vault = Connection(settings.target, TOKEN.get, timeout_seconds=TIMEOUT_SECONDS)
        self._provider: Provider | None = None
        self._ask_again = 0.0
        self._lock = threading.Lock()

    @property
    def provider(self) -> Provider:
        """Return the provider where people sign in; asked who it is when first needed.

        Raises:
            SignInError: if it cannot be reached.
        """
        with self._lock:
            if self._provider is None:
                self._provider = self._discovered()
            return self._provider

    def _discovered(self) -> Provider:
        settings = self.settings
        if time.monotonic() < self._ask_again:
            # Each who waited for it would keep a thread from everybody else.
            raise SignInError("unreachable")
        try:
            return Provider.discover(
                settings.issuer,
                settings.client_id,
                key_file=settings.client_key,
                resource=settings.resource,
            )
        except SignInError:
            self._ask_again = time.monotonic() + ASK_AGAIN_SECONDS
            raise

    @property
    def sign_in_origin(self) -> str:
        """Return the origin of the pages where people sign in, as far as it is known."""
        address = urllib.parse.urlsplit(self.settings.issuer)
        known = self._provider
        return known.origin if known else f"{address.scheme}://{address.netloc}"

    def close(self) -> None:
        """Close what is open."""
        self.vault.close()
        self.sessions.close()
