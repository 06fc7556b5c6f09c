# SPDX-License-Identifier: Apache-2.0
"""Sealed documents in a folder: written once, whole or not at all, gone when nobody names them."""

from __future__ import annotations

import base64
import errno
import hashlib
import os
import resource
import time
import tracemalloc
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vault.sealing.chunks import ChunkOpener, ChunkSealer
from vault.sealing.envelope import Context, new_key
from vault.store.document_folder import FolderDocumentStore
from vault.store.documents import (
    DAY_SECONDS,
    PIECE_BYTES,
    DocumentFolderError,
    DocumentMissingError,
    DocumentStore,
    DocumentStoreError,
    StagedDocument,
)

CONTEXT = Context("8a1f0000-0000-8000-8000-000000000001", "document", "e-1", 1, "document@1")
MEBIBYTE = 1024 * 1024
LONG_AGO = 2 * DAY_SECONDS


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "documents"


@pytest.fixture
def store(folder: Path) -> DocumentStore:
    return FolderDocumentStore(folder)


def staged(store: DocumentStore, *pieces: bytes) -> StagedDocument:
    document = store.stage()
    for piece in pieces:
        document.write(piece)
    return document


def put(store: DocumentStore, *pieces: bytes) -> str:
    return staged(store, *pieces).promote()


def read(store: DocumentStore, name: str) -> bytes:
    with store.open(name) as document:
        return b"".join(iter(document.read, b""))


