# SPDX-License-Identifier: Apache-2.0
"""Times on the wire: whole microseconds, years 1 to 9999, or refused."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from google.protobuf.timestamp_pb2 import Timestamp

from vault.domain.errors import FieldInvalidError
from vault.domain.values import Time, moment_of, time_of

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def timestamp(time: str) -> Timestamp | None:
    """Return a time for the wire, or None if there is none."""
    if not time:
        return None
    since = moment_of(time) - _EPOCH
    return Timestamp(seconds=since.days * 86400 + since.seconds, nanos=since.microseconds * 1000)


def time_from(message: Timestamp, field: str) -> Time:
    """Return a time from the wire.

    Raises:
        FieldInvalidError: naming the field, if it is finer than microseconds or out of range.
    """
    if not 0 <= message.nanos < 1_000_000_000 or message.nanos % 1000:
        raise FieldInvalidError(field, "It must have whole microseconds.")
    try:
        return time_of(
            _EPOCH + timedelta(seconds=message.seconds, microseconds=message.nanos // 1000)
        )
    except OverflowError:
        raise FieldInvalidError(field, "It lies outside the years 1 to 9999.") from None


def date_from(text: str, field: str) -> str:
    """Return a day of the calendar as `YYYY-MM-DD`, or "" if none is said.

    Raises:
        FieldInvalidError: naming the field, if there is no such day.
    """
    try:
        is_day = not text or date.fromisoformat(text).isoformat() == text
    except ValueError:
        is_day = False
    if not is_day:
        raise FieldInvalidError(field, "There is no such day.")
    return text
