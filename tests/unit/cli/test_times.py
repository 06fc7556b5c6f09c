# SPDX-License-Identifier: Apache-2.0
"""Days and times as they are typed and shown: nothing is rounded, nothing is guessed."""

from __future__ import annotations

import datetime as dt
import zoneinfo

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import given
from hypothesis import strategies as st

from clients.cli.errors import UsageError
from clients.cli.times import end_of, is_typed_time, moment_of, start_of
from clients.wording.times import ZoneError, exact, last_day, utc
from clients.wording.words import Words
from tests.unit.cli import world

EN, CY = Words("en"), Words("cy")


@pytest.mark.parametrize(
    ("typed", "end"),
    [
        ("2026-11-30", "2026-12-01T00:00:00Z"),
        ("2026-06-30", "2026-06-30T23:00:00Z"),
        ("2028-02-28", "2028-02-29T00:00:00Z"),
        ("2028-02-29", "2028-03-01T00:00:00Z"),
        ("2026-12-31", "2027-01-01T00:00:00Z"),
        ("2026-11-30T24:00", "2026-12-01T00:00:00Z"),
        ("2026-06-30T24:00:00.000000", "2026-06-30T23:00:00Z"),
        ("2026-12-31T24:00:00Z", "2027-01-01T00:00:00Z"),
        ("2026-11-30 17:00", "2026-11-30T17:00:00Z"),
        ("2026-06-30T17:00", "2026-06-30T16:00:00Z"),
        ("2026-11-30T17:00:00+01:00", "2026-11-30T16:00:00Z"),
        ("2026-11-30T17:00:00.000001Z", "2026-11-30T17:00:00.000001Z"),
        ("2026-11-30T17:00:00.5", "2026-11-30T17:00:00.500Z"),
        ("2026-10-25T01:30:00+01:00", "2026-10-25T00:30:00Z"),
        ("9999-12-30", "9999-12-31T00:00:00Z"),
        ("0001-01-02", "0001-01-03T00:01:15Z"),
    ],
)
def test_a_typed_end_is_24_00_of_its_day_or_the_time_as_it_is(typed: str, end: str) -> None:
    assert end_of(typed) == world.at(end)


