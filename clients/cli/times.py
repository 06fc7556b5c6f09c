# SPDX-License-Identifier: Apache-2.0
"""Times as people type them, in the zone of the reader (`clients/wording/times.py`).

A day that somebody types begins at 00:00 and ends at 24:00 there. A time may stand without its zone
where it comes exactly once; what no clock shows, or what is finer than a record holds, is refused
and never rounded.
"""

from __future__ import annotations

import datetime as dt
import re
from typing import TYPE_CHECKING, Final

from clients.cli.errors import UsageError
from clients.wording.times import is_past, zone
from clients.wording.words import Words

if TYPE_CHECKING:
    from google.protobuf.timestamp_pb2 import Timestamp

_ENGLISH: Final = Words("en")
_TYPED: Final = re.compile(
    r"(\d{4}-\d{2}-\d{2})"
    r"(?:[T ](\d{2}):(\d{2})(?::(\d{2})(?:\.(\d+))?)?(Z|[+-]\d{2}:\d{2})?)?",
    re.ASCII,
)
_FINEST_DIGITS: Final = 6
_DAY: Final = dt.timedelta(days=1)
_INSTANT: Final = dt.timedelta(microseconds=1)


def is_typed_time(text: str) -> bool:
    """Say whether a text is meant as a day or a time."""
    return text[:4].isdecimal() and text[4:5] == "-"


def start_of(text: str, words: Words = _ENGLISH) -> Timestamp:
    """Return the beginning of a typed day, 00:00, or a typed time as it is.

    Raises:
        UsageError: if it is neither, or no clock shows it.
    """
    return _bound(text, words, dt.timedelta(0))


def end_of(text: str, words: Words = _ENGLISH) -> Timestamp:
    """Return the end of a typed day, 24:00, or a typed time as it is.

    Raises:
        UsageError: if it is neither, or no clock shows it.
    """
    return _bound(text, words, _DAY)


def moment_of(text: str, words: Words = _ENGLISH) -> Timestamp:
    """Return the last moment of a typed day, or a typed time as it is, to look back at.

    Of today there is as much as has been.

    Raises:
        UsageError: if it is neither, no clock shows it, or it has not come yet.
    """
    time = _bound(text, words, _DAY, before=_INSTANT)
    if is_past(time):
        return time
    if not is_past(start_of(text, words)):
        raise UsageError(words("time.future", time=text))
    time.GetCurrentTime()
    return time


def _bound(
    text: str, words: Words, days: dt.timedelta, before: dt.timedelta = dt.timedelta(0)
) -> Timestamp:
    """Return a typed time, or a typed day moved by `days` and then to so much `before` that."""
    from google.protobuf.timestamp_pb2 import Timestamp  # noqa: PLC0415

    found = _TYPED.fullmatch(text.strip())
    if found is None:
        raise UsageError(words("time.wrong", time=text), words("time.wrong.next"))
    date_text, hour, minute, second, fraction, offset = found.groups()
    if fraction and len(fraction) > _FINEST_DIGITS:
        raise UsageError(words("time.fine", time=text))
    try:
        date = dt.date.fromisoformat(date_text)
    except ValueError:
        raise UsageError(words("time.no.day", time=date_text)) from None
    try:
        if hour is None:
            whole = dt.datetime.combine(date + days, dt.time.min, tzinfo=zone())
            end = whole.astimezone(dt.UTC) - before
        else:
            clock = f"{hour}:{minute}:{second or '00'}.{fraction or '0':0<6}"
            end = _in_utc(_on_clock(date, clock, text, words), offset, text, words)
        stamp = Timestamp()
        stamp.FromDatetime(end)
    except OverflowError:
        raise UsageError(words("time.far", time=text)) from None
    return stamp


def _on_clock(date: dt.date, clock: str, text: str, words: Words) -> dt.datetime:
    """Return a date and a time of day, 24:00 being the next day's 00:00 (ISO 8601)."""
    if clock == "24:00:00.000000":
        return dt.datetime.combine(date + _DAY, dt.time.min)
    try:
        return dt.datetime.combine(date, dt.time.fromisoformat(clock))
    except ValueError:
        raise UsageError(words("time.no.time", time=text)) from None


def _in_utc(naive: dt.datetime, offset: str | None, text: str, words: Words) -> dt.datetime:
    if offset is not None:
        try:
            return dt.datetime.fromisoformat(f"{naive.isoformat()}{offset}").astimezone(dt.UTC)
        except ValueError:
            raise UsageError(words("time.no.time", time=text)) from None
    local = naive.replace(tzinfo=zone())
    found = local.astimezone(dt.UTC)
    if found.astimezone(zone()).replace(tzinfo=None) != naive:
        raise UsageError(words("time.skipped", time=text))
    if local.replace(fold=1).utcoffset() != local.utcoffset():
        raise UsageError(words("time.twice", time=text), words("time.twice.next"))
    return found
