# SPDX-License-Identifier: Apache-2.0
"""Words planted in documents, disputes, proofs and codes, and looked for where they must not be.

An official opens a vault for somebody who has no sign-in, and does everything for her; what the
official types, what she says, and every code that anybody was given lies in no file and no error.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pytest

from tests.canaries import repeating, search
from tests.samples import by_official, in_days
from tests.server import Server, running
from tests.wire import Answer, Caller
from tests.world import (
    ADDRESS,
    ADDRESS_FIELDS,
    LETTER_FIELDS,
    Citizen,
    Shared,
    World,
    asking,
    assisted,
    choosing,
    connected,
    disclosing,
    disclosing_document,
    new_id,
    pdf,
    providing,
    uploading,
)
from vault.api.v1 import consent_pb2, evidence_pb2, vault_pb2
from vault.api.v1 import consent_service_pb2 as consent
from vault.api.v1 import evidence_service_pb2 as evidence
from vault.api.v1 import vault_service_pb2 as vaults

STREET: Final = "Heol Caneri Un ar Ddeg"
STATEMENT: Final = "Gosodiad Caneri Deuddeg"
TITLE: Final = "Llythyr Caneri Tri ar Ddeg"
PAGE: Final = "Tudalen Caneri Pedwar ar Ddeg"
PROOF: Final = "Llofnod Caneri Pymtheg"
STAFF: Final = "caneri-staff-16"
REFUSED: Final = "Caneri Gwrthodwyd 17"
VERIFIER: Final = "caneri-verifier-18-of-forty-three-characters"
STREETS: Final = (STREET, STATEMENT, TITLE, PAGE, PROOF, STAFF, REFUSED, VERIFIER)


@dataclass
class Told:
    """What is left: the folder, the errors on the way, what she was given, and what left."""

    folder: Path
    found_while_running: list[str] = field(default_factory=list)
    errors: list[Answer] = field(default_factory=list)
    codes: list[str] = field(default_factory=list)
    left: bytes = b""

    @property
    def words(self) -> list[str]:
        """Return all that was planted, codes also as they are looked up."""
        return [*STREETS, *self.codes, *(code.replace("-", "") for code in self.codes)]


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Told:
    """A journey on a server of its own, which is then stopped."""
    server = Server(tmp_path_factory.mktemp("canaries"))
    told = Told(server.folder)
    with running(server), connected(server.target) as channel:
        world = World(server, channel)
        Journey(world, told).live()
        told.found_while_running = search(server.folder, told.words)
        assert server.stop() == 0
    return told


class Journey:
    """Everything that an official can do for somebody, and much that nobody can."""

    def __init__(self, world: World, told: Told) -> None:
        self.world = world
        self.told = told
        self.service = world.service()
        self.official = Caller(world.channel, world.server.issuer.token("official", STAFF))
        self.citizen = self._open()

    def live(self) -> None:
        """Provide, dispute, decide and change, each with something that goes wrong."""
        self._do("EvidenceService/ProvideEvidence", providing("postal_address", self._address()))
        self._dispute()
        self._upload()
        shared = self._share()
        letter = self._share_letter()
        for answer in (
            self.service.caller.call("DisclosureService/DiscloseEvidence", disclosing(shared)),
            self.service.caller.call(
                "DisclosureService/DiscloseDocument", disclosing_document(letter)
            ),
        ):
            assert answer.is_ok, answer.told
            self.told.left += b"".join(answer.answers)
        self._change(shared)
        self.told.errors += self._go_wrong(shared)
        assert not [answer.told for answer in self.told.errors if answer.is_ok]

    def _open(self) -> Citizen:
        acting = vault_pb2.Acting(
            capacity=vault_pb2.CAPACITY_OFFICIAL, channel=vault_pb2.CHANNEL_LETTER
        )
        opened = self.official.ask(
            "VaultService/OpenVault", vaults.OpenVaultRequest(request_id=new_id(), acting=acting)
        )
        self.told.codes.append(opened.assistance_code)
        return Citizen("", self.official, opened.vault.vault_id, {}, opened.assistance_code)

    def _do(self, method: str, request: Any) -> Any:
        """Have the official do something for her, by letter, with what she signed."""
        answer = self.official.ask(method, self._by_letter(request))
        piece = getattr(answer, "evidence", None)
        if piece is not None:
            self.citizen.evidence[piece.evidence_type] = piece.evidence_id
        return answer

    def _by_letter(self, request: Any) -> Any:
        first = request[0].header if isinstance(request, list) else request
        by_official(self.citizen, request)
        first.acting.channel = vault_pb2.CHANNEL_LETTER
        if "approval" in first.DESCRIPTOR.fields_by_name:
            first.approval.CopyFrom(
                vault_pb2.Approval(kind=vault_pb2.APPROVAL_KIND_PAPER, proof=PROOF.encode())
            )
        return request

    def _address(self) -> dict[str, object]:
        return {**ADDRESS, "streetName": STREET}

    def _dispute(self) -> None:
        evidence_id = self.citizen.evidence["postal_address"]
        for is_shared in (False, True):
            disputed = self._do(
                "EvidenceService/DisputeEvidence",
                evidence.DisputeEvidenceRequest(
                    request_id=new_id(),
                    evidence_id=evidence_id,
                    names=["streetName"],
                    statement=STATEMENT,
                    is_shared=is_shared,
                ),
            )
            if not is_shared:
                self._do(
                    "EvidenceService/ResolveDispute",
                    evidence.ResolveDisputeRequest(
                        request_id=new_id(),
                        evidence_id=evidence_id,
                        dispute_id=disputed.dispute_id,
                        outcome=evidence_pb2.DISPUTE_OUTCOME_CORRECTED,
                    ),
                )

    def _upload(self) -> None:
        page = f"%{PAGE}\n".encode() * 20_000
        content = pdf().replace(b"1 0 obj", page + b"1 0 obj")
        values = json.dumps({"title": TITLE, "kind": "letter"}).encode()
        self._do("EvidenceService/UploadDocument", uploading(content, values=values))
        self._do(
            "EvidenceService/UploadDocument",
            uploading(content, values=values, evidence_id=self.citizen.evidence["document"]),
        )

    def _share(self) -> Shared:
        return self._decide({}, choosing(self.citizen))

    def _share_letter(self) -> Shared:
        scope = consent_pb2.RequestedScope(evidence_type="document", required=LETTER_FIELDS)
        item = consent_pb2.ItemChoice(
            evidence_id=self.citizen.evidence["document"], names=LETTER_FIELDS
        )
        return self._decide({"scope": [scope]}, choosing(self.citizen, items=[item]))

    def _decide(self, asked: dict[str, Any], choice: consent_pb2.ConsentChoice) -> Shared:
        made = self.world.ask(self.service, with_short_code=True, **asked)
        self.told.codes.append(made.short_code)
        claim = consent.ClaimRequestRequest(request_id=new_id(), short_code=made.short_code)
        self._do("ConsentService/ClaimRequest", claim)
        said: dict[str, Any] = {"consent_request_id": made.consent_request_id, "choice": choice}
        shown = self._do("ConsentService/PreviewConsent", consent.PreviewConsentRequest(**said))
        grant = consent.GrantConsentRequest(request_id=new_id(), shown=shown.shown, **said)
        granted = self._do("ConsentService/GrantConsent", grant)
        return Shared(
            citizen=self.citizen,
            service=self.service,
            asked=made,
            code="",
            consent_id=granted.consent.consent_id,
            subject_id=granted.consent.subject_id,
            receipt=granted.receipt,
        )

    def _change(self, shared: Shared) -> None:
        """Change a consent in every way that is open to an official, and ask in every way."""
        which: dict[str, Any] = {"consent_id": shared.consent_id}
        remaining = [consent_pb2.RemainingFields(item=1, names=ADDRESS_FIELDS[1:])]
        less = consent.NarrowConsentRequest(request_id=new_id(), items=remaining, **which)
        self._do("ConsentService/NarrowConsent", less)
        self._do(
            "ConsentService/PauseConsent", consent.PauseConsentRequest(request_id=new_id(), **which)
        )
        self._do(
            "ConsentService/ResumeConsent",
            consent.ResumeConsentRequest(request_id=new_id(), **which),
        )
        known = self.world.ask(self.service, subject_id=shared.subject_id)
        self._do(
            "ConsentService/RefuseConsent",
            consent.RefuseConsentRequest(
                request_id=new_id(), consent_request_id=known.consent_request_id
            ),
        )
        herself = self.world.citizen()
        self.told.codes.append(self.world.assist(herself))
        by_link = asking(self.service, VERIFIER, end_time=in_days(1))
        handed = self.service.caller.ask("ConsentService/RequestConsent", by_link)
        self.told.codes.append(handed.handoff_token.partition(".")[2])
        claim = consent.ClaimRequestRequest(request_id=new_id(), handoff_token=handed.handoff_token)
        code = herself.caller.ask("ConsentService/ClaimRequest", claim).code
        self.told.codes.append(code)
        self.service.caller.ask(
            "ConsentService/RedeemCode",
            consent.RedeemCodeRequest(
                request_id=new_id(),
                consent_request_id=handed.consent_request.consent_request_id,
                code=code,
                code_verifier=VERIFIER,
            ),
        )

    def _go_wrong(self, shared: Shared) -> Iterator[Answer]:
        """Do what is refused, with planted words in it."""
        evidence_id = self.citizen.evidence["postal_address"]
        wrong: tuple[tuple[str, Any], ...] = (
            (
                "EvidenceService/DisputeEvidence",
                evidence.DisputeEvidenceRequest(
                    request_id=new_id(),
                    evidence_id=evidence_id,
                    names=["streetName"],
                    statement=STATEMENT,
                ),
            ),
            (
                "EvidenceService/DisputeEvidence",
                evidence.DisputeEvidenceRequest(
                    request_id=new_id(),
                    evidence_id=evidence_id,
                    names=["streetName"],
                    statement=STATEMENT * 100,
                ),
            ),
            ("EvidenceService/UploadDocument", uploading(PAGE.encode() * 100)),
            ("EvidenceService/UploadDocument", uploading(pdf()[:-9] + PAGE.encode() * 9_000)),
            (
                "EvidenceService/UploadDocument",
                uploading(pdf(), values=json.dumps({"title": REFUSED, "kind": REFUSED}).encode()),
            ),
            (
                "EvidenceService/UploadDocument",
                uploading(pdf(), values=json.dumps({REFUSED: REFUSED}).encode()),
            ),
            (
                "ConsentService/ClaimRequest",
                consent.ClaimRequestRequest(request_id=new_id(), short_code=REFUSED),
            ),
            (
                "ConsentService/ExtendConsent",
                consent.ExtendConsentRequest(
                    request_id=new_id(),
                    consent_id=shared.consent_id,
                    end_time=in_days(90),
                    validate_only=True,
                ),
            ),
            (
                "ConsentService/ResumeConsent",
                consent.ResumeConsentRequest(request_id=new_id(), consent_id=shared.consent_id),
            ),
        )
        for method, request in wrong:
            yield self.official.call(method, self._by_letter(request))
        for code in (*self.told.codes[:2], REFUSED):
            acting = assisted(self.citizen, assistance_code=code)
            acting.mandate_id = new_id()
            yield self.official.call("VaultService/GetVault", vaults.GetVaultRequest(acting=acting))
        half = self._by_letter(
            providing("postal_address", {**ADDRESS, "streetName": REFUSED})
        ).SerializeToString()
        yield self.official.call("EvidenceService/ProvideEvidence", half[:-4])


def test_the_words_were_really_there(told: Told) -> None:
    """Else the other tests say nothing."""
    for word in (STREET, STATEMENT, TITLE, PAGE):
        assert word.encode() in told.left
    assert len(told.codes) == 6
    assert all(len(code) > 8 for code in told.codes)
    assert len(told.errors) > 12


def test_there_are_documents_and_views_to_be_searched(told: Told) -> None:
    data = told.folder / "data"

    assert len([path for path in (data / "documents").rglob("*") if path.is_file()]) == 2
    assert len(list((data / "views").glob("*.db"))) == 2


def test_no_word_and_no_code_is_in_any_file_while_the_server_runs(told: Told) -> None:
    assert not told.found_while_running


def test_no_word_and_no_code_is_in_any_file_after_the_server_stopped(told: Told) -> None:
    assert not search(told.folder, told.words)


def test_no_word_and_no_code_is_in_any_error(told: Told) -> None:
    assert not repeating(told.errors, told.words)


def test_a_code_in_a_file_would_be_found(told: Told, tmp_path: Path) -> None:
    code = told.codes[0].replace("-", "")
    (tmp_path / "events.db").write_bytes(b"")
    (tmp_path / "keys.db").write_bytes(f"x{code.encode().hex()}x".encode())

    assert search(tmp_path, told.words) == [f"keys.db: {code}"]
