# SPDX-License-Identifier: Apache-2.0
"""Messages as files in a folder, for development: one to read, and the same for programs."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from vault.notifications.message import NotSentError

if TYPE_CHECKING:
    from vault.notifications.message import Message


class FileChannel:
    """Writes each message into a folder, as `.txt` and `.json`."""

    def __init__(self, folder: Path) -> None:
        """Write into a folder, which is made if it is absent.

        Raises:
            OSError: if it cannot be.
        """
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._folder = folder

    def send(self, message: Message) -> None:
        """Write a message; again, it takes the place of the first.

        Raises:
            NotSentError: if the disk does not take it.
        """
        lines = [f"To: {', '.join(message.address)}"]
        lines += [f"Subject: {message.subject}", "", message.text, ""]
        fields = {
            "delivery_id": message.delivery_id,
            "way": message.way,
            "address": message.address,
            "language": message.language,
            "subject": message.subject,
            "text": message.text,
        }
        name = name_of(message)
        write(self._folder / f"{name}.txt", "\n".join(lines))
        # Last: a program that finds it finds the other.
        write(self._folder / f"{name}.json", json.dumps(fields, ensure_ascii=False, indent=2))


def name_of(message: Message) -> str:
    """Return what a message's file is called: they stand in the order in which they were made."""
    when = message.made.translate(str.maketrans("", "", "-:Z")).replace(".", "-")
    return f"{when}-{message.delivery_id}"


def write(path: Path, text: str) -> None:
    """Write a file for its owner alone, whole or not at all, durably.

    Raises:
        NotSentError: if the disk does not take it.
    """
    draft = path.with_name(f".{path.name}")
    try:
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
        with os.fdopen(os.open(draft, flags, 0o600), "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
        _sync(path.parent)
    except OSError as error:
        with suppress(OSError):
            draft.unlink(missing_ok=True)
        raise NotSentError("the folder does not take it") from error


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
