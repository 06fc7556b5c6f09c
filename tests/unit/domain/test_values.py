# SPDX-License-Identifier: Apache-2.0
"""Times in their stored form, and values that say something of themselves."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.builders import at, granted_fields
from vault.domain.values import (
    LATEST_TIME,
    Basis,
    BasisCode,
    PurposeVersion,
    WhoDecides,
    later,
    moment_of,
    seconds_between,
    time_of,
    who_decides,
)

moments = st.datetimes(timezones=st.just(UTC))


@given(moments)
def test_a_moment_survives_its_stored_form(moment: datetime) -> None:
    assert moment_of(time_of(moment)) == moment


@given(moments, moments)
def test_times_compare_as_their_moments_do(one: datetime, other: datetime) -> None:
    assert (time_of(one) < time_of(other)) == (one < other)


@given(moments)
def test_a_time_has_always_27_characters(moment: datetime) -> None:
    assert len(time_of(moment)) == len("2026-03-02T09:00:00.000000Z")


def test_a_moment_in_summer_time_is_stored_in_utc() -> None:
    summer = datetime(2026, 6, 1, 0, 30, tzinfo=timezone(timedelta(hours=1)))

    assert time_of(summer) == "2026-05-31T23:30:00.000000Z"


@pytest.mark.parametrize(
    "text",
    [
        "2026-03-02T09:00:00Z",
        "2026-03-02T09:00:00.000Z",
        "2026-03-02T09:00:00.000000",
        "2026-03-02T09:00:00.000000+00:00",
        "2026-03-02T10:00:00.000000+01:00",
        "2026-03-02 09:00:00.000000Z",
        "2026-02-30T09:00:00.000000Z",
        "2026-03-02",
        "",
    ],
)
def test_another_form_of_a_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        moment_of(text)


def test_a_time_beyond_the_calendar_is_the_latest_one() -> None:
    assert later(at(), days=3_000_000) == LATEST_TIME


def test_later_and_seconds_between_agree_to_the_microsecond() -> None:
    assert seconds_between(at(), later(at(), days=400, microseconds=1)) == 400 * 86_400 + 1e-6


def test_a_purpose_is_named_with_its_version() -> None:
    assert PurposeVersion(code="care", version=3, iri="").name == "care@3"


def test_granted_fields_are_the_required_and_the_chosen_ones() -> None:
    assert granted_fields().names == {"postalCode", "streetName"}


@pytest.mark.parametrize(
    ("code", "who"),
    [
        ("consent", "she"),
        ("legitimate-interest", "she"),
        ("contract", "she-or-another-way"),
        ("public-task", "she-or-another-way"),
        ("vital-interest", "the-law"),
        ("legal-obligation", "the-law"),
    ],
)
def test_a_basis_says_whose_choice_it_honestly_is(code: BasisCode, who: WhoDecides) -> None:
    assert who_decides(Basis(code=code, statute="")) == who


def test_every_basis_says_whose_choice_it_is() -> None:
    for code in get_args(BasisCode):
        assert who_decides(Basis(code=code, statute="")) in get_args(WhoDecides)
