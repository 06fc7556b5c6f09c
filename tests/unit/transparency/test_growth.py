# SPDX-License-Identifier: Apache-2.0
"""Trees that grow: every proof of a leaf and of a growth, against RFC 6962 word for word."""

from __future__ import annotations

import random

import pytest

from tests import rfc6962
from vault.transparency.tree import (
    EMPTY_ROOT,
    Frontier,
    consistency_path,
    consistent,
    inclusion_path,
    leaf_hash,
    levels_of,
    node_hash,
    root_of,
    root_of_path,
)

LARGEST = 300
LEAVES = [leaf_hash(f"leaf {number}".encode()) for number in range(LARGEST)]
DEFINITION = rfc6962.Tree(LEAVES)
LEVELS = levels_of(LEAVES)
ROOTS = [EMPTY_ROOT, *(DEFINITION.root(0, size) for size in range(1, LARGEST + 1))]


def nodes(level: int, index: int) -> bytes:
    return LEVELS[level][index]


def frontier(size: int) -> Frontier:
    grown = Frontier()
    grown.extend(LEAVES[:size])
    return grown


def test_every_leaf_of_every_tree_is_proved_as_defined() -> None:
    for size in range(1, LARGEST + 1):
        for index in range(size):
            path = inclusion_path(nodes, index, size)
            assert list(path) == DEFINITION.path(index, 0, size)
            assert root_of_path(LEAVES[index], index, size, path) == ROOTS[size]


def test_every_growth_of_every_tree_is_proved_as_defined() -> None:
    for size in range(1, LARGEST + 1):
        for old in range(1, size + 1):
            path = consistency_path(nodes, old, size)
            assert list(path) == DEFINITION.proof(old, size)
            consistent(old, ROOTS[old], size, ROOTS[size], path)


def test_a_proof_needs_whole_nodes_only() -> None:
    """So that tiles, which are never rewritten, hold all that any proof needs."""
    size = 77

    def whole(level: int, index: int) -> bytes:
        assert (index + 1) << level <= size
        return nodes(level, index)

    for index in range(size):
        inclusion_path(whole, index, size)
        consistency_path(whole, index + 1, size)
    assert root_of(whole, size) == ROOTS[size]


def test_larger_trees_prove_random_leaves_and_growths() -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")  # noqa: T201 - shown if it fails
    draw = random.Random(seed)
    size = draw.randrange(10_000, 30_000)
    leaves = [draw.randbytes(32) for _ in range(size)]
    levels = levels_of(leaves)
    definition = rfc6962.Tree(leaves)
    (root,) = levels[-1]

    assert root == definition.root(0, size)
    for _ in range(100):
        index = draw.randrange(size)
        path = inclusion_path(lambda level, at: levels[level][at], index, size)
        assert list(path) == definition.path(index, 0, size)
        assert root_of_path(leaves[index], index, size, path) == root
        growth = consistency_path(lambda level, at: levels[level][at], index + 1, size)
        assert list(growth) == definition.proof(index + 1, size)
        consistent(index + 1, definition.root(0, index + 1), size, root, growth)


def test_a_frontier_has_the_root_of_every_size() -> None:
    grown = Frontier()

    for size in range(LARGEST + 1):
        assert (grown.size, grown.root()) == (size, ROOTS[size])
        if size < LARGEST:
            grown.append(LEAVES[size])


@pytest.mark.parametrize("size", [0, 1, 2, 3, 127, 128, 255, 256, 257])
def test_a_frontier_goes_on_from_its_hashes(size: int) -> None:
    kept = frontier(size)
    again = Frontier(kept.size, kept.hashes)

    again.extend(LEAVES[size:])

    assert again.root() == ROOTS[LARGEST]
    assert kept.root() == ROOTS[size]


@pytest.mark.parametrize("size", [0, 1, 77, 256, 300])
def test_a_frontier_is_found_in_the_nodes_of_a_tree(size: int) -> None:
    assert Frontier.of(nodes, size).hashes == frontier(size).hashes
    assert root_of(nodes, size) == ROOTS[size]


