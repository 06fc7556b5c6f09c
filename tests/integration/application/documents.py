# SPDX-License-Identifier: Apache-2.0
"""Documents of Mair's: how they are made, uploaded, shared and asked for."""

from __future__ import annotations

import json
import random
import zlib
from collections.abc import AsyncIterator
from typing import Any

from msgspec.structs import replace

from tests.house import (
    HERSELF,
    MAIR,
    OPERATOR,
    SEEDS,
    House,
    Registered,
    Shared,
    a_choice,
    a_purpose,
    a_question,
    bounds,
    claim_and_redeem,
    grant,
    new_id,
    provide_address,
    said,
    texts,
)
from vault.application.documents import Header
from vault.domain.disclosure import Attempt, Selection
from vault.domain.values import RequestedFields, TypeFields

FIELDS = ("content", "kind", "title")
LETTER = {"title": "Letter from the hospital", "kind": "letter"}


def a_png(size: int = 0) -> bytes:
    """Return a small picture, and in a chunk of its own as many bytes of noise as wanted."""

    def chunk(name: bytes, data: bytes) -> bytes:
        check = zlib.crc32(name + data).to_bytes(4, "big")
        return len(data).to_bytes(4, "big") + name + data + check

    header = chunk(b"IHDR", bytes([0, 0, 0, 1, 0, 0, 0, 1, 8, 0, 0, 0, 0]))
    noise = chunk(b"nOSe", random.Random(7).randbytes(size)) if size else b""
    pixel = chunk(b"IDAT", zlib.compress(b"\0\0"))
    return b"\x89PNG\r\n\x1a\n" + header + noise + pixel + chunk(b"IEND", b"")


def header(**changes: Any) -> Header:
    standard = {
        "request_id": new_id(),
        "evidence_id": "",
        "values": json.dumps(LETTER).encode(),
        "media_type": "image/png",
        "sha256": "",
        "issued_date": "",
    }
    return Header(**{**standard, **changes})


async def pieces(data: bytes, size: int = 100_000) -> AsyncIterator[bytes]:
    for start in range(0, len(data), size):
        yield data[start : start + size]


async def upload(house: House, data: bytes, **changes: Any) -> str:
    answer = await house.documents.upload(MAIR, HERSELF, header(**changes), pieces(data))
    return answer.value.evidence.evidence_id


async def publish(house: House, registered: Registered) -> None:
    """Publish the type, and a purpose that may ask for documents."""
    definition = (SEEDS / "document.json").read_bytes()
    await house.registry.publish_evidence_type(OPERATOR, new_id(), definition)
    wide = replace(
        bounds(registered.service), evidence=(TypeFields(evidence_type="document", names=FIELDS),)
    )
    await house.registry.publish_purpose(OPERATOR, new_id(), a_purpose("letters"), wide, texts())


async def shared_document(house: House, registered: Registered, data: bytes) -> Shared:
    """Upload a document and share it whole."""
    await provide_address(house, MAIR)
    evidence_id = await upload(house, data)
    question = a_question(
        purpose_code="letters",
        scope=(RequestedFields(evidence_type="document", required=FIELDS, optional=()),),
    )
    asked = await house.requests.ask(registered.service, new_id(), question, said())
    token = asked.value.handoff_token
    request_id, subject = await claim_and_redeem(house, MAIR, registered.service, token)
    consent_id = await grant(house, MAIR, request_id, a_choice(evidence_id, *FIELDS))
    state = (await house.citizens.get(MAIR, HERSELF)).value
    return Shared(
        citizen=MAIR,
        service=registered.service,
        vault_id=state.stream,
        evidence_id=evidence_id,
        consent_request_id=request_id,
        consent_id=consent_id,
        subject=subject,
    )


def wanting(shared: Shared, *names: str) -> Attempt:
    selection = Selection(item=0, evidence_type="document", names=names or FIELDS)
    return Attempt(
        service=shared.service.sub,
        subject=shared.subject,
        consent_id=shared.consent_id,
        purpose_code="letters",
        selections=(selection,),
    )
