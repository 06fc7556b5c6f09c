# SPDX-License-Identifier: Apache-2.0
"""Canonical JSON, digests and base64url: the one form in which anything is hashed.

Sorted keys, no white space, no floats, no nulls, integers below 2^53. Link and facts hold printable
ASCII only; bundles and evidence values may hold any UTF-8. What is stored is never serialised again
to be hashed: readers hash the bytes, decode them, and refuse bytes that would encode differently.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
from typing import Any, Final

import msgspec

_ENCODER: Final = msgspec.json.Encoder(order="sorted")
# In a string a control character is an escape; only \" and \\ are escapes of printable characters.
_PRINTABLE_ASCII: Final = re.compile(rb'[ -\[\]-~]*(?:\\["\\][ -\[\]-~]*)*')
_URL_SAFE: Final = bytes.maketrans(b"+/", b"-_")
LARGEST_INTEGER: Final = 2**53 - 1


def encode(value: Any) -> bytes:
    """Encode structs, lists, objects, strings, integers and booleans as canonical JSON."""
    return _ENCODER.encode(value)


def strict_json(data: bytes) -> Any:
    """Parse JSON of others so that what is read can be stored and sent as it is.

    Raises:
        ValueError, RecursionError: if it is no JSON in UTF-8; if it names something twice, for
            which JSON has no rule; or if it holds halves of characters or boundless numbers.
    """
    # Left to itself the library would take UTF-16 as well.
    value = json.loads(data.decode(), object_pairs_hook=_without_repetition)
    json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
    return value


def _without_repetition(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        msg = "a name comes twice"
        raise ValueError(msg)
    return found


def is_printable_ascii(data: bytes) -> bool:
    """Say whether canonical JSON and its strings are printable ASCII, as link and facts must be."""
    if b"\\" not in data:
        # No escape to look into, as nearly always.
        return data.isascii() and data.decode("ascii").isprintable()
    return _PRINTABLE_ASCII.fullmatch(data) is not None


def b64(data: bytes) -> str:
    """Encode bytes as base64url without padding (RFC 4648 section 5)."""
    return binascii.b2a_base64(data, newline=False).translate(_URL_SAFE, b"=").decode("ascii")


def unb64(text: str) -> bytes:
    """Decode base64url without padding.

    Raises:
        ValueError: if the text is not exactly what `b64` would have written.
    """
    data = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    if b64(data) != text:
        msg = "not canonical base64url"
        raise ValueError(msg)
    return data


def digest(data: bytes) -> str:
    """Return the SHA-256 of bytes as base64url, 43 characters."""
    return b64(hashlib.sha256(data).digest())
