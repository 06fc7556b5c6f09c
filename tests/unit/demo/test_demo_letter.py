# SPDX-License-Identifier: Apache-2.0
"""The letter is a real PDF, says what it should, and can be known by what stands in it."""

import datetime as dt
import re

import pytest

from clients.demo import letter
from vault.evidence_types.document import DocumentForm

_FRIDAY = dt.date(2026, 11, 27)


@pytest.fixture(scope="module")
def document() -> bytes:
    return letter.scan(_FRIDAY)


def test_its_own_bytes_say_that_it_is_a_whole_pdf(document: bytes) -> None:
    form = DocumentForm(letter.MEDIA_TYPE)

    form.feed(document)

    assert form.finish() == letter.MEDIA_TYPE


def test_its_table_names_where_each_object_begins(document: bytes) -> None:
    tail = document[document.rindex(b"xref\n0 ") :]
    places = [int(place) for place in re.findall(rb"^([0-9]{10}) 00000 n ", tail, re.MULTILINE)]

    assert len(places) == 6
    for number, place in enumerate(places, start=1):
        assert document[place:].startswith(f"{number} 0 obj\n".encode())


def test_its_table_begins_where_the_end_says(document: bytes) -> None:
    found = re.search(rb"startxref\n([0-9]+)\n%%EOF\n$", document)

    assert found
    assert document[int(found[1]) :].startswith(b"xref\n")


def test_each_of_its_streams_is_as_long_as_it_says(document: bytes) -> None:
    streams = list(re.finditer(rb"/Length ([0-9]+) >>\nstream\n", document))

    assert len(streams) == 2
    for stream in streams:
        assert document[stream.end() + int(stream[1]) :].startswith(b"\nendstream")


def test_its_paper_is_a_page_at_300_dpi(document: bytes) -> None:
    assert b"/Width 2480 /Height 3508" in document
    assert f"/Length {2480 * 3508} ".encode() in document


def test_everything_that_it_could_be_known_by_stands_in_it(document: bytes) -> None:
    texts = letter.texts(document, _FRIDAY)

    assert len(texts) > 12
    assert all(text in document for text in texts)


def test_nothing_that_it_could_be_known_by_is_short_enough_to_be_found_by_chance(
    document: bytes,
) -> None:
    assert min(map(len, letter.texts(document, _FRIDAY))) >= 10


def test_it_says_when_she_comes_home() -> None:
    assert any("Friday 27 November 2026" in line for line in letter.lines(_FRIDAY))


def test_no_other_letter_has_its_paper(document: bytes) -> None:
    other = letter.scan(_FRIDAY)
    paper = {text for text in letter.texts(document, _FRIDAY) if text[:1] >= b"\xf0"}

    assert len(paper) > 5
    assert not any(piece in other for piece in paper)


def test_brackets_in_a_line_do_not_end_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(letter, "lines", lambda _: ("(a) b\\c",))

    assert b"(\\(a\\) b\\\\c) Tj" in letter.scan(_FRIDAY)
