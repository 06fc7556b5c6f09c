# SPDX-License-Identifier: Apache-2.0
"""Position tokens: opaque, authenticated, and waited for within a deadline."""

from __future__ import annotations

import asyncio
import hmac
import time
from dataclasses import dataclass, field
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vault.application.positions import PositionTokens, latest
from vault.domain.canonical import b64, unb64
from vault.domain.errors import DeadlinePassedError, StoreUnavailableError, TokenInvalidError
from vault.domain.lane import LARGEST_LANE
from vault.sealing.keystore import new_secrets

SECRETS = new_secrets()
TOKENS = PositionTokens(SECRETS)
places = st.dictionaries(st.integers(0, LARGEST_LANE), st.integers(0, 2**64 - 1), max_size=5)


@dataclass
class Lane:
    """Stands for a lane that grows."""

    sizes: list[int]

    async def tree_size(self) -> int:
        """Return the next size, and the last one ever after."""
        return self.sizes.pop(0) if len(self.sizes) > 1 else self.sizes[0]


@dataclass
class Store:
    """Stands for a store of lanes."""

    lanes: dict[int, Lane]
    clock: Any = field(default_factory=lambda: time)


async def wait(token: str, *grows: list[int], seconds: float = 5) -> None:
    store = cast("Any", Store(dict(enumerate(map(Lane, grows)))))
    await TOKENS.wait(token, store, time.monotonic() + seconds)


def first_form(size: int) -> str:
    """Return a token as it was before there were lanes."""
    body = b"\x01" + size.to_bytes(8, "big")
    return b64(body + hmac.digest(SECRETS.token_key, b"position/1" + body, "sha256")[:16])


@given(places)
def test_a_token_leads_back_to_its_place(sizes: dict[int, int]) -> None:
    assert TOKENS.read(TOKENS.write(sizes)) == sizes


@given(st.integers(0, 2**64 - 1))
def test_a_token_of_the_first_form_is_of_lane_0(size: int) -> None:
    assert TOKENS.read(first_form(size)) == {0: size}


@given(places)
def test_a_token_of_another_deployment_is_refused(sizes: dict[int, int]) -> None:
    with pytest.raises(TokenInvalidError):
        PositionTokens(new_secrets()).read(TOKENS.write(sizes))


@given(places, st.integers(0, 66), st.integers(1, 255))
def test_a_changed_token_is_refused(sizes: dict[int, int], index: int, change: int) -> None:
    data = bytearray(unb64(TOKENS.write(sizes)))
    data[index % len(data)] ^= change

    with pytest.raises(TokenInvalidError):
        TOKENS.read(b64(bytes(data)))


@given(st.text(max_size=60))
def test_what_is_no_token_is_refused_naming_the_field(text: str) -> None:
    with pytest.raises(TokenInvalidError) as refused:
        TOKENS.read(text, "as_of")

    assert refused.value.field == "as_of"


async def test_without_a_token_nothing_is_waited_for() -> None:
    await wait("", [0])


async def test_a_place_that_is_there_is_not_waited_for() -> None:
    await wait(TOKENS.write({0: 7, 1: 3}), [7], [3], seconds=-1)


async def test_a_place_is_waited_for_until_every_lane_is_there() -> None:
    first, second = [5, 6, 7], [1, 2, 3]

    await asyncio.wait_for(wait(TOKENS.write({0: 7, 1: 3}), first, second), 1)

    assert (first, second) == ([7], [3])


async def test_lanes_that_a_token_does_not_name_are_not_waited_for() -> None:
    await wait(TOKENS.write({1: 3}), [0], [3], seconds=-1)


@pytest.mark.parametrize("grows", [([6], [9]), ([9], [6])])
async def test_a_place_that_does_not_come_ends_with_the_deadline(
    grows: tuple[list[int], list[int]],
) -> None:
    with pytest.raises(DeadlinePassedError):
        await wait(TOKENS.write({0: 7, 1: 7}), *grows, seconds=0.02)


async def test_a_place_in_a_lane_that_is_not_served_here_is_not_waited_for() -> None:
    with pytest.raises(StoreUnavailableError):
        await wait(TOKENS.write({1: 1}), [7])


def test_the_latest_of_places_has_the_largest_size_of_each_lane() -> None:
    assert latest([{0: 3, 1: 2}, {0: 1, 2: 9}, {1: 5}]) == {0: 3, 1: 5, 2: 9}


async def test_a_token_that_is_not_ours_is_not_waited_for() -> None:
    with pytest.raises(TokenInvalidError):
        await wait("A" * 34, [0])
