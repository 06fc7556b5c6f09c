# SPDX-License-Identifier: Apache-2.0
"""Ends what takes too long on a connection, the wait for a standby included.

No time-out of the server's ends that wait. One thread looks now and then at what is under way: a
timer for each batch would cost a good part of what a small batch does.
"""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final

import psycopg

_LOOKS: Final = 4
"""How often it looks within the time that a call has."""


class Watchdog:
    """Watches the calls of one thread at a time."""

    def __init__(self, seconds: float) -> None:
        """Begin to watch.

        Args:
            seconds: how long a call may take before it is cancelled; after twice as long its
                connection is cut, for a server that hangs heeds nothing.
        """
        self._seconds = seconds
        self._looking = threading.Lock()
        self._watched: tuple[psycopg.Connection[Any], float] | None = None
        self._is_closed = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watchdog", daemon=True)
        self._thread.start()

    @contextmanager
    def watch(self, connection: psycopg.Connection[Any]) -> Iterator[None]:
        """Watch the calls on a connection for as long as the block lasts."""
        self._watched = (connection, time.monotonic())
        try:
            yield
        finally:
            # A cancellation that is under way must not meet the next call.
            with self._looking:
                self._watched = None

    def close(self) -> None:
        """Stop watching. Closing twice is no error."""
        self._is_closed.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._is_closed.wait(self._seconds / _LOOKS):
            with self._looking:
                if self._watched is not None:
                    connection, begun = self._watched
                    self._end(connection, time.monotonic() - begun)

    def _end(self, connection: psycopg.Connection[Any], taken: float) -> None:
        with suppress(psycopg.Error, OSError):
            if taken > 2 * self._seconds:
                with socket.socket(fileno=os.dup(connection.fileno())) as cut:
                    cut.shutdown(socket.SHUT_RDWR)
            elif taken > self._seconds:
                connection.cancel_safe(timeout=self._seconds)
