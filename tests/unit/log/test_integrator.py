# SPDX-License-Identifier: Apache-2.0
"""From entries to a checkpoint: what is signed, and what is not signed under any circumstances."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.faults.campaign import new_seed
from tests.logs import ORIGIN, ALog, Entries, Keys, root_of
from vault.log import integrator as module
from vault.log.errors import (
    KeyBehindError,
    LogRefusesError,
    OtherKeyError,
    StoreBehindError,
    StoreDiffersError,
    TileDiffersError,
)
from vault.log.integrator import DatabaseChangedError, draw_log
from vault.sealing.errors import KeyStoreError
from vault.sealing.log import new_log

SEED = new_seed()


@pytest.fixture
def log(tmp_path: Path) -> ALog:
    return ALog(tmp_path / "log" / "0")


def head(log: ALog) -> tuple[int, bytes]:
    """Return what the key has signed last."""
    assert log.keys.log is not None
    return log.keys.log.size, log.keys.log.root


def published_size(log: ALog) -> int:
    return log.published.size if log.published else 0


def test_an_empty_log_signs_nothing(log: ALog) -> None:
    log.begun().go_on()

    assert log.published is None
    assert head(log)[0] == 0


@pytest.mark.parametrize("size", [1, 255, 256, 257, 700])
def test_what_there_is_is_signed_and_published(log: ALog, size: int) -> None:
    log.entries.append(size)

    log.begun().go_on()

    assert published_size(log) == size
    assert head(log) == (size, root_of(log.entries.entries))
    log.must_be_whole()


def test_nothing_new_is_signed_but_once(log: ALog) -> None:
    log.entries.append(3)
    integrator = log.begun()
    integrator.go_on()
    before = (log.keys.log, log.note)

    integrator.go_on()

    assert (log.keys.log, log.note) == before


def test_a_growing_log_is_whole_at_every_step(log: ALog) -> None:
    drawn = random.Random(SEED)
    integrator = log.begun()
    for _ in range(25):
        log.entries.append(drawn.choice([1, 2, 100, 256, 300]))
        integrator.go_on()

        assert published_size(log) == len(log.entries.entries), f"seed {SEED}"
        log.must_be_whole()


def test_only_what_is_durable_is_signed(log: ALog, monkeypatch: pytest.MonkeyPatch) -> None:
    log.entries.append(5)
    integrator = log.begun()

    def refuse(_record: object) -> None:
        raise OSError("no standby has it")

    monkeypatch.setattr(log.entries, "prove_durable", refuse)
    with pytest.raises(OSError, match="no standby"):
        integrator.go_on()

    assert log.published is None
    assert head(log)[0] == 0
    assert not (log.path / "tile").exists()
    monkeypatch.undo()
    integrator.go_on()
    assert log.entries.proven == [5]
    log.must_be_whole()


def test_pages_are_taken_with_a_pause_between_them(
    log: ALog, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever serves on the same processor comes to its turn."""
    monkeypatch.setattr(module, "PAGE", 100)
    log.entries.append(1_000)

    log.begun().go_on()

    assert len(log.pauses) == 9
    log.must_be_whole()


def test_a_restart_goes_on_where_it_was(log: ALog) -> None:
    log.entries.append(300)
    log.begun().go_on()
    log.entries.append(300)

    log.begun().go_on()

    assert published_size(log) == 600
    log.must_be_whole()


def test_a_lost_folder_is_built_anew(log: ALog) -> None:
    log.entries.append(700)
    log.begun().go_on()
    shutil.rmtree(log.path)

    again = ALog(log.path, log.entries, log.keys)
    again.begun()

    assert published_size(again) == 700
    again.must_be_whole()


# --- What is refused


def must_refuse(log: ALog, kind: type[LogRefusesError]) -> str:
    """Check that nothing is signed, at the start or later, and return why."""
    before = (head(log), log.folder.checkpoint())
    with pytest.raises(kind) as refused:
        log.begun().go_on()

    assert (head(log), log.folder.checkpoint()) == before
    return str(refused.value)


