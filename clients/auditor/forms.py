# SPDX-License-Identifier: Apache-2.0
"""The strict reading of stored JSON into frozen dataclasses: field-exactly, and form by form.

`read` is the definition: an unknown, missing or repeated field is an error, and so is a value of
another form. It is slow. A dataclass has one canonical text for each of its values, so a `Reader`
matches that text with one regular expression instead of parsing, sorting and writing it again. What
a pattern matches is canonical and in form; what it does not match is left to `read`: it says why.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import is_dataclass
from functools import cache, lru_cache, partial
from typing import Any, Final, Generic, Literal, NewType, TypeVar, cast, get_args, get_origin
from typing import get_type_hints as hints_of

from clients.auditor.canonical import (
    LARGEST_INTEGER,
    PRINTABLE_ASCII,
    FormError,
    is_b64,
    is_day,
    is_time,
    parse_canonical,
)

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

_FORMS: Final[dict[Any, Callable[[Any], bool]]] = {
    Time: is_time,
    TimeOrNone: lambda text: not text or is_time(text),
    DateOrNone: lambda text: not text or is_day(text),
    Hash: lambda text: is_b64(text, 32),
    HashOrNone: lambda text: not text or is_b64(text, 32),
    Salt: lambda text: is_b64(text, 16),
    Names: lambda names: list(names) == sorted(set(names)),
}


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
    if isinstance(value, str) and not PRINTABLE_ASCII.fullmatch(value):
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


# --- The fast way ------------------------------------------------------------------------------

_DAY: Final = "[0-9]{4}-[0-9]{2}-[0-9]{2}"
_MOMENT: Final = rf"{_DAY}T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]\.[0-9]{{6}}Z"
# The last letter of base64url without padding holds the bits that are left, then zeros.
_32_BYTES: Final = "[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]"
_16_BYTES: Final = "[A-Za-z0-9_-]{21}[AQgw]"


def _day_exists(text: str) -> str:
    if text and not is_day(text[:10]):
        raise FormError("is no day")
    return text


_PLAIN: Final[dict[Any, tuple[str, Callable[[str], Any] | None]]] = {
    str: (r'"([ !#-\[\]-z|~]*)"', None),
    int: ("(0|[1-9][0-9]{0,14})", int),
    bool: ("(true|false)", "true".__eq__),
    Time: (f'"({_MOMENT})"', _day_exists),
    TimeOrNone: (f'"((?:{_MOMENT})?)"', _day_exists),
    DateOrNone: (f'"((?:{_DAY})?)"', _day_exists),
    Hash: (f'"({_32_BYTES})"', None),
    HashOrNone: (f'"((?:{_32_BYTES})?)"', None),
    Salt: (f'"({_16_BYTES})"', None),
}
"""The canonical text of a plain value, its group, and what makes the value of that; None: nothing.

A pattern may match less than its form allows (no escapes or braces in strings, since braces say
where an object ends; no very large integers), and never more.
"""


class Reader(Generic[T]):
    """Reads the canonical text of one dataclass."""

    def __init__(self, kind: type[T]) -> None:
        hints = _hints(cast("Any", kind))
        self._kind = kind
        names = sorted(hints)
        parts = [_part(hints[name]) for name in names]
        fields = ",".join(f'"{name}":{part[0]}' for name, part in zip(names, parts, strict=True))
        self.pattern = rf"\{{{fields}\}}"
        self._match = re.compile(self.pattern).fullmatch
        setters = [getattr(kind, name).__set__ for name in names]
        self._fields = [(setter, part[1]) for setter, part in zip(setters, parts, strict=True)]

    def read(self, text: str) -> T:
        """Return the value whose canonical text this is.

        Raises:
            FormError: if it is none, or one that only `read` can judge.
        """
        found = self._match(text)
        if found is None:
            raise FormError("is not matched")
        # As a frozen dataclass's own `__init__` sets them, at a third of the cost.
        result = object.__new__(self._kind)
        for part, (set_value, convert) in zip(found.groups(), self._fields, strict=True):
            set_value(result, convert(part) if convert else part)
        return result


_READERS: Final[dict[Any, Reader[Any]]] = {}


def reader_of(kind: Any) -> Reader[Any]:
    """Return the reader of a dataclass, made once."""
    if kind not in _READERS:
        _READERS[kind] = Reader(kind)
    return _READERS[kind]


def _part(kind: Any) -> tuple[str, Callable[[str], Any] | None]:
    """Return the pattern of a field, and what makes its value; nested text is matched by itself."""
    if kind in _PLAIN:
        return _PLAIN[kind]
    if get_origin(kind) is Literal:
        return f'"({"|".join(map(re.escape, get_args(kind)))})"', None
    if is_dataclass(kind):
        return (r"(\{[^{}]*\})" if _is_flat(kind) else r"(\{.*\})"), _kept(
            kind, reader_of(kind).read
        )
    inner: Any = get_args(kind)[0] if get_origin(kind) is tuple else str
    if not is_dataclass(inner):
        return r"(\[[^\[\]]*\])", lru_cache(maxsize=4096)(partial(_plain_list, kind))
    elements = reader_of(inner)
    if _is_flat(inner) and _is_unique(inner):
        each = re.sub(r"\((?!\?)", "(?:", elements.pattern)
        return rf"(\[(?:{each}(?:,{each})*)?\])", partial(Later, elements)
    pattern = r"(\[[^\[\]]*\])" if _is_flat(inner) else r"(\[.*\])"
    return pattern, _kept(inner, partial(_list_of, elements))


class Later(Sequence[T]):
    """A list that was matched, and is read when it is looked at: of most records it never is."""

    __slots__ = ("_reader", "_text")

    def __init__(self, reader: Reader[T], text: str) -> None:
        self._reader, self._text = reader, text

    def __getitem__(self, index: Any) -> Any:
        return _list_of(self._reader, self._text)[index]

    def __len__(self) -> int:
        return len(_list_of(self._reader, self._text))


def _kept(kind: Any, convert: Callable[[str], Any]) -> Callable[[str], Any]:
    """Read what repeats from record to record (who acted, a purpose, a basis) once."""
    return convert if _is_unique(kind) else lru_cache(maxsize=4096)(convert)


def _is_unique(kind: Any) -> bool:
    """Say whether a value does not repeat: it holds a digest or a salt."""
    return any(hint in {Hash, Salt} for hint in _hints(kind).values())


def _is_flat(kind: Any) -> bool:
    return all(hint in _PLAIN or get_origin(hint) is Literal for hint in _hints(kind).values())


def _list_of(reader: Reader[T], text: str) -> tuple[T, ...]:
    if text == "[]":
        return ()
    if not text.startswith("[{") or not text.endswith("}]"):
        raise FormError("is not matched")
    return tuple(reader.read(f"{{{each}}}") for each in text[2:-2].split("},{"))


def _plain_list(kind: Any, text: str) -> Any:
    return _read(kind, parse_canonical(text), "")
