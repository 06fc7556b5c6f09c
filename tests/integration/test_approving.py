# SPDX-License-Identifier: Apache-2.0
"""Approvals over the wire: a challenge with each page, signed or refused, nothing half done."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.approving import (
    ALGORITHMS,
    ORIGIN,
    PRESENT,
    RP_ID,
    Authenticator,
    by_passkey,
    by_step_up,
)
from tests.issuer import CLIENT, Issuer
from tests.samples import in_days
from tests.server import Server, running
from tests.verdict import head, must_be_told
from tests.wire import Answer
from tests.world import Citizen, Service, World, assisted, connected, new_id
from vault.api.v1 import consent_service_pb2 as consent
from vault.api.v1 import vault_pb2
from vault.api.v1 import vault_service_pb2 as vaults
from vault.domain.canonical import b64, encode
from vault.server.convert.approval import ALGORITHMS as WIRE

SESSION = vault_pb2.APPROVAL_KIND_SESSION
STEP_UP = vault_pb2.APPROVAL_KIND_OIDC_STEP_UP
PASSKEY = vault_pb2.APPROVAL_KIND_WEBAUTHN
NUMBERS = {name: number for number, name in WIRE.items()}


@dataclass(frozen=True)
class Page:
    """A page on which she decides: the decision as it would be sent, and what is to be signed."""

    request: Any
    method: str
    offered: vault_pb2.ApprovalChallenge

    @property
    def challenge(self) -> bytes:
        """Return what is to be signed."""
        return bytes(self.offered.challenge)


@dataclass(frozen=True)
class Her:
    """A citizen, a service that asks her, and how she decides."""

    world: World
    citizen: Citizen
    service: Service

    def asked(self, **choice: Any) -> Page:
        """Be asked by the service, and look at the page."""
        asked = self.world.ask(self.service)
        self.world.claim(self.citizen, asked)
        request = self.world.previewed(self.citizen, asked, **choice)
        preview = self.citizen.caller.ask(
            "ConsentService/PreviewConsent",
            consent.PreviewConsentRequest(
                consent_request_id=asked.consent_request_id, choice=request.choice
            ),
        )
        request.shown.CopyFrom(preview.shown)
        return Page(request, "ConsentService/GrantConsent", preview.approval_challenge)

    def shown(self, method: str, request: Any) -> Page:
        """Look at the page of a decision."""
        request.request_id = new_id()
        request.validate_only = True
        preview = self.citizen.caller.ask(method, request)
        request.validate_only = False
        request.shown.CopyFrom(preview.shown)
        assert hashlib.sha256(preview.shown_bytes).digest() == preview.shown.shown_hash
        return Page(request, method, preview.approval_challenge)

    def adding(self, key: Authenticator) -> Page:
        """Look at the page on which a passkey is added."""
        return self.shown(
            "VaultService/AddPasskey",
            vaults.AddPasskeyRequest(
                credential=key.credential,
                algorithm=NUMBERS[key.algorithm],
                public_key=key.public_key,
            ),
        )

    def add(self, key: Authenticator) -> vault_pb2.Passkey:
        """Add a passkey."""
        page = self.adding(key)
        added: vault_pb2.Passkey = self.decide(page, self.signed_in(page)).read().passkey
        return added

    def decide(self, page: Page, approval: vault_pb2.Approval | None) -> Answer:
        """Decide."""
        page.request.ClearField("approval")
        if approval is not None:
            page.request.approval.CopyFrom(approval)
        return self.citizen.caller.call(page.method, page.request)

    def signed_in(self, page: Page, **claims: Any) -> vault_pb2.Approval:
        """Have her provider sign a page."""
        return by_step_up(self.world.server.issuer, self.citizen.sub, page.challenge, **claims)

    def refused(self, page: Page, approval: vault_pb2.Approval | None, reason: str) -> None:
        """Expect that a decision is refused, and that nothing is recorded."""
        before = head(self.world.server)
        answer = self.decide(page, approval)
        assert answer.reason == reason, answer.told
        must_be_told(answer)
        assert head(self.world.server) == before

    def last(self) -> vault_pb2.HistoryEntry:
        """Return the last line of her history."""
        request = vaults.ListHistoryRequest(page_size=1)
        entry: vault_pb2.HistoryEntry = self.citizen.caller.ask(
            "VaultService/ListHistory", request
        ).entries[0]
        return entry


@pytest.fixture
def her(world: World) -> Her:
    return Her(world, world.citizen(), world.service())


# --- The challenge -------------------------------------------------------------------------------


def test_a_challenge_comes_with_each_page(her: Her) -> None:
    page = her.asked()

    shown_hash = b64(page.request.shown.shown_hash)
    said = encode(["citizen-vault/decision/1", "consent-granted.1", shown_hash])
    assert page.challenge == hashlib.sha256(said).digest()
    assert list(page.offered.accepted_kinds) == [SESSION, STEP_UP]
    assert page.offered.step_up_client_id == CLIENT
    assert page.offered.step_up_max_age_seconds == 300
    assert not page.offered.passkey_rp_id


def test_it_names_her_passkeys_once_there_is_one(her: Her) -> None:
    key = Authenticator()
    added = her.add(key)

    page = her.asked()

    assert list(page.offered.accepted_kinds) == [SESSION, STEP_UP, PASSKEY]
    assert page.offered.passkey_rp_id == RP_ID
    assert list(page.offered.credentials) == [key.credential]
    remove(her, added.passkey_id)
    assert not her.asked().offered.credentials


def test_an_official_is_offered_what_an_official_does(her: Her) -> None:
    page, citizen = her.asked(), her.citizen
    her.world.assist(citizen)

    preview = her.world.official.ask(
        "ConsentService/PreviewConsent",
        consent.PreviewConsentRequest(
            acting=assisted(citizen),
            consent_request_id=page.request.consent_request_id,
            choice=page.request.choice,
        ),
    )

    kinds = list(preview.approval_challenge.accepted_kinds)
    assert kinds == [vault_pb2.APPROVAL_KIND_STAFF_ASSISTED]


# --- Deciding ------------------------------------------------------------------------------------


def test_her_provider_signs_each_decision(her: Her) -> None:
    page = her.asked(end_time=in_days(5))
    granted = her.decide(page, her.signed_in(page)).read().consent
    kinds = [her.last().approval_kind]
    extending = consent.ExtendConsentRequest(consent_id=granted.consent_id, end_time=in_days(9))
    page = her.shown("ConsentService/ExtendConsent", extending)
    her.decide(page, her.signed_in(page)).read()
    kinds.append(her.last().approval_kind)
    pause(her, granted.consent_id)
    resuming = consent.ResumeConsentRequest(consent_id=granted.consent_id)
    page = her.shown("ConsentService/ResumeConsent", resuming)
    her.decide(page, her.signed_in(page)).read()
    kinds.append(her.last().approval_kind)

    assert kinds == [STEP_UP] * 3


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_her_passkey_signs_a_decision(her: Her, algorithm: Any) -> None:
    key = Authenticator(algorithm)
    her.add(key)
    page = her.asked()

    answer = her.decide(page, by_passkey(key.sign(page.challenge)))

    assert answer.is_ok, answer.told
    assert her.last().approval_kind == PASSKEY


def test_her_sign_in_alone_is_enough_here(her: Her) -> None:
    assert her.decide(her.asked(), None).is_ok
    assert her.last().approval_kind == SESSION


KEY = Authenticator()
OTHER = Authenticator()
Sign = Callable[[Her, Page], vault_pb2.Approval]


def approval(kind: int, **changed: Any) -> Sign:
    """Return what is sent as an approval, whatever has to be signed."""
    return lambda _her, _page: vault_pb2.Approval(kind=kind, **changed)  # type: ignore[arg-type]


def token(**claims: Any) -> Sign:
    return lambda her, page: her.signed_in(page, **claims)


def assertion(key: Authenticator = KEY, **changed: Any) -> Sign:
    return lambda _, page: by_passkey(key.sign(page.challenge, **changed))


@pytest.mark.parametrize(
    ("sign", "reason"),
    [
        pytest.param(token(nonce="n" * 43), "APPROVAL_INVALID", id="another nonce"),
        pytest.param(token(sub="somebody-else"), "APPROVAL_INVALID", id="somebody else's"),
        pytest.param(token(aud="another"), "APPROVAL_INVALID", id="for another program"),
        pytest.param(token(iss="https://x.example"), "APPROVAL_INVALID", id="another provider"),
        pytest.param(token(auth_time=1), "APPROVAL_INVALID", id="too long ago"),
        pytest.param(token(auth_time=[1]), "APPROVAL_INVALID", id="no time"),
        pytest.param(
            lambda her, page: by_step_up(Issuer(), her.citizen.sub, page.challenge),
            "APPROVAL_INVALID",
            id="signed by another",
        ),
        pytest.param(approval(STEP_UP, proof=b"\xff\xfe"), "APPROVAL_INVALID", id="no token"),
        pytest.param(approval(STEP_UP), "FIELD_INVALID", id="nothing"),
        pytest.param(approval(SESSION, proof=b"x"), "FIELD_INVALID", id="a sign-in with a proof"),
        pytest.param(approval(PASSKEY), "FIELD_INVALID", id="a passkey that signed nothing"),
        pytest.param(
            lambda her, page: vault_pb2.Approval(
                kind=STEP_UP,
                proof=her.signed_in(page).proof,
                assertion=by_passkey(KEY.sign(page.challenge)).assertion,
            ),
            "FIELD_INVALID",
            id="both",
        ),
        pytest.param(
            approval(vault_pb2.APPROVAL_KIND_STAFF_ASSISTED, proof=b"x"),
            "FIELD_INVALID",
            id="an official's",
        ),
        pytest.param(approval(99), "FIELD_INVALID", id="a kind that is not there"),
        pytest.param(assertion(OTHER), "APPROVAL_INVALID", id="a passkey that nobody added"),
        pytest.param(assertion(rp_id="x.example"), "APPROVAL_INVALID", id="another site"),
        pytest.param(assertion(flags=PRESENT), "APPROVAL_INVALID", id="who uses it is unknown"),
        pytest.param(assertion(origin=f"{ORIGIN}.example"), "APPROVAL_INVALID", id="another page"),
        pytest.param(assertion(challenge="c" * 43), "APPROVAL_INVALID", id="another challenge"),
    ],
)
def test_what_does_not_show_that_it_is_hers_decides_nothing(
    her: Her, sign: Sign, reason: str
) -> None:
    her.add(KEY)
    page = her.asked()

    her.refused(page, sign(her, page), reason)


def test_a_proof_is_good_for_one_decision(her: Her) -> None:
    first, second = her.asked(), her.asked()
    signed = her.signed_in(first)
    her.decide(first, signed).read()

    her.refused(second, signed, "APPROVAL_INVALID")
    first.request.request_id = new_id()
    her.refused(first, signed, "REQUEST_ALREADY_DECIDED")


def test_a_resumption_is_not_replayed_in_the_next_pause(her: Her) -> None:
    page = her.asked()
    consent_id = her.decide(page, None).read().consent.consent_id
    pause(her, consent_id)
    page = her.shown(
        "ConsentService/ResumeConsent", consent.ResumeConsentRequest(consent_id=consent_id)
    )
    signed = her.signed_in(page)
    her.decide(page, signed).read()
    pause(her, consent_id)
    page.request.request_id = new_id()

    her.refused(page, signed, "SHOWN_DIFFERS")
    page.request.ClearField("shown")
    her.refused(page, signed, "FIELD_INVALID")


# --- Passkeys ------------------------------------------------------------------------------------


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_passkey_is_listed_as_it_was_added(her: Her, algorithm: Any) -> None:
    key = Authenticator(algorithm)
    added = her.add(key)

    (listed,) = passkeys(her)

    assert listed == added
    assert (listed.credential, listed.public_key) == (key.credential, key.public_key)
    assert (listed.algorithm, listed.rp_id) == (NUMBERS[algorithm], RP_ID)
    assert her.last().type == "passkey-added.1"
    remove(her, added.passkey_id)
    (listed,) = passkeys(her)
    assert listed.HasField("remove_time")
    assert her.last().type == "passkey-removed.1"


@pytest.mark.parametrize(
    ("sign", "reason"),
    [
        pytest.param(lambda *_: None, "APPROVAL_REQUIRED", id="her sign-in alone"),
        pytest.param(assertion(), "APPROVAL_REQUIRED", id="another passkey of hers"),
        pytest.param(token(nonce="n" * 43), "APPROVAL_INVALID", id="another nonce"),
        pytest.param(token(sub="somebody-else"), "APPROVAL_INVALID", id="somebody else's"),
    ],
)
def test_her_provider_signs_that_she_adds_this_very_key(her: Her, sign: Sign, reason: str) -> None:
    her.add(KEY)
    page = her.adding(Authenticator())

    her.refused(page, sign(her, page), reason)


def test_another_key_than_the_one_shown_is_not_added(her: Her) -> None:
    page = her.adding(Authenticator())
    signed = her.signed_in(page)
    page.request.public_key = OTHER.public_key

    her.refused(page, signed, "SHOWN_DIFFERS")


@pytest.mark.parametrize(
    "key",
    [b"x", OTHER.public_key + b"x", Authenticator("RS256").public_key],
    ids=["no key", "a key and more", "a key of another algorithm"],
)
def test_what_is_no_key_of_that_algorithm_is_refused(her: Her, key: bytes) -> None:
    request = vaults.AddPasskeyRequest(
        request_id=new_id(),
        credential=b"x",
        algorithm=vault_pb2.PASSKEY_ALGORITHM_ES256,
        public_key=key,
        validate_only=True,
    )

    answer = her.citizen.caller.call("VaultService/AddPasskey", request)

    assert (answer.reason, answer.fields) == ("FIELD_INVALID", ["public_key"])


def test_nobody_sees_or_removes_the_passkeys_of_another(her: Her, world: World) -> None:
    added = her.add(Authenticator())
    other = Her(world, world.citizen(), her.service)
    request = vaults.RemovePasskeyRequest(request_id=new_id(), passkey_id=added.passkey_id)

    answer = other.citizen.caller.call("VaultService/RemovePasskey", request)

    assert (answer.code, answer.reason) == ("NOT_FOUND", "NOT_FOUND")
    assert passkeys(other) == []
    assert not passkeys(her)[0].HasField("remove_time")


# --- Where it is required ------------------------------------------------------------------------


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A world in which her sign-in alone shares nothing."""
    folder: Path = tmp_path_factory.mktemp("strict")
    settings = {"CITIZEN_VAULT_APPROVALS": "required"}
    with (
        running(Server(folder, settings=settings)) as server,
        connected(server.target) as channel,
    ):
        yield World(server, channel)


