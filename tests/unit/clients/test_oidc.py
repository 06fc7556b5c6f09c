# SPDX-License-Identifier: Apache-2.0
"""What a provider sends is believed only if it shows who signed in, now, for us.

The provider here says whatever a test makes it say; an independent one is in
`tests/integration/test_openid_provider.py`.
"""

from __future__ import annotations

import base64
import hashlib
import json
import threading
import time
import urllib.parse
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, Key, OctKey, OKPKey, RSAKey

from clients.oidc.assertion import ClientKey
from clients.oidc.id_token import REFRESH_SECONDS, ProviderKeys
from clients.oidc.provider import Provider, SignInError, Tokens, new_secret

CLIENT: Final = "the-client"
BACK: Final = "http://localhost:8000/signed-in"
NONCE: Final = "the-nonce"
KEY: Final = ECKey.generate_key("P-256", {"kid": "k", "use": "sig"})
OTHER: Final = ECKey.generate_key("P-256", {"kid": "k", "use": "sig"})


class FakeProvider:
    """A provider: what it answers at each path, and what it was sent."""

    def __init__(self) -> None:
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), _Answers)
        self.server.fake = self  # type: ignore[attr-defined]
        self.keys: list[Any] = [KEY.as_dict(private=False)]
        self.changed: dict[str, Any] = {}
        self.token_answer: dict[str, Any] = {}
        self.status = 200
        self.raw: bytes | None = None
        self.sent: list[dict[str, str]] = []
        self.asked: list[str] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}"

    def answer(self, path: str) -> Any:
        self.asked.append(path)
        match path:
            case "/jwks":
                return {"keys": self.keys}
            case "/token":
                return self.token_answer
            case _:
                return {**self.metadata, **self.changed}

    @property
    def metadata(self) -> dict[str, Any]:
        return {
            "issuer": self.url,
            "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/token",
            "jwks_uri": f"{self.url}/jwks",
            "code_challenge_methods_supported": ["plain", "S256"],
            "authorization_response_iss_parameter_supported": True,
        }

    def signs(self, key: Key = KEY, header: Any = None, /, **changed: Any) -> None:
        """Give an ID token for the next code; None leaves a claim out."""
        now = int(time.time())
        claims = {
            "iss": self.url,
            "sub": "mair",
            "aud": CLIENT,
            "exp": now + 300,
            "iat": now,
            "auth_time": now,
            "nonce": NONCE,
            **changed,
        }
        said = {name: value for name, value in claims.items() if value is not None}
        used = {"alg": "ES256", "kid": "k", **(header or {})}
        id_token = jwt.encode(used, said, key, algorithms=[used["alg"]], default_type=None)
        self.gives(id_token=id_token)

    def gives(self, **changed: Any) -> None:
        answer = {"access_token": "a", "token_type": "Bearer", "expires_in": 60, **changed}
        self.token_answer = {name: it for name, it in answer.items() if it is not None}

    def client(self, **said: Any) -> Provider:
        return Provider.discover(self.url, CLIENT, **said)

    def tokens(self, **said: Any) -> Tokens:
        return self.client().tokens("the-code", "v" * 43, BACK, NONCE, **said)


class _Answers(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        fake: FakeProvider = self.server.fake  # type: ignore[attr-defined]
        body = json.dumps(fake.answer(self.path)).encode() if fake.raw is None else fake.raw
        self.send_response(fake.status)
        if fake.status == 302:
            self.send_header("location", f"{fake.url}/elsewhere")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        fake: FakeProvider = self.server.fake  # type: ignore[attr-defined]
        form = self.rfile.read(int(self.headers["content-length"])).decode()
        fake.sent.append(dict(urllib.parse.parse_qsl(form)))
        self.do_GET()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the library's name
        """Say nothing."""


@pytest.fixture
def fake() -> Iterator[FakeProvider]:
    started = FakeProvider()
    arguments = {"poll_interval": 0.01}
    thread = threading.Thread(target=started.server.serve_forever, kwargs=arguments)
    thread.start()
    yield started
    started.server.shutdown()
    thread.join()
    started.server.server_close()


def refused(reason: str) -> Any:
    return pytest.raises(SignInError, match=SignInError(reason).message)  # type: ignore[arg-type]


# --- What is asked --------------------------------------------------------------------------------


def test_the_browser_is_sent_with_a_digest_of_the_verifier(fake: FakeProvider) -> None:
    fake.changed = {"authorization_endpoint": f"{fake.url}/authorize?tenant=1"}
    verifier = new_secret()

    url = fake.client(resource="urn:the-vault").authorization_url(
        BACK, "vault openid", "the-state", NONCE, verifier, prompt="login", max_age=0
    )

    asked = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(url).query))
    digest = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=")
    assert asked == {
        "tenant": "1",
        "response_type": "code",
        "client_id": CLIENT,
        "redirect_uri": BACK,
        "scope": "openid vault",
        "state": "the-state",
        "nonce": NONCE,
        "code_challenge": digest.decode(),
        "code_challenge_method": "S256",
        "prompt": "login",
        "max_age": "0",
        "resource": "urn:the-vault",
    }
    assert verifier not in url


