# SPDX-License-Identifier: Apache-2.0
"""Cursors of changes, and names of rows: what their tokens hold, and for how many lanes."""

from __future__ import annotations

from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from projections.change_feed import START, Cursor
from projections.consent_register import NEWEST, RowKey
from vault.application.caller import Caller
from vault.configuration.lanes_file import LARGEST_COUNT
from vault.domain.errors import TokenInvalidError
from vault.domain.lane import LARGEST_LANE
from vault.server.consent import _key_from  # what a handler makes of a token
from vault.server.convert.changes import cursor_from, cursor_name
from vault.server.paging import Pages

sizes = st.dictionaries(st.integers(1, LARGEST_LANE), st.integers(1, 2**48), max_size=5)
cursors = st.builds(
    lambda shown, lane, position, sizes: Cursor(shown, lane, position, tuple(sizes.items())),
    *(st.integers(0, 2**48), st.integers(0, LARGEST_LANE + 1), st.integers(0, 2**48), sizes),
)


@given(cursors)
def test_a_cursor_leads_back_to_its_place(cursor: Cursor) -> None:
    assert cursor_from(cursor_name(cursor)) == cursor


def test_no_cursor_is_the_beginning() -> None:
    assert cursor_from("") == START


def test_a_cursor_from_before_there_were_lanes_is_of_lane_0() -> None:
    assert cursor_from("12/7") == Cursor(12, 0, 7)


def test_a_cursor_over_as_many_lanes_as_there_may_be_fits_into_a_request() -> None:
    """The contract allows 1,024 characters."""
    lanes = range(LARGEST_LANE - LARGEST_COUNT + 1, LARGEST_LANE)
    cursor = Cursor(2**40, LARGEST_LANE, 2**40, tuple((lane, 2**40) for lane in lanes))
    call = cast("Any", type("Call", (), {"caller": Caller("service", "", ""), "method": ""}))

    assert len(Pages(bytes(32)).write(cursor_name(cursor), call)) <= 1024


def test_a_row_is_named_by_where_it_stands() -> None:
    assert _key_from("") == NEWEST
    assert _key_from("2026-03-02T09:00:00.000000Z/3/12") == RowKey(
        "2026-03-02T09:00:00.000000Z", 3, 12
    )


def test_a_page_token_from_before_there_were_lanes_is_refused() -> None:
    with pytest.raises(TokenInvalidError) as refused:
        _key_from("12")

    assert refused.value.field == "page_token"
