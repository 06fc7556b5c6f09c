# SPDX-License-Identifier: Apache-2.0
"""Verifies that her provider signed a decision: an ID token whose `nonce` is the challenge.

OpenID Connect Core 1.0, sections 2 and 3.1.3.7. She signs in once more after she was shown what she
decides; the provider puts the challenge into the token, so that it is good for this decision only,
and anybody who has the provider's public keys can look at it again later.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from vault.domain.errors import ApprovalInvalidError
from vault.server.issuer_keys import IssuerKeys
from vault.server.jwt import LEEWAY_SECONDS, NO_TYPE, TokenRefusedError, instant, read_jwt

_TYPES: Final = frozenset({NO_TYPE, "jwt"})
"""An access token is no ID token, whatever it says (RFC 8725 section 3.11)."""


@dataclass(frozen=True, slots=True)
class OpenIdStepUp:
    """Verifies ID tokens of one provider; see `vault.application.approvals.StepUp`."""

    keys: IssuerKeys
    client_id: str
    acr_values: tuple[str, ...] = ()
    max_age_seconds: int = 300
    now: Callable[[], float] = time.time

    async def verify(self, token: bytes, issuer: str, sub: str, challenge: str) -> None:
        """Check that her provider signed a challenge, for her, just now; see `StepUp`."""
        try:
            claims = await read_jwt(token.decode("ascii"), self.keys, _TYPES)
            is_fresh = self._is_fresh(claims)
        except (TokenRefusedError, UnicodeDecodeError):
            raise ApprovalInvalidError("It is not an ID token of the provider.") from None
        if claims.get("iss") != issuer or not self._is_for_us(claims):
            raise ApprovalInvalidError("The ID token is of another provider, or for others.")
        if claims.get("sub") != sub:
            raise ApprovalInvalidError("Somebody else approved it.")
        if claims.get("nonce") != challenge:
            raise ApprovalInvalidError("Another challenge was signed.")
        if not is_fresh:
            raise ApprovalInvalidError("It was approved too long ago: sign in once more.")
        if self.acr_values and claims.get("acr") not in self.acr_values:
            raise ApprovalInvalidError("The provider did not make sure enough who it is.")

    def _is_for_us(self, claims: dict[str, Any]) -> bool:
        audience = claims.get("aud")
        named = audience if isinstance(audience, list) else [audience]
        # A token for several names the one that asked for it.
        party = claims.get("azp", self.client_id if len(named) == 1 else "")
        return self.client_id in named and party == self.client_id

    def _is_fresh(self, claims: dict[str, Any]) -> bool:
        now = self.now()
        signed_in, issued = instant(claims.get("auth_time")), instant(claims.get("iat"))
        oldest = now - self.max_age_seconds - LEEWAY_SECONDS
        return (
            min(signed_in, issued) >= oldest
            and max(signed_in, issued) <= now + LEEWAY_SECONDS
            and instant(claims.get("exp")) + LEEWAY_SECONDS > now
        )
