# SPDX-License-Identifier: Apache-2.0
"""Times as people read them, in the zone of CITIZEN_VAULT_ZONE (default Europe/London)."""

from __future__ import annotations

import datetime as dt
import os
import zoneinfo
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from google.protobuf.timestamp_pb2 import Timestamp

    from clients.wording.words import Words

DEFAULT_ZONE: Final = "Europe/London"
_DAY: Final = dt.timedelta(days=1)


class ZoneError(Exception):
    """CITIZEN_VAULT_ZONE names no time zone that is known here."""


def zone() -> dt.tzinfo:
    """Return the zone of the person who reads.

    Raises:
        ZoneError: if it is named and unknown.
    """
    named = os.environ.get("CITIZEN_VAULT_ZONE", "")
    try:
        return zoneinfo.ZoneInfo(named or DEFAULT_ZONE)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError):
        if named:
            raise ZoneError(f"There is no time zone {named}.") from None
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


def _local(time: Timestamp) -> dt.datetime:
    moment_in_utc = time.ToDatetime(tzinfo=dt.UTC)
    try:
        return moment_in_utc.astimezone(zone())
    except OverflowError:
        # The last hours of the year 9999 lie beyond the calendar of an eastern zone.
        return moment_in_utc


def _suffix(local: dt.datetime) -> str:
    return " UTC" if local.tzinfo is dt.UTC else ""
