# SPDX-License-Identifier: Apache-2.0
"""The program that tells citizens what happened, beside the demo's server: as files to read."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from clients.demo.deployment import Deployment
from clients.demo.server import START_SECONDS, ServerError, own_environment, stop

_LOG_FILE: Final = "notify.log"
_READY: Final = b'"event": "telling"'


@contextmanager
def notifying(deployment: Deployment, start_page: str) -> Iterator[Path]:
    """Tell what happens from now on, and return the folder in which the messages appear.

    Args:
        deployment: of a server that runs.
        start_page: the address that messages name.

    Raises:
        ServerError: if it does not start.
    """
    data = deployment.data
    log_file = data / _LOG_FILE
    with log_file.open("ab") as log:
        before = log.tell()
        process = subprocess.Popen(  # noqa: S603 - our own program, no shell, our own arguments
            [sys.executable, "-m", "vault.main", "notify", "--development", "--data", str(data)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            # Ctrl-C in the terminal is for us; we stop it when we are done with it.
            start_new_session=True,
            env={
                **own_environment(),
                **deployment.settings,
                "CITIZEN_VAULT_NOTIFY": "file",
                "CITIZEN_VAULT_NOTIFY_START_PAGE": start_page,
            },
        )
    try:
        _wait_until_ready(process, log_file, before)
        yield data / "notifications" / "messages"
    finally:
        stop(process)


def _wait_until_ready(process: subprocess.Popen[bytes], log_file: Path, before: int) -> None:
    give_up = time.monotonic() + START_SECONDS
    while _READY not in log_file.read_bytes()[before:]:
        if process.poll() is not None or time.monotonic() > give_up:
            said = log_file.read_bytes()[before:].decode(errors="replace")
            raise ServerError(
                f"The program that tells citizens what happened did not start: {said}"
            )
        time.sleep(0.02)
