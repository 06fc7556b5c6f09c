# SPDX-License-Identifier: Apache-2.0
"""A held port: for those who share it, and for nobody else."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from vault.server.shared_port import held

HOST = "127.0.0.1"


@contextmanager
def listening(port: int, *, shares: bool) -> Iterator[int]:
    with socket.create_server((HOST, port), reuse_port=shares) as server:
        yield server.getsockname()[1]


def test_a_free_port_is_taken_if_none_is_named() -> None:
    with held((HOST, 0)) as port:
        assert port > 0


def test_those_who_share_it_listen_together() -> None:
    with (
        held((HOST, 0)) as port,
        listening(port, shares=True) as first,
        listening(port, shares=True) as second,
    ):
        assert first == second == port


def test_who_does_not_share_it_cannot_listen() -> None:
    with (
        held((HOST, 0)) as port,
        pytest.raises(OSError, match="in use"),
        listening(port, shares=False),
    ):
        pass


def test_it_is_held_once() -> None:
    with held((HOST, 0)) as port:
        message = rf"127\.0\.0\.1:{port} cannot be listened on"
        with pytest.raises(OSError, match=message), held((HOST, port)):
            pass


@pytest.mark.parametrize("shares", [True, False])
def test_where_somebody_listens_it_cannot_be_held(*, shares: bool) -> None:
    with (
        listening(0, shares=shares) as port,
        pytest.raises(OSError, match="cannot be listened on"),
        held((HOST, port)),
    ):
        pass


def test_afterwards_it_is_free() -> None:
    with held((HOST, 0)) as port:
        pass

    with held((HOST, port)), listening(port, shares=True):
        pass


def test_connections_of_one_process_that_ended_are_not_in_the_way() -> None:
    with listening(0, shares=False) as port:
        pass
    with (
        socket.create_server((HOST, port)) as server,
        socket.create_connection((HOST, port)) as one,
    ):
        accepted, _ = server.accept()
        # Who closes first keeps the address for a minute (TIME_WAIT).
        accepted.close()
        assert one.recv(1) == b""

    with held((HOST, port)) as again:
        assert again == port
