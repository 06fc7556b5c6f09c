# SPDX-License-Identifier: Apache-2.0
"""A server that shows one thing and has another signed gets no signature, and is told on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc
import pytest

from clients.cli import session as sessions
from clients.cli.errors import ExitCode
from clients.wording.words import catalogue
from tests.unit.cli import her_things, previews, world
from tests.unit.cli.conftest import Ran, Terminal
from tests.unit.cli.fake_server import FakeServer, Refusal
from tests.unit.cli.previews import Previews
from vault.api.v1.consent_pb2 import Consent
from vault.api.v1.registry_pb2 import LegalBasis
from vault.api.v1.vault_pb2 import APPROVAL_KIND_OIDC_STEP_UP, Passkey

OTHER = "99000000-0000-8000-8000-000000000099"
SHARE = ("share", "c0", "--choose", "postal_address:postalCode", "--yes")
LONGER = ("sharing", "longer", "d0", "--until", "2999-01-31", "--yes")
RESUME = ("sharing", "resume", "d0")
ADD = ("passkey", "add", "passkey.json", "--yes")
TERMS = {
    "PreviewConsent": (SHARE, "consent-granted.1"),
    "ExtendConsent": (LONGER, "consent-extended.1"),
    "ResumeConsent": (RESUME, "consent-resumed.1"),
}
LET_IN = ("sign-ins", "code", "--yes")
DECISIONS = {
    **{method: command for method, (command, _) in TERMS.items()},
    "AddPasskey": ADD,
    "CreateLinkCode": LET_IN,
}
NAMES = {
    **{method: name for method, (_, name) in TERMS.items()},
    "AddPasskey": "passkey-added.1",
    "CreateLinkCode": "link-code-created.1",
}

Lie = Callable[[Any], None]


@pytest.fixture(autouse=True)
def _her_things(server: FakeServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    her_things.fill(server)
    monkeypatch.chdir(tmp_path)
    Path("passkey.json").write_text(json.dumps(her_things.A_CREDENTIAL))


@pytest.fixture
def signed(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """Whatever was given to her issuer to be signed."""
    challenges: list[bytes] = []

    def sign(_issuer: str, _sub: str, challenge: Any) -> None:
        challenges.append(challenge.challenge)

    monkeypatch.setattr(sessions, "development_approval", sign)
    return challenges


def lies(server: FakeServer, method: str, lie: Lie) -> None:
    """Let a server change what it would honestly show before a decision."""
    honest = Previews(server, APPROVAL_KIND_OIDC_STEP_UP).by_method[method]

    def answer(request: Any) -> Any:
        shown = honest(request)
        lie(shown)
        return shown

    server.says(method, answer)


def signs(answer: Any, method: str, page: bytes) -> None:
    """Have a page signed, whatever is shown."""
    name = NAMES[method]
    for field, value in previews.shown(name, page, APPROVAL_KIND_OIDC_STEP_UP).items():
        answer.ClearField(field)
        answer.MergeFrom(type(answer)(**{field: value}))


def refused(server: FakeServer, method: str, ran: Ran, signed: list[bytes]) -> None:
    assert ran.exit_code == ExitCode.NOT_AS_SHOWN == 5, ran.out + ran.err
    assert catalogue()["not.as.shown"]["en"] in " ".join(ran.err.split())
    assert signed == []
    assert server.requests("GrantConsent") == []
    assert len(server.requests(method)) == 1


def sets(**fields: Any) -> Callable[[Consent], None]:
    def change(consent: Consent) -> None:
        for name, value in fields.items():
            consent.ClearField(name)  # type: ignore[arg-type]
            consent.MergeFrom(Consent(**{name: value}))

    return change


def wider(consent: Consent) -> None:
    consent.scope[0].optional.append("uprn")


def one_more(consent: Consent) -> None:
    added = consent.scope.add()
    added.CopyFrom(consent.scope[0])
    added.item, added.evidence_type, added.evidence_id = 2, "income", world.INCOME


def another_piece(consent: Consent) -> None:
    consent.scope[0].evidence_id = OTHER


def another_kind(consent: Consent) -> None:
    consent.scope[0].evidence_type = "income"


def pinned(consent: Consent) -> None:
    consent.scope[0].mode = 1


OTHERWISE = {
    "another recipient": sets(service_id=OTHER),
    "another organisation": sets(organisation_id=OTHER),
    "wider": wider,
    "one more thing": one_more,
    "another piece": another_piece,
    "another kind": another_kind,
    "another version": pinned,
    "a later end": sets(end_time=world.at("2999-12-31T00:00:00Z")),
    "an earlier start": sets(start_time=world.at("2020-01-01T00:00:00Z")),
    "oftener": sets(frequency={"count": 9, "period_seconds": 60}),
    "once": sets(one_time=True),
    "kept longer": sets(retention_days=3650),
    "not kept at all": sets(method=1),
    "older": sets(largest_age_days=0),
    "another law": sets(legal_basis=LegalBasis(code=2, statute="An Act 2014")),
    "another statute": sets(legal_basis=LegalBasis(code=5, statute="Another Act")),
    "kept elsewhere": sets(storage="FR"),
    "another country's law": sets(jurisdiction="FR"),
    "other texts": sets(notice_hash=bytes(32)),
    "another language": sets(language="cy"),
    "another purpose": sets(purpose="marketing@1"),
}
HIDDEN = {**OTHERWISE, "another agreement": sets(consent_id=OTHER)}


# --- Other terms are signed than are shown -------------------------------------------------------


@pytest.mark.parametrize("change", [name for name in HIDDEN if name != "another purpose"])
@pytest.mark.parametrize("method", TERMS)
def test_other_terms_than_those_shown_are_not_signed(
    server: FakeServer, terminal: Terminal, signed: list[bytes], method: str, change: str
) -> None:
    purpose = world.a_purpose("en", "cy")

    def lie(answer: Any) -> None:
        other = Consent()
        other.CopyFrom(answer.consent)
        HIDDEN[change](other)
        signs(answer, method, previews.terms_page(other, purpose))

    lies(server, method, lie)

    refused(server, method, terminal.run(*TERMS[method][0]), signed)


@pytest.mark.parametrize("method", TERMS)
def test_another_purpose_than_the_one_shown_is_not_signed(
    server: FakeServer, terminal: Terminal, signed: list[bytes], method: str
) -> None:
    purpose = world.a_purpose("en", "cy")
    purpose.purpose_code = "marketing"
    lies(
        server,
        method,
        lambda answer: signs(answer, method, previews.terms_page(answer.consent, purpose)),
    )

    refused(server, method, terminal.run(*TERMS[method][0]), signed)


@pytest.mark.parametrize("method", TERMS)
def test_a_purpose_that_stands_for_another_is_not_signed(
    server: FakeServer, terminal: Terminal, signed: list[bytes], method: str
) -> None:
    (published,) = server.answers["GetPurpose"]
    published.purpose.purpose_code = "marketing"  # type: ignore[union-attr]
    Previews(server, APPROVAL_KIND_OIDC_STEP_UP).answer()

    refused(server, method, terminal.run(*TERMS[method][0]), signed)


@pytest.mark.parametrize("method", TERMS)
def test_a_purpose_without_texts_is_not_signed(
    server: FakeServer, terminal: Terminal, signed: list[bytes], method: str
) -> None:
    Previews(server, APPROVAL_KIND_OIDC_STEP_UP).answer()
    (published,) = server.answers["GetPurpose"]
    honest = Previews(server, APPROVAL_KIND_OIDC_STEP_UP).by_method[method]

    def answer(request: Any) -> Any:
        server.says("GetPurpose", published)
        shown = honest(request)
        server.says("GetPurpose", Refusal(grpc.StatusCode.NOT_FOUND))
        return shown

    server.says(method, answer)

    refused(server, method, terminal.run(*TERMS[method][0]), signed)


# --- Other terms are shown, and signed, than are asked for ---------------------------------------


@pytest.mark.parametrize("change", OTHERWISE)
@pytest.mark.parametrize("method", TERMS)
def test_other_terms_than_those_asked_for_are_not_signed(
    server: FakeServer, terminal: Terminal, signed: list[bytes], method: str, change: str
) -> None:
    purpose = world.a_purpose("en", "cy")

    def lie(answer: Any) -> None:
        OTHERWISE[change](answer.consent)
        signs(answer, method, previews.terms_page(answer.consent, purpose))

    lies(server, method, lie)

    refused(server, method, terminal.run(*TERMS[method][0]), signed)


@pytest.mark.parametrize("method", ["ExtendConsent", "ResumeConsent"])
def test_another_agreement_than_the_one_named_is_not_signed(
    server: FakeServer, terminal: Terminal, signed: list[bytes], method: str
) -> None:
    def lie(answer: Any) -> None:
        answer.consent.consent_id = OTHER
        page = previews.terms_page(answer.consent, world.a_purpose("en", "cy"))
        signs(answer, method, page)

    lies(server, method, lie)

    refused(server, method, terminal.run(*TERMS[method][0]), signed)


@pytest.mark.parametrize("method", TERMS)
def test_whose_choice_it_is_follows_from_the_law(
    server: FakeServer, terminal: Terminal, signed: list[bytes], method: str
) -> None:
    (asked,) = server.answers["GetRequest"]
    (standing,) = server.answers["GetConsent"]
    asked.consent_request.decision_form = 1  # type: ignore[union-attr]
    standing.consent.decision_form = 1  # type: ignore[union-attr]
    Previews(server, APPROVAL_KIND_OIDC_STEP_UP).answer()

    refused(server, method, terminal.run(*TERMS[method][0]), signed)


@pytest.mark.parametrize("method", TERMS)
def test_texts_that_were_not_published_are_not_signed_for(
    server: FakeServer, terminal: Terminal, signed: list[bytes], method: str
) -> None:
    (published,) = server.answers["GetPurpose"]

    def lie(_request: Any) -> Any:
        told = type(published)()
        told.CopyFrom(published)  # type: ignore[arg-type]
        told.purpose.texts[0].if_refused = "You will lose your home."  # type: ignore[union-attr]
        return told

    honest = Previews(server, APPROVAL_KIND_OIDC_STEP_UP).by_method[method]

    def answer(request: Any) -> Any:
        # Its own list is as it was published; what she reads is not.
        server.says("GetPurpose", published)
        shown = honest(request)
        server.says("GetPurpose", lie)
        return shown

    server.says(method, answer)

    refused(server, method, terminal.run(*TERMS[method][0]), signed)


def test_another_version_than_hers_is_not_pinned(
    server: FakeServer, terminal: Terminal, signed: list[bytes]
) -> None:
    piece = world.a_piece()
    piece.revision = previews.PINNED_REVISION + 1
    (listed,) = server.answers["ListEvidence"]
    listed.evidence[0].CopyFrom(piece)  # type: ignore[union-attr]
    lies(server, "PreviewConsent", lambda _: None)

    refused(server, "PreviewConsent", terminal.run(*SHARE, "--this-version"), signed)


# --- Another decision, or another page -----------------------------------------------------------


def _other_challenge(answer: Any) -> None:
    answer.approval_challenge.challenge = bytes(32)


def _other_hash(answer: Any) -> None:
    answer.shown.shown_hash = bytes(32)


def _other_salt(answer: Any) -> None:
    answer.shown.salt = bytes(16)


def _other_time(answer: Any) -> None:
    answer.shown.shown_time.seconds += 1


def _other_bytes(answer: Any) -> None:
    answer.shown_bytes += b" "


def _other_form(answer: Any) -> None:
    answer.approval_challenge.challenge = hashlib.sha256(answer.shown_bytes).digest()


def _nothing(answer: Any) -> None:
    answer.ClearField("shown_bytes")


@pytest.mark.parametrize(
    "lie",
    [
        *(_other_challenge, _other_hash, _other_salt, _other_time, _other_bytes),
        *(_other_form, _nothing),
    ],
)
@pytest.mark.parametrize("method", DECISIONS)
def test_what_does_not_belong_to_the_page_is_not_signed(
    server: FakeServer, terminal: Terminal, signed: list[bytes], method: str, lie: Lie
) -> None:
    lies(server, method, lie)

    refused(server, method, terminal.run(*DECISIONS[method]), signed)


@pytest.mark.parametrize("method", DECISIONS)
def test_one_decision_is_not_signed_for_another(
    server: FakeServer, terminal: Terminal, signed: list[bytes], method: str
) -> None:
    def lie(answer: Any) -> None:
        other = next(name for name in NAMES.values() if name != NAMES[method])
        told = previews.shown(other, answer.shown_bytes, APPROVAL_KIND_OIDC_STEP_UP)
        answer.approval_challenge.CopyFrom(told["approval_challenge"])

    lies(server, method, lie)

    refused(server, method, terminal.run(*DECISIONS[method]), signed)


# --- Passkeys ------------------------------------------------------------------------------------

KEYS = {
    "credential": b"another",
    "public_key": b"another",
    "algorithm": 2,
    "rp_id": "another.example",
}


@pytest.mark.parametrize("method", DECISIONS)
def test_a_passkey_of_the_operator_is_not_signed_for(
    server: FakeServer, terminal: Terminal, signed: list[bytes], method: str
) -> None:
    his = Passkey(credential=b"his", public_key=b"his", algorithm=1, rp_id="vault.example")

    def lie(answer: Any) -> None:
        page = previews.passkey_page(his)
        told = previews.shown("passkey-added.1", page, APPROVAL_KIND_OIDC_STEP_UP)
        for field in told:
            answer.ClearField(field)
        answer.MergeFrom(type(answer)(**told))

    lies(server, method, lie)

    refused(server, method, terminal.run(*DECISIONS[method]), signed)


@pytest.mark.parametrize("field", KEYS)
def test_another_passkey_than_the_one_shown_is_not_signed_for(
    server: FakeServer, terminal: Terminal, signed: list[bytes], field: str
) -> None:
    def lie(answer: Any) -> None:
        other = Passkey()
        other.CopyFrom(answer.passkey)
        setattr(other, field, KEYS[field])
        signs(answer, "AddPasskey", previews.passkey_page(other))

    lies(server, "AddPasskey", lie)

    refused(server, "AddPasskey", terminal.run(*ADD), signed)


@pytest.mark.parametrize("field", [field for field in KEYS if field != "rp_id"])
def test_another_passkey_than_hers_is_not_signed_for(
    server: FakeServer, terminal: Terminal, signed: list[bytes], field: str
) -> None:
    def lie(answer: Any) -> None:
        setattr(answer.passkey, field, KEYS[field])
        signs(answer, "AddPasskey", previews.passkey_page(answer.passkey))

    lies(server, "AddPasskey", lie)

    refused(server, "AddPasskey", terminal.run(*ADD), signed)


# --- What she reads ------------------------------------------------------------------------------


def test_she_sees_what_goes_on_before_it_is_signed(
    server: FakeServer, terminal: Terminal, signed: list[bytes]
) -> None:
    Previews(server, APPROVAL_KIND_OIDC_STEP_UP).answer()

    printed = terminal.run(*RESUME).out

    assert len(signed) == 1
    for shown in ("Street, Postcode", "An Act 2014", "24 Dec 2026"):
        assert printed.index(shown) < printed.index("again")


def test_she_is_told_in_welsh_and_programs_by_a_code(
    server: FakeServer, terminal: Terminal
) -> None:
    lies(server, "ResumeConsent", _other_challenge)

    told = terminal.run(*RESUME, "--language", "cy")
    as_json = terminal.run(*RESUME, "--json")

    assert catalogue()["not.as.shown"]["cy"] in " ".join(told.err.split())
    assert json.loads(as_json.err)["error"]["message"] == catalogue()["not.as.shown"]["en"]
    assert told.exit_code == as_json.exit_code == ExitCode.NOT_AS_SHOWN
