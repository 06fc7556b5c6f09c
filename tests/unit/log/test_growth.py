# SPDX-License-Identifier: Apache-2.0
"""The growing end: however entries come, the files are those of the tree."""

from __future__ import annotations

import random

import pytest

from tests.faults.campaign import new_seed
from tests.logs import an_entry, must_be_served, root_of
from vault.log.growth import Growth
from vault.transparency.checkpoint import Checkpoint

SEED = new_seed()


class Files(dict[str, bytes]):
    """Files by path; none is ever written otherwise than it is."""

    def put(self, growth: list[tuple[object, bytes]]) -> None:
        for tile, data in growth:
            path = tile.path  # type: ignore[attr-defined]
            assert self.setdefault(path, data) == data, path

    def read(self, path: str) -> bytes:
        if path not in self:
            raise FileNotFoundError(path)
        return self[path]


@pytest.mark.parametrize("steps", [(1,), (255, 256, 257), (1, 5, 300, 4096, 256)])
def test_what_was_taken_is_in_the_files_whatever_the_steps(steps: tuple[int, ...]) -> None:
    drawn = random.Random(f"{SEED}/{steps}")
    growth, files, entries = Growth(), Files(), [an_entry(number) for number in range(700)]
    if max(steps) > 700:
        entries = [an_entry(number) for number in range(66_000)]

    while growth.size < len(entries):
        count = drawn.choice(steps)
        files.put(growth.take(entries[growth.size : growth.size + count]))
        if drawn.random() < 0.1 or growth.size == len(entries):
            files.put(growth.partial())
            assert growth.root() == root_of(entries[: growth.size]), f"seed {SEED}"

    must_be_served(files.read, Checkpoint("test/0", growth.size, growth.root()), entries)


def test_a_partial_file_is_made_only_when_it_is_asked_for() -> None:
    growth = Growth()

    assert growth.take([an_entry(number) for number in range(255)]) == []
    assert [tile.path for tile, _ in growth.partial()] == [
        "tile/entries/000.p/255",
        "tile/0/000.p/255",
    ]
    full = growth.take([an_entry(255)])
    assert [tile.path for tile, _ in full] == ["tile/entries/000", "tile/0/000"]
    assert [tile.path for tile, _ in growth.partial()] == ["tile/1/000.p/1"]


def test_an_empty_log_has_no_files() -> None:
    assert Growth().partial() == []
    assert Growth().root() == root_of([])
