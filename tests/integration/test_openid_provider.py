# SPDX-License-Identifier: Apache-2.0
"""Signing in and approving by an independent, certified OpenID provider, from end to end.

Everybody here has the provider's own tokens: the server takes them by its published keys, and what
it signs for her decisions is taken by the server, and by the independent checker's program.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs, urlencode, urljoin, urlsplit

import grpc
import pytest
from joserfc import jws
from joserfc.jwk import ECKey
from typer.testing import CliRunner

from clients.cli import browser
from clients.cli.main import app
from clients.cli.session import Session
from clients.oidc.provider import SignInError, Tokens, new_secret
from tests.approving import Authenticator
from tests.openid_provider import (
    CONFIDENTIAL,
    PUBLIC,
    RESOURCE,
    RETURN,
    SCOPE,
    OpenIdProvider,
    running,
    typed,
)
from tests.server import ROOT, Server
from tests.server import running as server_running
from tests.visitor import Visitor
from tests.wire import Caller
from tests.world import World, connected, new_id
from vault.api.v1 import consent_service_pb2 as consent
from vault.api.v1 import vault_pb2
from vault.api.v1 import vault_service_pb2 as vaults
from vault.domain.canonical import b64

STEP_UP: Final = vault_pb2.APPROVAL_KIND_OIDC_STEP_UP

START: Final = "http://localhost:8000/"


@pytest.fixture(scope="module")
def provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenIdProvider]:
    """The provider, as a process."""
    with running(tmp_path_factory.mktemp("provider")) as started:
        yield started


@pytest.fixture(scope="module")
def server(provider: OpenIdProvider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that believes the provider."""
    folder = tmp_path_factory.mktemp("server")
    with server_running(Server(folder, issuer=provider)) as started:  # type: ignore[arg-type]
        yield started


@pytest.fixture(scope="module")
def channel(server: Server) -> Iterator[grpc.Channel]:
    with connected(server.target) as opened:
        yield opened


