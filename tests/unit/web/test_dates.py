# SPDX-License-Identifier: Apache-2.0
"""Days as people type them: what is one, what is none, and where it ends."""

from __future__ import annotations

import datetime as dt

import pytest

from clients.web.dates import TypedDay, end_of, start_of
from clients.web.forms import Form


def typed(*texts: str) -> TypedDay:
    parts = zip(("day", "month", "year"), texts, strict=True)
    return TypedDay.of(Form({f"end-{part}": (text,) for part, text in parts}), "end")


def test_a_day_is_read_as_it_was_typed() -> None:
    found = typed(" 3", "09 ", "2027")

    assert found.day == dt.date(2027, 9, 3)
    assert found.texts == ("3", "09", "2027")
    assert TypedDay.showing(dt.date(2027, 9, 3)).texts == ("3", "9", "2027")
    assert not found.is_empty


@pytest.mark.parametrize(
    "texts",
    [
        ("31", "2", "2027"),
        ("0", "1", "2027"),
        ("1", "13", "2027"),
        ("1", "1", "0"),
        ("1", "1", "20270"),
        ("1", "1", ""),
        ("", "", "2027"),
        ("-1", "1", "2027"),
        ("1.5", "1", "2027"),
        ("\u0661", "1", "2027"),
        ("9" * 5000, "1", "2027"),
        ("one", "1", "2027"),
    ],
)
def test_what_is_no_day_is_none(texts: tuple[str, str, str]) -> None:
    assert typed(*texts).day is None


def test_nothing_typed_is_nothing_typed() -> None:
    assert TypedDay.of(Form(), "end").is_empty
    assert typed("", " ", "").is_empty


@pytest.mark.parametrize(
    ("day", "utc"),
    [
        (dt.date(2026, 11, 30), dt.datetime(2026, 12, 1, tzinfo=dt.UTC)),
        # Summer time: the day is over an hour earlier for the rest of the world.
        (dt.date(2027, 6, 30), dt.datetime(2027, 6, 30, 23, tzinfo=dt.UTC)),
    ],
)
def test_a_day_ends_at_midnight_where_people_live(
    monkeypatch: pytest.MonkeyPatch, day: dt.date, utc: dt.datetime
) -> None:
    monkeypatch.setenv("CITIZEN_VAULT_ZONE", "Europe/London")

    assert end_of(day).ToDatetime(tzinfo=dt.UTC) == utc
    assert end_of(day) == start_of(day + dt.timedelta(days=1))


def test_the_calendar_has_a_last_day() -> None:
    with pytest.raises(OverflowError):
        end_of(dt.date.max)