def test_a_copy_of_a_frontier_grows_on_its_own() -> None:
    kept = frontier(5)

    kept.copy().append(LEAVES[5])

    assert (kept.size, kept.root()) == (5, ROOTS[5])


@pytest.mark.parametrize(
    ("size", "hashes"),
    [(-1, ()), (3, LEAVES[:1]), (3, LEAVES[:3]), (1, [bytes(31)]), (0, LEAVES[:1])],
)
def test_a_frontier_of_another_size_is_refused(size: int, hashes: list[bytes]) -> None:
    with pytest.raises(ValueError, match="not those of a tree of that size"):
        Frontier(size, hashes)


@pytest.mark.parametrize(("index", "size"), [(-1, 3), (3, 3), (0, 0), (7, 3)])
def test_no_path_leads_from_outside_of_a_tree(index: int, size: int) -> None:
    with pytest.raises(ValueError, match="the place is not in the tree"):
        inclusion_path(nodes, index, size)


@pytest.mark.parametrize(("old", "size"), [(0, 0), (0, 3), (4, 3), (-1, 3)])
def test_nothing_is_shown_of_what_is_no_growth(old: int, size: int) -> None:
    with pytest.raises(ValueError, match="no tree of the one size grows out of the other"):
        consistency_path(nodes, old, size)
    with pytest.raises(ValueError, match="no tree of the one size grows out of the other"):
        consistent(old, ROOTS[max(old, 0)], size, ROOTS[size], ())


@pytest.mark.parametrize("old", [1, 5, 6, 8, 13])
def test_a_growth_with_anything_changed_is_refused(old: int) -> None:
    size = 13
    path = consistency_path(nodes, old, size)
    other = bytes(32)
    hostile = [
        (other, ROOTS[size], path),
        (ROOTS[old], other, path),
        (ROOTS[old], ROOTS[size], (*path, other)),
        (ROOTS[old], ROOTS[size], (other, *path)),
        *((ROOTS[old], ROOTS[size], (*path[:i], *path[i + 1 :])) for i in range(len(path))),
        *((ROOTS[old], ROOTS[size], (*path[:i], other, *path[i + 1 :])) for i in range(len(path))),
        *((ROOTS[old], ROOTS[size], (*path[:i], b"", *path[i + 1 :])) for i in range(len(path))),
        (ROOTS[old], ROOTS[size], path[::-1] if len(path) > 1 else (other,)),
    ]

    for old_root, root, shown in hostile:
        with pytest.raises(ValueError, match="the proof"):
            consistent(old, old_root, size, root, shown)


def test_a_tree_that_was_rewritten_did_not_grow() -> None:
    rewritten = levels_of([*LEAVES[:3], leaf_hash(b"another"), *LEAVES[4:13]])
    path = consistency_path(lambda level, index: rewritten[level][index], 8, 13)

    with pytest.raises(ValueError, match="the proof leads to other roots"):
        consistent(8, ROOTS[8], 13, rewritten[-1][0], path)


@pytest.mark.parametrize("wrong", [b"", bytes(31), bytes(33), bytes(64)])
def test_a_path_takes_nothing_but_hashes(wrong: bytes) -> None:
    path = inclusion_path(nodes, 2, 4)

    with pytest.raises(ValueError, match="no hash"):
        root_of_path(LEAVES[2], 2, 4, (wrong, *path[1:]))
    with pytest.raises(ValueError, match="no hash"):
        root_of_path(wrong, 2, 4, path)


@pytest.mark.parametrize("wrong", [b"", bytes(31), bytes(33), bytes(64)])
def test_a_proof_of_growth_takes_nothing_but_hashes(wrong: bytes) -> None:
    path = consistency_path(nodes, 5, 13)

    for at in range(len(path)):
        with pytest.raises(ValueError, match="no hash"):
            consistent(5, ROOTS[5], 13, ROOTS[13], (*path[:at], wrong, *path[at + 1 :]))


def test_an_inner_node_is_no_leaf() -> None:
    """Its hash begins otherwise, so nobody makes a leaf of what two leaves make."""
    assert leaf_hash(LEAVES[0] + LEAVES[1]) != node_hash(LEAVES[0], LEAVES[1])
