# SPDX-License-Identifier: Apache-2.0
"""Files that are there whole or not at all, for their owner alone."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final

from clients.cli.errors import CommandError, UsageError
from clients.wording.words import Words

_ENGLISH: Final = Words("en")


def must_be_new(file: str, words: Words = _ENGLISH) -> None:
    """Check that a file is not there yet.

    Raises:
        UsageError: if it is.
    """
    if Path(file).exists():
        raise UsageError(words("file.there", file=file), words("file.there.next"))


def write_whole(path: Path, data: bytes) -> None:
    """Write a file, or write it again: all of it, or what stood there before."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink()
        raise


@contextlib.contextmanager
def new_file(
    file: str, *, may_replace: bool = False, words: Words = _ENGLISH
) -> Iterator[BinaryIO]:
    """Write a file beside its place, and move it there at the end; what fails leaves nothing.

    Raises:
        UsageError: if it is there already, unless it `may_replace` that, or cannot be made.
        CommandError: if it cannot be written to its end.
    """
    if not may_replace:
        must_be_new(file, words)
    try:
        handle, temporary = tempfile.mkstemp(dir=Path(file).parent, prefix=".", suffix=".part")
    except OSError as error:
        raise UsageError(_unwritable(file, error, words)) from None
    try:
        with os.fdopen(handle, "wb") as out:
            yield out
        if not may_replace:
            must_be_new(file, words)
        Path(temporary).replace(file)
    except OSError as error:
        Path(temporary).unlink()
        raise CommandError(_unwritable(file, error, words)) from None
    except BaseException:
        Path(temporary).unlink()
        raise


def _unwritable(file: str, error: OSError, words: Words) -> str:
    return words("file.unwritable", file=file, why=error.strerror or "?")