@pytest.mark.parametrize(
    ("typed", "start"),
    [("2026-11-30", "2026-11-30T00:00:00Z"), ("2026-06-30", "2026-06-29T23:00:00Z")],
)
def test_a_typed_beginning_is_00_00_of_its_day(typed: str, start: str) -> None:
    assert start_of(typed) == world.at(start)


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("", "no day such as"),
        ("tomorrow", "no day such as"),
        ("2026-W48-1", "no day such as"),
        ("20261130", "no day such as"),
        ("2026-11-30T17", "no day such as"),
        ("٢٠٢٦-11-30", "no day such as"),
        ("2026-02-30", "no such day"),
        ("2027-02-29", "no such day"),
        ("1900-02-29", "no such day"),
        ("2026-13-01", "no such day"),
        ("0000-01-01", "no such day"),
        ("2026-11-30T24:00:00.000001", "no such time"),
        ("2026-11-30T24:01", "no such time"),
        ("2026-11-30T25:00", "no such time"),
        ("2026-12-31T23:59:60Z", "no such time"),
        ("2026-11-30T17:00+24:00", "no such time"),
        ("2026-11-30T17:00:00.1234567Z", "millionth"),
        ("2026-11-30T17:00:00.0000000Z", "millionth"),
        ("9999-12-31", "further away"),
        ("9999-12-31T24:00Z", "further away"),
        ("9999-12-31T23:30:00-01:00", "further away"),
        ("0001-01-01T00:00:00+01:00", "further away"),
        ("2026-03-29T01:30", "clocks go forward"),
        ("2026-10-25T01:30", "clocks go back"),
    ],
)
def test_what_cannot_be_meant_is_refused_in_a_sentence(typed: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        end_of(typed)


def test_a_refusal_can_be_read_in_welsh() -> None:
    with pytest.raises(UsageError, match="Nid oes diwrnod o'r fath: 2027-02-29"):
        end_of("2027-02-29", CY)


@given(
    st.datetimes(dt.datetime(1, 1, 2), dt.datetime(9999, 12, 30)),  # noqa: DTZ001 - made aware below
    st.timezones(),
)
def test_a_time_with_its_zone_is_that_very_time(naive: dt.datetime, zone: dt.tzinfo) -> None:
    offset = naive.replace(tzinfo=zone).utcoffset() or dt.timedelta(0)
    minutes = dt.timedelta(minutes=round(offset.total_seconds() / 60))
    aware = naive.replace(tzinfo=dt.timezone(minutes))

    wanted = Timestamp()
    wanted.FromDatetime(aware)
    assert end_of(aware.isoformat()) == wanted


@pytest.mark.parametrize(
    ("zone", "end"),
    [
        ("Asia/Kolkata", "2026-11-30T18:30:00Z"),
        ("America/New_York", "2026-12-01T05:00:00Z"),
        ("Pacific/Kiritimati", "2026-11-30T10:00:00Z"),
    ],
)
def test_a_day_ends_where_she_is(monkeypatch: pytest.MonkeyPatch, zone: str, end: str) -> None:
    monkeypatch.setenv("CITIZEN_VAULT_ZONE", zone)

    assert end_of("2026-11-30") == world.at(end)


def test_a_day_whose_midnight_the_clocks_skip_begins_at_its_first_moment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CITIZEN_VAULT_ZONE", "America/Santiago")

    assert start_of("2026-09-06") == world.at("2026-09-06T04:00:00Z")


def test_a_day_is_looked_back_at_from_its_last_moment() -> None:
    assert moment_of("2020-06-30") == world.at("2020-06-30T22:59:59.999999Z")
    assert moment_of("2020-06-30T12:00:00.000001Z") == world.at("2020-06-30T12:00:00.000001Z")


def test_of_today_there_is_as_much_as_has_been() -> None:
    before, after = Timestamp(), Timestamp()
    before.GetCurrentTime()
    found = moment_of(f"{dt.datetime.now(zoneinfo.ZoneInfo('Europe/London')):%Y-%m-%d}")
    after.GetCurrentTime()

    assert before.ToNanoseconds() <= found.ToNanoseconds() <= after.ToNanoseconds()


@pytest.mark.parametrize("typed", ["9000-01-01", "9000-01-01T00:00:00Z"])
def test_what_has_not_come_cannot_be_looked_back_at(typed: str) -> None:
    with pytest.raises(UsageError, match="not come yet"):
        moment_of(typed)


@pytest.mark.parametrize(
    ("typed", "is_time"), [("2026-11-30", True), ("AAECAwQ", False), ("", False), ("20-x", False)]
)
def test_a_time_is_told_from_a_token(typed: str, *, is_time: bool) -> None:
    assert is_typed_time(typed) is is_time


def test_an_end_at_midnight_is_shown_as_the_day_that_it_closes() -> None:
    assert last_day(world.at("2026-06-30T23:00:00Z"), EN) == "30 Jun 2026"
    assert last_day(end_of("2028-02-29"), EN) == "29 Feb 2028"


def test_times_are_shown_in_the_zone_and_records_in_utc() -> None:
    summer = world.at("2026-06-30T12:00:00.123456Z")

    assert exact(summer, EN) == "30 Jun 2026 13:00:00.123"
    assert utc(summer) == "2026-06-30T12:00:00.123456Z"


def test_the_last_moment_there_is_can_be_shown_in_an_eastern_zone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CITIZEN_VAULT_ZONE", "Asia/Tokyo")

    assert exact(world.at("9999-12-31T23:59:59.999999Z"), EN) == "31 Dec 9999 23:59:59.999 UTC"


def test_an_unknown_zone_is_an_error_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CITIZEN_VAULT_ZONE", "Europe/Atlantis")

    with pytest.raises(ZoneError, match="Atlantis"):
        exact(world.NOW, EN)
