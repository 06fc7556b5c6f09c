# SPDX-License-Identifier: Apache-2.0
"""Times as people write and read them, in the zone of CITIZEN_VAULT_ZONE (default Europe/London).

A date that somebody types ends at 24:00 there.
"""

from __future__ import annotations

import datetime as dt
import os
import zoneinfo
from typing import TYPE_CHECKING, Final

from clients.cli.errors import UsageError

if TYPE_CHECKING:
    from google.protobuf.timestamp_pb2 import Timestamp

    from clients.cli.words import Words

DEFAULT_ZONE: Final = "Europe/London"


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
        return day(local - dt.timedelta(days=1), words)
    return moment(time, words)


def day(local: dt.date, words: Words) -> str:
    """Return a date: "22 Nov 2026"."""
    return f"{local.day} {words('months').split()[local.month - 1]} {local.year}"


def end_of(text: str) -> Timestamp:
    """Return the end of a typed date, or a typed RFC 3339 time as it is.

    Raises:
        UsageError: if it is neither.
    """
    from google.protobuf.timestamp_pb2 import Timestamp  # noqa: PLC0415

    end: dt.datetime | None
    try:
        if len(text) == len("2026-11-22"):
            date = dt.date.fromisoformat(text) + dt.timedelta(days=1)
            end = dt.datetime.combine(date, dt.time.min, tzinfo=zone())
        else:
            end = dt.datetime.fromisoformat(text)
    except (ValueError, OverflowError):
        end = None
    if end is None or end.tzinfo is None:
        message = f"{text} is not a date such as 2026-11-22."
        raise UsageError(message, "A time needs its zone: 2026-11-22T17:00:00Z")
    stamp = Timestamp()
    stamp.FromDatetime(end.astimezone(dt.UTC))
    return stamp


def _local(time: Timestamp) -> dt.datetime:
    return time.ToDatetime(tzinfo=dt.UTC).astimezone(zone())


def _suffix(local: dt.datetime) -> str:
    return " UTC" if local.tzinfo is dt.UTC else ""
