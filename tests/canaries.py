# SPDX-License-Identifier: Apache-2.0
"""Looks for planted words wherever they must not be: in files and in errors, in any form."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator
from pathlib import Path

from tests.wire import Answer


def forms_of(word: bytes) -> Iterator[bytes]:
    """Yield a word as it might lie in a file: plain, in UTF-16, as hex, in base64."""
    yield word
    yield word.decode("latin-1").encode("utf-16-le")
    yield word.hex().encode()
    for shift in range(3):
        # Whatever stands before it, the middle of its base64 is one of three.
        middle = base64.b64encode(bytes(shift) + word)[4:-4]
        yield middle
        yield middle.replace(b"+", b"-").replace(b"/", b"_")


def search(folder: Path, words: Iterable[str]) -> list[str]:
    """Return every file of a data folder in which a word stands, and which."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert {"events.db", "keys.db"} <= {path.name for path in files}
    forms = {word: list(forms_of(word.encode())) for word in words}
    return [
        f"{path.name}: {word}"
        for path in files
        for data in (_content(path), path.name.encode())
        for word, its in forms.items()
        if any(form in data for form in its)
    ]


def _content(path: Path) -> bytes:
    """Return what is in a file; nothing if it has gone, as files do that get another name."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""


def repeating(answers: Iterable[Answer], words: Iterable[str]) -> list[tuple[str, str]]:
    """Return every error that repeats a word, by its method, and which."""
    forms = {word: list(forms_of(word.encode())) for word in words}
    return [
        (answer.method, word)
        for answer in answers
        for word, its in forms.items()
        if any(form in answer.status + answer.message.encode() for form in its)
    ]
