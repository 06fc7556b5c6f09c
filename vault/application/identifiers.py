# SPDX-License-Identifier: Apache-2.0
"""Ids and secrets that a command creates, each from its HMAC, so that a retry makes the same.

UUIDv8 (RFC 9562 section 5.8) where a command creates an id, v4 where it is drawn at random. A
stream's id begins with 16 bits of its lane.
"""

from __future__ import annotations

import hmac
import secrets as random
from typing import TYPE_CHECKING
from uuid import UUID

from vault.domain.canonical import b64, encode
from vault.domain.errors import NotFoundError
from vault.domain.lane import FIRST_LANE, in_lane

if TYPE_CHECKING:
    from vault.sealing.keystore import Secrets

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Crockford's base 32: nothing in it is mistaken for anything else when it is read aloud."""
_READ_AS = str.maketrans("OIL", "011", " -\t")
SHORT_CODE_GROUPS = 2, 4
"""40 bits: officials alone may try one."""
ASSISTANCE_CODE_GROUPS = 4, 5
"""100 bits: it opens a vault."""


class Identifiers:
    """Makes ids under the request key, which never rotates."""

    def __init__(self, secrets: Secrets, origin: str) -> None:
        self._mac = hmac.new(secrets.request_key, digestmod="sha256")
        self.registry_stream = in_lane(self._uuid("registry", origin))
        self.audit_stream = in_lane(self._uuid("audit", origin))
        self.operations_stream = in_lane(self._uuid("operations", origin))

    def lane_stream(self, origin: str, lane: int) -> str:
        """Return the stream with which a lane begins."""
        return in_lane(self._uuid("lane", origin), lane)

    def request_key(self, caller: str, method: str, request_id: str) -> str:
        """Return the key under which a command's first event stands in its stream."""
        # A UUID is the same in capitals (RFC 9562 section 4).
        return self._uuid("request", caller, method, request_id.lower())

    def consent_id(self, consent_request_id: str) -> str:
        """Return the id of the one consent that can come of a request."""
        return self._uuid("consent", consent_request_id)

    def passkey_id(self, request_key: str) -> str:
        """Return the id of the passkey that a command adds."""
        return self._uuid("passkey", request_key)

    def consent_receipt_id(self, consent_id: str, as_of: str) -> str:
        """Return the id of the receipt of a consent as of a time."""
        return self._uuid("consent-receipt", consent_id, as_of)

    def pseudonym(self, issuer: str, sub: str) -> str:
        """Return the name by which events know an auditor or an operator."""
        return self._uuid("actor", issuer, sub)

    def handoff_token(self, consent_request_id: str) -> str:
        """Return the secret part of a hand-off link: who holds it may claim the request."""
        return f"{consent_request_id}.{self._secret('handoff', consent_request_id)}"

    def read_handoff_token(self, token: str) -> str:
        """Return the request of a hand-off link.

        Raises:
            NotFoundError: if the token is not one of ours.
        """
        consent_request_id = token.partition(".")[0]
        expected = self.handoff_token(consent_request_id)
        if not hmac.compare_digest(token.encode(), expected.encode()):
            raise NotFoundError
        return consent_request_id

    def code(self, consent_request_id: str, subject: str) -> str:
        """Return the code that goes back to the service through the browser that claimed."""
        return self._secret("code", consent_request_id, subject)

    def short_code(self, consent_request_id: str, attempt: int) -> str:
        """Return the short code of a request; another attempt gives another."""
        return self._spoken(SHORT_CODE_GROUPS, "short", consent_request_id, str(attempt))

    def assistance_code(self, request_key: str) -> str:
        """Return the code that a command makes, by which officials are let in to a vault."""
        return self._spoken(ASSISTANCE_CODE_GROUPS, "assistance", request_key)

    def link_code(self, request_key: str) -> str:
        """Return the code that a command makes, by which another sign-in is linked to a vault."""
        return self._spoken(ASSISTANCE_CODE_GROUPS, "link", request_key)

    def _spoken(self, groups: tuple[int, int], *parts: str) -> str:
        number, size = groups
        value = int.from_bytes(self._hmac(*parts), "big")
        letters = "".join(_ALPHABET[value >> 5 * place & 31] for place in range(number * size))
        return "-".join(letters[i : i + size] for i in range(0, len(letters), size))

    def _uuid(self, *parts: str) -> str:
        return _version_8(self._hmac(*parts)[:16])

    def _secret(self, *parts: str) -> str:
        return b64(self._hmac(*parts))

    def _hmac(self, *parts: str) -> bytes:
        # Copied, it lets go of the interpreter's lock nowhere, unlike `hmac.digest`.
        mac = self._mac.copy()
        mac.update(encode(parts))
        return mac.digest()


def read_spoken(code: str) -> str:
    """Return a spoken or typed code as it is looked up: capitals, nothing between them."""
    return code.upper().translate(_READ_AS)


def new_vault_id(lane: int = FIRST_LANE) -> str:
    """Draw a vault's id, at random but for its lane."""
    return in_lane(_version_8(random.token_bytes(16)), lane)


def _version_8(data: bytes) -> str:
    number = int.from_bytes(data, "big")
    number = number & ~(0xF << 76) | (8 << 76)
    number = number & ~(0x3 << 62) | (2 << 62)
    return str(UUID(int=number))
