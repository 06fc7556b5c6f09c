# SPDX-License-Identifier: Apache-2.0
"""A port that several processes of ours listen on together, kept from everybody else.

The kernel deals new connections out among them (SO_REUSEPORT; socket(7)).
"""

from __future__ import annotations

import contextlib
import errno
import socket
from collections.abc import Iterator


@contextlib.contextmanager
def held(address: tuple[str, int]) -> Iterator[int]:
    """Keep a port for several processes of ours that will listen on it together, and yield it.

    They set SO_REUSEPORT. Nobody who does not can listen there any more, nor a second one who holds
    it; a stranger that runs as the same user and sets SO_REUSEPORT could.

    Raises:
        OSError: if the address cannot be had for us alone.
    """
    host, port = address
    name = f"[{host}]" if ":" in host else host
    try:
        # Finds everybody who listens or holds; connections that are still ending do not count.
        with _bound((host, port), socket.SO_REUSEADDR) as free:
            port = free.getsockname()[1]
        holder = _holder((host, port))
    except OSError:
        message = f"{name}:{port} cannot be listened on. Is another program there?"
        raise OSError(message) from None
    with holder:
        yield port


def _holder(address: tuple[str, int]) -> socket.socket:
    try:
        # Without SO_REUSEADDR, so that it is in the way of one who asks as above.
        return _bound(address, socket.SO_REUSEPORT)
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
        # Connections of a single process that ended a minute ago are in the way.
        return _bound(address, socket.SO_REUSEPORT, socket.SO_REUSEADDR)


def _bound(address: tuple[str, int], *options: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    try:
        for option in options:
            bound.setsockopt(socket.SOL_SOCKET, option, 1)
        bound.bind(address)
    except BaseException:
        bound.close()
        raise
    return bound
