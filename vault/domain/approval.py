# SPDX-License-Identifier: Apache-2.0
"""What she signs when she approves a decision: a challenge made of what stood on her page.

    shown_hash   SHA-256(what was shown, canonical, its salt and time within)
    challenge    SHA-256(canonical ["citizen-vault/decision/1", stored name, shown_hash])

One challenge is never good for a second decision, by the rules themselves: a request is granted
once; an extension or resumption was shown after whatever last happened to the terms or began the
pause; a passkey is added once.
"""

from __future__ import annotations

from typing import Final

from vault.domain.canonical import digest, encode

FORM: Final = "citizen-vault/decision/1"
"""Keeps what is signed for us apart from whatever else her keys and her provider sign."""


def challenge_of(stored_name: str, shown: bytes) -> str:
    """Return the challenge of a decision: 32 bytes, base64url.

    Args:
        stored_name: of the event that records the decision.
        shown: what was shown, in canonical form.
    """
    return digest(encode([FORM, stored_name, digest(shown)]))
