# SPDX-License-Identifier: Apache-2.0
"""Days as people type them into three fields (`date_field` in `macros.html`)."""

from __future__ import annotations

import dataclasses
import datetime as dt
import re
from typing import TYPE_CHECKING, Final

from clients.wording.times import zone

if TYPE_CHECKING:
    from google.protobuf.timestamp_pb2 import Timestamp

    from clients.web.forms import Form

_NUMBER: Final = re.compile(r"[0-9]{1,4}")


@dataclasses.dataclass(frozen=True)
class TypedDay:
    """What stands in the three fields of a date.

    Attributes:
        texts: day, month and year, as they were typed.
    """

    texts: tuple[str, str, str] = ("", "", "")

    @classmethod
    def of(cls, form: Form, name: str) -> TypedDay:
        """Return what was typed into the fields NAME-day, NAME-month and NAME-year."""
        return cls(
            (form.text(f"{name}-day"), form.text(f"{name}-month"), form.text(f"{name}-year"))
        )

    @classmethod
    def showing(cls, day: dt.date) -> TypedDay:
        """Return the fields of a day that is known."""
        return cls((str(day.day), str(day.month), str(day.year)))

    @property
    def is_empty(self) -> bool:
        """Say whether nothing was typed at all."""
        return not any(self.texts)

    @property
    def day(self) -> dt.date | None:
        """Return the day, or None if there is no such day."""
        if not all(_NUMBER.fullmatch(text) for text in self.texts):
            return None
        day, month, year = (int(text) for text in self.texts)
        try:
            return dt.date(year, month, day)
        except ValueError:
            return None


def end_of(day: dt.date) -> Timestamp:
    """Return the time at which a day ends where people live, as the first moment after it.

    Raises:
        OverflowError: after the last day of the calendar.
    """
    return _midnight(day + dt.timedelta(days=1))


def start_of(day: dt.date) -> Timestamp:
    """Return the time at which a day begins where people live."""
    return _midnight(day)


def _midnight(day: dt.date) -> Timestamp:
    from google.protobuf.timestamp_pb2 import Timestamp  # noqa: PLC0415

    stamp = Timestamp()
    stamp.FromDatetime(dt.datetime.combine(day, dt.time(), zone()).astimezone(dt.UTC))
    return stamp
