# SPDX-License-Identifier: Apache-2.0
"""Everything as one archive: whole or not to be opened, within bounds, and as it came."""

from __future__ import annotations

import datetime as dt
import io
import json
import zipfile
from collections.abc import Iterable, Iterator
from typing import Any
from uuid import uuid4

import pytest
from starlette.responses import StreamingResponse

from clients.connection import CallError
from clients.export.form import BrokenError
from clients.web.confirmations import archive, taking_away
from clients.web.sessions import Session
from clients.wording.words import Words
from vault.api.v1.export_pb2 import ExportedDocument, ExportedProof, ExportEnd, ExportHead
from vault.api.v1.log_pb2 import Record
from vault.api.v1.vault_service_pb2 import ExportVaultResponse as Part

NOW = dt.datetime(2026, 11, 22, 12, 30, tzinfo=dt.UTC)
VAULT = "0000fb6d-ecea-85f6-87cf-959fe8d1feb3"
DOCUMENT = "00000000-0000-4000-8000-000000000001"
PDF = [b"%PDF-1.7 " + bytes(range(256)), b"second", b"third"]


def whole() -> list[Part]:
    """Return every part of a small export: two records, a document, a proof."""
    head = ExportHead(vault_id=VAULT, origin="here/0", version=2)
    head.time.FromDatetime(NOW)
    document = ExportedDocument(evidence_id=DOCUMENT, revision=1, media_type="application/pdf")
    parts = [
        Part(head=head),
        *(Part(record=Record(stream_id=VAULT, version=number)) for number in (1, 2)),
        Part(document=document),
        *(Part(chunk=chunk) for chunk in PDF),
        Part(proof=ExportedProof(origin="here/0", proof="")),
    ]
    return [*parts, Part(end=ExportEnd(part_count=len(parts)))]


def taken(parts: Iterable[Part], language: str = "en") -> bytes:
    return b"".join(archive.archived(parts, "all-of-it", Words(language), NOW))


def test_the_archive_is_one_folder_for_her_alone() -> None:
    with zipfile.ZipFile(io.BytesIO(taken(whole(), "cy"))) as opened:
        assert opened.testzip() is None
        entries = opened.infolist()
        held = {entry.filename.removeprefix("all-of-it/"): entry for entry in entries}
        assert opened.read(held[f"documents/{DOCUMENT}-1.pdf"]) == b"".join(PDF)
        assert len(opened.read(held["history.jsonl"]).splitlines()) == 2
        assert json.loads(opened.read(held["export.json"]))["vault_id"] == VAULT
        assert b'<html lang="cy">' in opened.read(held["index.html"])
    assert {entry.external_attr >> 16 for entry in entries} == {0o600}
    assert {entry.date_time for entry in entries} == {(2026, 11, 22, 12, 30, 0)}


def test_a_document_passes_through_before_the_rest_has_come() -> None:
    came: list[Part] = []

    def parts() -> Iterator[Part]:
        for part in whole():
            came.append(part)
            yield part

    passed = b""
    for chunk in archive.archived(parts(), "all-of-it", Words("en"), NOW):
        passed += chunk
        if passed:
            break

    assert came[-1].WhichOneof("part") == "document"


@pytest.mark.parametrize("count", range(len(whole())))
def test_what_breaks_off_cannot_be_opened(count: int) -> None:
    passed: list[bytes] = []

    with pytest.raises(BrokenError):
        passed.extend(archive.archived(whole()[:count], "all-of-it", Words("en"), NOW))

    with pytest.raises(zipfile.BadZipFile):
        zipfile.ZipFile(io.BytesIO(b"".join(passed)))


def test_no_more_is_held_than_there_is_room_for(monkeypatch: pytest.MonkeyPatch) -> None:
    taken(whole())
    monkeypatch.setattr(archive, "MOST_HELD_BYTES", 200)

    with pytest.raises(BrokenError):
        taken(whole())


def test_too_many_records_are_known_from_the_head() -> None:
    most = archive.MOST_RECORDS

    assert not archive.is_too_large(ExportHead(version=1, public_record_count=most - 1))
    assert archive.is_too_large(ExportHead(version=1, public_record_count=most))


class Visit:
    """A visit whose vault answers with these parts, or refuses."""

    def __init__(self, parts: Iterable[Part] | CallError, sub: str = "") -> None:
        self._parts = parts
        # Another person each time, unless it is said who.
        self.session = Session(secret="", issuer="https://i", sub=sub or str(uuid4()))
        self.words, self.acting, self.vault, self.vaults = Words("en"), None, self, self
        self.words = type("Said", (), {"__call__": lambda _, key: key, "language": "en"})()
        self.pages: list[tuple[str, int]] = []

    def ExportVault(self, *_: Any, **__: Any) -> Iterable[Part]:  # noqa: N802 - as on the wire
        if isinstance(self._parts, CallError):
            raise self._parts
        return self._parts

    def page(self, _: str, *, status: int, said: str, **__: Any) -> str:
        self.pages.append((said, status))
        return said


def take(visit: Visit) -> Any:
    answered: Any = taking_away.take(visit)  # type: ignore[arg-type]
    return answered


def test_only_so_many_are_made_at_once_and_each_makes_room_again() -> None:
    under_way = [take(Visit(whole())) for _ in range(taking_away.MOST_AT_ONCE)]
    assert all(isinstance(one, StreamingResponse) for one in under_way)
    one_more = Visit(whole())
    take(one_more)
    assert one_more.pages == [("export.busy", 503)]

    # Dropped by a browser before a byte was asked for.
    under_way.clear()

    for _ in range(taking_away.MOST_AT_ONCE + 1):
        with pytest.raises(CallError):
            take(Visit(CallError("FAILED_PRECONDITION", "SIGN_IN_TOO_NEW", "Wait.")))
        large = Visit([Part(head=ExportHead(version=archive.MOST_RECORDS + 1))])
        take(large)
        assert large.pages == [("export.large", 409)]
        assert isinstance(take(Visit(whole())), StreamingResponse)


def test_nobody_keeps_others_from_taking_theirs_by_taking_it_slowly() -> None:
    slowly = take(Visit(whole(), "mallory"))
    again = Visit(whole(), "mallory")
    take(again)
    assert again.pages == [("export.busy", 503)]

    under_way = [take(Visit(whole(), f"mair-{n}")) for n in range(taking_away.MOST_AT_ONCE - 1)]

    assert all(isinstance(one, StreamingResponse) for one in (slowly, *under_way))
    del slowly
    assert isinstance(take(Visit(whole(), "mallory")), StreamingResponse)