def test_secrets_are_never_the_same() -> None:
    assert len({new_secret() for _ in range(1000)}) == 1000
    assert len(new_secret()) == 43


@pytest.mark.parametrize("kind", ["EC", "OKP", "RSA"])
@pytest.mark.filterwarnings("ignore::joserfc.errors.SecurityWarning")
def test_a_confidential_program_signs_who_it_is(
    fake: FakeProvider, tmp_path: Path, kind: str
) -> None:
    makers: dict[str, Callable[[], Key]] = {
        "EC": lambda: ECKey.generate_key("P-256"),
        "OKP": lambda: OKPKey.generate_key("Ed25519"),
        "RSA": lambda: RSAKey.generate_key(2048),
    }
    made = makers[kind]()
    file = tmp_path / "key.json"
    file.write_text(json.dumps(made.as_dict(private=True)))
    fake.signs()

    client = fake.client(key_file=file)
    client.tokens("the-code", "v" * 43, BACK, NONCE)
    client.tokens("the-code", "v" * 43, BACK, NONCE)

    algorithms = ["ES256", "EdDSA", "RS256"]
    shown = [jwt.decode(one["client_assertion"], made, algorithms) for one in fake.sent]
    said = shown[0].claims
    assert (said["iss"], said["sub"], said["aud"]) == (CLIENT, CLIENT, f"{fake.url}/token")
    assert 0 < said["exp"] - said["iat"] <= 60
    assert shown[0].claims["jti"] != shown[1].claims["jti"]
    assert "client_secret" not in fake.sent[0]


@pytest.mark.parametrize(
    "text",
    ["", "{}", '{"kty": "oct", "k": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}', "no JSON"],
)
def test_a_file_without_a_key_is_told_at_once(tmp_path: Path, text: str) -> None:
    file = tmp_path / "key.json"
    file.write_text(text)

    with pytest.raises(ValueError, match="private"):
        ClientKey.read(file)


def test_a_public_key_cannot_sign() -> None:
    with pytest.raises(ValueError, match="private"):
        ClientKey(ECKey.import_key(KEY.as_dict(private=False)))


# --- Discovery ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "changed",
    [
        {"issuer": "https://elsewhere.example"},
        {"issuer": None},
        {"issuer": 1},
        {"code_challenge_methods_supported": ["plain"]},
        {"code_challenge_methods_supported": "S256"},
        {"code_challenge_methods_supported": None},
        {"token_endpoint": "http://elsewhere.example/token"},
        {"token_endpoint": None},
        {"jwks_uri": "file:///etc/passwd"},
        {"authorization_endpoint": "javascript:alert(1)"},
        {"end_session_endpoint": "http://elsewhere.example/"},
    ],
)
def test_a_provider_that_is_not_what_it_should_be_is_refused(
    fake: FakeProvider, changed: dict[str, Any]
) -> None:
    fake.changed = changed

    with refused("provider"):
        fake.client()


