# SPDX-License-Identifier: Apache-2.0
"""A real server as a process of its own, on a folder of its own, stopped whatever happens."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from clients.demo.deployment import Deployment

START_SECONDS: Final = 30.0
STOP_SECONDS: Final = 15.0
_ADDRESS_FILE: Final = "server.json"
_LOG_FILE: Final = "server.log"
_POLICY: Final = "CITIZEN_VAULT_LOG_POLICY"
_HANDOFF: Final = "CITIZEN_VAULT_HANDOFF_URI"


class ServerError(Exception):
    """The server did not start, or did not stop as it should."""


@dataclass(frozen=True, slots=True)
class Server:
    """A server that accepts calls: where, who issues tokens for it, and its process.

    `target` is for gRPC, `url` for JSON over HTTP.
    """

    target: str
    url: str
    issuer: str
    process: subprocess.Popen[bytes]


@contextmanager
def running(
    deployment: Deployment, policy: Path | None = None, pages: str = ""
) -> Iterator[Server]:
    """Run a development server; it is stopped on the way out, cleanly if it can.

    Args:
        policy: the file that says who has to cosign its log; nobody, without one.
        pages: the address of the pages to which its hand-off links lead; "": the usual one.

    Raises:
        ServerError: if it does not accept calls in time, or does not end well.
    """
    data = deployment.data
    address_file = data / _ADDRESS_FILE
    # A killed server leaves its address behind.
    address_file.unlink(missing_ok=True)
    with (data / _LOG_FILE).open("ab") as log:
        process = subprocess.Popen(  # noqa: S603 - our own program, no shell, our own arguments
            [sys.executable, "-m", "vault.main", "serve", "--development", "--data", str(data)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            # Ctrl-C in the terminal is for us; we stop the server when we are done with it.
            start_new_session=True,
            env={**own_environment(), **deployment.settings, **_cosigned(policy), **_led_to(pages)},
        )
    try:
        yield _wait_until_ready(process, address_file, data / _LOG_FILE)
        if process.poll() is not None:
            raise ServerError(f"The server ended by itself: {_last_lines(data / _LOG_FILE)}")
    finally:
        stop(process)
    if process.returncode != 0:
        raise ServerError(
            f"The server ended with {process.returncode}: {_last_lines(data / _LOG_FILE)}"
        )


def own_environment() -> dict[str, str]:
    """Return the environment of the story's programs.

    Settings of another deployment on this machine must not reach into it, unless they were asked
    for.
    """
    return {
        name: value for name, value in os.environ.items() if not name.startswith("CITIZEN_VAULT_")
    }


def _cosigned(policy: Path | None) -> dict[str, str]:
    return {_POLICY: str(policy)} if policy else {}


def _led_to(pages: str) -> dict[str, str]:
    return {_HANDOFF: f"{pages}/asked/"} if pages else {}


def _wait_until_ready(
    process: subprocess.Popen[bytes], address_file: Path, log_file: Path
) -> Server:
    give_up = time.monotonic() + START_SECONDS
    while time.monotonic() < give_up:
        if address_file.exists():
            address = json.loads(address_file.read_text(encoding="utf-8"))
            return Server(
                target=address["target"],
                url=address["http"],
                issuer=address["issuer"],
                process=process,
            )
        if process.poll() is not None:
            raise ServerError(f"The server did not start: {_last_lines(log_file)}")
        time.sleep(0.02)
    raise ServerError(f"The server is not ready after {START_SECONDS:.0f} s.")


def stop(process: subprocess.Popen[bytes]) -> None:
    """Stop a program, cleanly if it can."""
    if process.poll() is not None:
        return
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _last_lines(log_file: Path) -> str:
    lines = log_file.read_text(encoding="utf-8", errors="replace").splitlines()
    return "\n".join(lines[-8:]) or "it said nothing"
