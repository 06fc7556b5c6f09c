# SPDX-License-Identifier: Apache-2.0
"""What a client would have signed, checked against a real server, and against one that lies.

The lies are answers of the real server, given to another question than their own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from clients import approving
from clients.approving import NotAsShownError
from tests.approving import Authenticator
from tests.samples import in_days
from tests.world import Asked, Citizen, Service, World, choosing, new_id
from vault.api.v1 import consent_pb2, evidence_pb2, registry_pb2, vault_pb2
from vault.api.v1 import consent_service_pb2 as consent
from vault.api.v1 import evidence_service_pb2 as evidence
from vault.api.v1 import registry_service_pb2 as registry
from vault.api.v1 import vault_service_pb2 as vaults


@dataclass(frozen=True)
class Her:
    """A citizen and a service that asks her, as her program sees them."""

    world: World
    citizen: Citizen
    service: Service

    @property
    def purpose(self) -> registry_pb2.Purpose:
        """Return the service's purpose."""
        request = registry.GetPurposeRequest(purpose_code=self.service.purpose_code, version=1)
        found: registry_pb2.Purpose = self._ask("RegistryService/GetPurpose", request).purpose
        return found

    @property
    def pieces(self) -> dict[str, evidence_pb2.Evidence]:
        """Return her evidence."""
        request = evidence.ListEvidenceRequest(page_size=500)
        listed = self._ask("EvidenceService/ListEvidence", request).evidence
        return {piece.evidence_id: piece for piece in listed}

    def claimed(self, **question: Any) -> Asked:
        """Be asked."""
        asked = self.world.ask(self.service, **question)
        self.world.claim(self.citizen, asked)
        return asked

    def grantable(
        self, asked: Asked, choice: consent_pb2.ConsentChoice, preview: Any = None
    ) -> vault_pb2.ApprovalChallenge:
        """Return what may be signed to share a choice; a lie may stand for the preview."""
        request = consent.GetRequestRequest(consent_request_id=asked.consent_request_id)
        question = self._ask("ConsentService/GetRequest", request).consent_request
        shown = preview or self.previewed(asked, choice)
        return approving.to_grant(shown, question, choice, self.pieces, self.purpose)

    def previewed(
        self, asked: Asked, choice: consent_pb2.ConsentChoice
    ) -> consent.PreviewConsentResponse:
        """Return what the server shows of a choice."""
        request = consent.PreviewConsentRequest(
            consent_request_id=asked.consent_request_id, choice=choice
        )
        shown: consent.PreviewConsentResponse = self._ask("ConsentService/PreviewConsent", request)
        return shown

    def shared(self, **choice: Any) -> consent_pb2.Consent:
        """Share her address, and return what is shared."""
        made = self.world.share(self.citizen, self.service, choice)
        return self.standing(made.consent_id)

    def standing(self, consent_id: str) -> consent_pb2.Consent:
        """Return what is shared."""
        request = consent.GetConsentRequest(consent_id=consent_id)
        found: consent_pb2.Consent = self._ask("ConsentService/GetConsent", request).consent
        return found

    def shown(self, method: str, request: Any) -> Any:
        """Return what the server shows before a decision."""
        request.request_id, request.validate_only = new_id(), True
        return self._ask(method, request)

    def paused(self, **choice: Any) -> tuple[consent_pb2.Consent, Any]:
        """Return what is paused, and what the server shows before it goes on."""
        consent_id = self.shared(**choice).consent_id
        pausing = consent.PauseConsentRequest(request_id=new_id(), consent_id=consent_id)
        self._ask("ConsentService/PauseConsent", pausing)
        resuming = consent.ResumeConsentRequest(consent_id=consent_id)
        return self.standing(consent_id), self.shown("ConsentService/ResumeConsent", resuming)

    def _ask(self, method: str, request: Any) -> Any:
        return self.citizen.caller.ask(method, request)


@pytest.fixture
def her(world: World) -> Her:
    return Her(world, world.citizen(), world.service())


def adding(key: Authenticator) -> vaults.AddPasskeyRequest:
    return vaults.AddPasskeyRequest(
        credential=key.credential,
        algorithm=vault_pb2.PASSKEY_ALGORITHM_ES256,
        public_key=key.public_key,
    )


def now_pinned(her: Her) -> list[consent_pb2.ItemChoice]:
    choice = choosing(her.citizen)
    choice.items[0].mode = consent_pb2.EVIDENCE_MODE_PINNED
    return list(choice.items)


@pytest.mark.parametrize(
    "question",
    [{}, {"frequency": None}, {"retention_days": 7, "largest_age_days": 30}],
    ids=["often", "once", "kept and not too old"],
)
def test_what_a_server_honestly_shows_may_be_signed(her: Her, question: dict[str, Any]) -> None:
    for changed in ({}, {"end_time": in_days(5)}, {"items": now_pinned(her)}):
        asked, choice = her.claimed(**question), choosing(her.citizen, **changed)

        preview = her.previewed(asked, choice)

        assert her.grantable(asked, choice, preview) == preview.approval_challenge


