# SPDX-License-Identifier: Apache-2.0
"""Documents: taken in piece by piece, judged by their own bytes, sealed, and sent whole."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from typing import Any

import pytest

from tests.house import (
    HERSELF,
    MAIR,
    NIA,
    AdjustableClock,
    House,
    Registered,
    Shared,
    fail_once,
    new_id,
    provide_address,
    provided,
    said,
)
from tests.integration.application.documents import (
    LETTER,
    a_png,
    publish,
    shared_document,
    upload,
    wanting,
)
from vault.application.disclosures import Disclosed
from vault.application.documents import CHUNK_BYTES
from vault.domain.canonical import b64, digest
from vault.domain.errors import (
    ConsentRevokedError,
    DocumentInvalidError,
    EvidenceInvalidError,
    FieldInvalidError,
    HistoryBrokenError,
    LimitExceededError,
    NotFoundError,
    RequestIdReusedError,
    StoreUnavailableError,
)


async def download(house: House, evidence_id: str, number: int = 0) -> bytes:
    parts = [p async for p in house.documents.download(MAIR, HERSELF, evidence_id, number)]
    return b"".join(part for part in parts if isinstance(part, bytes))


@pytest.fixture(autouse=True)
async def published(house: House, registered: Registered) -> None:
    """Let documents be uploaded and asked for."""
    await publish(house, registered)


@pytest.mark.parametrize("size", [0, 65_535, CHUNK_BYTES, 3_000_000])
async def test_what_she_uploads_is_what_she_gets_back(house: House, size: int) -> None:
    data = a_png(size)
    await provide_address(house, MAIR)

    evidence_id = await upload(house, data, sha256=digest(data))

    assert await download(house, evidence_id) == data
    view = await house.evidence.get(MAIR, HERSELF, evidence_id)
    assert json.loads(view.values)["content"] == {
        "sha256": digest(data),
        "sizeBytes": len(data),
        "mediaType": "image/png",
    }


async def test_a_replacement_keeps_the_old_revision(house: House) -> None:
    first, second = a_png(10), a_png(2_000)
    evidence_id = await upload(house, first)

    await upload(house, second, evidence_id=evidence_id)

    assert await download(house, evidence_id) == second
    assert await download(house, evidence_id, 1) == first


async def test_no_byte_of_it_lies_in_the_clear(house: House) -> None:
    data = a_png(300_000)
    middle = data[100_000:100_064]

    await upload(house, data)

    for path in house.folder.rglob("*"):
        if path.is_file():
            assert middle not in path.read_bytes()


@pytest.mark.parametrize(
    ("data", "changes", "error"),
    [
        (a_png()[:-1], {}, DocumentInvalidError),
        (a_png(), {"media_type": "application/pdf"}, DocumentInvalidError),
        (b"", {}, DocumentInvalidError),
        (b"MZ" + bytes(500), {}, DocumentInvalidError),
        (a_png(), {"sha256": b64(bytes(32))}, DocumentInvalidError),
        (a_png(26 * 1024 * 1024), {}, LimitExceededError),
        (a_png(), {"values": b'{"title":"x"}'}, EvidenceInvalidError),
        (a_png(), {"values": json.dumps({**LETTER, "content": {}}).encode()}, EvidenceInvalidError),
        (a_png(), {"evidence_id": new_id()}, NotFoundError),
    ],
)
async def test_what_is_no_document_is_refused_and_leaves_nothing(
    house: House,
    data: bytes,
    changes: dict[str, Any],
    error: type[Exception],
) -> None:
    before = await house.lane.tree_size()

    with pytest.raises(error):
        await upload(house, data, **changes)

    assert await house.lane.tree_size() == before
    assert not [path for path in (house.folder / "documents").rglob("*") if path.is_file()]


@pytest.mark.parametrize(
    "values",
    [
        b'{"title":"\\ud800","kind":"letter"}',
        b'{"title":"x","kind":"\\ud800"}',
        b'{"\\ud800":1,"title":"x","kind":"letter"}',
        b'{"title":1e400,"kind":"letter"}',
        b'{"title":-Infinity,"kind":"letter"}',
        b'{"title":"x","kind":"letter","size":18446744073709551616}',
        b'{"title":' + b"[" * 900 + b"]" * 900 + b',"kind":"letter"}',
        b'{"title":"\\u0000","kind":"letter"}',
        b"null",
    ],
)
async def test_values_that_nobody_could_store_are_refused(house: House, values: bytes) -> None:
    before = await house.lane.tree_size()
    hostile = replace(provided(), values=values)

    with pytest.raises(EvidenceInvalidError):
        await upload(house, a_png(), values=values)
    with pytest.raises(EvidenceInvalidError):
        await house.evidence.provide(MAIR, HERSELF, new_id(), "postal_address", hostile)

    assert await house.lane.tree_size() == before


async def test_an_address_is_no_document(house: House, shared: Shared) -> None:
    with pytest.raises(NotFoundError):
        await upload(house, a_png(), evidence_id=shared.evidence_id)
    with pytest.raises(FieldInvalidError):
        await house.evidence.provide(MAIR, HERSELF, new_id(), "document", provided())


async def test_an_upload_is_repeated_safely(house: House, shared: Shared) -> None:
    key, data = new_id(), a_png(1_000)

    first = await upload(house, data, request_id=key)
    again = await upload(house, data, request_id=key)

    assert again == first
    assert (await house.names(shared.vault_id)).count("evidence-provided.1") == 2
    with pytest.raises(RequestIdReusedError):
        await upload(house, a_png(1_001), request_id=key)


async def test_an_upload_whose_record_failed_is_finished_by_the_retry(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, data = new_id(), a_png(1_000)
    fail_once(monkeypatch, house, "evidence-provided.1")
    with pytest.raises(StoreUnavailableError):
        await upload(house, data, request_id=key)

    evidence_id = await upload(house, data, request_id=key)

    assert await download(house, evidence_id) == data


async def test_a_service_gets_the_document_and_its_record_came_first(
    house: House, registered: Registered
) -> None:
    data = a_png(400_000)
    shared = await shared_document(house, registered, data)
    received = bytearray()
    bundle = b""

    async for part in house.disclosures.disclose_document(
        shared.service, new_id(), wanting(shared), said()
    ):
        if isinstance(part, Disclosed):
            assert "evidence-disclosed.1" in await house.names(shared.vault_id)
            bundle = part.bundle
        else:
            assert len(part) <= CHUNK_BYTES
            received += part

    assert bytes(received) == data
    (item,) = json.loads(bundle)["items"]
    content = next(f["value"] for f in item["fields"] if f["name"] == "content")
    assert content["sha256"] == b64(hashlib.sha256(received).digest())


async def test_without_consent_not_even_the_first_message_leaves(
    house: House, registered: Registered
) -> None:
    shared = await shared_document(house, registered, a_png(1_000))
    await house.amendments.revoke(MAIR, HERSELF, new_id(), shared.consent_id)

    with pytest.raises(ConsentRevokedError):
        await anext(
            house.disclosures.disclose_document(shared.service, new_id(), wanting(shared), said())
        )


async def test_only_a_document_with_its_content_is_streamed(
    house: House, registered: Registered
) -> None:
    shared = await shared_document(house, registered, a_png(1_000))

    with pytest.raises(FieldInvalidError):
        await anext(
            house.disclosures.disclose_document(
                shared.service, new_id(), wanting(shared, "title"), said()
            )
        )


async def test_nobody_else_downloads_it(house: House) -> None:
    evidence_id = await upload(house, a_png())
    await provide_address(house, NIA)

    with pytest.raises(NotFoundError):
        await anext(house.documents.download(NIA, HERSELF, evidence_id))


async def test_a_changed_object_does_not_open(house: House) -> None:
    evidence_id = await upload(house, a_png(200_000))
    (path,) = [p for p in (house.folder / "documents").rglob("*") if p.is_file()]
    data = bytearray(path.read_bytes())
    data[90_000] ^= 1
    path.chmod(0o600)
    path.write_bytes(data)

    with pytest.raises(HistoryBrokenError):
        await download(house, evidence_id)


async def test_a_missing_object_is_not_there(house: House) -> None:
    evidence_id = await upload(house, a_png(2_000))
    (path,) = [p for p in (house.folder / "documents").rglob("*") if p.is_file()]
    path.unlink()

    with pytest.raises(NotFoundError):
        await download(house, evidence_id)


async def test_what_a_broken_upload_left_is_swept_after_a_day(
    house: House, clock: AdjustableClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = await upload(house, a_png(500))
    fail_once(monkeypatch, house, "evidence-provided.1")
    with pytest.raises(StoreUnavailableError):
        await upload(house, a_png(700))

    assert await house.documents.sweep() == 0
    clock.ahead_seconds = 86_400 + 60

    assert await house.documents.sweep() == 1
    assert await download(house, kept) == a_png(500)
