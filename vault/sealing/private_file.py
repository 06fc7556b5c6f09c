# SPDX-License-Identifier: Apache-2.0
"""Files that are their owner's alone: the wrapping key, and the key store."""

import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def new_private_file(path: Path) -> Iterator[Path]:
    """Make a private file that is complete or absent, whatever interrupts; durable afterwards.

    Within the context the empty file has another name, which the context gives. It gets its own
    if nothing was raised, and never takes another file's place.

    Raises:
        FileExistsError: There is a file of that name already.
    """
    unfinished = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    os.close(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    try:
        yield unfinished
        _sync(unfinished, os.O_RDONLY)
        # A link, unlike a rename, does not replace.
        os.link(unfinished, path)
    finally:
        unfinished.unlink()
    # The names in a folder are not durable by the file's own fsync.
    _sync(path.parent, os.O_RDONLY | os.O_DIRECTORY)


def privacy_fault(status: os.stat_result) -> str | None:
    """Say what keeps a file from being private, as the rest of a sentence; None if nothing does."""
    if not stat.S_ISREG(status.st_mode):
        return "is not a regular file"
    if status.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        return "is open to group or others: chmod 600 it"
    return None


def _sync(path: Path, flags: int) -> None:
    descriptor = os.open(path, flags)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
