# SPDX-License-Identifier: Apache-2.0
"""A batch as the parameters of `append_batch`, in PostgreSQL's binary form of arrays.

Events go as one array for each column. The driver's own way, an adapter for each element, takes
several times as long (postgresql.org/docs: the format is that of `array_send`).
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain, repeat
from typing import Any, Final

from vault.store.append import Append, Verdict, conflict
from vault.store.record import entry_of

_BYTEA: Final = 17
_INT8: Final = 20
_INT4: Final = 23
_TEXT: Final = 25

_SCALARS: Final = (_INT4, 2950, 16, 701)  # lane, connection, needs_standby, server_time
_ARRAY_OF: Final = {_BYTEA: 1001, _INT8: 1016, _INT4: 1007, _TEXT: 1009}
_COLUMNS: Final = (
    *(_INT4, _TEXT, _INT4, _INT8, _BYTEA, _TEXT, _INT4, _TEXT, _BYTEA),
    *(_INT4, _INT4, _TEXT, _BYTEA),
)

APPEND_TYPES: Final = (*_SCALARS, *(_ARRAY_OF[each] for each in _COLUMNS))
APPEND: Final = (
    f"SELECT append_batch({', '.join(f'${n}' for n in range(1, len(APPEND_TYPES) + 1))})"
).encode()

SETTLE: Final = (
    b"SELECT event, place, entry FROM settle_batch(%s, %s, %s, %s::text[], %s::bigint[])"
)

_HEADER: Final = struct.Struct("!5i")  # dimensions, whether there are NULLs, type, length, first
_EMPTY: Final = struct.Struct("!3i")
_LENGTH: Final = struct.Struct("!i")


def append_parameters(batch: Sequence[Append]) -> list[bytes]:
    """Return the arrays of a batch, in the order of the function's parameters."""
    ends: list[int] = []
    streams: list[bytes] = []
    stream_of: list[int] = []
    versions: list[int] = []
    entries: list[bytes] = []
    request_keys: list[bytes] = []
    key_of: list[int] = []
    topics: list[bytes] = []
    states: list[bytes] = []
    payload_of: list[int] = []
    ordinals: list[int] = []
    kinds: list[bytes] = []
    contents: list[bytes] = []
    first_of_stream: dict[str, int] = {}
    first_of_key: dict[tuple[str, str], int] = {}
    number = 0
    for append in batch:
        request_key = append.request_key
        beside = append.payloads or repeat((), len(append.events))
        for event, payloads in zip(append.events, beside, strict=True):
            number += 1
            stream = str(event.originator_id)
            streams.append(stream.encode())
            stream_of.append(first_of_stream.setdefault(stream, number))
            versions.append(event.originator_version)
            entries.append(entry_of(event.state))
            request_keys.append(request_key.encode())
            key_of.append(
                first_of_key.setdefault((stream, request_key), number) if request_key else number
            )
            topics.append(event.topic.encode())
            states.append(event.state)
            for ordinal, payload in enumerate(payloads):
                payload_of.append(number)
                ordinals.append(ordinal)
                kinds.append(payload.kind.encode())
                contents.append(payload.content)
            # The key names the first event of an append.
            request_key = ""
        ends.append(number)
    return [
        _integers(_INT4, "ii", ends),
        _strings(_TEXT, streams),
        _integers(_INT4, "ii", stream_of),
        _integers(_INT8, "iq", versions),
        _strings(_BYTEA, entries),
        _strings(_TEXT, request_keys),
        _integers(_INT4, "ii", key_of),
        _strings(_TEXT, topics),
        _strings(_BYTEA, states),
        _integers(_INT4, "ii", payload_of),
        _integers(_INT4, "ii", ordinals),
        _strings(_TEXT, kinds),
        _strings(_BYTEA, contents),
    ]


def first_positions(answer: bytes) -> tuple[int, ...]:
    """Return what the function answered: the first position of each append, or -1."""
    count = (len(answer) - _HEADER.size) // 12
    return struct.unpack_from("!" + "4xq" * count, answer, _HEADER.size)


def verdicts_of(batch: Sequence[Append], firsts: Sequence[int]) -> tuple[Verdict, ...]:
    """Return the verdicts on a batch from the first position of each append."""
    return tuple(
        tuple(range(first, first + len(append.events))) if first >= 0 else conflict()
        for append, first in zip(batch, firsts, strict=True)
    )


def settle_parameters(batch: Sequence[Append]) -> tuple[list[str], list[int]]:
    """Return the streams and versions of a batch's events."""
    events = [event for append in batch for event in append.events]
    return [str(e.originator_id) for e in events], [e.originator_version for e in events]


def settled_positions(
    batch: Sequence[Append], rows: Iterable[tuple[int, int, bytes]], *, after: int
) -> list[int]:
    """Return the first position of each append that is stored, or -1.

    What stands at an event's version is the event only if its bytes are the same, it came after
    what was known before, and it is no other's of the batch.
    """
    found: Mapping[int, tuple[int, bytes]] = {event: (place, entry) for event, place, entry in rows}
    firsts: list[int] = []
    claimed: set[int] = set()
    number = 0
    for append in batch:
        positions = []
        for event in append.events:
            number += 1
            position, entry = found.get(number, (-1, b""))
            if position > after and entry == entry_of(event.state):
                positions.append(position)
        is_stored = len(positions) == len(append.events) and claimed.isdisjoint(positions)
        claimed.update(positions)
        firsts.append(positions[0] if is_stored else -1)
    return firsts


def _integers(element: int, form: str, values: Sequence[int]) -> bytes:
    if not values:
        return _EMPTY.pack(0, 0, element)
    size = 8 if element == _INT8 else 4
    body: Iterable[Any] = chain.from_iterable(zip(repeat(size), values, strict=False))
    return _header(element, values) + struct.pack("!" + form * len(values), *body)


def _strings(element: int, values: Sequence[bytes]) -> bytes:
    if not values:
        return _EMPTY.pack(0, 0, element)
    lengths = map(_LENGTH.pack, map(len, values))
    return _header(element, values) + b"".join(
        chain.from_iterable(zip(lengths, values, strict=True))
    )


def _header(element: int, values: Sequence[object]) -> bytes:
    return _HEADER.pack(1, 0, element, len(values), 1)
