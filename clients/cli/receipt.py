# SPDX-License-Identifier: Apache-2.0
"""The keys with which receipts are checked, and the files in which receipts are kept."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

from clients.cli.errors import UsageError
from clients.receipts import unb64
from clients.wording.published import whole_list
from clients.wording.words import Words

if TYPE_CHECKING:
    from clients.connection import Connection

ALGORITHM: Final = "Ed25519"
_ENGLISH: Final = Words("en")


def listed_keys(connection: Connection) -> dict[str, bytes]:
    """Return the receipt keys that the registry lists."""
    from vault.api.v1.registry_service_pb2 import ListReceiptKeysRequest  # noqa: PLC0415

    whole = whole_list(
        connection.registry.ListReceiptKeys, ListReceiptKeysRequest(), "receipt_keys"
    )
    return {key.key_id: key.public_key for key in whole.receipt_keys if key.algorithm == ALGORITHM}


def kept_keys(file: str, words: Words = _ENGLISH) -> dict[str, bytes]:
    """Return receipt keys from a file: one key, or what `registry receipt-key list --json` prints.

    Raises:
        UsageError: if it holds none.
    """
    try:
        found = json.loads(Path(file).read_bytes())
        keys = found.get("receipt_keys", [found])
        return {str(key["key_id"]): unb64(key["public_key"]) for key in keys}
    except OSError as error:
        why = error.strerror or "?"
        raise UsageError(words("file.unreadable", file=file, why=why)) from None
    except (ValueError, KeyError, TypeError, AttributeError):
        raise UsageError(words("file.no.key", file=file)) from None


def write_new(file: str, data: bytes, words: Words = _ENGLISH) -> None:
    """Write a file that is not there yet, for its owner alone.

    Raises:
        UsageError: if it is there already or cannot be written.
    """
    try:
        handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as out:
            out.write(data)
    except FileExistsError:
        raise UsageError(words("file.there", file=file), words("file.there.next")) from None
    except OSError as error:
        why = error.strerror or "?"
        raise UsageError(words("file.unwritable", file=file, why=why)) from None
