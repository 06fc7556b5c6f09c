# SPDX-License-Identifier: Apache-2.0
"""Where a server is, told in a file while it accepts calls."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Address:
    """Where a server is.

    Attributes:
        target: where gRPC is, `host:port`.
        http: where HTTP is, a URL.
        issuer: who issues access tokens; for development where.
    """

    target: str
    http: str
    issuer: str


def address_file(data: Path) -> Path:
    """Return the file that tells where the server is; a killed server leaves its own behind."""
    return data / "server.json"


def forget_killed(data: Path) -> None:
    """Remove what a killed server told of its address; a running one holds its own."""
    path = address_file(data)
    with contextlib.suppress(FileNotFoundError, BlockingIOError), path.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        path.unlink()


@contextlib.contextmanager
def announced(data: Path, address: Address) -> Iterator[None]:
    """Tell, in a file of the owner's alone, where the server is, while it accepts calls."""
    path = address_file(data)
    unfinished = path.with_suffix(".unfinished")
    unfinished.unlink(missing_ok=True)
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        # Held as long as the process lives, so that others know.
        fcntl.flock(file, fcntl.LOCK_EX)
        json.dump(asdict(address), file)
        file.flush()
        unfinished.replace(path)
        try:
            yield
        finally:
            # A later server on this folder may have told of itself.
            if path.exists() and os.path.samestat(path.stat(), os.fstat(descriptor)):
                path.unlink()
