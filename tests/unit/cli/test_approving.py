# SPDX-License-Identifier: Apache-2.0
"""What she decides is signed by her issuer where the server takes it; and her passkeys."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import KeySet

from tests.unit.cli import her_things, world
from tests.unit.cli.conftest import Terminal
from tests.unit.cli.fake_server import FakeServer
from tests.unit.cli.previews import Previews
from vault.api.v1 import vault_service_pb2 as vaults
from vault.api.v1.vault_pb2 import (
    APPROVAL_KIND_OIDC_STEP_UP,
    APPROVAL_KIND_SESSION,
    APPROVAL_KIND_WEBAUTHN,
    ApprovalKind,
    HistoryEntry,
    Passkey,
)
from vault.server.development.issuer import DevelopmentIssuer

LATER = ("sharing", "longer", "d0", "--until", "2999-01-31", "--yes")
SHARE = ("share", "c0", "--choose", "postal_address:postalCode", "--yes")
ADD = ("passkey", "add", "passkey.json", "--yes")
DECISIONS = {
    "GrantConsent": SHARE,
    "ExtendConsent": LATER,
    "ResumeConsent": ("sharing", "resume", "d0"),
    "AddPasskey": ADD,
}
SHOWN_BY = {"GrantConsent": "PreviewConsent"}
"""Other decisions are shown by the call that makes them."""


@pytest.fixture
def issuer(terminal: Terminal) -> Iterator[DevelopmentIssuer]:
    started = DevelopmentIssuer("development", "citizen-vault")
    started.start()
    terminal.environment["CITIZEN_VAULT_ISSUER"] = started.url
    terminal.sign_in("mair", "citizen")
    yield started
    started.close()


@pytest.fixture(autouse=True)
def _her_things(server: FakeServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    her_things.fill(server)
    monkeypatch.chdir(tmp_path)
    Path("passkey.json").write_text(json.dumps(her_things.A_CREDENTIAL))


def asks_for(server: FakeServer, *kinds: ApprovalKind.ValueType) -> None:
    """Let the server hand out a challenge, and take these kinds of approval."""
    Previews(server, *kinds).answer()


def claims_of(issuer: DevelopmentIssuer, proof: bytes) -> dict[str, Any]:
    keys = KeySet.import_key_set(json.loads(issuer.jwks))
    return dict(jwt.decode(proof.decode(), keys, algorithms=["ES256"]).claims)


@pytest.mark.parametrize("method", DECISIONS)
def test_her_issuer_signs_what_the_server_asks_for(
    server: FakeServer, terminal: Terminal, issuer: DevelopmentIssuer, method: str
) -> None:
    asks_for(server, APPROVAL_KIND_SESSION, APPROVAL_KIND_OIDC_STEP_UP)

    ran = terminal.run(*DECISIONS[method])

    assert ran.exit_code == 0, ran.err
    approval = server.requests(method)[-1].approval
    assert approval.kind == APPROVAL_KIND_OIDC_STEP_UP
    claims = claims_of(issuer, approval.proof)
    page = server.requests(SHOWN_BY.get(method, method))[0]
    shown = Previews(server).by_method[SHOWN_BY.get(method, method)](page)
    nonce = world.b64(shown.approval_challenge.challenge)
    assert (claims["nonce"], claims["sub"], claims["aud"]) == (nonce, "mair", "the-client")
    assert server.requests(method)[-1].shown == shown.shown


@pytest.mark.parametrize("method", DECISIONS)
def test_where_the_server_takes_none_nobody_is_asked_to_sign(
    server: FakeServer, terminal: Terminal, method: str
) -> None:
    asks_for(server, APPROVAL_KIND_SESSION, APPROVAL_KIND_WEBAUTHN)

    ran = terminal.run(*DECISIONS[method])

    assert ran.exit_code == 0, ran.err
    assert not server.requests(method)[-1].HasField("approval")


@pytest.mark.parametrize(
    ("kind", "said"), [(2, "you signed in again"), (3, "with your passkey"), (1, "")]
)
def test_history_says_how_she_confirmed(
    server: FakeServer, terminal: Terminal, kind: int, said: str
) -> None:
    terminal.environment["COLUMNS"] = "160"
    entry = HistoryEntry(
        version=4,
        time=world.NOW,
        type="consent-granted.1",
        approval_kind=kind,  # type: ignore[arg-type]
    )
    server.says("ListHistory", vaults.ListHistoryResponse(entries=[entry]))

    printed = " ".join(terminal.run("history", "list").out.split())

    assert said in printed
    assert ("confirm" in printed) == bool(said)


def test_a_passkey_is_added_as_a_page_made_it(server: FakeServer, terminal: Terminal) -> None:
    ran = terminal.run(*ADD)

    shown, added = server.requests("AddPasskey")
    assert (shown.validate_only, added.validate_only) == (True, False)
    assert added.credential == bytes(range(16))
    assert (added.algorithm, added.public_key) == (1, base64.b64decode("MFkw"))
    assert "passkey remove a5000000" in ran.out


def test_a_passkey_is_not_added_unless_she_says_so(server: FakeServer, terminal: Terminal) -> None:
    ran = terminal.run("passkey", "add", "passkey.json")

    assert ran.exit_code == 2
    assert len(server.requests("AddPasskey")) == 1


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        "[]",
        '{"rawId": 1, "response": {}}',
        json.dumps({**her_things.A_CREDENTIAL, "rawId": "!"}),
        json.dumps({"rawId": "AA", "response": {"publicKey": "AA", "publicKeyAlgorithm": -36}}),
    ],
)
def test_a_file_that_holds_none_adds_none(
    server: FakeServer, terminal: Terminal, text: str
) -> None:
    Path("passkey.json").write_text(text)

    ran = terminal.run(*ADD)

    assert ran.exit_code == 2
    assert "passkey.json" in ran.err
    assert server.requests("AddPasskey") == []


def test_passkeys_are_listed_with_what_became_of_them(
    server: FakeServer, terminal: Terminal
) -> None:
    gone = Passkey(passkey_id=world.SUBJECT, add_time=world.NOW, remove_time=world.NOW)
    kept = Passkey(passkey_id=her_things.PASSKEY, add_time=world.NOW)
    server.says("ListPasskeys", vaults.ListPasskeysResponse(passkeys=[gone, kept]))

    printed = terminal.run("passkey", "list").out

    assert "removed 22 Nov 2026 14:02" in printed
    assert "in use" in printed


def test_there_may_be_none(server: FakeServer, terminal: Terminal) -> None:
    server.says("ListPasskeys", vaults.ListPasskeysResponse())

    assert "no passkeys" in terminal.run("passkey", "list").out


def test_a_passkey_is_removed_by_its_number(server: FakeServer, terminal: Terminal) -> None:
    ran = terminal.run("passkey", "remove", "a5")

    (request,) = server.requests("RemovePasskey")
    assert request.passkey_id == her_things.PASSKEY
    assert "removed" in ran.out
