# SPDX-License-Identifier: Apache-2.0
"""How PDF (ISO 32000-2 §7.5), PNG (ISO 15948 §5) and JPEG (ISO 10918-1 annex B) are laid out.

A form is walked: each step says how far it came in the bytes at hand, and stays where it is when it
needs more of them. Lengths that the bytes name are never allocated, only counted down.
"""

import re
import struct
import zlib
from typing import ClassVar, Final, Protocol

_LONGEST_PNG_CHUNK_BYTES: Final = 2**31 - 1


class MalformedError(Exception):
    """The bytes break the rules of their form, whatever follows."""


class Form(Protocol):
    """One form, at some place in a document. Begins after the signature."""

    signature: ClassVar[bytes]

    @property
    def is_whole(self) -> bool:
        """Say whether the document may end here."""
        ...

    def step(self, data: bytes, at: int) -> int:
        """Return the place in `data` up to which it is judged, going on from `at`.

        Returns `at` itself if that takes more bytes. Requires at < len(data).

        Raises:
            MalformedError: the bytes cannot stand here.
        """
        ...


class Png:
    """Chunks, each with its length and checksum: IHDR first, image data within, IEND last."""

    signature: ClassVar[bytes] = b"\x89PNG\r\n\x1a\n"

    def __init__(self) -> None:
        self.is_whole = False
        self._kind = b""  # of the chunk in which we are
        self._left = 0  # of its data
        self._checksum = 0
        self._kinds: set[bytes] = set()

    def step(self, data: bytes, at: int) -> int:
        """Walk a chunk's head, some of its data, or its checksum."""
        if self.is_whole:
            raise MalformedError
        if self._left:
            part = data[at : at + self._left]
            self._checksum = zlib.crc32(part, self._checksum)
            self._left -= len(part)
            return at + len(part)
        if self._kind:
            return self._end(data, at)
        return self._begin(data, at)

    def _begin(self, data: bytes, at: int) -> int:
        if len(data) - at < 8:
            return at
        length, kind = struct.unpack_from(">I4s", data, at)
        is_first = not self._kinds
        if not kind.isalpha() or length > _LONGEST_PNG_CHUNK_BYTES:
            raise MalformedError
        if (kind == b"IHDR") != is_first or (kind == b"IHDR" and length != 13):
            raise MalformedError
        if kind == b"IEND" and (length or b"IDAT" not in self._kinds):
            raise MalformedError
        # Kinds that we do not know need no remembering, however many there are.
        self._kinds |= {kind} & {b"IHDR", b"IDAT"}
        self._kind, self._left = kind, length
        self._checksum = zlib.crc32(kind)
        return at + 8

    def _end(self, data: bytes, at: int) -> int:
        if len(data) - at < 4:
            return at
        if struct.unpack_from(">I", data, at) != (self._checksum,):
            raise MalformedError
        self.is_whole = self._kind == b"IEND"
        self._kind = b""
        return at + 4


class Jpeg:
    """Marker segments, each with its length; after a scan's head its data, up to the next marker.

    The end of image may be followed by zeros: cameras fill up their blocks with them.
    """

    signature: ClassVar[bytes] = b"\xff\xd8"  # start of image

    _END = 0xD9
    _SCAN = 0xDA
    _START = 0xD8
    _ALONE = frozenset({0x01, *range(0xD0, 0xD8)})  # markers without a length
    # A scan's data: FF is written as FF 00, and restarts stand within. Possessive, so that no way
    # back through it is remembered.
    _OF_SCAN = re.compile(rb"(?:[^\xff]++|\xff[\x00\xd0-\xd7])++")
    _FILL = re.compile(rb"\xff+(?=\xff)")  # bytes that may stand before any marker
    # Frames, of whichever process: without one there is no image. C4, C8 and CC are none.
    _FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}

    def __init__(self) -> None:
        self.is_whole = False
        self._left = 0  # of the segment in which we are
        self._in_scan = False
        self._has_frame = False
        self._has_scan = False

    def step(self, data: bytes, at: int) -> int:
        """Walk some of a segment, some of a scan's data, or a marker."""
        if self.is_whole:
            if data.count(0, at) != len(data) - at:
                raise MalformedError
            return len(data)
        if self._left:
            taken = min(self._left, len(data) - at)
            self._left -= taken
            return at + taken
        if self._in_scan and (after := self._OF_SCAN.match(data, at)):
            return after.end()
        if filled := self._FILL.match(data, at):
            return filled.end()
        if data[at] != 0xFF:
            raise MalformedError
        return self._marker(data, at) if len(data) - at > 1 else at

    def _marker(self, data: bytes, at: int) -> int:
        marker = data[at + 1]
        if marker == self._END:
            if not self._has_scan:
                raise MalformedError
            self.is_whole = True
            return at + 2
        if marker in self._ALONE:
            return at + 2
        if marker in {0, self._START} or (marker == self._SCAN and not self._has_frame):
            raise MalformedError
        if len(data) - at < 4:
            return at
        (length,) = struct.unpack_from(">H", data, at + 2)
        if length < 2:
            raise MalformedError
        self._left = length - 2
        self._has_frame |= marker in self._FRAMES
        self._has_scan |= marker == self._SCAN
        self._in_scan = marker == self._SCAN
        return at + 4


class Pdf:
    """A header at the very beginning; near the end, where its table of objects begins."""

    signature: ClassVar[bytes] = b"%PDF-"

    _VERSION = re.compile(rb"[12]\.[0-9]")
    # Readers look for the end in the last 1024 bytes; what stands before it is shorter still.
    _TAIL_BYTES = 1024
    _END = re.compile(rb"startxref\s+([0-9]{1,10})\s+%%EOF")
    _END_BYTES = 64

    def __init__(self) -> None:
        self._size_bytes = 0  # after the signature
        self._tail = b""

    @property
    def is_whole(self) -> bool:
        """Say whether the end is here, and names a place that is here too."""
        ends = list(self._END.finditer(self._tail))
        if not ends:
            return False
        begins_at = len(self.signature) + self._size_bytes - len(self._tail) + ends[-1].start()
        is_near = len(self._tail) - ends[-1].end() <= self._TAIL_BYTES - len(b"%%EOF")
        return is_near and int(ends[-1][1]) < begins_at

    def step(self, data: bytes, at: int) -> int:
        """Walk all there is, keeping its end."""
        if not self._size_bytes:
            if len(data) - at < 3:
                return at
            if not self._VERSION.match(data, at):
                raise MalformedError
        self._size_bytes += len(data) - at
        kept = self._TAIL_BYTES + self._END_BYTES
        self._tail = (self._tail + data[max(at, len(data) - kept) :])[-kept:]
        return len(data)
