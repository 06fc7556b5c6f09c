# SPDX-License-Identifier: Apache-2.0
"""A document is what it is said to be, and whole, or it is told why not."""

import itertools
import random
import struct
import tracemalloc
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vault.evidence_types.document import (
    LARGEST_DOCUMENT_BYTES,
    DocumentForm,
    DocumentFormError,
)

PDF, PNG, JPEG = "application/pdf", "image/png", "image/jpeg"


def judged(data: bytes, declared: str, piece: int = 1024) -> str:
    """Return the media type of a document, or why it is none."""
    form = DocumentForm(declared)
    try:
        for at in range(0, len(data), piece):
            form.feed(data[at : at + piece])
        return form.finish()
    except DocumentFormError as error:
        return error.reason


def chunk(kind: bytes, data: bytes = b"") -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def a_png(*before_the_end: bytes) -> bytes:
    """Return a picture of one grey pixel."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0))
    image = chunk(b"IDAT", zlib.compress(b"\x00\x7f"))
    return b"\x89PNG\r\n\x1a\n" + header + image + b"".join(before_the_end) + chunk(b"IEND")


def segment(marker: int, data: bytes) -> bytes:
    return bytes([0xFF, marker]) + struct.pack(">H", len(data) + 2) + data


def a_jpeg(scan: bytes = b"\x8a\xff\x00\x28\xff\xd0\x7f") -> bytes:
    """Return a picture of one grey pixel: a table of each kind, a frame and a scan."""
    return b"".join(
        [
            b"\xff\xd8",
            segment(0xE0, b"JFIF\0\x01\x01\0\0\x01\0\x01\0\0"),
            segment(0xDB, b"\0" + bytes([1] * 64)),
            segment(0xC0, b"\x08\0\x01\0\x01\x01\x01\x11\0"),
            segment(0xC4, b"\0" + bytes([1, *[0] * 15]) + b"\0"),
            segment(0xC4, b"\x10" + bytes([1, *[0] * 15]) + b"\0"),
            segment(0xDA, b"\x01\x01\0\0\x3f\0") + scan,
            b"\xff\xd9",
        ]
    )


def a_pdf(version: str = "1.7", end: str = "%%EOF") -> bytes:
    """Return a document of one empty page."""
    objects = [
        "<</Type/Catalog/Pages 2 0 R>>",
        "<</Type/Pages/Kids[3 0 R]/Count 1>>",
        "<</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]>>",
    ]
    text = f"%PDF-{version}\n%\u00e2\u00e3\u00cf\u00d3\n"
    places = []
    for number, body in enumerate(objects, start=1):
        places.append(len(text))
        text += f"{number} 0 obj\n{body}\nendobj\n"
    table = "".join(f"{place:010} 00000 n \n" for place in places)
    begins_at = len(text)
    text += f"xref\n0 4\n0000000000 65535 f \n{table}trailer\n<</Size 4/Root 1 0 R>>\n"
    return f"{text}startxref\n{begins_at}\n{end}".encode("latin-1")


SAMPLES = {PNG: a_png(), JPEG: a_jpeg(), PDF: a_pdf()}

each_sample = pytest.mark.parametrize("media_type", SAMPLES)


@each_sample
@pytest.mark.parametrize("piece", [1, 2, 3, 7, 64, 100_000])
def test_whole_document_is_what_it_is_said_to_be(media_type: str, piece: int) -> None:
    assert judged(SAMPLES[media_type], media_type, piece) == media_type


@each_sample
def test_document_that_ends_anywhere_before_its_end_is_truncated(media_type: str) -> None:
    whole = SAMPLES[media_type]

    for length in range(1, len(whole)):
        assert judged(whole[:length], media_type) == "truncated", length


@each_sample
@pytest.mark.parametrize("piece", [1, 5])
def test_document_that_ends_early_and_comes_in_pieces_is_truncated(
    media_type: str, piece: int
) -> None:
    whole = SAMPLES[media_type]

    for length in range(1, len(whole)):
        assert judged(whole[:length], media_type, piece) == "truncated", length


@pytest.mark.parametrize(
    ("is_", "declared"),
    [
        *itertools.permutations(SAMPLES, 2),
        *((media_type, "text/html") for media_type in SAMPLES),
        (PNG, ""),
        (JPEG, "image/jpg"),
        (PDF, "application/pdf; charset=utf-8"),
    ],
)
def test_document_of_another_kind_is_mislabelled(is_: str, declared: str) -> None:
    assert judged(SAMPLES[is_], declared) == "mislabelled"


@pytest.mark.parametrize(
    "data",
    [
        b"MZ\x90\x00\x03\x00\x00\x00\x04",
        b"GIF89a\x01\x00\x01\x00\x00\x00\x00;",
        b"PK\x03\x04\x14\x00\x00\x00\x08\x00",
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"RIFF\x1a\x00\x00\x00WEBPVP8L",
        b"\x00" * 100,
        b"\n" + SAMPLES[PDF],
        b"\xef\xbb\xbf" + SAMPLES[PDF],
        b"%!PS-Adobe-3.0\n%%EOF",
        b"hello",
        b"\x89",
        b"\x89PNG\n\x1a\n\x00",
        b"\xff\xd7",
    ],
    ids=repr,
)
@each_sample
def test_what_begins_like_none_of_them_is_no_document(data: bytes, media_type: str) -> None:
    if data == b"\x89":
        assert judged(data, media_type) == "truncated"
    else:
        assert judged(data, media_type) == "not-a-document"


@pytest.mark.parametrize("declared", [PNG, ""])
@pytest.mark.parametrize("pieces", [[], [b""], [b"", b""]])
def test_nothing_is_empty(declared: str, pieces: list[bytes]) -> None:
    form = DocumentForm(declared)
    for piece in pieces:
        form.feed(piece)

    with pytest.raises(DocumentFormError, match="nothing") as raised:
        form.finish()

    assert raised.value.reason == "empty"


def a_png_of(size: int) -> bytes:
    spare = size - len(a_png(chunk(b"prVt")))
    return a_png(chunk(b"prVt", bytes(spare)))


def test_largest_document_is_accepted_and_one_byte_more_is_refused() -> None:
    assert judged(a_png_of(LARGEST_DOCUMENT_BYTES), PNG, 2**20) == PNG
    assert judged(a_png_of(LARGEST_DOCUMENT_BYTES + 1), PNG, 2**20) == "too-large"


def test_document_without_an_end_is_refused_before_more_of_it_is_read() -> None:
    form = DocumentForm(PDF)
    form.feed(b"%PDF-1.7\n".ljust(2**20))
    while form.size_bytes < LARGEST_DOCUMENT_BYTES:
        form.feed(bytes(2**20))

    with pytest.raises(DocumentFormError) as raised:
        form.feed(b"\x00")

    assert raised.value.reason == "too-large"


@pytest.mark.parametrize(
    "whole",
    [
        (JPEG, a_jpeg(b"\x12" * 2**22)),
        (JPEG, a_jpeg(b"\xff\x00" * 2**21)),
        (JPEG, a_jpeg(b"\xff" * 2**22)),
        (PNG, a_png(chunk(b"prVt", bytes(2**22)))),
        (PDF, SAMPLES[PDF][:20] + bytes(2**22) + SAMPLES[PDF][20:]),
    ],
    ids=["scan", "scan of escapes", "fill bytes", "one chunk", "pdf"],
)
def test_large_document_is_not_held(whole: tuple[str, bytes]) -> None:
    media_type, data = whole
    pieces = [data[at : at + 65_536] for at in range(0, len(data), 65_536)]
    form = DocumentForm(media_type)
    tracemalloc.start()

    for piece in pieces:
        form.feed(piece)

    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert form.finish() == media_type
    assert most < 1_000_000


def test_size_is_counted() -> None:
    form = DocumentForm(PNG)
    form.feed(SAMPLES[PNG])

    assert form.size_bytes == len(SAMPLES[PNG])


HEADER_AND_SIGNATURE = 8 + 25


@pytest.mark.parametrize(
    "data",
    [
        SAMPLES[PNG] + b"\x00",
        SAMPLES[PNG] + SAMPLES[PNG],
        SAMPLES[PNG].replace(b"IHDR", b"IHDr"),
        SAMPLES[PNG][:8] + SAMPLES[PNG][HEADER_AND_SIGNATURE:],
        SAMPLES[PNG][:HEADER_AND_SIGNATURE] + chunk(b"IEND"),
        a_png(chunk(b"IHDR", bytes(13))),
        SAMPLES[PNG][:8] + chunk(b"IHDR", bytes(12)) + SAMPLES[PNG][HEADER_AND_SIGNATURE:],
        a_png(chunk(b"ID T", b"x")),
        a_png(chunk(b"IEND", b"x")),
        a_png(struct.pack(">I4s", 2**31, b"prVt")),
    ],
    ids=[
        "a byte after the end",
        "two pictures",
        "another first kind",
        "no header",
        "no image",
        "two headers",
        "a short header",
        "a kind that is none",
        "an end with data",
        "a length beyond what is allowed",
    ],
)
def test_damaged_png_is_no_document(data: bytes) -> None:
    assert judged(data, PNG) == "not-a-document"
    assert judged(data, PNG, 1) == "not-a-document"


@given(st.integers(8, len(SAMPLES[PNG]) - 1), st.integers(1, 255))
def test_png_with_one_changed_byte_is_never_whole(at: int, change: int) -> None:
    changed = bytearray(SAMPLES[PNG])
    changed[at] ^= change

    assert judged(bytes(changed), PNG) in {"not-a-document", "truncated"}


@pytest.mark.parametrize("padding", [1, 2, 511, 4096])
def test_jpeg_may_be_padded_with_zeros(padding: int) -> None:
    assert judged(SAMPLES[JPEG] + bytes(padding), JPEG, 100) == JPEG


@pytest.mark.parametrize(
    "before",
    [
        segment(0xE1, b"Exif\0\0" + a_jpeg()),
        segment(0xFE, b"\xff\xd9 a comment \xff\xda"),
        segment(0xFE, b""),
        b"\xff" * 5,
    ],
    ids=["a smaller picture within", "an end within a comment", "an empty comment", "fill bytes"],
)
def test_jpeg_is_walked_by_its_lengths(before: bytes) -> None:
    data = SAMPLES[JPEG][:2] + before + SAMPLES[JPEG][2:]

    assert judged(data, JPEG) == JPEG
    assert judged(data, JPEG, 1) == JPEG


def test_jpeg_may_have_several_scans() -> None:
    scan = segment(0xC4, b"\0" * 18) + segment(0xDA, b"\x01\x01\0\0\x3f\0") + b"\x12\xff\xff\x00"
    data = SAMPLES[JPEG][:-2] + scan + b"\xff\xff\xd9"

    assert judged(data, JPEG) == JPEG
    assert judged(data, JPEG, 1) == JPEG


FRAME = segment(0xC0, b"\x08\0\x01\0\x01\x01\x01\x11\0")


@pytest.mark.parametrize(
    "data",
    [
        SAMPLES[JPEG] + b"\x01",
        SAMPLES[JPEG] + bytes(7) + b"<script>",
        SAMPLES[JPEG] + SAMPLES[JPEG],
        SAMPLES[JPEG].replace(FRAME, b""),
        b"\xff\xd8" + FRAME + b"\xff\xd9",
        b"\xff\xd8\xff\xd9" + bytes(9),
        b"\xff\xd8\xff\xd8" + SAMPLES[JPEG][2:],
        b"\xff\xd8\x00" + SAMPLES[JPEG][2:],
        b"\xff\xd8\xff\x00" + SAMPLES[JPEG][2:],
        b"\xff\xd8\xff\xe0\x00\x01" + SAMPLES[JPEG][2:],
    ],
    ids=[
        "a byte after the end",
        "a program after the padding",
        "two pictures",
        "no frame",
        "no scan",
        "nothing at all",
        "two beginnings",
        "no marker",
        "an escape outside a scan",
        "a length that is none",
    ],
)
def test_damaged_jpeg_is_no_document(data: bytes) -> None:
    assert judged(data, JPEG) == "not-a-document"
    assert judged(data, JPEG, 1) == "not-a-document"


@pytest.mark.parametrize("version", ["1.0", "1.4", "1.7", "2.0"])
def test_pdf_of_any_version_is_a_document(version: str) -> None:
    assert judged(a_pdf(version), PDF) == PDF


@pytest.mark.parametrize("version", ["3.0", "0.9", "1,4", "1.x", "x.4", "   "])
def test_pdf_of_no_version_is_no_document(version: str) -> None:
    assert judged(a_pdf(version), PDF) == "not-a-document"
    assert judged(a_pdf(version), PDF, 1) == "not-a-document"


@pytest.mark.parametrize("end", ["%%EOF\n", "%%EOF\r\n", "%%EOF" + " " * 1019])
def test_pdf_ends_within_its_last_1024_bytes(end: str) -> None:
    assert judged(a_pdf(end=end), PDF) == PDF
    assert judged(a_pdf(end=end), PDF, 1) == PDF


@pytest.mark.parametrize("end", ["%%EOF" + " " * 1020, "%%EOF" + " " * 1060, "%%EO", ""])
def test_pdf_without_an_end_in_its_last_1024_bytes_is_truncated(end: str) -> None:
    assert judged(a_pdf(end=end), PDF) == "truncated"
    assert judged(a_pdf(end=end), PDF, 1) == "truncated"


def test_pdf_that_does_not_say_where_its_table_begins_is_truncated() -> None:
    assert judged(a_pdf().replace(b"startxref", b"startxxxx"), PDF) == "truncated"


def test_pdf_whose_table_lies_where_it_ends_has_lost_its_middle() -> None:
    whole = a_pdf()

    assert judged(whole[:60] + whole[-40:], PDF) == "truncated"


def test_pdf_that_was_added_to_is_judged_by_its_last_end() -> None:
    first = a_pdf(end="%%EOF\n")
    added = b"4 0 obj\n<<>>\nendobj\n"
    table = b"xref\n0 0\ntrailer\n<<>>\nstartxref\n%d\n%%%%EOF\n" % (len(first) + len(added))

    assert judged(first + added + table, PDF) == PDF


@given(st.binary(max_size=200), st.sampled_from([PDF, PNG, JPEG]), st.integers(1, 64))
def test_whatever_comes_is_answered_alike_in_pieces_of_any_size(
    data: bytes, declared: str, piece: int
) -> None:
    assert judged(data, declared, piece) == judged(data, declared, 1000)


@given(st.sampled_from(sorted(SAMPLES)), st.data())
def test_changed_document_is_answered_alike_in_pieces_of_any_size(
    media_type: str, data: st.DataObject
) -> None:
    changed = bytearray(SAMPLES[media_type])
    seeded = random.Random(data.draw(st.integers(0, 2**32)))
    for _ in range(3):
        changed[seeded.randrange(len(changed))] = seeded.randrange(256)
    piece = data.draw(st.integers(1, 64))

    assert judged(bytes(changed), media_type, piece) == judged(bytes(changed), media_type, 10_000)
