# SPDX-License-Identifier: Apache-2.0
"""The pages as a process of their own, beside a server; stopped whatever happens."""

import http.client
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from clients.demo.server import START_SECONDS, ServerError, own_environment, stop

USUAL_PORT: Final = 8000
_LOG_FILE: Final = "pages.log"
_LOOPBACK: Final = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Pages:
    """Where the pages are, and their process.

    `url` names `localhost`, to which browsers send cookies that want TLS elsewhere.
    """

    url: str
    process: subprocess.Popen[bytes]


@contextmanager
def serving(data: Path, usual_port: int = USUAL_PORT) -> Iterator[Pages]:
    """Serve the pages of the development server on a folder; they end on the way out.

    Args:
        usual_port: where they are, unless somebody is there already; 0: on any free port.

    Raises:
        ServerError: if they do not answer in time.
    """
    try:
        process, port = _started(data, free_port(usual_port))
    except ServerError:
        # Somebody else may have taken the port since it was looked at.
        process, port = _started(data, free_port(0))
    try:
        yield Pages(f"http://localhost:{port}", process)
    finally:
        stop(process)


def free_port(usual: int) -> int:
    """Return the usual port if nobody listens on it, else any that is free."""
    for port in (usual, 0):
        with socket.socket() as probe:
            # What a server before us left half closed is free, as it is for the next server.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((_LOOPBACK, port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise ServerError("No port is free on this machine.")


def _started(data: Path, port: int) -> tuple[subprocess.Popen[bytes], int]:
    log_file = data.parent / _LOG_FILE
    with log_file.open("ab") as log:
        process = subprocess.Popen(  # noqa: S603 - our own program, no shell, our own arguments
            [
                *(sys.executable, "-m", "clients.web.main"),
                *("--development", str(data), "--port", str(port)),
            ],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            # As the server: Ctrl-C is for us.
            start_new_session=True,
            env=own_environment(),
        )
    try:
        _wait_until_ready(process, port, log_file)
    except BaseException:
        stop(process)
        raise
    return process, port


def _wait_until_ready(process: subprocess.Popen[bytes], port: int, log_file: Path) -> None:
    give_up = time.monotonic() + START_SECONDS
    while time.monotonic() < give_up:
        if process.poll() is not None:
            said = log_file.read_text(encoding="utf-8", errors="replace").splitlines()[-8:]
            raise ServerError("The pages did not start:\n" + "\n".join(said))
        connection = http.client.HTTPConnection(_LOOPBACK, port, timeout=5)
        try:
            connection.request("GET", "/static/govuk/LICENCE.txt")
            connection.getresponse().read()
            return
        except OSError:
            time.sleep(0.02)
        finally:
            connection.close()
    raise ServerError(f"The pages are not ready after {START_SECONDS:.0f} s.")
