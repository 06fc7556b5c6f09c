# SPDX-License-Identifier: Apache-2.0
"""Where a server is, told in a file while it accepts calls."""

from __future__ import annotations

import contextlib
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


@contextlib.contextmanager
def announced(data: Path, address: Address) -> Iterator[None]:
    """Tell, in a file of the owner's alone, where the server is, while it accepts calls."""
    path = address_file(data)
    unfinished = path.with_suffix(".unfinished")
    unfinished.unlink(missing_ok=True)
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(asdict(address), file)
    unfinished.replace(path)
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