def files_of(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def make_older(path: Path, seconds: float) -> None:
    os.utime(path, times=(time.time() - seconds,) * 2)


def named(*names: str) -> Callable[[str], bool]:
    return lambda name: name in names


def nobody(name: str) -> bool:
    del name
    return False


# --- Written and read


@given(pieces=st.lists(st.binary(max_size=5000), max_size=8))
def test_what_was_written_is_read(
    pieces: list[bytes], tmp_path_factory: pytest.TempPathFactory
) -> None:
    store = FolderDocumentStore(tmp_path_factory.getbasetemp() / "documents")

    assert read(store, put(store, *pieces)) == b"".join(pieces)


def test_an_object_is_named_by_the_digest_of_its_bytes(store: DocumentStore) -> None:
    assert put(store, b"sea", b"led") == hashlib.sha256(b"sealed").hexdigest()


def test_it_is_read_in_pieces_that_fit_in_a_message(store: DocumentStore) -> None:
    content = os.urandom(2 * PIECE_BYTES + 7)

    with store.open(put(store, content)) as document:
        pieces = list(iter(document.read, b""))
        size = document.size

    assert [len(piece) for piece in pieces] == [PIECE_BYTES, PIECE_BYTES, 7]
    assert b"".join(pieces) == content
    assert size == len(content)


def test_another_process_finds_it(store: DocumentStore, folder: Path) -> None:
    name = put(store, b"sealed")

    assert read(FolderDocumentStore(folder), name) == b"sealed"


def test_what_is_being_read_is_read_to_its_end_though_it_is_deleted(store: DocumentStore) -> None:
    name = put(store, b"sealed")

    with store.open(name) as document:
        store.delete(name)

        assert document.read() == b"sealed"


def test_25_mebibytes_pass_in_a_few(store: DocumentStore) -> None:
    """From the sealer into the folder, and from the folder through the opener."""
    piece = os.urandom(MEBIBYTE)
    key = new_key()
    sealer, opener = ChunkSealer(key, CONTEXT), ChunkOpener(key, CONTEXT, key.commitment)
    size = 0
    tracemalloc.start()

    document = store.stage()
    for _ in range(25):
        document.write(sealer.update(piece))
    document.write(sealer.finish())
    with store.open(document.promote()) as stored:
        for sealed in iter(stored.read, b""):
            size += len(opener.update(sealed))
    size += len(opener.finish())
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert size == 25 * MEBIBYTE
    assert peak < 6 * MEBIBYTE


def test_many_at_once(store: DocumentStore) -> None:
    contents = [os.urandom(50_000) for _ in range(40)]

    with ThreadPoolExecutor(8) as pool:
        names = list(pool.map(lambda content: put(store, content), contents))
        found = list(pool.map(lambda name: read(store, name), names))

    assert found == contents


# --- Once, whole, private


def test_an_object_is_never_written_again(store: DocumentStore, folder: Path) -> None:
    """What stands under its name stays, even if it were something else by now."""
    name = put(store, b"sealed")
    (path,) = files_of(folder)
    before = path.stat().st_ino
    path.write_bytes(b"SEALED")

    assert put(store, b"sealed") == name

    assert path.stat().st_ino == before
    assert path.read_bytes() == b"SEALED"
    assert files_of(folder) == [path]


def test_the_same_bytes_at_once_are_one_object(store: DocumentStore, folder: Path) -> None:
    documents = [staged(store, b"sealed") for _ in range(8)]

    with ThreadPoolExecutor(8) as pool:
        names = set(pool.map(lambda document: document.promote(), documents))

    assert len(names) == len(files_of(folder)) == 1


def test_nothing_stands_under_a_name_before_it_is_promoted(
    store: DocumentStore, folder: Path
) -> None:
    document = staged(store, b"sealed")

    assert [path.parent.name for path in files_of(folder)] == ["staging"]
    with pytest.raises(DocumentMissingError):
        store.open(hashlib.sha256(b"sealed").hexdigest())

    document.discard()


def test_what_is_discarded_is_nowhere(store: DocumentStore, folder: Path) -> None:
    document = staged(store, b"sealed")

    document.discard()
    document.discard()

    assert files_of(folder) == []


def test_discarding_what_was_promoted_does_nothing(store: DocumentStore) -> None:
    document = staged(store, b"sealed")
    name = document.promote()

    document.discard()

    assert read(store, name) == b"sealed"


def test_what_was_promoted_or_discarded_is_not_gone_on_with(store: DocumentStore) -> None:
    promoted, discarded = staged(store, b"sealed"), staged(store, b"sealed")
    promoted.promote()
    discarded.discard()

    for document in (promoted, discarded):
        with pytest.raises(ValueError, match="closed"):
            document.write(b"more")
        with pytest.raises(ValueError, match="closed"):
            document.promote()


def test_everything_is_its_owners_alone(store: DocumentStore, folder: Path) -> None:
    put(store, b"sealed")
    document = staged(store, b"sealed")

    files = {path.stat().st_mode & 0o777 for path in files_of(folder)}
    folders = {path.stat().st_mode & 0o777 for path in [folder, *folder.rglob("*/")]}
    document.discard()

    assert files == {0o600}
    assert folders == {0o700}


def test_neither_content_nor_key_stands_in_any_file(store: DocumentStore, folder: Path) -> None:
    key = new_key()
    canary = b"Mair Angharad Rhydderch, 14 Heol y Bont"
    sealer = ChunkSealer(key, CONTEXT)
    put(store, sealer.update(canary * 5000), sealer.finish())
    staged_sealer = ChunkSealer(key, CONTEXT)
    left = staged(store, staged_sealer.update(canary * 5000))

    everything = b"".join(path.read_bytes() + bytes(path) for path in files_of(folder))
    left.discard()

    forms = [key.secret, key.secret.hex().encode(), base64.b64encode(key.secret)[:42]]
    assert len(everything) > 2 * 65_536
    assert [form for form in [canary[:8], canary[-8:], *forms] if form in everything] == []
    assert CONTEXT.stream.encode() not in everything


# --- Durable


def test_it_is_durable_before_it_has_a_name_and_its_name_before_it_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    fsync, link = os.fsync, os.link

    def recorded_fsync(descriptor: int) -> None:
        path = Path(f"/proc/self/fd/{descriptor}").readlink()
        done.append(f"fsync {'file' if path.is_file() else path.relative_to(tmp_path)}")
        fsync(descriptor)

    def recorded_link(source: Path, target: Path) -> None:
        done.append("link")
        link(source, target)

    monkeypatch.setattr(os, "fsync", recorded_fsync)
    monkeypatch.setattr(os, "link", recorded_link)

    store = FolderDocumentStore(tmp_path / "documents")
    made = done.copy()
    name = put(store, b"sealed")
    promoted = done[len(made) :]
    store.delete(name)
    store.delete(name)
    deleted = done[len(made) + len(promoted) :]

    fan = f"documents/{name[:2]}"
    assert made == ["fsync ."]
    assert promoted == ["fsync file", "link", f"fsync {fan}", "fsync documents"]
    # Each time: the first may have been interrupted between the two.
    assert deleted == [f"fsync {fan}"] * 2


def test_what_cannot_be_made_durable_is_not_promoted(
    store: DocumentStore, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(_: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    document = staged(store, b"sealed")
    monkeypatch.setattr(os, "fsync", failing)

    with pytest.raises(DocumentStoreError, match="Input/output error"):
        document.promote()

    assert files_of(folder) == []


@pytest.mark.parametrize("stands", [b"", b"seal", b"SEALED", b"sealed and more"])
def test_what_does_not_stand_in_the_file_is_not_promoted(
    store: DocumentStore, folder: Path, stands: bytes
) -> None:
    document = staged(store, b"sealed")
    (path,) = files_of(folder)
    path.write_bytes(stands)

    with pytest.raises(DocumentStoreError, match="does not hold what was written"):
        document.promote()

    assert files_of(folder) == []


# --- Failures


def test_a_full_disk_is_said(store: DocumentStore, folder: Path) -> None:
    """The kernel says so itself: what was staged is put on a device that is always full."""
    document = staged(store, b"sealed")
    (path,) = files_of(folder)
    (entry,) = [entry for entry in Path("/proc/self/fd").iterdir() if entry.resolve() == path]
    full = os.open("/dev/full", os.O_RDWR)
    os.dup2(full, int(entry.name))
    os.close(full)

    with pytest.raises(DocumentStoreError, match="No space left on device"):
        document.write(b"more")
    document.discard()

    assert files_of(folder) == []


def test_a_write_that_stops_short_is_said(store: DocumentStore, folder: Path) -> None:
    """The kernel writes as much as may be written, and fails in the attempt to write the rest."""
    document = store.stage()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (MEBIBYTE, hard))
    try:
        with pytest.raises(DocumentStoreError, match="File too large"):
            document.write(bytes(MEBIBYTE + 1))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        document.discard()

    assert files_of(folder) == []


@pytest.mark.parametrize(
    "use",
    [
        pytest.param(lambda store, _: store.stage(), id="stage"),
        pytest.param(lambda store, name: store.open(name), id="open"),
        pytest.param(lambda store, name: store.delete(name), id="delete"),
        pytest.param(lambda store, _: store.sweep(nobody, now=time.time()), id="sweep"),
    ],
)
def test_a_folder_that_is_none_any_more_is_said_and_no_name_is(
    store: DocumentStore, folder: Path, use: Callable[[DocumentStore, str], Any]
) -> None:
    name = put(store, b"sealed")
    folder.rename(folder.with_name("elsewhere"))
    folder.touch()

    with pytest.raises(DocumentStoreError, match="Not a directory") as raised:
        use(store, name)

    assert name not in str(raised.value)
    assert raised.value.__suppress_context__


@pytest.mark.parametrize("mode", [0o750, 0o705, 0o710])
def test_a_folder_open_to_others_is_refused(folder: Path, mode: int) -> None:
    folder.mkdir()
    folder.chmod(mode)

    with pytest.raises(DocumentFolderError, match="chmod 700"):
        FolderDocumentStore(folder)


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    for folder in (tmp_path / "file", tmp_path / "absent" / "documents"):
        with pytest.raises(DocumentFolderError, match="cannot be used"):
            FolderDocumentStore(folder)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "../../etc/passwd",
        "staging/0",
        "/etc/passwd",
        "a" * 63,
        "a" * 65,
        "A" * 64,
        "a" * 63 + "/",
        "a" * 64 + "\n",
        "../" + "a" * 61,
        "\0" * 64,
        "٣" * 64,
    ],
    ids=ascii,
)
def test_what_is_no_name_leads_nowhere(store: DocumentStore, name: str) -> None:
    for use in (store.open, store.delete):
        with pytest.raises(ValueError, match="64 lower-case"):
            use(name)


