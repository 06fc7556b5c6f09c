# SPDX-License-Identifier: Apache-2.0
"""Killed while it writes documents: what was promised is whole, and a sweep leaves nothing else.

Run as a program, this file is the writer: it seals documents into a folder for ever and prints the
name of each as soon as it was promoted.
"""

from __future__ import annotations

import hashlib
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from vault.sealing.chunks import ChunkOpener, ChunkSealer
from vault.sealing.envelope import Context, Key
from vault.store.document_folder import FolderDocumentStore
from vault.store.documents import DAY_SECONDS, DocumentStore

CYCLES = 8
KEY = Key("6d4e7bd5-3c5f-4a44-9f3e-0d2f5b8f8f01", bytes(range(32)))
CONTEXT = Context("8a1f0000-0000-8000-8000-000000000001", "document", "e-1", 1, "document@1")
DOCUMENT = random.Random(7).randbytes(500_000)


def write_for_ever(folder: Path) -> None:
    store = FolderDocumentStore(folder)
    while True:
        sealer = ChunkSealer(KEY, CONTEXT)
        document = store.stage()
        for start in range(0, len(DOCUMENT), 5000):
            document.write(sealer.update(DOCUMENT[start : start + 5000]))
        document.write(sealer.finish())
        name = document.promote()
        # Unbuffered: the line leaves the process before it is killed, or was never promised.
        os.write(1, f"{name}\n".encode())


@dataclass(frozen=True)
class Killed:
    """A folder whose writer was killed again and again, and the names that it printed."""

    folder: Path
    promised: tuple[str, ...]

    @property
    def store(self) -> DocumentStore:
        return FolderDocumentStore(self.folder)

    @property
    def objects(self) -> dict[str, bytes]:
        found = (path for path in self.folder.glob("[0-9a-f][0-9a-f]/*"))
        return {path.name: path.read_bytes() for path in found}

    @property
    def staged(self) -> list[Path]:
        return list((self.folder / "staging").iterdir())


@pytest.fixture
def killed(tmp_path: Path) -> Killed:
    folder = tmp_path / "documents"
    chance = random.Random(7)
    promised: list[str] = []
    for _ in range(CYCLES):
        promised += kill_after(folder, documents=chance.randrange(1, 8), delay=chance.random() / 50)
    return Killed(folder, tuple(promised))


def kill_after(folder: Path, documents: int, delay: float) -> Iterator[str]:
    """Let it write so many documents and a part of the next; give the names it printed."""
    process = subprocess.Popen(
        [sys.executable, __file__, folder],
        stdout=subprocess.PIPE,
        text=True,
        env={"PYTHONPATH": str(Path(__file__).parents[2])},
    )
    assert process.stdout is not None
    lines = [process.stdout.readline() for _ in range(documents)]
    time.sleep(delay)
    process.send_signal(signal.SIGKILL)
    lines += process.stdout.readlines()
    process.stdout.close()
    assert process.wait() == -signal.SIGKILL
    return (line.strip() for line in lines if line.endswith("\n"))


def test_what_was_promised_is_whole_and_a_sweep_leaves_nothing_else(killed: Killed) -> None:
    # Else the rest says nothing.
    assert len(killed.promised) > CYCLES
    assert killed.staged

    # Nothing was lost, and nothing has a name that is not whole.
    objects = killed.objects
    assert set(killed.promised) <= objects.keys()
    assert all(hashlib.sha256(sealed).hexdigest() == name for name, sealed in objects.items())
    assert all(opened(killed.store, name) == DOCUMENT for name in objects)

    # Every second one was named by an event.
    named = set(killed.promised[::2])
    left = len(objects) - len(named) + len(killed.staged)
    assert killed.store.sweep(named.__contains__, now=time.time()) == 0
    assert killed.store.sweep(named.__contains__, now=time.time() + DAY_SECONDS + 60) == left
    assert killed.objects.keys() == named
    assert killed.staged == []


def opened(store: DocumentStore, name: str) -> bytes:
    opener = ChunkOpener(KEY, CONTEXT, KEY.commitment)
    with store.open(name) as document:
        content = b"".join(map(opener.update, iter(document.read, b"")))
    return content + opener.finish()


if __name__ == "__main__":
    write_for_ever(Path(sys.argv[1]))
