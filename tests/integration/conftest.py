# SPDX-License-Identifier: Apache-2.0
"""One real server for a session, a world on it, and requests that succeed there."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.samples import Samples
from tests.server import Server, running
from tests.verdict import CANARY
from tests.world import World, connected


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that nobody stops; whatever it is sent, it finds no fault of its own."""
    with running(Server(tmp_path_factory.mktemp("server"))) as started:
        yield started
    written = started.written.read_text(encoding="utf-8")
    assert '"event":"fault"' not in written
    assert "Traceback" not in written
    assert CANARY not in written


@pytest.fixture(scope="session")
def world(server: Server) -> Iterator[World]:
    """Who is registered there."""
    with connected(server.target) as channel:
        yield World(server, channel)


@pytest.fixture(scope="module")
def samples(world: World) -> Samples:
    """Requests of a citizen, of a service, and of officials, the auditor and the operator."""
    return Samples(world, world.citizen(), world.service())


@pytest.fixture(scope="module")
def others(world: World) -> Samples:
    """Requests of another citizen and another service."""
    return Samples(world, world.citizen(), world.service())