def test_where_it_is_required_a_sign_in_alone_shares_nothing(strict: World) -> None:
    her = Her(strict, strict.citizen(), strict.service())
    page = her.asked()

    assert list(page.offered.accepted_kinds) == [STEP_UP]
    her.refused(page, None, "APPROVAL_REQUIRED")
    granted = her.decide(page, her.signed_in(page)).read().consent
    pause(her, granted.consent_id)
    resuming = consent.ResumeConsentRequest(request_id=new_id(), consent_id=granted.consent_id)
    her.refused(
        Page(resuming, "ConsentService/ResumeConsent", page.offered), None, "APPROVAL_REQUIRED"
    )
    revoking = consent.RevokeConsentRequest(request_id=new_id(), consent_id=granted.consent_id)
    assert her.citizen.caller.call("ConsentService/RevokeConsent", revoking).is_ok


# --- Helpers -------------------------------------------------------------------------------------


def passkeys(her: Her) -> list[vault_pb2.Passkey]:
    request = vaults.ListPasskeysRequest()
    return list(her.citizen.caller.ask("VaultService/ListPasskeys", request).passkeys)


def remove(her: Her, passkey_id: str) -> None:
    request = vaults.RemovePasskeyRequest(request_id=new_id(), passkey_id=passkey_id)
    her.citizen.caller.ask("VaultService/RemovePasskey", request)


def pause(her: Her, consent_id: str) -> None:
    request = consent.PauseConsentRequest(request_id=new_id(), consent_id=consent_id)
    her.citizen.caller.ask("ConsentService/PauseConsent", request)
