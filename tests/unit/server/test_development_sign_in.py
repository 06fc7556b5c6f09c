# SPDX-License-Identifier: Apache-2.0
"""People sign in at the development issuer by its page, programs get tokens for the code alone."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from joserfc import jws

from clients.oidc.provider import Provider, SignInError, Tokens, new_secret
from tests.visitor import BackError, Page, Visitor
from vault.server.development.codes import CODE_SECONDS, Codes
from vault.server.development.issuer import DevelopmentIssuer
from vault.server.identity import Verifier
from vault.server.issuer_keys import FixedKeys

HERE: Final = "http://localhost:8000/back"
SCOPE: Final = "vault evidence consent audit registry disclosure"
MAIR: Final = {"person": '["citizen", "mair", ""]'}
SERVICE: Final = "6c1b0a3e-0000-4000-8000-000000000001"


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Sign:
    """One sign-in by the page: what the program keeps, and what it gets."""

    def __init__(self, issuer: DevelopmentIssuer) -> None:
        self.provider = Provider.discover(issuer.url, "the-client")
        self.state, self.nonce, self.verifier = new_secret(), new_secret(), new_secret()

    def url(self, **said: Any) -> str:
        scope = said.pop("scope", SCOPE)
        redirect_uri = said.pop("redirect_uri", HERE)
        return self.provider.authorization_url(
            redirect_uri, scope, self.state, self.nonce, self.verifier, **said
        )

    def code(self, *filled: dict[str, str], **said: Any) -> str:
        answer = Visitor(HERE).comes_back(self.url(**said), *(filled or (MAIR,)))
        return self.provider.code_of(answer, self.state)

    def tokens(self, code: str, **changed: Any) -> Tokens:
        said = {"verifier": self.verifier, "redirect_uri": HERE, "nonce": self.nonce, **changed}
        return self.provider.tokens(code, **said)


@pytest.fixture(scope="module")
def issuer() -> Iterator[DevelopmentIssuer]:
    started = DevelopmentIssuer("development", "citizen-vault")
    started.start()
    yield started
    started.close()


@pytest.fixture
def sign(issuer: DevelopmentIssuer) -> Sign:
    return Sign(issuer)


async def caller(issuer: DevelopmentIssuer, token: str) -> Any:
    verifier = Verifier("urn:citizen-vault:development", "citizen-vault", FixedKeys(issuer.jwks))
    return (await verifier.verify([("authorization", f"Bearer {token}")]))[0]


async def test_a_citizen_signs_in_by_her_button(issuer: DevelopmentIssuer, sign: Sign) -> None:
    tokens = sign.tokens(sign.code())

    found = await caller(issuer, tokens.access_token)
    assert (found.role, found.sub, tokens.sub) == ("citizen", "mair", "mair")
    assert found.scopes == {"vault", "evidence", "consent", "audit", "registry"}
    assert abs(tokens.auth_time - time.time()) < 5


async def test_somebody_types_a_name(issuer: DevelopmentIssuer, sign: Sign) -> None:
    typed = {"sub": " Siân Prydderch ", "role": "official", "service_id": "not hers"}

    tokens = sign.tokens(sign.code(typed))

    assert (await caller(issuer, tokens.access_token)).role == "official"
    assert tokens.sub == "Siân Prydderch"


async def test_staff_act_for_their_service(issuer: DevelopmentIssuer, sign: Sign) -> None:
    typed = {"sub": "Dafydd Rees", "role": "staff", "service_id": SERVICE}

    tokens = sign.tokens(sign.code(typed))

    found = await caller(issuer, tokens.access_token)
    assert (found.role, found.staffed_service) == ("staff", SERVICE)
    assert found.scopes == {"consent", "disclosure", "registry"}


def test_both_tokens_say_when_she_signed_in(sign: Sign) -> None:
    tokens = sign.tokens(sign.code(prompt="login", max_age=0), since=int(time.time()) - 1)

    for token in (tokens.access_token, tokens.id_token):
        assert claims(token)["auth_time"] == tokens.auth_time
    assert claims(tokens.access_token)["client_id"] == "the-client"


@pytest.mark.parametrize(
    "typed",
    [
        {"sub": "", "role": "citizen"},
        {"sub": "mair", "role": "operator"},
        {"sub": "mair", "role": "staff"},
        {"sub": "x" * 256, "role": "citizen"},
        {"person": "[]"},
        {"person": '["citizen", "mair", "' + SERVICE + '"]'},
        {"person": "1"},
    ],
)
def test_who_is_nobody_is_asked_again(sign: Sign, typed: dict[str, str]) -> None:
    visitor = Visitor(HERE)
    page = visitor.opens(sign.url())

    again = visitor.sends(page.form_with("sub"), **typed)

    assert again.status == 422
    assert "Nobody is signed in" in again.text


def test_going_back_signs_nobody_in(sign: Sign) -> None:
    with pytest.raises(SignInError) as caught:
        sign.code({"cancel": "yes"})

    assert caught.value.reason == "declined"


@pytest.mark.parametrize(
    "changed",
    [
        {"verifier": new_secret()},
        {"verifier": "short"},
        {"redirect_uri": "http://localhost:8000/elsewhere"},
    ],
)
def test_a_code_is_for_who_asked(sign: Sign, changed: dict[str, str]) -> None:
    code = sign.code()

    with pytest.raises(SignInError) as caught:
        sign.tokens(code, **changed)
    assert caught.value.reason == "provider"

    # An attempt uses it up, so that a thief cannot try again.
    with pytest.raises(SignInError):
        sign.tokens(code)


def test_a_code_is_not_for_another_program(issuer: DevelopmentIssuer, sign: Sign) -> None:
    code = sign.code()
    sign.provider = Provider.discover(issuer.url, "another-client")

    with pytest.raises(SignInError) as caught:
        sign.tokens(code)
    assert caught.value.reason == "provider"


def test_a_code_is_good_once(sign: Sign) -> None:
    code = sign.code()
    sign.tokens(code)

    with pytest.raises(SignInError):
        sign.tokens(code)


def test_a_code_is_good_for_a_minute(
    issuer: DevelopmentIssuer, sign: Sign, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    monkeypatch.setattr(issuer, "_codes", Codes(clock))
    in_time, too_late = sign.code(), sign.code()

    clock.now += CODE_SECONDS - 1
    assert sign.tokens(in_time).sub == "mair"
    clock.now += 1
    with pytest.raises(SignInError):
        sign.tokens(too_late)


@pytest.mark.parametrize(
    "redirect_uri",
    [
        "https://elsewhere.example/back",
        "http://elsewhere.example/back",
        "http://localhost.elsewhere.example/",
        "http://localhost@elsewhere.example/",
        "http://127.0.0.1:x/",
        "http://localhost:8000/back#fragment",
        "http://elsewhere.example\\@localhost/",
        "javascript:alert(1)",
        "",
    ],
)
def test_nobody_is_sent_to_another_machine(sign: Sign, redirect_uri: str) -> None:
    page = Visitor("https://nowhere.example").opens(sign.url(redirect_uri=redirect_uri))

    assert page.status == 400
    assert not page.forms


@pytest.mark.parametrize(
    ("part", "error"),
    [
        (("response_type=code", "response_type=token"), "unsupported_response_type"),
        (("openid+", ""), "invalid_scope"),
        (("code_challenge_method=S256", "code_challenge_method=plain"), "invalid_request"),
        (("code_challenge=", "other="), "invalid_request"),
        (("prompt=login", "prompt=none"), "login_required"),
    ],
)
def test_only_a_code_with_pkce_is_given(sign: Sign, part: tuple[str, str], error: str) -> None:
    with pytest.raises(BackError) as caught:
        Visitor(HERE).opens(sign.url(prompt="login").replace(*part))

    assert caught.value.answer["error"] == error
    assert caught.value.answer["state"] == sign.state


def test_the_page_speaks_welsh_and_english(sign: Sign) -> None:
    pages = [Visitor(HERE).opens(sign.url(ui_locales=one)) for one in ("cy en", "fr", "en-GB cy")]

    assert ["Pwy ydych chi?" in one.text for one in pages] == [True, False, False]
    assert ['lang="cy"' in one.text for one in pages] == [True, False, False]


def test_who_has_to_show_that_it_is_she_stands_first(sign: Sign) -> None:
    page = Visitor(HERE).opens(sign.url(prompt="login", login_hint="emlyn"))

    assert page.forms[0].buttons[0][1] == '["citizen", "emlyn", ""]'
    assert "Show that it is you" in page.text


def test_a_page_holds_what_it_is_sent_as_text(sign: Sign) -> None:
    page = Visitor(HERE).opens(sign.url(login_hint='"><script>alert(1)</script>'))

    assert "<script" not in page.text


def test_a_page_loads_and_frames_nothing(sign: Sign) -> None:
    policy = page_of(sign).headers["content-security-policy"]

    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "form-action 'self' http://localhost:8000;" in policy
    assert "unsafe" not in policy


def test_the_people_come_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "people.json"
    known = {
        "role": "staff",
        "sub": "Dafydd Rees",
        "name": "Dafydd",
        "about": {"en": "works <here>"},
        "service_id": SERVICE,
    }
    issuer = DevelopmentIssuer("development", "citizen-vault", people_file=file)
    issuer.start()
    try:
        sign = Sign(issuer)
        assert "Mair" in page_of(sign).text
        file.write_text(json.dumps([known]))
        page = page_of(sign)
        assert "Mair" not in page.text
        assert "works &lt;here&gt;" in page.text
        tokens = sign.tokens(sign.code(dict(page.forms[0].buttons)))
        assert claims(tokens.access_token)["service_id"] == SERVICE
    finally:
        issuer.close()


def test_discovery_tells_all_that_it_must(issuer: DevelopmentIssuer) -> None:
    told = issuer.discovery()

    # OpenID Connect Discovery 1.0 section 3, REQUIRED or of use to us.
    assert told["response_types_supported"] == ["code"]
    assert told["subject_types_supported"] == ["public"]
    assert told["id_token_signing_alg_values_supported"] == ["ES256"]
    assert told["code_challenge_methods_supported"] == ["S256"]


def page_of(sign: Sign) -> Page:
    return Visitor(HERE).opens(sign.url())


def claims(token: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(jws.extract_compact(token.encode()).payload)
    return found
