# SPDX-License-Identifier: Apache-2.0
"""Trees: the roots and paths of RFC 6962 section 2.1, and no leaf that proves to be elsewhere."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests import rfc6962
from vault.transparency.tree import leaf_hash, levels_of, path_of, root_of_path

LARGEST = 70
SIZES = range(1, LARGEST + 1)
LEAVES = [leaf_hash(f"leaf {number}".encode()) for number in SIZES]

# Of the tests of Certificate Transparency, which go with RFC 6962: eight leaves and their roots.
INPUTS = (
    "",
    "00",
    "10",
    "2021",
    "3031",
    "40414243",
    "5051525354555657",
    "606162636465666768696a6b6c6d6e6f",
)
ROOTS = (
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
)


@pytest.mark.parametrize("size", range(1, len(INPUTS) + 1))
def test_the_roots_are_those_of_certificate_transparency(size: int) -> None:
    leaves = [leaf_hash(bytes.fromhex(data)) for data in INPUTS[:size]]

    assert levels_of(leaves)[-1] == [bytes.fromhex(ROOTS[size - 1])]


@pytest.mark.parametrize("size", SIZES)
def test_root_and_paths_are_those_of_the_definition(size: int) -> None:
    leaves = LEAVES[:size]
    levels = levels_of(leaves)

    assert list(levels[-1]) == [rfc6962.root(leaves)]
    assert [list(path_of(levels, index)) for index in range(size)] == [
        rfc6962.path(index, leaves) for index in range(size)
    ]


@pytest.mark.parametrize("size", SIZES)
def test_a_path_leads_to_the_root_from_its_own_place_alone(size: int) -> None:
    levels = levels_of(LEAVES[:size])
    (root,) = levels[-1]

    for index in range(size):
        path = path_of(levels, index)
        leading = [place for place in range(size) if leads(index, place, size, path) == root]
        assert leading == [index]


@pytest.mark.parametrize("size", SIZES)
def test_a_path_of_another_length_leads_nowhere(size: int) -> None:
    levels = levels_of(LEAVES[:size])

    for index in range(size):
        path = path_of(levels, index)
        with pytest.raises(ValueError, match="too long"):
            root_of_path(LEAVES[index], index, size, (*path, path[0] if path else bytes(32)))
        if path:
            with pytest.raises(ValueError, match="too short"):
                root_of_path(LEAVES[index], index, size, path[:-1])


@pytest.mark.parametrize(("index", "size"), [(-1, 3), (3, 3), (0, 0), (2**64, 3)])
def test_a_place_outside_the_tree_is_none(index: int, size: int) -> None:
    with pytest.raises(ValueError, match="place"):
        root_of_path(LEAVES[0], index, size, ())


@given(st.integers(1, LARGEST), st.data())
def test_a_changed_bit_never_leads_to_the_root(size: int, data: st.DataObject) -> None:
    levels = levels_of(LEAVES[:size])
    index = data.draw(st.integers(0, size - 1))
    whole = b"".join((LEAVES[index], *path_of(levels, index)))
    place = data.draw(st.integers(0, len(whole) * 8 - 1))
    changed = bytearray(whole)
    changed[place // 8] ^= 1 << place % 8

    leaf, *path = (bytes(changed[at : at + 32]) for at in range(0, len(whole), 32))

    assert [root_of_path(leaf, index, size, path)] != list(levels[-1])


def test_an_inner_node_is_no_leaf() -> None:
    """A leaf and a node begin with different bytes, so that none can stand for the other."""
    left, right = LEAVES[:2]

    assert leaf_hash(left + right) != hashlib.sha256(b"\x01" + left + right).digest()
    assert levels_of([left, right])[-1] == [hashlib.sha256(b"\x01" + left + right).digest()]


def leads(index: int, place: int, size: int, path: tuple[bytes, ...]) -> bytes:
    """Return where a leaf's path leads from a place, b"" if nowhere."""
    try:
        return root_of_path(LEAVES[index], place, size, path)
    except ValueError:
        return b""
