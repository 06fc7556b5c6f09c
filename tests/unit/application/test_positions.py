# SPDX-License-Identifier: Apache-2.0
"""Position tokens: opaque, authenticated, and waited for within a deadline."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vault.application.positions import PositionTokens
from vault.domain.canonical import b64, unb64
from vault.domain.errors import DeadlinePassedError, TokenInvalidError
from vault.sealing.keystore import new_secrets

TOKENS = PositionTokens(new_secrets())
sizes = st.integers(0, 2**64 - 1)


@dataclass
class Store:
    """Stands for a store that grows."""

    sizes: list[int]
    clock: Any = field(default_factory=lambda: time)

    async def tree_size(self) -> int:
        """Return the next size, and the last one ever after."""
        return self.sizes.pop(0) if len(self.sizes) > 1 else self.sizes[0]


async def wait(token: str, *grows: int, seconds: float = 5) -> None:
    store = cast("Any", Store(list(grows)))
    await TOKENS.wait(token, store, time.monotonic() + seconds)


@given(sizes)
def test_a_token_leads_back_to_its_place(size: int) -> None:
    assert TOKENS.read(TOKENS.write(size)) == size


@given(sizes)
def test_a_token_of_another_deployment_is_refused(size: int) -> None:
    with pytest.raises(TokenInvalidError):
        PositionTokens(new_secrets()).read(TOKENS.write(size))


@given(sizes, st.integers(0, 24), st.integers(1, 255))
def test_a_changed_token_is_refused(size: int, index: int, change: int) -> None:
    data = bytearray(unb64(TOKENS.write(size)))
    data[index] ^= change

    with pytest.raises(TokenInvalidError):
        TOKENS.read(b64(bytes(data)))


@given(st.text(max_size=60))
def test_what_is_no_token_is_refused_naming_the_field(text: str) -> None:
    with pytest.raises(TokenInvalidError) as refused:
        TOKENS.read(text, "as_of")

    assert refused.value.field == "as_of"


async def test_without_a_token_nothing_is_waited_for() -> None:
    await wait("", 0)


async def test_a_place_that_is_there_is_not_waited_for() -> None:
    await wait(TOKENS.write(7), 7, seconds=-1)


async def test_a_place_is_waited_for_until_it_is_there() -> None:
    await asyncio.wait_for(wait(TOKENS.write(7), 5, 6, 7), 1)


async def test_a_place_that_does_not_come_ends_with_the_deadline() -> None:
    with pytest.raises(DeadlinePassedError):
        await wait(TOKENS.write(7), 6, seconds=0.02)


async def test_a_token_that_is_not_ours_is_not_waited_for() -> None:
    with pytest.raises(TokenInvalidError):
        await wait("A" * 34, 0)
