# SPDX-License-Identifier: Apache-2.0
"""The folder of a log: complete or absent, tiles before the checkpoint, one writer."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.logs import ALog, Entries
from vault.log.errors import TileDiffersError
from vault.log.folder import LogFolder

TILES = [("tile/0/000", b"hashes"), ("tile/entries/x000/001.p/5", b"entries")]


@pytest.fixture
def folder(tmp_path: Path) -> LogFolder:
    return LogFolder(tmp_path / "log" / "0")


@pytest.fixture
def steps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """Return what is done to the disk: what is synced, and what gets its name, in order."""
    done: list[tuple[str, str]] = []
    fsync, rename = os.fsync, Path.rename

    def synced(descriptor: int) -> None:
        fsync(descriptor)
        path = Path(f"/proc/self/fd/{descriptor}").readlink()
        done.append(("sync", str(path.relative_to(tmp_path))))

    def named(path: Path, target: Path) -> Path:
        new = rename(path, target)
        done.append((f"name {path.relative_to(tmp_path)}", str(target.relative_to(tmp_path))))
        return new

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(Path, "rename", named)
    return done


def test_what_was_put_is_read(folder: LogFolder) -> None:
    folder.put(TILES)

    assert [folder.read(path) for path, _ in TILES] == [b"hashes", b"entries"]


def test_what_is_absent_is_said(folder: LogFolder) -> None:
    assert folder.checkpoint() is None
    with pytest.raises(FileNotFoundError):
        folder.read("tile/0/000")


def test_a_tile_never_changes(folder: LogFolder) -> None:
    folder.put(TILES)

    folder.put(TILES)
    with pytest.raises(TileDiffersError, match="tile/0/000 "):
        folder.put([("tile/0/000", b"others")])

    assert folder.read("tile/0/000") == b"hashes"


def test_the_checkpoint_is_replaced(folder: LogFolder) -> None:
    folder.publish(b"one")
    folder.publish(b"two")

    assert folder.checkpoint() == b"two"


def test_everything_is_synced_before_it_has_its_name_and_its_folder_after(
    folder: LogFolder, steps: list[tuple[str, str]]
) -> None:
    folder.put(TILES)
    folder.publish(b"note")

    for number, (step, name) in enumerate(steps):
        if step.startswith("name "):
            assert ("sync", step.removeprefix("name ")) in steps[:number]
            assert ("sync", str(Path(name).parent)) in steps[number:]
    for made in ("log/0", "log/0/tile", "log/0/tile/entries"):
        assert ("sync", made) in steps


def test_no_checkpoint_has_its_name_before_its_tiles_are_durable(
    tmp_path: Path, steps: list[tuple[str, str]]
) -> None:
    log = ALog(tmp_path / "log" / "0", Entries(700))
    integrator = log.begun()
    steps.clear()

    integrator.go_on()

    published = next(n for n, (step, name) in enumerate(steps) if name == "log/0/checkpoint")
    named = {Path(name).parent for step, name in steps if step.startswith("name ")}
    tiles = [str(folder) for folder in named if "tile" in folder.parts]
    assert len(tiles) == 5
    assert all(("sync", folder) in steps[:published] for folder in tiles)
    assert steps[published + 1] == ("sync", "log/0")
    assert not any(step.startswith("name ") for step, _ in steps[published + 1 :])


def test_what_a_dead_writer_named_is_durable_when_it_is_put_again(
    folder: LogFolder, steps: list[tuple[str, str]]
) -> None:
    """It may have died between the name and the sync of the folder."""
    folder.put(TILES[:1])
    steps.clear()

    folder.put(TILES[:1])

    assert steps == [("sync", "log/0/tile/0")]


def test_a_write_that_fails_leaves_no_tile(
    folder: LogFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="No space"):
        folder.put(TILES)
    monkeypatch.undo()

    with pytest.raises(FileNotFoundError):
        folder.read("tile/0/000")
    folder.put(TILES)
    assert folder.read("tile/0/000") == b"hashes"


def test_of_two_one_may_write(tmp_path: Path) -> None:
    one, other = LogFolder(tmp_path / "0"), LogFolder(tmp_path / "0")

    with one.lock() as is_ones, other.lock() as is_others:
        assert (is_ones, is_others) == (True, False)
    with other.lock() as is_others:
        assert is_others


def test_what_an_interrupted_writer_left_is_gone(tmp_path: Path) -> None:
    folder = LogFolder(tmp_path / "0")
    (tmp_path / "0" / ".staging" / "left").write_bytes(b"x")

    with folder.lock():
        assert list((tmp_path / "0" / ".staging").iterdir()) == []


def test_partial_tiles_go_when_the_full_one_is_published(tmp_path: Path) -> None:
    log = ALog(tmp_path / "0", Entries(255))
    integrator = log.begun()
    integrator.go_on()
    assert (tmp_path / "0/tile/0/000.p/255").exists()

    log.entries.append()
    integrator.go_on()

    assert not (tmp_path / "0/tile/0/000.p").exists()
    assert not (tmp_path / "0/tile/entries/000.p").exists()
    log.must_be_whole()
