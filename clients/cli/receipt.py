# SPDX-License-Identifier: Apache-2.0
"""Keys to check receipts with, kept in files; and the files in which receipts are kept."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Final

from clients.cli.errors import UsageError
from clients.receipts import unb64
from clients.wording.words import Words

_ENGLISH: Final = Words("en")


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
