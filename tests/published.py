# SPDX-License-Identifier: Apache-2.0
"""The published log of a running server, as anybody reads it: over HTTP, without a credential."""

from __future__ import annotations

import http.client
import time
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field
from typing import Final

from tests.server import Server
from vault.transparency.checkpoint import Checkpoint
from vault.transparency.note import Note

SECONDS: Final = 20.0
"""How long something may take that comes within a second; a test that waits so long fails."""
_PAUSE_SECONDS: Final = 0.01


@dataclass
class PublishedLog:
    """The log of one lane. Every checkpoint that was ever seen is compared with all others."""

    server: Server
    lane: int = 0
    roots: dict[int, bytes] = field(default_factory=dict)

    def answer(self, path: str, method: str = "GET") -> tuple[int, Mapping[str, str], bytes]:
        """Return status, headers and body of the answer to a request below the log's prefix."""
        host, _, port = self.server.http.removeprefix("http://").rpartition(":")
        connection = http.client.HTTPConnection(host, int(port), timeout=SECONDS)
        with closing(connection):
            connection.request(method, f"/log/{self.lane}/{path}")
            answer = connection.getresponse()
            headers = {name.lower(): value for name, value in answer.getheaders()}
            return answer.status, headers, answer.read()

    def get(self, path: str) -> bytes:
        """Return a file.

        Raises:
            FileNotFoundError: there is none.
        """
        status, _, body = self.answer(path)
        if status != http.client.OK:
            raise FileNotFoundError(path)
        return body

    def note(self) -> Note | None:
        """Return the published checkpoint, signed; None if there is none."""
        try:
            note = Note.parse(self.get("checkpoint"))
        except FileNotFoundError:
            return None
        checkpoint = Checkpoint.parse(note.text)
        known = self.roots.setdefault(checkpoint.size, checkpoint.root)
        assert known == checkpoint.root, f"two roots of size {checkpoint.size}"
        return note

    def size(self) -> int:
        """Return how many entries are published."""
        note = self.note()
        return Checkpoint.parse(note.text).size if note else 0

    def covering(self, size: int) -> Note:
        """Return a checkpoint of at least so many entries, once there is one."""
        give_up = time.monotonic() + SECONDS
        while (note := self.note()) is None or Checkpoint.parse(note.text).size < size:
            assert time.monotonic() < give_up, f"nothing of size {size} is published"
            time.sleep(_PAUSE_SECONDS)
        return note

    def entries(self) -> list[bytes]:
        """Return all entries that the store holds, past the server."""
        rows = self.server.sql("SELECT entry FROM entries WHERE lane = ?", str(self.lane))
        return [entry for (entry,) in rows if isinstance(entry, bytes)]

    def up_to_date(self) -> Note:
        """Return a checkpoint of everything that stands in the store now."""
        return self.covering(len(self.entries()))
