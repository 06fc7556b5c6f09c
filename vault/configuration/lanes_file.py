# SPDX-License-Identifier: Apache-2.0
"""The file that names the lanes besides the first: one a line, each with a database of its own.

    # number  takes new vaults?      database
    0         full
    1         takes-new-vaults       host=db-1.example dbname=vault
    2         takes-new-vaults       host=db-2.example dbname=vault

The database is a connection string of libpq or, with SQLite, a file; a relative one lies in the
data folder. Lane 0 has the database that the other settings name, and is there without a line.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

FIRST_LANE: Final = 0
LARGEST_LANE: Final = 2**16 - 1
"""A lane is 16 bits of each stream's id."""

LARGEST_COUNT: Final = 32
"""How many lanes there may be: the cursors of services hold a place in each."""

_TAKES: Final = {"takes-new-vaults": True, "full": False}


@dataclass(frozen=True, slots=True)
class LaneList:
    """The lanes of a deployment.

    Attributes:
        databases: of each lane but the first, by number.
        full: lanes in which no vault is opened any more.
    """

    databases: Mapping[int, str] = field(repr=False)
    full: frozenset[int]


ONE_LANE: Final = LaneList({}, frozenset())


@dataclass(frozen=True, slots=True)
class _Line:
    number: int
    takes_new: bool
    database: str


def read_lanes(text: str, database: Callable[[str], str]) -> LaneList:
    """Read the list.

    Args:
        database: returns what a database is called, or raises what is wrong with it.

    Raises:
        ValueError: saying what is wrong in which line, as the rest of a sentence; nothing is
            quoted.
    """
    lines: dict[int, _Line] = {}
    for count, line in _written(text):
        try:
            read = _read(line, lines, database)
        except ValueError as error:
            raise ValueError(f"is wrong in line {count}, which {error}") from None
        lines[read.number] = read
    databases = {n: line.database for n, line in lines.items() if n != FIRST_LANE}
    full = frozenset(n for n, line in lines.items() if not line.takes_new)
    if len(databases) >= LARGEST_COUNT:
        raise ValueError(f"names more than {LARGEST_COUNT} lanes, the first counted")
    if full.issuperset({FIRST_LANE, *databases}):
        raise ValueError("has no lane that takes new vaults")
    return LaneList(databases=databases, full=full)


def _written(text: str) -> Iterator[tuple[int, str]]:
    for count, line in enumerate(text.splitlines(), start=1):
        if line.strip() and not line.lstrip().startswith("#"):
            yield count, line


def _read(line: str, before: Mapping[int, _Line], database: Callable[[str], str]) -> _Line:
    number, takes, where = (*line.split(maxsplit=2), "", "")[:3]
    if not (number.isascii() and number.isdecimal() and int(number) <= LARGEST_LANE):
        raise ValueError(f"must begin with a number from 0 to {LARGEST_LANE}")
    if int(number) in before:
        raise ValueError("names a lane a second time")
    if takes not in _TAKES:
        raise ValueError(f"must say {' or '.join(_TAKES)}")
    is_first = int(number) == FIRST_LANE
    if is_first and where:
        raise ValueError("names a database for lane 0, which other settings do")
    if not is_first and not where:
        raise ValueError("names no database")
    return _Line(int(number), _TAKES[takes], "" if is_first else database(where.strip()))
