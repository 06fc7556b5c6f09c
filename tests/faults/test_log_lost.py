# SPDX-License-Identifier: Apache-2.0
"""The log has no reader any more: nobody's call fails for it, least of all a revocation."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from tests.server import ROOT, Server, running
from tests.world import World, connected


@dataclass
class PipedServer(Server):
    """A server that writes its log into a pipe, as to a collector of logs."""

    log: IO[bytes] | None = None

    def spawn(
        self, command: Sequence[str], environment: Mapping[str, str]
    ) -> subprocess.Popen[bytes]:
        """Start its process, and read its log."""
        end, begin = os.pipe()
        self.log = os.fdopen(end, "rb", buffering=0)
        try:
            return subprocess.Popen(
                command,
                cwd=ROOT,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=begin,
            )
        finally:
            os.close(begin)


def test_a_log_without_a_reader_stops_nobody(tmp_path: Path) -> None:
    server = PipedServer(tmp_path)
    with running(server), connected(server.target) as channel:
        # A pipe holds 64 KiB: more than is written here.
        world = World(server, channel)
        shared = world.share(world.citizen(), world.service())
        assert server.log is not None
        server.log.close()

        disclosed, revoked = world.disclose(shared), world.revoke(shared)

    assert disclosed.is_ok, disclosed.told
    assert revoked.is_ok, revoked.told
