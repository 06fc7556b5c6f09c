# SPDX-License-Identifier: Apache-2.0
"""The witness: a program of somebody else's, which cosigns only what grows out of what it saw.

It is run by the checkers' house, on a folder of its own; whoever runs the server has no key to it.
"""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from clients.demo.server import ServerError, own_environment, stop

NAME: Final = "checkers.example"


@dataclass(frozen=True, slots=True)
class Trust:
    """What the checker knows from elsewhere: the log's key, and a policy that names the witness."""

    log_key: str
    policy: Path


@contextmanager
def witnessing(folder: Path, log_key: str) -> Iterator[Trust]:
    """Run the witness of a log on a new folder; it is stopped on the way out.

    Raises:
        ServerError: if it does not begin.
    """
    folder.mkdir(mode=0o700)
    logs = folder / "logs"
    logs.write_text(f"{log_key}\n", encoding="ascii")
    command = ["-m", "vault.main", "witness", "--folder", str(folder / "own")]
    with (folder / "witness.log").open("ab") as log:
        process = subprocess.Popen(  # noqa: S603 - our own program, no shell, our own arguments
            [sys.executable, *command, "--logs", str(logs), "--name", NAME],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            start_new_session=True,
            env=own_environment(),
        )
    try:
        # What it says when it listens is its line of a policy (C2SP tlog-policy).
        said = process.stdout.readline().decode() if process.stdout else ""
        if not said.startswith(f"witness {NAME} "):
            raise ServerError("The witness did not start.")
        policy = folder / "policy"
        policy.write_text(f"log {log_key}\n{said}quorum {NAME}\n", encoding="ascii")
        yield Trust(log_key=log_key, policy=policy)
    finally:
        stop(process)
        if process.stdout:
            process.stdout.close()
