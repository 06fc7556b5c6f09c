# SPDX-License-Identifier: Apache-2.0
"""Canonical JSON, base64url, digests and times.

Canonical: sorted keys, no white space, no floats, no nulls, integers below 2^53, printable ASCII.
Errors name the place and the rule, never the value.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Final, NoReturn

LARGEST_INTEGER: Final = 2**53 - 1
PRINTABLE_ASCII: Final = re.compile(r"[\x20-\x7e]*")
_TIME: Final = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]\.[0-9]{6}Z"
)
_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


class FormError(Exception):
    """Something is not in the form in which it is stored and hashed."""


def encode(value: object) -> str:
    """Return the canonical JSON of a value."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)


def parse(text: str | bytes) -> object:
    """Parse JSON without floats, repeated fields, or anything that is not JSON.

    Raises:
        FormError: if it is not that.
    """
    try:
        return json.loads(
            text, object_pairs_hook=_object, parse_float=_refuse, parse_constant=_refuse
        )
    except (ValueError, RecursionError):
        raise FormError("is not JSON") from None


def parse_canonical(text: str) -> object:
    """Parse canonical JSON.

    Raises:
        FormError: if encoding it again would give any other bytes.
    """
    if not PRINTABLE_ASCII.fullmatch(text):
        raise FormError("holds more than printable ASCII")
    value = parse(text)
    if encode(value) != text:
        raise FormError("is not in canonical form")
    return value


def b64(data: bytes) -> str:
    """Encode bytes as base64url without padding (RFC 4648 section 5)."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def unb64(text: str, size: int | None = None) -> bytes:
    """Decode base64url without padding, of exactly so many bytes if that is said.

    Raises:
        FormError: if it is anything else.
    """
    try:
        data = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (ValueError, binascii.Error):
        raise FormError("is not base64url") from None
    if b64(data) != text:
        raise FormError("is not base64url in the one way in which it is written")
    if size is not None and len(data) != size:
        raise FormError(f"is not the base64url of {size} bytes")
    return data


def digest(data: bytes) -> str:
    """Return the SHA-256 of bytes as base64url."""
    return b64(hashlib.sha256(data).digest())


@lru_cache(maxsize=4096)
def microseconds(time: str) -> int:
    """Return a time as microseconds since 1970: times are compared and divided exactly."""
    return (datetime.fromisoformat(time) - _EPOCH) // _MICROSECOND


def is_time(text: str) -> bool:
    """Say whether a text is a time in the stored form."""
    return _TIME.fullmatch(text) is not None and is_day(text[:10])


@lru_cache(maxsize=4096)
def is_day(text: str) -> bool:
    """Say whether a text is a day in the stored form."""
    if not _DATE.fullmatch(text):
        return False
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


def is_b64(text: str, size: int) -> bool:
    """Say whether a text is the base64url of so many bytes."""
    try:
        unb64(text, size)
    except FormError:
        return False
    return True


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise FormError("repeats a field")
    return value


def _refuse(_: str) -> NoReturn:
    raise FormError("holds a number that is no integer")
