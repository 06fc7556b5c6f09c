# SPDX-License-Identifier: Apache-2.0
"""Raises the floor of a stream and prints each version that was kept, until somebody kills it.

raise_until_killed.py STREAM KEY_FILE sqlite PATH
raise_until_killed.py STREAM KEY_FILE postgres CONNINFO
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from vault.sealing.keystore import KeyStore
from vault.sealing.postgres import PostgresKeyStore
from vault.sealing.sqlite import SQLiteKeyStore
from vault.sealing.wrapper import FileKeyWrapper


def opened(key_file: str, kind: str, place: str) -> KeyStore:
    """Open the key store that the arguments name."""
    wrapper = FileKeyWrapper(Path(key_file))
    if kind == "postgres":
        return PostgresKeyStore(place, wrapper)
    return SQLiteKeyStore(Path(place), wrapper)


def raise_for_ever(stream: str, store: KeyStore) -> None:
    """Raise the floor by one, again and again; one line for each version that was kept."""
    while True:
        version = store.floor(stream) + 1
        store.raise_floor(stream, version)
        # Unbuffered: the line leaves the process before it is killed, or was never promised.
        os.write(1, f"{version}\n".encode())


if __name__ == "__main__":
    raise_for_ever(sys.argv[1], opened(*sys.argv[2:]))
