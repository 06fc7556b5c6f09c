# SPDX-License-Identifier: Apache-2.0
"""What staff are shown verifies, or nothing is shown."""

from __future__ import annotations

import hashlib
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from starlette.responses import Response

from clients.receipts import b64
from clients.web.forms import Form
from clients.web.here import Here
from clients.web.staff import looking, service
from clients.web.staff.asking import field_id
from clients.web.words import PageWords
from tests.unit.cli import world
from vault.api.v1.consent_pb2 import Consent, ItemScope
from vault.api.v1.disclosure_pb2 import FieldSelection
from vault.api.v1.disclosure_service_pb2 import (
    DiscloseDocumentResponse,
    DiscloseEvidenceRequest,
    DiscloseEvidenceResponse,
)
from vault.api.v1.registry_pb2 import ReceiptKey

CASE = "HD-2046"
PDF = b"%PDF-1.7\n%%EOF\n"
OTHERS = "00000000-0000-4000-8000-0000000000ff"


class Visit:
    """As much of a visit as looking needs; `shown` is the page that would be answered."""

    def __init__(self, answer: Any, shared: ItemScope, **typed: str) -> None:
        self.words = PageWords("en", "staff")
        self.once = world.REQUEST
        self.answer = answer
        self.form = Form({name: (value,) for name, value in typed.items()})
        self.asked: list[DiscloseEvidenceRequest] = []
        self.shown: dict[str, Any] = {}
        found = world.a_request()
        found.consent_id, found.subject_id = world.CONSENT, world.SUBJECT
        consent = Consent(consent_id=world.CONSENT, scope=[shared])
        keys = [ReceiptKey(key_id=world.KEY_ID, algorithm="Ed25519", public_key=world.PUBLIC_KEY)]
        self.published = SimpleNamespace(kind=lambda _: None)
        self.vault = SimpleNamespace(
            consents=SimpleNamespace(
                GetRequest=lambda _: SimpleNamespace(consent_request=found),
                GetConsent=lambda _: SimpleNamespace(consent=consent),
            ),
            disclosures=SimpleNamespace(
                DiscloseEvidence=self.disclose,
                DiscloseDocument=lambda _: iter(answer),
            ),
            registry=SimpleNamespace(
                ListReceiptKeys=lambda _: SimpleNamespace(receipt_keys=keys, next_page_token="")
            ),
        )

    def disclose(self, request: DiscloseEvidenceRequest) -> Any:
        """Note what is asked for, and answer."""
        self.asked.append(request)
        return self.answer

    def path(self, name: str) -> str:
        """Return the request."""
        assert name == "consent_request_id"
        return world.REQUEST

    def page(self, template: str, *, status: int = 200, **shown: Any) -> Response:
        """Keep what would be shown."""
        self.shown = {"template": template, **shown}
        return Response(status_code=422 if shown.get("errors") else status)


def looks(answer: DiscloseEvidenceResponse, **typed: str) -> tuple[Visit, Response]:
    item = ItemScope(item=1, evidence_type="postal_address", required=["postalCode", "streetName"])
    visit = Visit(answer, item, **typed)
    return visit, looking.look(cast("Here", visit))


def opens(bundle: bytes, *chunks: bytes) -> tuple[Visit, Response]:
    item = ItemScope(item=1, evidence_type="document", required=["content"])
    told = world.a_disclosure(bundle, bundle_hash=b64(hashlib.sha256(bundle).digest()))
    parts = [
        DiscloseDocumentResponse(disclosure=told),
        *(DiscloseDocumentResponse(chunk=chunk) for chunk in chunks),
    ]
    visit = Visit(parts, item, item="1", case=CASE)
    return visit, looking.document(cast("Here", visit))


CHOSEN = {field_id("1", "postalCode"): "yes", "case": CASE}


def test_what_was_chosen_is_fetched_for_the_case_and_shown() -> None:
    visit, response = looks(world.a_disclosure(), **CHOSEN)

    assert (response.status_code, visit.shown["template"]) == (200, "staff/answer.html")
    (sent,) = visit.asked
    assert sent.case_ref == CASE
    assert list(sent.fields) == [
        FieldSelection(item=1, evidence_type="postal_address", names=["postalCode"])
    ]


@pytest.mark.parametrize(
    "answer",
    [
        world.a_disclosure(world.a_bundle("postalCode")),
        world.a_disclosure(subject=OTHERS),
        world.a_disclosure(consent_id=OTHERS),
        DiscloseEvidenceResponse(bundle=world.a_bundle()),
        DiscloseEvidenceResponse(bundle=world.a_bundle(), receipt=world.a_receipt()),
    ],
    ids=["another bundle", "another person", "another permission", "no receipt", "another receipt"],
)
def test_what_does_not_verify_is_not_shown(answer: DiscloseEvidenceResponse) -> None:
    visit, response = looks(answer, **CHOSEN)

    assert (response.status_code, visit.shown["template"]) == (502, "failed.html")
    assert "bundle" not in visit.shown


@pytest.mark.parametrize("typed", [{"case": CASE}, {field_id("1", "postalCode"): "yes"}])
def test_nothing_is_fetched_without_a_case_or_without_a_choice(typed: dict[str, str]) -> None:
    visit, response = looks(world.a_disclosure(), **typed)

    assert response.status_code == 422
    assert visit.asked == []


def a_document(content: bytes) -> bytes:
    said = {"sha256": b64(hashlib.sha256(content).digest()), "mediaType": "application/pdf"}
    return world.a_bundle(**said, sizeBytes=len(content))


def test_a_document_is_handed_on_whole() -> None:
    _, response = opens(a_document(PDF), PDF[:5], PDF[5:])

    assert response.body == PDF
    assert response.headers["content-disposition"] == 'attachment; filename="document.pdf"'
    assert response.media_type == "application/octet-stream"


@pytest.mark.parametrize("chunks", [(), (PDF[:-1],), (PDF, b"more"), (b"other",)])
def test_a_document_of_other_bytes_is_not(chunks: tuple[bytes, ...]) -> None:
    visit, response = opens(a_document(PDF), *chunks)

    assert (response.status_code, visit.shown["template"]) == (502, "failed.html")


def test_the_secret_of_a_link_is_the_same_for_its_service_and_case_alone(tmp_path: Path) -> None:
    def verifier(service_id: str, case: str, folder: Path = tmp_path) -> str:
        claims = b64(f'{{"service_id": "{service_id}"}}'.encode())
        here = SimpleNamespace(
            session=SimpleNamespace(token=f"x.{claims}.x"),
            house=SimpleNamespace(settings=SimpleNamespace(data=folder)),
        )
        return service.verifier_of(cast("Here", here), case)

    (tmp_path / "elsewhere").mkdir()
    secrets = {
        verifier("a", "1"),
        verifier("a", "2"),
        verifier("b", "1"),
        verifier("a", "1", tmp_path / "elsewhere"),
    }

    assert verifier("a", "1") == verifier("a", "1")
    assert len(secrets) == 4
    assert {len(secret) for secret in secrets} == {43}
    assert (tmp_path / "staff-links.key").stat().st_mode & 0o777 == 0o600
    assert [file.name for file in tmp_path.glob("staff-links*")] == ["staff-links.key"]


@pytest.mark.parametrize("token", ["", "x", "x.y.z", "x.W10.x", "x.eyJzZXJ2aWNlX2lkIjogMX0.x"])
def test_a_token_that_names_no_service_is_of_none(token: str) -> None:
    here = SimpleNamespace(session=SimpleNamespace(token=token))

    assert service.service_of(cast("Here", here)) == ""
