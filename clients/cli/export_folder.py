# SPDX-License-Identifier: Apache-2.0
"""The folder in which a citizen takes everything away.

It grows under another name beside its place and gets its own at the end, so that what is there is
whole.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from clients.cli.errors import CommandError, UsageError
from clients.export.form import DOCUMENTS, BrokenError, Writer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import BinaryIO

    from clients.export.form import Written
    from clients.wording.words import Words
    from vault.api.v1.vault_service_pb2 import ExportVaultResponse


@contextlib.contextmanager
def new_folder(folder: str, words: Words) -> Iterator[Path]:
    """Write a folder beside its place, and move it there at the end; what fails leaves nothing.

    Raises:
        UsageError: if something is there already, or it cannot be made.
        CommandError: if it cannot be written to its end.
    """
    place = Path(folder)
    if place.exists():
        raise UsageError(words("file.there", file=folder), words("file.there.next"))
    try:
        temporary = Path(tempfile.mkdtemp(dir=place.absolute().parent, prefix=".", suffix=".part"))
    except OSError as error:
        raise UsageError(_unwritable(folder, error, words)) from None
    try:
        yield temporary
        # Never over something: a folder that is not empty is not replaced by a rename.
        temporary.rename(place)
    except OSError as error:
        raise CommandError(_unwritable(folder, error, words)) from None
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def write(
    folder: Path, parts: Iterable[ExportVaultResponse], words: Words, step: Callable[[int], None]
) -> Written:
    """Write everything but the page into a folder that is empty.

    Args:
        step: told how many records and proofs have come.

    Raises:
        CommandError: if the stream is not whole.
    """

    def begin(name: str) -> BinaryIO:
        opened = os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        return os.fdopen(opened, "wb")

    (folder / DOCUMENTS).mkdir(mode=0o700)
    try:
        with Writer(begin) as writer:
            for part in parts:
                writer.take(part)
                step(part.WhichOneof("part") in {"record", "public_record", "proof"})
            return writer.finish()
    except BrokenError:
        raise CommandError(words("export.broken"), words("export.broken.next")) from None


def _unwritable(folder: str, error: OSError, words: Words) -> str:
    return words("file.unwritable", file=folder, why=error.strerror or "?")
