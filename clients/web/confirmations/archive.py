# SPDX-License-Identifier: Apache-2.0
"""Everything as one archive on its way to her browser; none of it touches a disk of ours.

Documents go through as they come. Lines of records are held in memory until all have come, since a
page is made of them, and so there is a bound to how many these pages take.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import io
import zipfile
from typing import TYPE_CHECKING, Any, Final, cast

from clients.export.copy import Copy
from clients.export.form import DOCUMENTS, PAGE, BrokenError, Writer
from clients.export.page import page_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import BinaryIO

    from clients.wording.published import Published
    from clients.wording.words import Words
    from vault.api.v1.export_pb2 import ExportHead
    from vault.api.v1.vault_service_pb2 import ExportVaultResponse

MOST_RECORDS: Final = 20_000
MOST_HELD_BYTES: Final = 128 * 1024 * 1024

_FOR_HER_ALONE: Final = 0o600 << 16


@dataclasses.dataclass(frozen=True)
class _Reader:
    words: Words
    published: Published


def is_too_large(head: ExportHead) -> bool:
    """Say whether there are more records than can be held here."""
    return head.version + head.public_record_count > MOST_RECORDS


def archived(
    parts: Iterable[ExportVaultResponse], name: str, words: Words, now: dt.datetime
) -> Iterator[bytes]:
    """Yield the bytes of an archive (ZIP) of one folder, as an exported folder is.

    What breaks off has no end, so no program opens it.

    Args:
        name: of the folder.
        now: the time that its files bear.

    Raises:
        BrokenError: if what comes is not the whole of it, or more than can be held.
    """
    passing, held = _Passing(), _Held()
    with zipfile.ZipFile(cast("BinaryIO", passing), "w", zipfile.ZIP_DEFLATED) as archive:

        def entry(path: str) -> zipfile.ZipInfo:
            info = zipfile.ZipInfo(f"{name}/{path}", now.timetuple()[:6])
            info.compress_type, info.external_attr = zipfile.ZIP_DEFLATED, _FOR_HER_ALONE
            return info

        def begin(path: str) -> BinaryIO:
            if path.startswith(f"{DOCUMENTS}/"):
                return cast("BinaryIO", archive.open(entry(path), "w"))
            return held.begin(path)

        with Writer(begin) as writer:
            for part in parts:
                writer.take(part)
                yield passing.taken()
            writer.finish()
        copy = Copy(held, words)
        page = page_of(_Reader(words, copy.published), copy)
        archive.writestr(entry(PAGE), page)
        for path, content in held.files():
            archive.writestr(entry(path), content)
            yield passing.taken()
    yield passing.taken()


class _Passing:
    """Where an archive is written to, and taken from at once; nobody can go back in it."""

    def __init__(self) -> None:
        self._waiting: list[bytes] = []

    def write(self, data: bytes) -> int:
        """Take bytes of the archive."""
        self._waiting.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        """Do nothing: all that was written waits to be taken."""

    def taken(self) -> bytes:
        """Return what was written since it was last asked."""
        found, self._waiting = b"".join(self._waiting), []
        return found


class _Held:
    """Files in memory, by their names."""

    def __init__(self) -> None:
        self._files: dict[str, _Kept] = {}
        self._bytes = 0

    def begin(self, name: str) -> BinaryIO:
        """Return a new file."""
        self._files[name] = _Kept(self)
        return self._files[name]

    def count(self, size: int) -> None:
        """Count bytes that come to any file."""
        self._bytes += size
        if self._bytes > MOST_HELD_BYTES:
            raise BrokenError

    def files(self) -> Iterator[tuple[str, bytes]]:
        """Yield every file."""
        for name, file in self._files.items():
            yield name, file.read_bytes()

    def __truediv__(self, name: str, /) -> _Kept:
        return self._files.get(name) or _Kept(self, is_there=False)


class _Kept(io.BytesIO):
    """A file in memory, which stays when it is closed."""

    def __init__(self, held: _Held, *, is_there: bool = True) -> None:
        super().__init__()
        self._held = held
        self._is_there = is_there

    def write(self, data: Any, /) -> int:
        """Take what belongs to it, as far as there is room."""
        self._held.count(len(data))
        return super().write(data)

    def close(self) -> None:
        """Keep it."""

    def read_bytes(self) -> bytes:
        """Return what was written."""
        return self.getvalue()

    def is_file(self) -> bool:
        """Say whether it was ever begun."""
        return self._is_there
