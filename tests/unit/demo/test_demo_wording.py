# SPDX-License-Identifier: Apache-2.0
"""Dates, times, numbers and values are said as people say them, whatever the machine's language."""

import datetime as dt
import time
from collections.abc import Iterator

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from clients.demo.wording import clock, counted, day, megabytes, moment, numeral, said


@pytest.fixture
def in_sydney(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "AEST-10")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(
    ("date", "expected"),
    [
        (dt.date(2026, 11, 23), "Monday 23 November 2026"),
        (dt.date(2026, 11, 24), "Tuesday 24 November 2026"),
        (dt.date(2026, 5, 6), "Wednesday 6 May 2026"),
        (dt.date(2026, 1, 1), "Thursday 1 January 2026"),
        (dt.date(2026, 11, 27), "Friday 27 November 2026"),
        (dt.date(2028, 12, 30), "Saturday 30 December 2028"),
        (dt.date(2026, 11, 22), "Sunday 22 November 2026"),
    ],
)
def test_a_date_is_in_words(date: dt.date, expected: str) -> None:
    assert day(date) == expected


@pytest.mark.usefixtures("in_sydney")
def test_times_and_their_dates_are_those_of_this_place() -> None:
    late = dt.datetime(2026, 11, 22, 14, 2, 7, 123_456, dt.UTC)

    assert (clock(late), day(late)) == ("00:02:07.123", "Monday 23 November 2026")


def test_a_time_of_the_wire_keeps_its_microseconds() -> None:
    assert moment(Timestamp(seconds=1, nanos=123_456_000)).microsecond == 123_456


def test_small_numbers_are_words() -> None:
    assert (numeral(4), numeral(12)) == ("four", "12")


def test_one_is_singular() -> None:
    assert (counted(1, "thing"), counted(0, "thing")) == ("1 thing", "0 things")


def test_a_size_is_in_millions_of_bytes() -> None:
    assert (megabytes(8_701_091), megabytes(327_677)) == ("8.7 MB", "0.3 MB")


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("amountPence", 88_620, "£886.20"),
        ("amountPence", 105, "£1.05"),
        ("amountPence", 123_456_700, "£1,234,567.00"),
        ("frequency", "four_weekly", "four weekly"),
        ("dischargeDate", "2026-11-27", "Friday 27 November 2026"),
        ("helpNeeded", ["washing", "meals"], "washing, meals"),
        ("uprn", 100, "100"),
    ],
)
def test_values_are_said_as_people_say_them(name: str, value: object, expected: str) -> None:
    assert said(name, value) == expected
