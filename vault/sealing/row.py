# SPDX-License-Identifier: Apache-2.0
"""A row of a key store: a value sealed under a key of its own, and that key wrapped.

Both are bound to the row's place, so that a row copied over another does not open. A rewritten
row has a new key: destroying the old row, or its epoch, destroys what only the old row held.
"""

import os
from typing import TypeVar

import msgspec

from vault.domain import canonical
from vault.sealing.envelope import ALGORITHM, SECRET_BYTES, open_under, seal_under
from vault.sealing.errors import SealError
from vault.sealing.wrapper import KeyWrapper, WrappedKey

_Value = TypeVar("_Value")


class Place(msgspec.Struct, frozen=True):
    """Where a row stands.

    Attributes:
        table: What kind of row it is.
        name: What it is found by.
        number: How often it was written, for rows that are rewritten.
    """

    table: str
    name: str = ""
    number: int = 0


class Row(msgspec.Struct, frozen=True):
    """What a database keeps of a row beside its place."""

    key: WrappedKey
    sealed: bytes


def seal_row(wrapper: KeyWrapper, place: Place, value: msgspec.Struct | str) -> Row:
    """Seal a value, as JSON, under a new key for one place."""
    secret = os.urandom(SECRET_BYTES)
    context = _context(place)
    sealed = seal_under(secret, context, canonical.encode(value))
    return Row(wrapper.wrap(secret, context), sealed)


def open_row(wrapper: KeyWrapper, place: Place, row: Row, form: type[_Value]) -> _Value:
    """Open the row that stands in this place, and read its value in this form.

    Raises:
        SealError: Sealed for another place, under an epoch that is gone, changed, or not a value
            of this form.
    """
    context = _context(place)
    opened = open_under(wrapper.unwrap(row.key, context), context, row.sealed)
    try:
        return msgspec.json.decode(opened, type=form)
    except msgspec.DecodeError:
        raise SealError from None


def _context(place: Place) -> bytes:
    return canonical.encode([ALGORITHM, "key-store/1", place.table, place.name, place.number])