def test_a_store_that_ends_before_the_head_is_refused(log: ALog) -> None:
    log.entries.append(10)
    log.begun().go_on()
    del log.entries.entries[7:]

    why = must_refuse(log, StoreBehindError)

    assert "has signed 10 entries and the event store holds 7" in why
    assert "tail replay" in why


@pytest.mark.parametrize("grown", [10, 11, 300])
def test_a_store_that_went_on_otherwise_is_refused(log: ALog, grown: int) -> None:
    log.entries.append(10)
    log.begun().go_on()
    del log.entries.entries[7:]
    log.entries.append(grown - 7, history="other")
    shutil.rmtree(log.path / "tile")

    must_refuse(log, StoreDiffersError)


def test_a_store_that_went_on_otherwise_is_refused_by_its_tiles_too(log: ALog) -> None:
    log.entries.append(300)
    log.begun().go_on()
    log.entries.entries[7] = b"\x01" * 65

    must_refuse(log, TileDiffersError)


def test_a_running_log_refuses_a_store_that_lost_entries(log: ALog) -> None:
    log.entries.append(10)
    integrator = log.begun()
    integrator.go_on()
    del log.entries.entries[7:]

    with pytest.raises(StoreBehindError):
        integrator.go_on()

    assert head(log)[0] == 10


def test_a_key_that_is_behind_what_it_published_is_refused(log: ALog) -> None:
    """Yesterday's key store beside today's store and folder."""
    log.entries.append(5)
    integrator = log.begun()
    integrator.go_on()
    yesterday = log.keys.log
    log.entries.append(5)
    integrator.go_on()

    log.keys.log = yesterday

    assert "knows nothing" in must_refuse(log, KeyBehindError)


def test_another_key_than_the_published_one_is_refused(log: ALog) -> None:
    log.entries.append(5)
    log.begun().go_on()

    log.keys.log = None
    other = ALog(log.path, log.entries, log.keys)

    must_refuse(other, OtherKeyError)


def test_a_key_that_is_gone_is_refused(log: ALog) -> None:
    integrator = log.begun()
    log.entries.append(5)
    log.keys.log = None

    with pytest.raises(OtherKeyError):
        integrator.go_on()

    assert log.published is None


@pytest.mark.parametrize("path", ["tile/0/000", "tile/entries/000", "tile/0/001.p/44"])
def test_a_changed_tile_is_refused(log: ALog, path: str) -> None:
    log.entries.append(300)
    log.begun().go_on()
    tile = log.path / path
    tile.write_bytes(bytes([tile.read_bytes()[0] ^ 1]) + tile.read_bytes()[1:])

    assert path in must_refuse(log, TileDiffersError)


@pytest.mark.parametrize("spoil", [bytes.swapcase, bytes.strip, bytes.title])
def test_a_damaged_checkpoint_is_refused(log: ALog, spoil: Callable[[bytes], bytes]) -> None:
    log.entries.append(5)
    log.begun().go_on()
    log.folder.publish(spoil(log.note.encode()))

    must_refuse(log, LogRefusesError)


def test_a_database_that_was_lost_is_compared_anew(log: ALog) -> None:
    log.entries.append(5)
    integrator = log.begun()
    integrator.go_on()
    log.entries.incarnation += 1
    log.entries.append(5)

    with pytest.raises(DatabaseChangedError):
        integrator.go_on()

    assert head(log)[0] == 5


# --- Two servers with one key


def two(tmp_path: Path) -> tuple[ALog, ALog]:
    """Return the logs of two servers on one store and one key store, each with its folder."""
    first = ALog(tmp_path / "one" / "0")
    return first, ALog(tmp_path / "other" / "0", first.entries, first.keys)


