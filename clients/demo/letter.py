# SPDX-License-Identifier: Apache-2.0
"""The hospital's letter as a scanner makes it: a PDF (ISO 32000-2) of one page, A4 at 300 dpi.

The paper is a picture of grey grain that is new each time, as paper is; over it stands the text, as
a scanner that reads puts it there. Nothing is compressed: whoever looks for a piece of it finds it.
"""

import datetime as dt
import secrets
from typing import Final

from clients.demo.wording import day

MEDIA_TYPE: Final = "application/pdf"
_WIDTH, _HEIGHT = 2480, 3508
"""Of the picture, in dots."""
_PAGE: Final = (595, 842)
"""A4, in points."""
_LIGHT_GREY: Final = bytes(0xF0 | grain & 0x0F for grain in range(256))
_LINE_POINTS: Final = 22
_PIECE_BYTES: Final = 32


def lines(came_home: dt.date) -> tuple[str, ...]:
    """Return what the letter says."""
    return (
        "Ysbyty Aber, Meurig Ward",
        "",
        "Dear Mair,",
        "",
        f"You can go home on {day(came_home)}. Your left hip has mended well.",
        "Somebody should help you with washing, dressing and meals.",
        "Take one tablet of Amlodipine each morning.",
        "",
        "With best wishes from all of us",
        "Dr Ffion Bowen",
    )


def scan(came_home: dt.date) -> bytes:
    """Return the letter as a PDF."""
    width, height = _PAGE
    paper = secrets.token_bytes(_WIDTH * _HEIGHT).translate(_LIGHT_GREY)
    typed = b"".join(
        b"(" + _escaped(line) + f") Tj 0 -{_LINE_POINTS} Td\n".encode() for line in lines(came_home)
    )
    page = (
        f"q {width} 0 0 {height} 0 0 cm /Paper Do Q\n".encode()
        + f"BT /Type 12 Tf 72 {height - 96} Td\n".encode()
        + typed
        + b"ET"
    )
    picture = (
        f"/Type /XObject /Subtype /Image /Width {_WIDTH} /Height {_HEIGHT} "
        "/ColorSpace /DeviceGray /BitsPerComponent 8 "
    ).encode()
    return _pdf(
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        f"<< /Type /Page /Parent 2 0 R /Contents 4 0 R /MediaBox [0 0 {width} {height}] ".encode()
        + b"/Resources << /XObject << /Paper 5 0 R >> /Font << /Type 6 0 R >> >> >>",
        _stream(b"", page),
        _stream(picture, paper),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
    )


def texts(document: bytes, came_home: dt.date) -> frozenset[bytes]:
    """Return what a scanned letter could be known by: its lines, and pieces of its paper."""
    last, step = len(document) - _PIECE_BYTES, len(document) // 8
    pieces = {document[begin : begin + _PIECE_BYTES] for begin in range(step, last, step)}
    return frozenset({_escaped(line) for line in lines(came_home) if line} | pieces)


def _pdf(*objects: bytes) -> bytes:
    """Return a file of objects, numbered from 1, with its table (section 7.5)."""
    parts = [b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n"]
    begins = []
    for number, content in enumerate(objects, start=1):
        begins.append(sum(map(len, parts)))
        parts.append(f"{number} 0 obj\n".encode() + content + b"\nendobj\n")
    table_begins = sum(map(len, parts))
    count = len(objects) + 1
    entries = ["0000000000 65535 f \n", *(f"{begin:010} 00000 n \n" for begin in begins)]
    parts.append(f"xref\n0 {count}\n{''.join(entries)}".encode())
    parts.append(f"trailer\n<< /Size {count} /Root 1 0 R >>\n".encode())
    parts.append(f"startxref\n{table_begins}\n%%EOF\n".encode())
    return b"".join(parts)


def _stream(entries: bytes, content: bytes) -> bytes:
    length = f"/Length {len(content)}".encode()
    return b"<< " + entries + length + b" >>\nstream\n" + content + b"\nendstream"


def _escaped(line: str) -> bytes:
    return line.replace("\\", "\\\\").replace("(", "\\(").replace(")", "\\)").encode("cp1252")