def claims(token: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(jws.extract_compact(token.encode()).payload)
    return found


class Signing:
    """Somebody with one browser, in which she may stay signed in."""

    def __init__(self, provider: OpenIdProvider, client_id: str = PUBLIC) -> None:
        self.client = provider.client(client_id)
        self.visitor = Visitor(RETURN, START)
        self.state, self.nonce, self.verifier = new_secret(), new_secret(), new_secret()

    def url(self, **said: Any) -> str:
        return self.client.authorization_url(
            RETURN, SCOPE, self.state, self.nonce, self.verifier, **said
        )

    def tokens(self, *filled: dict[str, str], since: int | None = None, **said: Any) -> Tokens:
        answer = self.visitor.comes_back(self.url(**said), *filled)
        code = self.client.code_of(answer, self.state)
        return self.client.tokens(code, self.verifier, RETURN, self.nonce, since=since)


@pytest.mark.parametrize("client_id", [PUBLIC, CONFIDENTIAL])
def test_somebody_signs_in(provider: OpenIdProvider, client_id: str) -> None:
    began = int(time.time())

    tokens = Signing(provider, client_id).tokens(typed("mair"))

    said = claims(tokens.access_token)
    assert tokens.sub == said["sub"] == "mair"
    assert began - 5 <= tokens.auth_time == said["auth_time"] <= time.time() + 5
    assert (said["aud"], said["client_id"]) == ("citizen-vault", client_id)
    assert said["roles"] == ["citizen"]
    assert abs(tokens.expires_at - began - 600) <= 10


def test_a_program_that_cannot_show_itself_gets_nothing(
    provider: OpenIdProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    signing = Signing(provider, CONFIDENTIAL)
    monkeypatch.setattr(signing.client, "_key", None)

    with pytest.raises(SignInError) as caught:
        signing.tokens(typed("mair"))

    assert caught.value.reason == "provider"


def test_who_says_no_is_not_signed_in(provider: OpenIdProvider) -> None:
    signing = Signing(provider)
    page = signing.visitor.opens(signing.url())
    given_up = urljoin(page.url, page.url.rstrip("/") + "/abort")

    answer = signing.visitor.comes_back(given_up)

    with pytest.raises(SignInError) as caught:
        signing.client.code_of(answer, signing.state)
    assert caught.value.reason == "declined"


def test_a_code_without_its_verifier_is_worth_nothing(provider: OpenIdProvider) -> None:
    signing = Signing(provider)
    answer = signing.visitor.comes_back(signing.url(), typed("mair"))
    code = signing.client.code_of(answer, signing.state)

    with pytest.raises(SignInError) as caught:
        signing.client.tokens(code, new_secret(), RETURN, signing.nonce)

    assert caught.value.reason == "provider"


def test_who_is_signed_in_stays_so_until_asked_once_more(provider: OpenIdProvider) -> None:
    signing = Signing(provider)
    first = signing.tokens(typed("mair"))
    # One browser: no page is filled in, the provider knows her.
    second = signing.tokens()

    page = signing.visitor.opens(signing.url(prompt="login", max_age=0))

    assert second.auth_time == first.auth_time
    assert "login" in page.forms[0].fields
    with pytest.raises(SignInError) as caught:
        signing.tokens(since=first.auth_time + 60)
    assert caught.value.reason == "unproved"


def test_she_signs_out_at_the_provider_too(provider: OpenIdProvider) -> None:
    signing = Signing(provider)
    tokens = signing.tokens(typed("mair"))
    url = signing.client.sign_out_url(tokens.id_token, START)

    signing.visitor.comes_back(url, {"logout": "yes"})

    assert "login" in signing.visitor.opens(signing.url()).forms[0].fields


def test_the_answer_names_who_answers(provider: OpenIdProvider) -> None:
    signing = Signing(provider)
    answer = signing.visitor.comes_back(signing.url(), typed("mair"))
    assert answer["iss"] == provider.url

    for changed in ({"iss": "https://elsewhere.example"}, {"iss": ""}):
        with pytest.raises(SignInError) as caught:
            signing.client.code_of({**answer, **changed}, signing.state)
        assert caught.value.reason == "unproved"


def test_the_server_believes_its_tokens(provider: OpenIdProvider, channel: grpc.Channel) -> None:
    caller = Caller(channel, provider.token("citizen", "emlyn"))

    opened = caller.ask("VaultService/OpenVault", vaults.OpenVaultRequest(request_id=new_id()))

    assert opened.vault.version == 1


def test_an_id_token_opens_nothing(provider: OpenIdProvider, channel: grpc.Channel) -> None:
    caller = Caller(channel, provider.id_token("emlyn", new_secret()))

    answer = caller.call("VaultService/GetVault", vaults.GetVaultRequest())

    assert answer.reason == "CREDENTIAL_INVALID"


@pytest.fixture(scope="module")
def world(server: Server, channel: grpc.Channel) -> World:
    """Everybody signs in at the provider: operator, official, service and citizens."""
    return World(server, channel)


def test_what_it_signs_approves_a_decision(provider: OpenIdProvider, world: World) -> None:
    citizen = world.citizen()
    asked = world.ask(world.council)
    world.claim(citizen, asked)
    granting = world.previewed(citizen, asked)
    preview = citizen.caller.ask(
        "ConsentService/PreviewConsent",
        consent.PreviewConsentRequest(
            consent_request_id=asked.consent_request_id, choice=granting.choice
        ),
    )
    granting.shown.CopyFrom(preview.shown)
    challenge = preview.approval_challenge
    assert challenge.step_up_client_id == PUBLIC

    for sub in ("somebody-else", citizen.sub):
        token = provider.id_token(sub, b64(challenge.challenge))
        granting.approval.CopyFrom(vault_pb2.Approval(kind=STEP_UP, proof=token.encode()))
        answer = citizen.caller.call("ConsentService/GrantConsent", granting)
        assert answer.is_ok == (sub == citizen.sub), answer.told

    entry = citizen.caller.ask("VaultService/ListHistory", vaults.ListHistoryRequest(page_size=1))
    assert entry.entries[0].approval_kind == STEP_UP


def test_the_checker_finds_her_decision_shown_to_be_hers(
    provider: OpenIdProvider,
    server: Server,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """She does all by the command line: signs in, adds a passkey, takes everything away."""
    key = Authenticator()
    made = {
        "rawId": b64(key.credential),
        "response": {"publicKeyAlgorithm": -7, "publicKey": b64(key.public_key)},
    }
    (tmp_path / "made.json").write_text(json.dumps(made))
    monkeypatch.setattr(browser, "_open", opened_by("gwen"))
    home = {
        "CITIZEN_VAULT_HOME": str(tmp_path / "home"),
        "CITIZEN_VAULT_TARGET": server.target,
        "CITIZEN_VAULT_ISSUER": provider.url,
        "CITIZEN_VAULT_CLIENT_ID": PUBLIC,
        "CITIZEN_VAULT_RESOURCE": RESOURCE,
    }
    for command in (
        ["sign-in"],
        ["information", "start"],
        ["passkey", "add", str(tmp_path / "made.json"), "--yes"],
        ["export", "--out", str(tmp_path / "copy")],
    ):
        ran = CliRunner().invoke(app, command, env=home)
        assert ran.exit_code == 0, ran.output

    with urllib.request.urlopen(f"{provider.url}/jwks", timeout=5) as answer:  # noqa: S310
        keys = json.loads(answer.read())
    hers = {**keys, "issuer": provider.url, "client_id": PUBLIC, "sub": "gwen"}
    assert judged(tmp_path, hers) == ["shown"]
    # By another's name, or another provider's keys, it is not hers.
    assert judged(tmp_path, {**hers, "sub": "somebody-else"}) == ["not shown"]
    other_key = ECKey.generate_key("P-256", {"kid": "of-the-provider", "use": "sig"})
    other_keys = [other_key.as_dict(private=False)]
    assert judged(tmp_path, {**hers, "keys": other_keys}) == ["not shown"]


def opened_by(name: str) -> Callable[..., None]:
    """Return what opens an address in the place of a browser, and signs in there."""

    def go(_session: Session, url: str, *, is_again: bool) -> None:
        assert is_again == ("prompt=login" in url)
        back = parse_qs(urlsplit(url).query)["redirect_uri"][0]
        answer = Visitor(back).comes_back(url, typed(name))
        threading.Thread(target=Visitor().opens, args=(f"{back}?{urlencode(answer)}",)).start()

    return go


def judged(folder: Path, provider: dict[str, Any]) -> list[str]:
    """Return what the checker's program says of her decisions, given a provider's keys."""
    keys = folder / "provider-keys.json"
    keys.write_text(json.dumps(provider))
    command = [sys.executable, "-m", "clients.auditor", "history", str(folder / "copy"), "--json"]
    done = subprocess.run(
        [*command, "--provider-keys", str(keys)],
        cwd=ROOT,
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.stdout, done.stderr
    return [decision["hers"] for decision in json.loads(done.stdout)["decisions"]]
