# SPDX-License-Identifier: Apache-2.0
"""A network link that a test can cut: TCP through here, until something is held or dropped."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from types import TracebackType
from typing import Self

_CHUNK = 1 << 16


class Link:
    """Forwards what connects to its port to another port of this machine.

    What is held back in one direction goes on when it is let go, even to a side whose other end has
    gone meanwhile: as a packet does that was on its way.
    """

    def __init__(self, port: int) -> None:
        self._target = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._held: set[socket.socket] = set()
        self._is_holding = threading.Event()
        self._requests_pass = threading.Event()
        self._replies_are_lost = False
        self._is_cut = False
        self._changing = threading.Lock()
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self._threads: list[threading.Thread] = []
        self._start(self._accept)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def hold_requests(self) -> None:
        """Keep what is sent from now on under way, by those that are connected now."""
        with self._changing:
            self._held = {near for near, _ in self._pairs}

    def wait_until_held(self) -> None:
        """Wait until there is something under way."""
        assert self._is_holding.wait(10), "nothing was sent"

    def release_requests(self) -> None:
        """Deliver what was held."""
        self._requests_pass.set()

    def lose_next_reply(self) -> None:
        """Drop the next bytes that come back, and with them the connection."""
        self._replies_are_lost = True

    def hang_up(self) -> None:
        """Close the callers' side of all connections; what they sent still arrives."""
        with self._changing:
            for near, _ in self._pairs:
                _shut(near)

    def cut(self) -> None:
        """Cut all connections, and refuse new ones until it is mended."""
        with self._changing:
            self._is_cut = True
            for pair in self._pairs:
                for end in pair:
                    _shut(end)
            self._pairs.clear()

    def mend(self) -> None:
        """Let connections through again."""
        self._is_cut = False

    def close(self) -> None:
        """Cut everything for good."""
        self.cut()
        self.release_requests()
        _shut(self._listener)
        self._listener.close()
        for thread in self._threads:
            thread.join()

    def _start(self, target: object, *args: object) -> None:
        thread = threading.Thread(target=target, args=args, daemon=True)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            with self._changing:
                if self._is_cut:
                    near.close()
                    continue
                try:
                    far = socket.create_connection(("127.0.0.1", self._target))
                except OSError:
                    near.close()
                    continue
                self._pairs.append((near, far))
                self._start(self._forward, near, far)
                self._start(self._return, far, near)

    def _forward(self, near: socket.socket, far: socket.socket) -> None:
        with suppress(OSError):
            while data := near.recv(_CHUNK):
                if near in self._held:
                    self._is_holding.set()
                    self._requests_pass.wait()
                far.sendall(data)
        _shut(far)

    def _return(self, far: socket.socket, near: socket.socket) -> None:
        with suppress(OSError):
            while data := far.recv(_CHUNK):
                if self._replies_are_lost:
                    self._replies_are_lost = False
                    break
                near.sendall(data)
        for end in (near, far):
            _shut(end)
            end.close()


def _shut(end: socket.socket) -> None:
    with suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
