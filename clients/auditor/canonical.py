# SPDX-License-Identifier: Apache-2.0
"""Canonical JSON, digests, and the strict reading of JSON values into frozen dataclasses.

Canonical: sorted keys, no white space, no floats, no nulls, integers below 2^53, printable ASCII.
A value is read field-exactly: an unknown, missing or repeated field is an error, and so is a value
of another form. Errors name the place and the rule, never the value.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import is_dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import Any, Final, Literal, NewType, NoReturn, TypeVar, cast, get_args, get_origin
from typing import get_type_hints as hints_of

T = TypeVar("T")

Time = NewType("Time", str)
"""RFC 3339, UTC, exactly six fraction digits and `Z`: compares as text."""
TimeOrNone = NewType("TimeOrNone", str)
DateOrNone = NewType("DateOrNone", str)
Hash = NewType("Hash", str)
"""SHA-256 or HMAC-SHA-256 as base64url without padding."""
HashOrNone = NewType("HashOrNone", str)
Salt = NewType("Salt", str)
"""16 bytes as base64url without padding."""
Names = NewType("Names", tuple[str, ...])
"""A set, as a list sorted by code point."""

LARGEST_INTEGER: Final = 2**53 - 1
_PRINTABLE_ASCII: Final = re.compile(r"[\x20-\x7e]*")
_TIME: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}Z")
_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


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
    if not _PRINTABLE_ASCII.fullmatch(text):
        raise FormError("holds more than printable ASCII")
    value = parse(text)
    if encode(value) != text:
        raise FormError("is not in canonical form")
    return value


def b64(data: bytes) -> str:
    """Encode bytes as base64url without padding (RFC 4648 section 5)."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def unb64(text: str, size: int) -> bytes:
    """Decode base64url without padding, of exactly so many bytes.

    Raises:
        FormError: if it is anything else.
    """
    try:
        data = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (ValueError, binascii.Error):
        raise FormError("is not base64url") from None
    if len(data) != size or b64(data) != text:
        raise FormError(f"is not the base64url of {size} bytes")
    return data


def digest(data: bytes) -> str:
    """Return the SHA-256 of bytes as base64url."""
    return b64(hashlib.sha256(data).digest())


def microseconds(time: str) -> int:
    """Return a time as microseconds since 1970: times are compared and divided exactly."""
    return (datetime.fromisoformat(time) - _EPOCH) // timedelta(microseconds=1)


def read(kind: type[T], value: object, where: str) -> T:
    """Read a parsed value as a dataclass.

    Args:
        where: what an error calls the value.

    Raises:
        FormError: if the value does not have exactly the fields and forms of the dataclass.
    """
    return cast("T", _read(kind, value, where))


def _read(kind: Any, value: object, where: str) -> object:
    if is_dataclass(kind):
        return _read_object(kind, value, where)
    if get_origin(kind) is tuple:
        if not isinstance(value, list):
            raise FormError(f"{where} is not a list")
        inner = get_args(kind)[0]
        return tuple(_read(inner, element, f"{where}[{i}]") for i, element in enumerate(value))
    if get_origin(kind) is Literal:
        if not isinstance(value, str) or value not in get_args(kind):
            raise FormError(f"{where} is none of its words")
        return value
    if kind in _FORMS:
        plain = _read(kind.__supertype__, value, where)
        if not _FORMS[kind](plain):
            raise FormError(f"{where} has the wrong form")
        return plain
    return _read_plain(kind, value, where)


def _read_plain(kind: Any, value: object, where: str) -> object:
    # `type(...) is`: a Boolean is an `int` to Python, and no integer to us.
    if type(value) is not kind:
        raise FormError(f"{where} has the wrong type")
    if isinstance(value, str) and not _PRINTABLE_ASCII.fullmatch(value):
        raise FormError(f"{where} holds more than printable ASCII")
    if type(value) is int and not 0 <= value <= LARGEST_INTEGER:
        raise FormError(f"{where} is out of range")
    return value


def _read_object(kind: Any, value: object, where: str) -> object:
    if not isinstance(value, dict):
        raise FormError(f"{where} is not an object")
    hints = _hints(kind)
    if missing := sorted(hints.keys() - value.keys()):
        raise FormError(f"{where} lacks {', '.join(missing)}")
    if unknown := sorted(value.keys() - hints.keys()):
        raise FormError(f"{where} has the unknown field {ascii(unknown[0])[:40]}")
    return kind(
        **{name: _read(hint, value[name], f"{where}.{name}") for name, hint in hints.items()}
    )


@cache
def _hints(kind: Any) -> dict[str, Any]:
    return hints_of(kind)


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise FormError("repeats a field")
    return value


def _refuse(_: str) -> NoReturn:
    raise FormError("holds a number that is no integer")


def is_time(text: str) -> bool:
    """Say whether a text is a time in the stored form."""
    return _TIME.fullmatch(text) is not None and _exists(datetime, text)


def _is_date(text: str) -> bool:
    return _DATE.fullmatch(text) is not None and _exists(date, text)


def _exists(kind: type[date], text: str) -> bool:
    try:
        kind.fromisoformat(text)
    except ValueError:
        return False
    return True


def _is_b64(text: str, size: int) -> bool:
    try:
        unb64(text, size)
    except FormError:
        return False
    return True


_FORMS: Final[dict[Any, Callable[[Any], bool]]] = {
    Time: is_time,
    TimeOrNone: lambda text: not text or is_time(text),
    DateOrNone: lambda text: not text or _is_date(text),
    Hash: lambda text: _is_b64(text, 32),
    HashOrNone: lambda text: not text or _is_b64(text, 32),
    Salt: lambda text: _is_b64(text, 16),
    Names: lambda names: list(names) == sorted(set(names)),
}
