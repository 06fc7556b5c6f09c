# SPDX-License-Identifier: Apache-2.0
"""Times as people write and read them, in the zone of CITIZEN_VAULT_ZONE (default Europe/London).

A day that somebody types begins at 00:00 and ends at 24:00 there. A time may stand without its zone
where it comes exactly once; what no clock shows, or what is finer than a record holds, is refused
and never rounded.
"""

from __future__ import annotations

import datetime as dt
import os
import re
import zoneinfo
from typing import TYPE_CHECKING, Final

from clients.cli.errors import UsageError
from clients.cli.words import Words

if TYPE_CHECKING:
    from google.protobuf.timestamp_pb2 import Timestamp

DEFAULT_ZONE: Final = "Europe/London"
_ENGLISH: Final = Words("en")
_TYPED: Final = re.compile(
    r"(\d{4}-\d{2}-\d{2})"
    r"(?:[T ](\d{2}):(\d{2})(?::(\d{2})(?:\.(\d+))?)?(Z|[+-]\d{2}:\d{2})?)?",
    re.ASCII,
)
_FINEST_DIGITS: Final = 6
_DAY: Final = dt.timedelta(days=1)
_INSTANT: Final = dt.timedelta(microseconds=1)


def zone() -> dt.tzinfo:
    """Return the zone of the person who reads.

    Raises:
        UsageError: if it is named and unknown.
    """
    named = os.environ.get("CITIZEN_VAULT_ZONE", "")
    try:
        return zoneinfo.ZoneInfo(named or DEFAULT_ZONE)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError):
        if named:
            raise UsageError(
                f"There is no time zone {named}.", "Set CITIZEN_VAULT_ZONE, or unset it."
            ) from None
        # A machine without a zone database reads UTC, and times say so.
        return dt.UTC


def date_of(time: Timestamp, words: Words) -> str:
    """Return the day of a time: "22 Nov 2026"."""
    return day(_local(time), words)


def moment(time: Timestamp, words: Words) -> str:
    """Return a time to the minute: "22 Nov 2026 14:02"."""
    local = _local(time)
    return f"{day(local, words)} {local:%H:%M}{_suffix(local)}"


def exact(time: Timestamp, words: Words) -> str:
    """Return a time to the millisecond: "22 Nov 2026 14:02:07.123"."""
    local = _local(time)
    milliseconds = local.microsecond // 1000
    return f"{day(local, words)} {local:%H:%M:%S}.{milliseconds:03}{_suffix(local)}"


def utc(time: Timestamp) -> str:
    """Return a time as records hold it: RFC 3339, UTC, six fraction digits."""
    return f"{time.ToDatetime():%Y-%m-%dT%H:%M:%S.%f}Z"


def last_day(time: Timestamp, words: Words) -> str:
    """Return an exclusive end: the whole day that it closes, or the minute within a day."""
    local = _local(time)
    if (local.hour, local.minute, local.second) == (0, 0, 0):
        return day(local - _DAY, words)
    return moment(time, words)


def day(local: dt.date, words: Words) -> str:
    """Return a date: "22 Nov 2026"."""
    return f"{local.day} {words('months').split()[local.month - 1]} {local.year}"


def is_past(time: Timestamp) -> bool:
    """Say whether a time is not in the future."""
    return time.ToDatetime(tzinfo=dt.UTC) <= dt.datetime.now(dt.UTC)


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


def _local(time: Timestamp) -> dt.datetime:
    moment_in_utc = time.ToDatetime(tzinfo=dt.UTC)
    try:
        return moment_in_utc.astimezone(zone())
    except OverflowError:
        # The last hours of the year 9999 lie beyond the calendar of an eastern zone.
        return moment_in_utc


def _suffix(local: dt.datetime) -> str:
    return " UTC" if local.tzinfo is dt.UTC else ""
