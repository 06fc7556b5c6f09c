# SPDX-License-Identifier: Apache-2.0
"""What was typed is looked for in every file, and found if it is there."""

from pathlib import Path

from clients.demo.people import Form
from clients.demo.traces import search, typed_texts

_FORM = Form(
    evidence_type="care_needs",
    answers={
        "hospitalName": "Ysbyty Aber",
        "diagnoses": ["Broken left hip, mended"],
        "helpNeeded": ["washing"],
        "dischargeDate": "2026-11-27",
        "buildingNumber": "14",
        "amountPence": 88_620,
    },
    source=1,
)


def test_only_texts_that_nobody_else_writes_are_looked_for() -> None:
    texts = typed_texts([_FORM], published=b'"enum":["washing","dressing"]')

    assert texts == {b"Ysbyty Aber", b"Broken left hip, mended"}


def test_a_file_that_holds_a_text_is_named(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "leak.db").write_bytes(b"\x00\xffYsbyty Aber\x00")
    (tmp_path / "clean.log").write_bytes(b"nothing")

    found = search(tmp_path, frozenset({b"Ysbyty Aber"}))

    assert (found.texts, found.files, found.found_in) == (1, 2, ("leak.db",))


def test_nothing_is_found_where_nothing_is(tmp_path: Path) -> None:
    assert search(tmp_path, frozenset({b"Ysbyty Aber"})).found_in == ()


def test_a_table_that_holds_a_text_is_named(tmp_path: Path) -> None:
    tables = [("payloads", b"\x00Ysbyty Aber"), ("entries", b"")]

    found = search(tmp_path, frozenset({b"Ysbyty Aber"}), tables)

    assert (found.where, found.found_in) == ("0 files and 2 tables", ("payloads",))