def test_the_name_of_the_development_issuer_is_believed_on_this_machine_alone(
    fake: FakeProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake.changed = {"issuer": "urn:citizen-vault:development"}
    assert fake.client().issuer == "urn:citizen-vault:development"

    elsewhere = {
        name: it.replace("http://127.0.0.1", "https://x.example") if isinstance(it, str) else it
        for name, it in fake.metadata.items()
    }
    told = {**elsewhere, "issuer": "urn:citizen-vault:development"}
    monkeypatch.setattr("clients.oidc.provider.fetched_json", lambda _url: told)
    with refused("provider"):
        Provider.discover("https://x.example", CLIENT)


def test_another_urn_is_no_issuer(fake: FakeProvider) -> None:
    fake.changed = {"issuer": "urn:citizen-vault:other"}

    with refused("provider"):
        fake.client()


@pytest.mark.parametrize(
    ("status", "reason"),
    [(404, "provider"), (302, "provider"), (500, "unreachable"), (503, "unreachable")],
)
def test_a_failing_provider_is_told(fake: FakeProvider, status: int, reason: str) -> None:
    fake.status = status

    with refused(reason):
        fake.client()
    assert "/elsewhere" not in fake.asked


@pytest.mark.parametrize("raw", [b"", b"[]", b'"x"', b"{" * 100_000])
def test_what_is_no_document_is_refused(fake: FakeProvider, raw: bytes) -> None:
    fake.raw = raw

    with refused("provider"):
        fake.client()


def test_a_document_is_small_and_says_each_thing_once(fake: FakeProvider) -> None:
    document = json.dumps(fake.metadata).encode()
    fake.raw = document
    assert fake.client().issuer == fake.url

    for raw in (
        document[:-1] + b', "issuer": "%s"}' % fake.url.encode(),
        document + b" " * 300_000,
    ):
        fake.raw = raw
        with refused("provider"):
            fake.client()


def test_nothing_is_sent_in_the_clear() -> None:
    with refused("provider"):
        Provider.discover("http://elsewhere.example", CLIENT)


def test_nobody_there_is_told() -> None:
    with refused("unreachable"):
        Provider.discover("http://127.0.0.1:1", CLIENT)


# --- The answer -----------------------------------------------------------------------------------


def test_the_code_of_an_answer(fake: FakeProvider) -> None:
    answer = {"code": "c", "state": "s", "iss": fake.url}

    assert fake.client().code_of(answer, "s") == "c"


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"state": "another"}, "stale"),
        ({"state": ""}, "stale"),
        ({"iss": "https://elsewhere.example"}, "unproved"),
        ({"iss": ""}, "unproved"),
        ({"error": "access_denied"}, "declined"),
        ({"error": "server_error"}, "provider"),
        ({"code": ""}, "provider"),
    ],
)
def test_an_answer_that_is_not_ours(
    fake: FakeProvider, changed: dict[str, str], reason: str
) -> None:
    answer = {"code": "c", "state": "s", "iss": fake.url, **changed}

    with refused(reason):
        fake.client().code_of(answer, "s")


def test_an_answer_without_a_sign_in_under_way_is_stale(fake: FakeProvider) -> None:
    with refused("stale"):
        fake.client().code_of({"code": "c", "iss": fake.url}, "")


def test_a_provider_that_names_itself_unasked_is_compared(fake: FakeProvider) -> None:
    fake.changed = {"authorization_response_iss_parameter_supported": False}
    client = fake.client()

    assert client.code_of({"code": "c", "state": "s"}, "s") == "c"
    with refused("unproved"):
        client.code_of({"code": "c", "state": "s", "iss": "https://elsewhere.example"}, "s")


# --- The ID token ---------------------------------------------------------------------------------


def test_an_id_token_says_who_signed_in(fake: FakeProvider) -> None:
    fake.signs()
    now = int(time.time())

    tokens = fake.tokens(since=now - 1)

    assert (tokens.sub, tokens.access_token) == ("mair", "a")
    assert abs(tokens.auth_time - now) <= 2
    assert abs(tokens.expires_at - now - 60) <= 2
    assert fake.sent[0]["code_verifier"] == "v" * 43
    assert tokens.id_token not in repr(tokens)


def test_without_a_lifetime_the_id_tokens_counts(fake: FakeProvider) -> None:
    fake.signs(exp=int(time.time()) + 1000)
    fake.token_answer.pop("expires_in")

    assert abs(fake.tokens().expires_at - time.time() - 1000) <= 2


@pytest.mark.parametrize(
    "changed",
    [
        {"iss": "https://elsewhere.example"},
        {"iss": None},
        {"aud": "another"},
        {"aud": [CLIENT, "another"]},
        {"aud": [CLIENT, "another"], "azp": "another"},
        {"aud": []},
        {"azp": "another"},
        {"nonce": "another"},
        {"nonce": None},
        {"exp": 1},
        {"exp": None},
        {"exp": "never"},
        {"exp": True},
        {"exp": -1},
        {"iat": 4_000_000_000},
        {"iat": None},
        {"auth_time": 4_000_000_000},
        {"auth_time": "now"},
        {"sub": ""},
        {"sub": None},
        {"sub": 7},
        {"sub": "x" * 256},
    ],
)
def test_a_token_that_does_not_say_what_it_must(
    fake: FakeProvider, changed: dict[str, Any]
) -> None:
    fake.signs(**changed)

    with refused("unproved"):
        fake.tokens()


