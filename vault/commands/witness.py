# SPDX-License-Identifier: Apache-2.0
"""The command `citizen-vault-server witness`; what it does is `vault.witness`."""

from __future__ import annotations

import argparse
import asyncio
from typing import Any


def add_command(commands: Any) -> None:
    """Let the server's program know the command."""
    command: argparse.ArgumentParser = commands.add_parser(
        "witness",
        help="cosign the checkpoints of logs, as an independent witness",
        description="Cosign the checkpoints of the logs that it knows (C2SP tlog-witness): only "
        "what grows out of what it has cosigned before. Run it where the logs' operator has no "
        "access, and never put its folder back from a backup.",
    )
    command.add_argument("--folder", metavar="DIR", required=True, help="its key, and what it saw")
    command.add_argument(
        "--logs",
        metavar="FILE",
        required=True,
        help="the keys of the logs that it knows, one vkey (C2SP signed-note) a line",
    )
    command.add_argument(
        "--name", default="", help="its name, drawn a key for at the first start: a domain of yours"
    )
    command.add_argument(
        "--listen",
        metavar="HOST:PORT",
        default="127.0.0.1:0",
        help="where to listen, on loopback; port 0 takes a free one",
    )


def run(options: argparse.Namespace) -> int:
    """Witness until told to stop, and return the exit code.

    Raises:
        WitnessError: it cannot begin.
        OSError: the address cannot be listened on.
    """
    from vault.witness.program import run as witness  # noqa: PLC0415

    return asyncio.run(witness(options))
