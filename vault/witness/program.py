# SPDX-License-Identifier: Apache-2.0
"""The program of a witness: its folder, its key, the logs that it knows, and where it listens."""

from __future__ import annotations

import argparse
import asyncio
import signal
from collections import defaultdict
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Final

from vault.configuration.settings import listen_address
from vault.server.call_logging import make_logger
from vault.server.http import HttpServer
from vault.transparency.encoding import FormError
from vault.transparency.note import Verifier
from vault.witness.heads import Heads, HeadsFileError
from vault.witness.key_file import WitnessKeyError, create_key, read_key
from vault.witness.witness import Witness, refuse

if TYPE_CHECKING:
    from vault.transparency.cosignature import CosignatureSigner
    from vault.witness.witness import Logs

KEY_FILE: Final = "witness.key"
HEADS_FILE: Final = "heads.db"
MOST_CONNECTIONS: Final = 256
DRAIN_SECONDS: Final = 5.0


class WitnessError(Exception):
    """The witness cannot begin; the message says why and what to do."""


async def run(options: argparse.Namespace) -> int:
    """Witness until SIGTERM or SIGINT, and return the exit code.

    Raises:
        WitnessError: it cannot begin.
        OSError: the address cannot be listened on.
    """
    try:
        address = listen_address(options.listen)
        logs = read_logs(Path(options.logs))
        signer, heads = _open(Path(options.folder), options.name)
    except (ValueError, WitnessKeyError, HeadsFileError) as error:
        raise WitnessError(str(error)) from error
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    with closing(heads):
        witness = Witness(signer, logs, heads)
        server = HttpServer(address, witness.answer, refuse, MOST_CONNECTIONS, make_logger())
        await server.start()
        # For the policies of whoever relies on it.
        print(f"witness {signer.verifier.name} {signer.verifier.vkey} {server.url}", flush=True)  # noqa: T201
        await stop.wait()
        await server.drain(DRAIN_SECONDS)
    return 0


def read_logs(path: Path) -> Logs:
    """Return the keys in a file, by the name that they bear: the origin of their log.

    Raises:
        ValueError: it cannot be read, or has what is no vkey; the message names the line.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        raise ValueError(f"{path} cannot be read: name the file of the logs' keys.") from None
    known: defaultdict[str, list[Verifier]] = defaultdict(list)
    for number, line in enumerate(lines, 1):
        text = line.strip()
        if text and not text.startswith("#"):
            try:
                verifier = Verifier.of(text)
            except FormError as error:
                raise ValueError(f"{path}, line {number}: {error}.") from None
            known[verifier.name].append(verifier)
    if not known:
        raise ValueError(f"{path} holds no key of a log.")
    return known


def _open(folder: Path, name: str) -> tuple[CosignatureSigner, Heads]:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return _signer(folder / KEY_FILE, name), Heads(folder / HEADS_FILE)


def _signer(path: Path, name: str) -> CosignatureSigner:
    if not path.exists():
        if not name:
            raise WitnessKeyError("This witness has no key yet: give it a --name.")
        return create_key(path, name)
    signer = read_key(path)
    if name not in {"", signer.verifier.name}:
        raise WitnessKeyError(f"{path} is the key of {signer.verifier.name}: leave --name out.")
    return signer
