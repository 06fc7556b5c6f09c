# SPDX-License-Identifier: Apache-2.0
"""A passkey device in Chromium that is none: it signs as one does (WebAuthn).

https://www.w3.org/TR/webauthn-3/#sctn-automation-virtual-authenticators, by the DevTools protocol.
"""

from __future__ import annotations

from typing import Any

from playwright.sync_api import Page


class VirtualAuthenticator:
    """A device built into the machine; its owner touches it at once, unless she does not."""

    def __init__(self, page: Page) -> None:
        self._session = page.context.new_cdp_session(page)
        self._session.send("WebAuthn.enable")
        options = {
            "protocol": "ctap2",
            "transport": "internal",
            "hasResidentKey": True,
            "hasUserVerification": True,
            "isUserVerified": True,
            "automaticPresenceSimulation": True,
        }
        added = self._session.send("WebAuthn.addVirtualAuthenticator", {"options": options})
        self._number = added["authenticatorId"]

    @property
    def credentials(self) -> list[dict[str, Any]]:
        """Return the passkeys on it."""
        named = {"authenticatorId": self._number}
        found: list[dict[str, Any]] = self._session.send("WebAuthn.getCredentials", named)[
            "credentials"
        ]
        return found

    def knows_its_owner(self, *, does: bool) -> None:
        """Recognise whoever touches it from now on, or not."""
        said = {"authenticatorId": self._number, "isUserVerified": does}
        self._session.send("WebAuthn.setUserVerified", said)
