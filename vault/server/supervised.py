# SPDX-License-Identifier: Apache-2.0
"""One of several server processes: its line to the supervisor that started it.

The line is a socket that only these two hold. It brings the orders, takes back that calls are
accepted, and its end says that the supervisor wants this process to stop, or is no more.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, MutableMapping
from typing import Final

import msgspec
from msgspec import Struct

from vault.server.address import Address

VARIABLE: Final = "CITIZEN_VAULT_SUPERVISOR_LINE"
"""The environment variable with the number of the line's descriptor; a supervisor sets it."""

_LARGEST_BYTES: Final = 64 * 1024


class Orders(Struct, frozen=True):
    """What a process is told.

    Attributes:
        process: its number, from 0; what is to be done once is done by 0.
        port: where all of them listen for gRPC.
        http_port: the same for HTTP.
        issuer: where the development issuer is, "" without one.
        jwks: the development issuer's public keys.
    """

    process: int
    port: int
    http_port: int
    issuer: str
    jwks: str


class Line:
    """This process's end of the line."""

    def __init__(self, line: socket.socket) -> None:
        """Read the orders.

        Raises:
            OSError: if there are none.
        """
        self._line = line
        try:
            self.orders = msgspec.json.decode(_read_line(line), type=Orders)
        except msgspec.DecodeError:
            raise OSError(f"{VARIABLE} is for a supervisor to set.") from None

    def watch(self, stop: Callable[[], None]) -> None:
        """Call `stop` when the line ends, from the event loop that is running."""
        loop = asyncio.get_running_loop()

        def ended() -> None:
            # Nothing comes after the orders: what can be read is the end.
            loop.remove_reader(self._line)
            stop()

        loop.add_reader(self._line, ended)

    def close(self) -> None:
        """Close this end of the line, once it is no longer watched."""
        self._line.close()

    def tell(self, address: Address) -> None:
        """Say where calls are accepted; a supervisor that is no more need not know."""
        try:
            self._line.sendall(msgspec.json.encode(address) + b"\n")
        except OSError:
            return


def take_line(environment: MutableMapping[str, str]) -> Line | None:
    """Return the line to the supervisor that started this process, or None if none did.

    Raises:
        OSError: if the variable is set, but there is no line.
    """
    # Nothing that this process starts is to hold the line.
    number = environment.pop(VARIABLE, "")
    if not number:
        return None
    if not number.isdecimal():
        raise OSError(f"{VARIABLE} is for a supervisor to set.")
    # Python closes it in whatever this process starts.
    line = socket.socket(fileno=int(number))
    line.set_inheritable(False)
    return Line(line)


def _read_line(line: socket.socket) -> bytes:
    """Return the one line that is sent, or what came of it before the end."""
    received = bytearray()
    while not received.endswith(b"\n") and len(received) < _LARGEST_BYTES:
        part = line.recv(4096)
        if not part:
            break
        received += part
    return bytes(received)
