# SPDX-License-Identifier: Apache-2.0
"""What is asked of the development issuer by a browser, and the codes that it goes back with.

The authorization code flow of OpenID Connect Core 1.0 with PKCE (RFC 7636, S256 alone). Only a
program on this machine is answered; a code is good for a minute, once, for whoever has its verifier
(RFC 9700).
"""

from __future__ import annotations

import base64
import hashlib
import ipaddress
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode, urlsplit

ISSUER: Final = "urn:citizen-vault:development"
CODE_SECONDS: Final = 60
MOST_CODES: Final = 1000
_CHALLENGE_CHARACTERS: Final = 43
_VERIFIER_CHARACTERS: Final = range(43, 128 + 1)


class NobodyToTellError(Exception):
    """Nobody can be told what is wrong: who asks, or where to go back to, is not known."""


class AskedWrongError(Exception):
    """Something else is asked than is done here.

    Attributes:
        location: where the browser goes back to, with the error in it.
    """

    def __init__(self, asked: Asked, error: str) -> None:
        super().__init__(error)
        self.location = asked.answer(error=error)


class GrantError(Exception):
    """No tokens are given; the message is the error of RFC 6749 section 5.2."""


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who signs in; `service_id` is that of a member of its staff, "" for others."""

    role: str
    sub: str
    service_id: str = ""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a program asks for when it sends a browser here."""

    client_id: str
    redirect_uri: str
    scope: str
    state: str
    nonce: str
    code_challenge: str
    login_hint: str
    ui_locales: str
    prompt: str

    @classmethod
    def read(cls, form: Mapping[str, str]) -> Asked:
        """Read the parameters of an authorization request.

        Raises:
            NobodyToTellError: if there is nowhere to go back to.
            AskedWrongError: if anything but a code with PKCE is asked for.
        """
        asked = cls(**{name: form.get(name, "") for name in cls.__slots__})
        if not asked.client_id.isprintable() or not asked.client_id:
            raise NobodyToTellError
        if not _is_on_this_machine(asked.redirect_uri):
            raise NobodyToTellError
        if form.get("response_type") != "code":
            raise AskedWrongError(asked, "unsupported_response_type")
        if "openid" not in asked.scope.split():
            raise AskedWrongError(asked, "invalid_scope")
        is_challenge = len(asked.code_challenge) == _CHALLENGE_CHARACTERS
        if form.get("code_challenge_method") != "S256" or not is_challenge:
            raise AskedWrongError(asked, "invalid_request")
        if "none" in asked.prompt.split():
            # Nobody stays signed in here.
            raise AskedWrongError(asked, "login_required")
        return asked

    @property
    def is_again(self) -> bool:
        """Say whether somebody is to sign in once more, who may be signed in already."""
        return "login" in self.prompt.split()

    @property
    def form(self) -> dict[str, str]:
        """Return the parameters as they came, for the page to send them once more."""
        known = {name: str(getattr(self, name)) for name in self.__slots__}
        return {**known, "response_type": "code", "code_challenge_method": "S256"}

    def answer(self, **said: str) -> str:
        """Return where the browser goes back to, with an answer (RFC 9207 adds the issuer)."""
        state = {"state": self.state} if self.state else {}
        query = urlencode({**said, **state, "iss": ISSUER})
        return f"{self.redirect_uri}{'&' if '?' in self.redirect_uri else '?'}{query}"


@dataclass(frozen=True, slots=True)
class SignedIn:
    """Who signed in, when in seconds since 1970, and for what."""

    asked: Asked
    person: Person
    auth_time: int


class Codes:
    """The codes that are out. Threads may share it."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._given: OrderedDict[str, tuple[SignedIn, float]] = OrderedDict()
        self._turn = threading.Lock()

    def give(self, signed_in: SignedIn) -> str:
        """Return a code for somebody who just signed in."""
        code = secrets.token_urlsafe(32)
        with self._turn:
            self._given[code] = (signed_in, self._monotonic() + CODE_SECONDS)
            if len(self._given) > MOST_CODES:
                self._given.popitem(last=False)
        return code

    def redeem(self, form: Mapping[str, str]) -> SignedIn:
        """Return who signed in, for a code and what belongs to it (RFC 6749 section 4.1.3).

        A code is used up by the first attempt, whatever comes of it.

        Raises:
            GrantError: if they do not fit, or the code is not good any more.
        """
        with self._turn:
            found = self._given.pop(form.get("code", ""), None)
        if found is None or found[1] <= self._monotonic():
            raise GrantError("invalid_grant")
        asked = found[0].asked
        if (
            asked.client_id != form.get("client_id")
            or asked.redirect_uri != form.get("redirect_uri")
            or not _is_verifier(form.get("code_verifier", ""), asked.code_challenge)
        ):
            raise GrantError("invalid_grant")
        return found[0]


def _is_verifier(verifier: str, challenge: str) -> bool:
    if len(verifier) not in _VERIFIER_CHARACTERS or not verifier.isascii():
        return False
    digest = hashlib.sha256(verifier.encode("ascii")).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode("ascii") == challenge


def _is_on_this_machine(url: str) -> bool:
    """Say whether a redirection stays on this machine (RFC 8252 section 7.3)."""
    try:
        address = urlsplit(url)
        host = address.hostname or ""
        _ = address.port
    except ValueError:
        return False
    if address.scheme != "http" or address.username is not None or not url.isprintable():
        return False
    if address.fragment or " " in url or "\\" in url:
        return False
    return host == "localhost" or _is_loopback(host)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
