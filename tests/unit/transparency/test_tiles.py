# SPDX-License-Identifier: Apache-2.0
"""Tiles: files that never change, out of which every proof can be made."""

from __future__ import annotations

import random

import pytest

from tests import rfc6962
from vault.transparency.encoding import FormError
from vault.transparency.tiles import (
    ENTRIES,
    Tile,
    TileEdge,
    TileReader,
    bundles_between,
    encode_entries,
    parse_entries,
    parse_hashes,
    tiles_between,
)
from vault.transparency.tree import (
    EMPTY_ROOT,
    consistency_path,
    consistent,
    inclusion_path,
    leaf_hash,
    root_of,
    root_of_path,
)

LARGEST = 70_000
LEAVES = [leaf_hash(number.to_bytes(4, "big")) for number in range(LARGEST)]
DEFINITION = rfc6962.Tree(LEAVES)


class Folder:
    """Files that may be written again with the same bytes, and with no others."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.reads: list[str] = []

    def write(self, path: str, data: bytes) -> None:
        assert self.files.setdefault(path, data) == data

    def read(self, path: str) -> bytes:
        self.reads.append(path)
        if path not in self.files:
            raise FileNotFoundError(path)
        return self.files[path]


def grow(edge: TileEdge, folder: Folder, until: int) -> None:
    for tile, data in edge.extend(LEAVES[edge.size : until]):
        folder.write(tile.path, data)


def folder_of(*sizes: int) -> Folder:
    edge, folder = TileEdge(), Folder()
    for size in sizes:
        grow(edge, folder, size)
    return folder


@pytest.fixture(scope="module")
def large() -> Folder:
    return folder_of(LARGEST)


def test_a_log_of_70000_has_the_tiles_of_the_specification() -> None:
    tiles = list(tiles_between(0, 70_000))

    by_level = [[tile.width for tile in tiles if tile.level == level] for level in range(4)]
    assert by_level == [[256] * 273 + [112], [256, 17], [1], []]


def test_a_log_of_256_has_the_tiles_of_the_specification() -> None:
    assert list(tiles_between(0, 256)) == [Tile(0, 0), Tile(1, 0, 1)]


@pytest.mark.parametrize(
    ("old", "new", "tiles"),
    [
        (0, 0, []),
        (5, 5, []),
        (0, 1, [Tile(0, 0, 1)]),
        (1, 255, [Tile(0, 0, 255)]),
        (255, 256, [Tile(0, 0), Tile(1, 0, 1)]),
        (256, 257, [Tile(0, 1, 1)]),
        (250, 600, [Tile(0, 0), Tile(0, 1), Tile(0, 2, 88), Tile(1, 0, 2)]),
        (65_535, 65_536, [Tile(0, 255), Tile(1, 0), Tile(2, 0, 1)]),
    ],
)
def test_what_a_growth_writes(old: int, new: int, tiles: list[Tile]) -> None:
    assert list(tiles_between(old, new)) == tiles
    assert list(bundles_between(old, new)) == [
        Tile(ENTRIES, tile.index, tile.width) for tile in tiles if tile.level == 0
    ]


@pytest.mark.parametrize("step", [1, 7, 255, 256, 257, 1000])
def test_an_edge_writes_what_a_growth_writes_and_has_the_root(step: int) -> None:
    edge, until = TileEdge(), 1500
    folder = Folder()

    assert edge.root() == EMPTY_ROOT
    for size in [*range(step, until, step), until]:
        old = edge.size
        written = edge.extend(LEAVES[old:size])
        for tile, data in written:
            assert len(data) == tile.width * 32
            folder.write(tile.path, data)
        assert sorted(tile.path for tile, _ in written) == sorted(
            tile.path for tile in tiles_between(old, size)
        )
        assert edge.size == size
        assert edge.root() == DEFINITION.root(0, size)
        assert root_of(TileReader(folder.read, size).nodes, size) == edge.root()


def test_nothing_is_written_for_no_growth() -> None:
    edge = TileEdge()

    assert edge.extend(()) == []
    assert (edge.size, edge.root()) == (0, EMPTY_ROOT)


@pytest.mark.parametrize("size", [0, 1, 255, 256, 257, 1500, 65_535, 65_536, 65_537])
def test_an_edge_goes_on_from_tiles(size: int) -> None:
    folder = folder_of(size)

    edge = TileReader(folder.read, size).edge()
    grow(edge, folder, LARGEST)

    assert edge.root() == DEFINITION.root(0, LARGEST)
    assert folder_of(size, LARGEST).files == folder.files


@pytest.mark.parametrize(
    ("size", "rows"),
    [(1, []), (0, [[]]), (1, [[]]), (1, [LEAVES[:2]]), (256, [LEAVES[:256]]), (-1, [])],
)
def test_an_edge_of_another_size_is_refused(size: int, rows: list[list[bytes]]) -> None:
    with pytest.raises(FormError, match="at the edge of a log of that size"):
        TileEdge(size, rows)


def test_random_proofs_come_out_of_tiles(large: Folder) -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")  # noqa: T201 - shown if it fails
    draw = random.Random(seed)
    root = DEFINITION.root(0, LARGEST)

    for _ in range(30):
        index = draw.randrange(LARGEST)
        nodes = TileReader(large.read, LARGEST).nodes
        path = inclusion_path(nodes, index, LARGEST)
        growth = consistency_path(nodes, index + 1, LARGEST)
        assert list(path) == DEFINITION.path(index, 0, LARGEST)
        assert list(growth) == DEFINITION.proof(index + 1, LARGEST)
        assert root_of_path(LEAVES[index], index, LARGEST, path) == root
        consistent(index + 1, DEFINITION.root(0, index + 1), LARGEST, root, growth)


def test_a_proof_reads_few_tiles_and_each_once(large: Folder) -> None:
    large.reads.clear()
    reader = TileReader(large.read, LARGEST)

    inclusion_path(reader.nodes, 12_345, LARGEST)
    inclusion_path(reader.nodes, 12_346, LARGEST)

    assert len(large.reads) == len(set(large.reads)) <= 5


def test_a_partial_tile_that_was_deleted_is_read_from_the_full_one() -> None:
    folder = folder_of(300, 700)
    old = TileReader(folder.read, 300)
    expected = inclusion_path(old.nodes, 299, 300)
    del folder.files[Tile(0, 1, 44).path]

    reader = TileReader(folder.read, 300)

    assert inclusion_path(reader.nodes, 299, 300) == expected
    assert list(reader.hashes(250, 300)) == LEAVES[250:300]
    assert reader.edge().root() == DEFINITION.root(0, 300)
    assert Tile(0, 1).path in folder.reads


@pytest.mark.parametrize("path", [Tile(0, 0).path, Tile(0, 1, 44).path, Tile(1, 0, 1).path])
def test_a_tile_that_is_nowhere_is_missed(path: str) -> None:
    folder = folder_of(300)
    del folder.files[path]

    with pytest.raises(FileNotFoundError):
        everything(TileReader(folder.read, 300))


@pytest.mark.parametrize("data", [b"", bytes(31), bytes(44 * 32 + 1), bytes(257 * 32)])
@pytest.mark.parametrize("path", [Tile(0, 0).path, Tile(0, 1, 44).path, Tile(1, 0, 1).path])
def test_a_tile_of_another_width_is_refused(path: str, data: bytes) -> None:
    folder = folder_of(300)
    folder.files[path] = data

    with pytest.raises(FormError, match="not as wide as its name says"):
        everything(TileReader(folder.read, 300))


def everything(reader: TileReader) -> None:
    list(reader.hashes(0, 300))
    inclusion_path(reader.nodes, 299, 300)


def test_a_changed_tile_leads_to_another_root() -> None:
    folder = folder_of(300)
    root = root_of(TileReader(folder.read, 300).nodes, 300)
    for path, data in list(folder.files.items()):
        folder.files[path] = bytes([data[0] ^ 1]) + data[1:]
        if path != Tile(0, 0).path:  # its root stands in the tile above
            assert root_of(TileReader(folder.read, 300).nodes, 300) != root
        folder.files[path] = data
    changed = folder.files[Tile(0, 0).path]
    folder.files[Tile(0, 0).path] = bytes([changed[0] ^ 1]) + changed[1:]
    path = inclusion_path(TileReader(folder.read, 300).nodes, 1, 300)

    assert root_of_path(LEAVES[1], 1, 300, path) != root


@pytest.mark.parametrize(
    ("level", "index"), [(-1, 0), (0, -1), (0, 300), (1, 150), (8, 1), (9, 0), (64, 0)]
)
def test_there_is_no_node_outside_of_the_tree(level: int, index: int) -> None:
    reader = TileReader(folder_of(300).read, 300)

    with pytest.raises(ValueError, match="no such whole node"):
        reader.nodes(level, index)


def test_hashes_of_leaves_are_read_by_range(large: Folder) -> None:
    reader = TileReader(large.read, LARGEST)

    for start, end in [(0, 0), (0, 1), (255, 257), (300, 900), (69_888, 70_000), (70_000, 70_000)]:
        assert list(reader.hashes(start, end)) == LEAVES[start:end]
    for start, end in [(-1, 3), (3, 2), (0, 70_001)]:
        with pytest.raises(ValueError, match="no such leaves"):
            list(reader.hashes(start, end))


@pytest.mark.parametrize(
    "path",
    [
        "",
        "tile/0/0",
        "tile/0/1000",
        "tile/00/000",
        "tile/64/000",
        "tile/-1/000",
        "tile/0/x000/001",
        "tile/0/001/002",
        "tile/0/x001",
        "tile/0/000.p/0",
        "tile/0/000.p/01",
        "tile/0/000.p/256",
        "tile/0/000.p/",
        "tile/0/000.P/1",
        "/tile/0/000",
        "tile/0/000/",
        "tile/0/000\n",
        "tile/0/../0/000",
        "tile/\u0660/000",
        "tile/0/\u0660\u0660\u0660",
        "tile/entries/00",
        "tile/Entries/000",
        "tile/x009/x223/x372/x036/x854/x775/808",
        "tile/0/x009/x223/x372/x036/x854/x775/808",
        "tile/0/" + "x000/" * 2000 + "000",
    ],
)
def test_what_is_no_path_of_a_tile_is_refused(path: str) -> None:
    with pytest.raises(FormError):
        Tile.parse(path)


def test_paths_are_written_as_specified() -> None:
    assert Tile(0, 1_234_067).path == "tile/0/x001/x234/067"
    assert Tile(0, 1234, 5).path == "tile/0/x001/234.p/5"
    assert Tile(ENTRIES, 999, 1).path == "tile/entries/999.p/1"
    assert Tile(ENTRIES, 1000).path == "tile/entries/x001/000"


@pytest.mark.parametrize(
    ("level", "index", "width"),
    [(-2, 0, 1), (64, 0, 1), (0, -1, 1), (0, 2**63, 1), (0, 0, 0), (0, 0, 257)],
)
def test_there_is_no_such_tile(level: int, index: int, width: int) -> None:
    with pytest.raises(FormError, match="no such tile"):
        Tile(level, index, width)


@pytest.mark.parametrize("index", [0, 7, 999, 1000, 999_999, 1_000_000, 2**63 - 1])
@pytest.mark.parametrize("width", [1, 255, 256])
@pytest.mark.parametrize("level", [ENTRIES, 0, 63])
def test_a_path_is_read_as_it_was_written(level: int, index: int, width: int) -> None:
    tile = Tile(level, index, width)

    assert Tile.parse(tile.path) == tile
    assert tile.full.path == Tile(level, index).path
    assert tile.is_full is (width == 256)


@pytest.mark.parametrize(
    "entries", [(b"",), (b"one", b"", b"three"), (b"x" * 65_535,), (b"y" * 65,) * 256]
)
def test_a_bundle_is_read_as_it_was_written(entries: tuple[bytes, ...]) -> None:
    assert parse_entries(encode_entries(entries)) == entries


@pytest.mark.parametrize(
    "data", [b"", b"\0", b"\0\1", b"\0\1xy", b"\0\2x", b"\0\0" * 257, b"\0\1x\0"]
)
def test_what_is_no_bundle_is_refused(data: bytes) -> None:
    with pytest.raises(FormError, match="no bundle of entries"):
        parse_entries(data)


def test_an_entry_that_is_too_long_is_refused() -> None:
    with pytest.raises(FormError, match="longer than"):
        encode_entries([bytes(65_536)])


def test_the_hashes_of_a_tile_are_as_many_as_it_is_wide() -> None:
    assert parse_hashes(Tile(0, 0, 2), LEAVES[0] + LEAVES[1]) == tuple(LEAVES[:2])
    with pytest.raises(FormError, match="not as wide"):
        parse_hashes(Tile(0, 0, 3), LEAVES[0] + LEAVES[1])
