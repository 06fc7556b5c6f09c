# SPDX-License-Identifier: Apache-2.0
"""Lanes: a stream's id says in which lane it lies."""

from __future__ import annotations

from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from vault.domain.lane import LARGEST_LANE, in_lane, key_of, lane_of, origin_of

lanes = st.integers(0, LARGEST_LANE)


@given(st.uuids(), lanes)
def test_a_stream_leads_back_to_its_lane(drawn: UUID, lane: int) -> None:
    stream = in_lane(str(drawn), lane)

    assert lane_of(stream) == lane
    assert stream.startswith(key_of(lane))
    assert UUID(stream).bytes[2:] == drawn.bytes[2:]


def test_a_stream_keeps_all_but_its_first_16_bits() -> None:
    assert in_lane("ffffffff-ffff-8fff-bfff-ffffffffffff", 3) == (
        "0003ffff-ffff-8fff-bfff-ffffffffffff"
    )


def test_each_lane_has_an_origin_of_its_own() -> None:
    assert origin_of("vault.example", 12) == "vault.example/12"