# --- Deleted


def test_what_is_deleted_is_nowhere(store: DocumentStore, folder: Path) -> None:
    name = put(store, b"sealed")

    store.delete(name)

    assert files_of(folder) == []
    with pytest.raises(DocumentMissingError):
        store.open(name)


def test_deleting_twice_is_no_error(store: DocumentStore) -> None:
    name = put(store, b"sealed")

    store.delete(name)
    store.delete(name)
    store.delete("0" * 64)


def test_deleting_leaves_others_alone(store: DocumentStore) -> None:
    kept = put(store, b"kept")

    store.delete(put(store, b"sealed"))

    assert read(store, kept) == b"kept"


# --- Swept


def test_old_orphans_go_and_nothing_else(store: DocumentStore, folder: Path) -> None:
    old_orphan, old_named = put(store, b"1"), put(store, b"2")
    young_orphan, young_named = put(store, b"3"), put(store, b"4")
    for name in (old_orphan, old_named):
        make_older(folder / name[:2] / name, LONG_AGO)

    swept = store.sweep(named(old_named, young_named), now=time.time())

    assert swept == 1
    assert {path.name for path in files_of(folder)} == {old_named, young_orphan, young_named}


def test_what_was_left_in_staging_goes_and_what_is_being_written_stays(
    store: DocumentStore, folder: Path
) -> None:
    left = staged(store, b"left")
    (path,) = files_of(folder)
    make_older(path, LONG_AGO)
    writing = staged(store, b"writing")

    assert store.sweep(nobody, now=time.time()) == 1

    assert not path.exists()
    assert read(store, writing.promote()) == b"writing"
    left.discard()