@pytest.mark.parametrize("is_pinned", [False, True])
def test_what_stands_may_be_signed_for_longer_or_to_go_on(her: Her, *, is_pinned: bool) -> None:
    choice = {"items": now_pinned(her)} if is_pinned else {}
    standing, end = her.shared(end_time=in_days(5), **choice), in_days(9)
    extending = consent.ExtendConsentRequest(consent_id=standing.consent_id, end_time=end)
    longer = her.shown("ConsentService/ExtendConsent", extending)
    paused, going_on = her.paused(**choice)

    assert approving.to_extend(longer, standing, end, her.purpose) == longer.approval_challenge
    assert approving.to_resume(going_on, paused, her.purpose) == going_on.approval_challenge


def test_her_own_passkey_may_be_signed_for(her: Her) -> None:
    request = adding(Authenticator())

    shown = her.shown("VaultService/AddPasskey", request)

    assert approving.to_add_passkey(shown, request) == shown.approval_challenge


def letting_in() -> vaults.CreateLinkCodeRequest:
    return vaults.CreateLinkCodeRequest()


def test_another_sign_in_of_hers_may_be_signed_for(her: Her) -> None:
    shown = her.shown("VaultService/CreateLinkCode", letting_in())

    assert (shown.good_seconds, shown.wait_seconds) == (900, 259_200)
    assert approving.to_create_link_code(shown) == shown.approval_challenge


# --- A server that lies --------------------------------------------------------------------------


def having_signed(shown: Any, other: Any) -> Any:
    """Return an answer that shows one thing, and has signed what another answer has."""
    for name in ("shown", "shown_bytes", "approval_challenge"):
        shown.ClearField(name)
        shown.MergeFrom(type(shown)(**{name: getattr(other, name)}))
    return shown


def test_the_terms_of_another_service_are_not_signed(her: Her) -> None:
    asked, choice = her.claimed(), choosing(her.citizen)
    other = Her(her.world, her.citizen, her.world.service())
    his = other.previewed(other.claimed(), choice)

    with pytest.raises(NotAsShownError):
        her.grantable(asked, choice, having_signed(her.previewed(asked, choice), his))
    with pytest.raises(NotAsShownError):
        her.grantable(asked, choice, his)


@pytest.mark.parametrize("is_shown", [False, True])
def test_more_than_she_chose_is_not_signed(her: Her, *, is_shown: bool) -> None:
    asked, choice, wider = her.claimed(), choosing(her.citizen), choosing(her.citizen)
    choice.end_time.CopyFrom(in_days(3))
    wider.end_time.CopyFrom(in_days(30))
    wider.items[0].names.append("addressCountry")
    his = her.previewed(asked, wider)
    lie = his if is_shown else having_signed(her.previewed(asked, choice), his)

    with pytest.raises(NotAsShownError):
        her.grantable(asked, choice, lie)


def test_going_on_is_not_signed_for_another_paused_agreement(her: Her) -> None:
    paused, shown = her.paused()
    _, other = her.paused(end_time=in_days(30))

    with pytest.raises(NotAsShownError):
        approving.to_resume(other, paused, her.purpose)
    with pytest.raises(NotAsShownError):
        approving.to_resume(having_signed(shown, other), paused, her.purpose)


def test_going_on_is_not_signed_for_a_passkey(her: Her) -> None:
    paused, shown = her.paused()
    his = her.shown("VaultService/AddPasskey", adding(Authenticator()))

    with pytest.raises(NotAsShownError):
        approving.to_resume(having_signed(shown, his), paused, her.purpose)


@pytest.mark.parametrize("lie", [{"wait_seconds": 60}, {"good_seconds": 86_400}])
def test_a_sign_in_that_waits_otherwise_than_is_shown_is_not_signed_for(
    her: Her, lie: dict[str, int]
) -> None:
    shown = her.shown("VaultService/CreateLinkCode", letting_in())
    for name, value in lie.items():
        setattr(shown, name, value)

    with pytest.raises(NotAsShownError):
        approving.to_create_link_code(shown)


def test_a_passkey_is_not_signed_for_as_a_sign_in(her: Her) -> None:
    shown = her.shown("VaultService/CreateLinkCode", letting_in())
    his = her.shown("VaultService/AddPasskey", adding(Authenticator()))

    with pytest.raises(NotAsShownError):
        approving.to_create_link_code(having_signed(shown, his))


def test_another_passkey_is_not_signed_for(her: Her) -> None:
    request = adding(Authenticator())
    hers = her.shown("VaultService/AddPasskey", request)
    his = her.shown("VaultService/AddPasskey", adding(Authenticator()))

    for lie in (his, having_signed(hers, his)):
        with pytest.raises(NotAsShownError):
            approving.to_add_passkey(lie, request)
