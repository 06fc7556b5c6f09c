# SPDX-License-Identifier: Apache-2.0
"""Documents over the wire: whole and as said, or refused, and then nothing of them stays."""

from __future__ import annotations

import base64
import hashlib
import json
import struct
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import grpc
import pytest

from tests.samples import Samples
from tests.server import Server
from tests.verdict import CANARY, CODES, must_be_told, untouched
from tests.wire import failed, written
from tests.world import ADDRESS, CHUNK_BYTES, LETTER, disclosing_document, pdf, uploading
from vault.api.v1 import evidence_service_pb2 as evidence

UPLOAD: Final = "EvidenceService/UploadDocument"
DOWNLOAD: Final = "EvidenceService/DownloadDocument"
DISCLOSE: Final = "DisclosureService/DiscloseDocument"
LARGEST_BYTES: Final = 25 * 1024 * 1024

Part = evidence.UploadDocumentRequest


def png() -> bytes:
    """Return a picture of one grey pixel."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        end = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + end

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0))
    image = chunk(b"IDAT", zlib.compress(b"\x00\x7f"))
    return b"\x89PNG\r\n\x1a\n" + header + image + chunk(b"IEND", b"")


def jpeg() -> bytes:
    """Return a picture of one grey pixel."""
    frame = b"\xff\xc0\x00\x0b\x08\0\x01\0\x01\x01\x01\x11\0"
    scan = b"\xff\xda\x00\x08\x01\x01\0\0\x3f\0\x8a\xff\x00\x28"
    return b"\xff\xd8" + frame + scan + b"\xff\xd9"


def pdf_of(size: int) -> bytes:
    """Return a document of so many bytes."""
    return pdf(size - len(pdf()))


def whole(content: bytes, **changed: Any) -> Callable[[Samples], list[Any]]:
    return lambda _: list[Any](uploading(content, **changed))


def in_order(*places: int) -> Callable[[Samples], list[Any]]:
    """Return the parts of a document of three chunks in another order; 0 is the header."""
    parts = uploading(pdf_of(2 * CHUNK_BYTES + 1))
    return lambda _: [parts[place] for place in places]


def header(**changed: Any) -> Any:
    return uploading(b"", **changed)[0]


def saying(values: Any, **changed: Any) -> Callable[[Samples], list[Any]]:
    data = values if isinstance(values, bytes) else json.dumps(values).encode()
    return whole(pdf(), values=data, **changed)


MEDIA: Final = {"media_type": "image/png"}
CONTENT: Final = {"sha256": "A" * 43, "sizeBytes": 1, "mediaType": "application/pdf"}

WRONG: Final[dict[str, tuple[Callable[[Samples], list[Any]], str, str]]] = {
    # the parts
    "no part at all": (lambda _: [], "FIELD_INVALID", "header"),
    "a part that is neither": (lambda _: [header(), Part()], "FIELD_INVALID", "part"),
    "a chunk first": (in_order(1, 0, 2, 3), "FIELD_INVALID", "header"),
    "chunks alone": (in_order(1, 2, 3), "FIELD_INVALID", "header"),
    "the header twice": (in_order(0, 0, 1, 2, 3), "FIELD_INVALID", "header"),
    "the header again at the end": (in_order(0, 1, 2, 3, 0), "FIELD_INVALID", "header"),
    "a chunk of nothing": (lambda _: [header(), Part(chunk=b"")], "FIELD_INVALID", "chunk"),
    "a chunk of 129 KiB": (
        lambda _: [header(), Part(chunk=pdf_of(129 * 1024))],
        "FIELD_INVALID",
        "chunk",
    ),
    "a chunk of 300 KiB": (
        lambda _: [header(), Part(chunk=pdf_of(300 * 1024))],
        "LIMIT_EXCEEDED",
        "",
    ),
    "a second part that is no message": (lambda _: [header(), b"\xff"], "MESSAGE_MALFORMED", ""),
    "half of the last part": (
        lambda _: [*uploading(pdf()), b"\x12\x7fx"],
        "MESSAGE_MALFORMED",
        "",
    ),
    # the bytes
    "an empty document": (whole(b""), "DOCUMENT_INVALID", "header.media_type"),
    "a program": (whole(b"MZ" + bytes(500)), "DOCUMENT_INVALID", "header.media_type"),
    "a text": (whole(CANARY.encode() * 50), "DOCUMENT_INVALID", "header.media_type"),
    "a PDF said to be a PNG": (whole(pdf(), **MEDIA), "DOCUMENT_INVALID", "header.media_type"),
    "a PNG said to be a PDF": (whole(png()), "DOCUMENT_INVALID", "header.media_type"),
    "a JPEG said to be a PNG": (whole(jpeg(), **MEDIA), "DOCUMENT_INVALID", "header.media_type"),
    "a PDF without its end": (whole(pdf()[:-30]), "DOCUMENT_INVALID", "header.media_type"),
    "the first chunk of a PDF": (in_order(0, 1), "DOCUMENT_INVALID", "header.media_type"),
    "a PNG without its last chunk": (
        whole(png()[:-12], **MEDIA),
        "DOCUMENT_INVALID",
        "header.media_type",
    ),
    "a PNG without its end": (whole(png()[:-1], **MEDIA), "DOCUMENT_INVALID", "header.media_type"),
    "a PNG with something after it": (
        whole(png() + b"x", **MEDIA),
        "DOCUMENT_INVALID",
        "header.media_type",
    ),
    "a PNG with one bit turned": (
        whole(png().replace(b"IDATx", b"IDATy"), **MEDIA),
        "DOCUMENT_INVALID",
        "header.media_type",
    ),
    "a JPEG without its end": (
        whole(jpeg()[:-2], media_type="image/jpeg"),
        "DOCUMENT_INVALID",
        "header.media_type",
    ),
    "other bytes than announced": (
        whole(pdf(), sha256=bytes(32)),
        "DOCUMENT_INVALID",
        "header.sha256",
    ),
    "a digest of 31 bytes": (whole(pdf(), sha256=bytes(31)), "FIELD_INVALID", "header.sha256"),
    "one byte more than 25 MiB": (whole(pdf_of(LARGEST_BYTES + 1)), "LIMIT_EXCEEDED", ""),
    # what is said about them
    "a type that is not taken": (
        whole(pdf(), media_type="text/html"),
        "FIELD_INVALID",
        "header.media_type",
    ),
    "a type in capitals": (
        whole(pdf(), media_type="application/PDF"),
        "FIELD_INVALID",
        "header.media_type",
    ),
    "values with their content": (
        saying({**LETTER, "content": CONTENT}),
        "EVIDENCE_INVALID",
        "/content",
    ),
    "values with content that is nothing": (
        saying({**LETTER, "content": None}),
        "EVIDENCE_INVALID",
        "/content",
    ),
    "values with a field that the type lacks": (
        saying({**LETTER, "shoeSize": CANARY}),
        "EVIDENCE_INVALID",
        "/shoeSize",
    ),
    "values without a title": (saying({"kind": "letter"}), "EVIDENCE_INVALID", "/title"),
    "values of another type": (saying(dict(ADDRESS)), "EVIDENCE_INVALID", "/addressCountry"),
    "a kind that is none": (saying({**LETTER, "kind": CANARY}), "EVIDENCE_INVALID", "/kind"),
    "half an object": (saying(b'{"title":'), "EVIDENCE_INVALID", ""),
    "a name twice": (saying(b'{"kind":"letter","kind":"bill"}'), "EVIDENCE_INVALID", ""),
    "no day": (whole(pdf(), issued_date="2023-02-29"), "FIELD_INVALID", "header.issued_date"),
    "an address in its place": (
        lambda s: uploading(pdf(), evidence_id=s.citizen.evidence["postal_address"]),
        "NOT_FOUND",
        "",
    ),
}
"""What is sent, the reason of the refusal, and the field that it names."""


@pytest.mark.parametrize("what", WRONG)
def test_what_is_no_upload_is_refused_and_leaves_nothing(
    server: Server, samples: Samples, what: str
) -> None:
    make, reason, field = WRONG[what]
    parts = make(samples)

    with untouched(server), nothing_left(server):
        answer = samples.citizen.caller.call(UPLOAD, parts)

    assert (answer.code, answer.reason) == (CODES[reason], reason), answer.told
    assert field in answer.fields or (not field and not any(answer.fields)), answer.told
    must_be_told(answer)


@contextmanager
def nothing_left(server: Server) -> Iterator[None]:
    """Check that no file of a document is left, once whoever wrote it noticed."""
    before = files(server)
    yield
    give_up = time.monotonic() + 10
    while files(server) != before and time.monotonic() < give_up:
        time.sleep(0.01)
    assert files(server) == before


def files(server: Server) -> set[Path]:
    return {path for path in (server.data / "documents").rglob("*") if path.is_file()}


def test_documents_lie_where_they_are_looked_for(server: Server, samples: Samples) -> None:
    """Else the tests above say nothing."""
    before = files(server)

    samples.world.upload(samples.citizen)

    assert len(files(server) - before) == 1


# --- Given up ------------------------------------------------------------------------------------


class Slow:
    """Parts of a document that stop coming, until it is ended."""

    def __init__(self, parts: list[bytes]) -> None:
        self._parts = parts
        self.taken = threading.Event()
        self._ended = threading.Event()

    def __iter__(self) -> Iterator[bytes]:
        yield from self._parts
        self.taken.set()
        self._ended.wait(20)

    def end(self) -> None:
        self._ended.set()


@pytest.mark.parametrize("how", ["cancelled", "too late"])
def test_an_upload_that_is_given_up_leaves_nothing(
    server: Server, samples: Samples, how: str
) -> None:
    slow = Slow(written(uploading(pdf_of(3 * CHUNK_BYTES))[:3]))
    seconds = 20.0 if how == "cancelled" else 0.5

    with untouched(server), nothing_left(server):
        call = samples.citizen.caller.begin(UPLOAD, slow, seconds)
        assert slow.taken.wait(10)
        if how == "cancelled":
            until(lambda: staged_bytes(server) > 0)
            call.cancel()
        with pytest.raises((grpc.RpcError, grpc.FutureCancelledError)):
            call.result()
        slow.end()


def test_uploads_given_up_at_any_moment_leave_nothing(server: Server, samples: Samples) -> None:
    """Also while their file is begun, or dropped."""
    parts = written(uploading(pdf_of(2 * CHUNK_BYTES)))
    slow = [Slow(parts[:2]) for _ in range(100)]

    with untouched(server), nothing_left(server):
        for number, each in enumerate(slow):
            call = samples.citizen.caller.begin(UPLOAD, each)
            assert each.taken.wait(10)
            time.sleep(number / 20_000)
            call.cancel()
    for each in slow:
        each.end()


def test_an_upload_given_up_is_made_by_the_retry(server: Server, samples: Samples) -> None:
    parts = uploading(pdf_of(3 * CHUNK_BYTES))
    slow = Slow(written(parts[:2]))
    call = samples.citizen.caller.begin(UPLOAD, slow)
    assert slow.taken.wait(10)
    until(lambda: staged_bytes(server) > 0)
    call.cancel()
    slow.end()

    with_all = samples.citizen.caller.ask(UPLOAD, parts)
    again = samples.citizen.caller.ask(UPLOAD, parts)

    assert with_all.evidence == again.evidence
    until(lambda: not list(staging(server).iterdir()))


def staging(server: Server) -> Path:
    return server.data / "documents" / "staging"


def staged_bytes(server: Server) -> int:
    """Return how much of uploads lies there that are under way."""
    return sum(path.stat().st_size for path in staging(server).iterdir())


def until(holds: Callable[[], bool]) -> None:
    give_up = time.monotonic() + 10
    while not holds():
        assert time.monotonic() < give_up
        time.sleep(0.005)


# --- Taken ---------------------------------------------------------------------------------------

TAKEN: Final[dict[str, tuple[bytes, str]]] = {
    "a PDF": (pdf(), "application/pdf"),
    "a PNG": (png(), "image/png"),
    "a JPEG": (jpeg(), "image/jpeg"),
    "exactly one chunk": (pdf_of(CHUNK_BYTES), "application/pdf"),
    "one byte more than a chunk": (pdf_of(CHUNK_BYTES + 1), "application/pdf"),
    "25 MiB": (pdf_of(LARGEST_BYTES), "application/pdf"),
}


@pytest.mark.parametrize("what", TAKEN)
def test_what_is_downloaded_is_what_was_uploaded(samples: Samples, what: str) -> None:
    content, media_type = TAKEN[what]
    digest = hashlib.sha256(content).digest()
    evidence_id = samples.world.upload(
        samples.citizen, content, media_type=media_type, sha256=digest
    )

    answer = samples.citizen.caller.call(
        DOWNLOAD, evidence.DownloadDocumentRequest(evidence_id=evidence_id)
    )

    first, *rest = answer.messages()
    said = json.loads(first.evidence.values)
    assert answer.is_ok, answer.told
    assert said["content"]["sizeBytes"] == len(content)
    assert said["content"]["mediaType"] == media_type
    assert {part.WhichOneof("part") for part in rest} == {"chunk"}
    assert max(len(part.chunk) for part in rest) <= CHUNK_BYTES
    assert b"".join(part.chunk for part in rest) == content


def test_a_document_in_pieces_of_a_byte_is_the_same(samples: Samples) -> None:
    content = pdf()
    parts = [header(), *(Part(chunk=content[at : at + 1]) for at in range(len(content)))]
    uploaded = samples.citizen.caller.ask(UPLOAD, parts)

    answer = samples.citizen.caller.call(
        DOWNLOAD, evidence.DownloadDocumentRequest(evidence_id=uploaded.evidence.evidence_id)
    )

    assert b"".join(part.chunk for part in answer.messages()[1:]) == content


def test_both_revisions_can_be_downloaded(samples: Samples) -> None:
    first, second = pdf(), png()
    evidence_id = samples.world.upload(samples.citizen, first)
    samples.world.upload(samples.citizen, second, evidence_id=evidence_id, media_type="image/png")

    contents = [
        b"".join(part.chunk for part in answer.messages()[1:])
        for revision in (0, 1, 2)
        for answer in [
            samples.citizen.caller.call(
                DOWNLOAD,
                evidence.DownloadDocumentRequest(evidence_id=evidence_id, revision=revision),
            )
        ]
    ]

    assert contents == [second, first, second]


def test_a_service_gets_the_bytes_that_the_bundle_names(samples: Samples) -> None:
    content = pdf_of(3 * CHUNK_BYTES)
    samples.world.upload(samples.citizen, content)
    shared = samples.world.share_document(samples.citizen, samples.service)

    answer = samples.service.caller.call(DISCLOSE, disclosing_document(shared))

    first, *rest = answer.messages()
    bundle = first.disclosure.bundle
    facts = json.loads(first.disclosure.receipt.facts)
    assert b"".join(part.chunk for part in rest) == content
    assert json.loads(bundle)["type"] == "bundle.2"
    assert unpadded(hashlib.sha256(content).digest()) in bundle
    assert facts["bundle_hash"].encode() == unpadded(hashlib.sha256(bundle).digest())


def unpadded(digest: bytes) -> bytes:
    return base64.urlsafe_b64encode(digest).rstrip(b"=")


@pytest.mark.parametrize("stop", ["revoke", "pause"])
def test_a_stop_ends_a_document_that_is_on_its_way(samples: Samples, stop: str) -> None:
    """What is not read yet stays here: a stop that is acknowledged holds for the rest of it."""
    content = pdf_of(20 * 1024 * 1024)
    samples.world.upload(samples.citizen, content)
    shared = samples.world.share_document(samples.citizen, samples.service)
    call = samples.service.caller.begin(DISCLOSE, written(disclosing_document(shared)))
    came = [next(call), next(call)]

    assert getattr(samples.world, stop)(shared).is_ok
    with pytest.raises(grpc.RpcError) as caught:
        came.extend(call)

    answer = failed(DISCLOSE, caught.value)
    assert answer.reason == {"revoke": "CONSENT_REVOKED", "pause": "CONSENT_PAUSED"}[stop]
    assert sum(len(part) for part in came) < len(content)