@pytest.mark.parametrize(("age", "swept"), [(DAY_SECONDS - 60, 0), (DAY_SECONDS + 60, 1)])
def test_a_day_is_the_age_at_which_orphans_go(store: DocumentStore, age: float, swept: int) -> None:
    put(store, b"sealed")

    assert store.sweep(nobody, now=time.time() + age) == swept


def test_another_age_may_be_said(store: DocumentStore) -> None:
    put(store, b"sealed")

    assert store.sweep(nobody, now=time.time() + 61, older_than_seconds=120) == 0
    assert store.sweep(nobody, now=time.time() + 181, older_than_seconds=120) == 1


def test_young_objects_are_not_asked_about(store: DocumentStore, folder: Path) -> None:
    """Their event may be on its way: an answer of now says nothing."""
    old, _ = put(store, b"old"), put(store, b"young")
    make_older(folder / old[:2] / old, LONG_AGO)
    asked: list[str] = []

    store.sweep(lambda name: not asked.append(name), now=time.time())

    assert asked == [old]


def test_an_old_object_promoted_again_is_young(store: DocumentStore, folder: Path) -> None:
    name = put(store, b"sealed")
    make_older(folder / name[:2] / name, LONG_AGO)

    put(store, b"sealed")

    assert store.sweep(nobody, now=time.time()) == 0
    assert read(store, name) == b"sealed"


def test_without_an_answer_nothing_goes(store: DocumentStore, folder: Path) -> None:
    name = put(store, b"sealed")

    def unanswered(_: str) -> bool:
        raise ConnectionError

    with pytest.raises(ConnectionError):
        store.sweep(unanswered, now=time.time() + LONG_AGO)

    assert [path.name for path in files_of(folder)] == [name]


def test_what_goes_meanwhile_is_no_error(
    store: DocumentStore, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Deleted while its event is looked for, or between its listing and the look at its age."""
    later = time.time() + LONG_AGO
    deleted, vanished = put(store, b"deleted"), folder / "staging" / "vanished"

    store.sweep(lambda name: store.delete(name) or name != deleted, now=later)

    scandir = os.scandir

    def listed(place: Path) -> AbstractContextManager[Iterator[os.DirEntry[str]]]:
        vanished.touch()
        with scandir(place) as entries:
            found = list(entries)
        vanished.unlink()
        return nullcontext(iter(found))

    monkeypatch.setattr(os, "scandir", listed)
    assert store.sweep(nobody, now=later) == 0


def test_what_is_not_the_stores_stays(store: DocumentStore, folder: Path) -> None:
    name = put(store, b"sealed")
    others = [
        folder / "README",
        folder / name[:2] / "notes.txt",
        folder / "lost+found" / ("a" * 64),
    ]
    for path in others:
        path.parent.mkdir(exist_ok=True)
        path.touch()

    store.sweep(named(name), now=time.time() + LONG_AGO)

    assert all(path.exists() for path in others)


def test_swept_while_others_write_nothing_is_lost(store: DocumentStore) -> None:
    with ThreadPoolExecutor(4) as pool:
        names = pool.map(lambda number: put(store, b"%d" % number), range(200))
        sweeps = [pool.submit(store.sweep, nobody, now=time.time()) for _ in range(20)]
        found = [read(store, name) for name in names]

    assert [sweep.result() for sweep in sweeps] == [0] * 20
    assert found == [b"%d" % number for number in range(200)]