@pytest.mark.parametrize("changed", [{}, {"aud": [CLIENT]}, {"aud": [CLIENT, "b"], "azp": CLIENT}])
def test_a_token_for_us(fake: FakeProvider, changed: dict[str, Any]) -> None:
    fake.signs(**changed)

    assert fake.tokens().sub == "mair"


@pytest.mark.parametrize("changed", [{"auth_time": None}, {"auth_time": 1_000_000_000}])
def test_who_had_to_sign_in_once_more_did(fake: FakeProvider, changed: dict[str, Any]) -> None:
    fake.signs(**changed)
    assert fake.tokens().sub == "mair"

    with refused("unproved"):
        fake.tokens(since=int(time.time()))


@pytest.mark.parametrize(
    ("key", "header"),
    [
        (OTHER, {}),
        (KEY, {"kid": "unknown"}),
        (KEY, {"typ": "at+jwt"}),
        (KEY, {"jwk": OTHER.as_dict(private=False)}),
        (OctKey.import_key(json.dumps(KEY.as_dict(private=False))), {"alg": "HS256"}),
    ],
)
def test_a_token_that_is_not_the_providers(
    fake: FakeProvider, key: Key, header: dict[str, Any]
) -> None:
    fake.signs(key, header)

    with refused("unproved"):
        fake.tokens()


def test_a_token_without_a_signature(fake: FakeProvider) -> None:
    fake.signs()
    parts = fake.token_answer["id_token"].split(".")
    none = base64.urlsafe_b64encode(b'{"alg":"none","kid":"k"}').rstrip(b"=").decode()

    for token in (f"{none}.{parts[1]}.", f"{parts[0]}.{parts[1]}.", "a.b.c", "é.b.c", ""):
        fake.gives(id_token=token)
        with refused("unproved"):
            fake.tokens()


@pytest.mark.parametrize(
    "changed",
    [{"access_token": None}, {"id_token": None}, {"token_type": "mac"}, {"token_type": None}],
)
def test_what_is_no_answer_to_a_code(fake: FakeProvider, changed: dict[str, Any]) -> None:
    fake.signs()
    fake.gives(**{**fake.token_answer, **changed})

    with refused("provider"):
        fake.tokens()


@pytest.mark.filterwarnings("ignore::joserfc.errors.SecurityWarning")
def test_a_key_that_is_not_for_us_verifies_nothing(fake: FakeProvider) -> None:
    weak = (
        RSAKey.generate_key(1024, {"kid": "k"}),
        ECKey.generate_key("P-384", {"kid": "k"}),
        OctKey.generate_key(256, {"kid": "k"}),
        ECKey.generate_key("P-256", {"kid": "k", "use": "enc"}),
    )
    for key in weak:
        fake.keys = [key.as_dict(private=False), {"kty": "future", "kid": "f"}, "no key"]
        keys = ProviderKeys(f"{fake.url}/jwks")
        assert keys.find("k") is None


def test_a_new_key_is_fetched_once_a_minute_at_most(fake: FakeProvider) -> None:
    now = [0.0]
    keys = ProviderKeys(f"{fake.url}/jwks", monotonic=lambda: now[0])
    newer = ECKey.generate_key("P-256", {"kid": "newer", "use": "sig"})

    assert [keys.find("k") is not None for _ in range(3)] == [True] * 3
    assert fake.asked.count("/jwks") == 1
    fake.keys.append(newer.as_dict(private=False))
    assert keys.find("newer") is None
    assert fake.asked.count("/jwks") == 1
    now[0] += REFRESH_SECONDS
    assert keys.find("newer") is not None
    assert fake.asked.count("/jwks") == 2


# --- The end --------------------------------------------------------------------------------------


def test_signing_out_at_the_provider_where_it_can_be_done(fake: FakeProvider) -> None:
    assert not fake.client().sign_out_url("the-token", "http://localhost:8000/")
    fake.changed = {"end_session_endpoint": f"{fake.url}/end"}

    url = fake.client().sign_out_url("the-token", "http://localhost:8000/")

    asked = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(url).query))
    assert url.startswith(f"{fake.url}/end?")
    assert asked == {
        "id_token_hint": "the-token",
        "client_id": CLIENT,
        "post_logout_redirect_uri": "http://localhost:8000/",
    }
