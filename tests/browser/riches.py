# SPDX-License-Identifier: Apache-2.0
"""Somebody who has one of everything: a document, a second address, a passkey, something wrong."""

from __future__ import annotations

from clients import approving
from clients.demo import letter, transfer
from clients.demo.giving import HERSELF, fill_in, list_evidence
from clients.demo.people import EMLYN, LETTER
from clients.demo.story import new_id
from tests.approving import Authenticator
from tests.browser.site import Person
from vault.api.v1 import vault_pb2
from vault.api.v1.evidence_service_pb2 import DisputeEvidenceRequest
from vault.api.v1.vault_service_pb2 import AddPasskeyRequest


def enrich(person: Person) -> Person:
    """Give somebody what she does not have yet."""
    story = person.story
    pieces = list_evidence(story.mair)
    story.mair.evidence.DisputeEvidence(
        DisputeEvidenceRequest(
            request_id=new_id(),
            acting=HERSELF,
            evidence_id=pieces["care_needs"].evidence_id,
            names=["helpNeeded"],
            statement="I never said meals.",
        )
    )
    fill_in(story.mair, (EMLYN,))
    transfer.upload(story.mair, letter.scan(story.today), LETTER.answers, letter.MEDIA_TYPE)
    _add_passkey(person)
    return person


def _add_passkey(person: Person) -> None:
    mair, key = person.story.mair, Authenticator()
    asked = AddPasskeyRequest(
        request_id=new_id(),
        acting=HERSELF,
        credential=key.credential,
        algorithm=vault_pb2.PASSKEY_ALGORITHM_ES256,
        public_key=key.public_key,
        validate_only=True,
    )
    shown = mair.vaults.AddPasskey(asked)
    approval = mair.approve(approving.to_add_passkey(shown, asked))
    asked.validate_only = False
    asked.shown.CopyFrom(shown.shown)
    asked.approval.CopyFrom(approval)
    mair.vaults.AddPasskey(asked)
