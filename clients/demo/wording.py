# SPDX-License-Identifier: Apache-2.0
"""How dates, times, numbers and values are said to people."""

import datetime as dt
from typing import Final

from google.protobuf.timestamp_pb2 import Timestamp

# Not from `strftime`, which would speak the machine's language in the middle of ours.
_WEEKDAYS: Final = ("Mon", "Tues", "Wednes", "Thurs", "Fri", "Satur", "Sun")
_MONTHS: Final = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
_NUMERALS: Final = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


def moment(timestamp: Timestamp) -> dt.datetime:
    """Return a time of the wire, exact to the microsecond."""
    return timestamp.ToDatetime(tzinfo=dt.UTC)


def clock(time: dt.datetime) -> str:
    """Return the time of the day here, to the millisecond."""
    return time.astimezone().isoformat(timespec="milliseconds")[11:23]


def day(date: dt.date) -> str:
    """Return a date in words; of a time, the date here."""
    if isinstance(date, dt.datetime):
        date = date.astimezone().date()
    weekday = _WEEKDAYS[date.weekday()]
    return f"{weekday}day {date.day} {_MONTHS[date.month - 1]} {date.year}"


def numeral(number: int) -> str:
    """Return a small number as a word."""
    return _NUMERALS[number] if number < len(_NUMERALS) else str(number)


def counted(number: int, noun: str) -> str:
    """Return a number with its noun, in the plural where it needs one."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def megabytes(size_bytes: int) -> str:
    """Return a size in millions of bytes."""
    return f"{size_bytes / 1_000_000:.1f} MB"


def said(name: str, value: object) -> str:
    """Return the value of a field as people say it."""
    if name.endswith("Pence") and isinstance(value, int):
        return f"£{value // 100:,}.{value % 100:02}"
    if name.endswith("Date"):
        return day(dt.date.fromisoformat(str(value)))
    if isinstance(value, list):
        return ", ".join(said("", entry) for entry in value)
    return str(value).replace("_", " ")