def test_two_servers_in_turns_sign_one_history(tmp_path: Path) -> None:
    drawn = random.Random(SEED)
    logs = two(tmp_path)
    integrators = [log.begun() for log in logs]
    roots: dict[int, bytes] = {}
    for _ in range(60):
        logs[0].entries.append(drawn.choice([0, 1, 200]))
        number = drawn.randrange(2)
        integrators[number].go_on()
        for log in logs:
            if log.published is not None:
                found = roots.setdefault(log.published.size, log.published.root)
                assert found == log.published.root, f"seed {SEED}"

    for log, integrator in zip(logs, integrators, strict=True):
        integrator.go_on()
        assert published_size(log) == len(log.entries.entries)
        log.must_be_whole()


def test_of_two_who_sign_at_once_one_is_refused_by_the_key_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, other = two(tmp_path)
    one, two_ = first.begun(), other.begun()
    first.entries.append(5)
    store_log = first.keys.store_log

    def overtaken(origin: str, log: Any) -> Any:
        # The other one comes between loading and storing, and signs more.
        monkeypatch.undo()
        first.entries.append(3)
        two_.go_on()
        return store_log(origin, log)

    monkeypatch.setattr(first.keys, "store_log", overtaken)
    one.go_on()

    assert first.published is None
    assert published_size(other) == 8
    one.go_on()
    assert first.published == other.published
    first.must_be_whole()


def test_a_server_whose_store_is_another_signs_nothing(tmp_path: Path) -> None:
    """Two instances, one key, and histories that parted."""
    first = ALog(tmp_path / "one" / "0", Entries(10))
    first.begun().go_on()
    other = ALog(tmp_path / "other" / "0", Entries(20, history="other"), first.keys)

    must_refuse(other, StoreDiffersError)


def test_a_head_that_another_server_signed_is_compared_while_going_on(tmp_path: Path) -> None:
    first = ALog(tmp_path / "one" / "0", Entries(10))
    one = first.begun()
    one.go_on()
    assert first.keys.log is not None
    first.keys.store_log(ORIGIN, first.keys.log.with_head(12, bytes(32)))
    first.entries.append(10)

    with pytest.raises(StoreDiffersError):
        one.go_on()

    assert published_size(first) == 10


# --- What fails and is tried again


@pytest.mark.parametrize("step", ["put", "store_log", "publish", "select_entries"])
@pytest.mark.parametrize("comes_after", [False, True])
def test_a_step_that_fails_is_taken_up_again(
    log: ALog, step: str, monkeypatch: pytest.MonkeyPatch, *, comes_after: bool
) -> None:
    """Whether it failed before it did anything, or after: its outcome is unknown."""
    log.entries.append(300)
    integrator = log.begun()
    integrator.go_on()
    log.entries.append(300)
    owner = next(each for each in (log.folder, log.keys, log.entries) if hasattr(each, step))
    real = getattr(owner, step)

    def failing(*args: Any) -> Any:
        monkeypatch.undo()
        if comes_after:
            real(*args)
        raise KeyStoreError("gone for a moment")

    monkeypatch.setattr(owner, step, failing)
    with pytest.raises(KeyStoreError):
        integrator.go_on()
    integrator.go_on()

    assert published_size(log) == 600
    log.must_be_whole()


def test_the_key_of_a_log_is_drawn_once() -> None:
    keys: Any = Keys()

    first = draw_log(keys, ORIGIN)

    assert draw_log(keys, ORIGIN) == first


def test_who_draws_second_takes_what_the_first_drew(monkeypatch: pytest.MonkeyPatch) -> None:
    keys: Any = Keys()
    load_log = keys.load_log

    def overtaken(origin: str) -> Any:
        monkeypatch.undo()
        found = load_log(origin)
        keys.store_log(origin, new_log())
        return found

    monkeypatch.setattr(keys, "load_log", overtaken)

    assert draw_log(keys, ORIGIN) == keys.log
