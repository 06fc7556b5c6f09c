# SPDX-License-Identifier: Apache-2.0
"""ID tokens as approvals: of her provider, for us, hers, fresh, and for this decision alone."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from tests.issuer import CLIENT, NAME, Issuer
from vault.domain.errors import ApprovalInvalidError
from vault.server.issuer_keys import FixedKeys
from vault.server.step_up import OpenIdStepUp

SUB = "mair"
NONCE = "n" * 43
ISSUER = Issuer()
NOW = int(time.time())


def is_good(
    token: str | bytes, *, acr_values: tuple[str, ...] = (), max_age_seconds: int = 300
) -> bool:
    step_up = OpenIdStepUp(FixedKeys(ISSUER.jwks), CLIENT, acr_values, max_age_seconds)
    data = token.encode() if isinstance(token, str) else token
    try:
        asyncio.run(step_up.verify(data, NAME, SUB, NONCE))
    except ApprovalInvalidError:
        return False
    return True


def test_what_her_provider_signed_just_now_is_good() -> None:
    assert is_good(ISSUER.id_token(SUB, NONCE))


@pytest.mark.parametrize(
    "claims",
    [
        pytest.param({"iss": "https://elsewhere.example"}, id="another provider"),
        pytest.param({"iss": None}, id="no provider"),
        pytest.param({"aud": "another-program"}, id="for another program"),
        pytest.param({"aud": []}, id="for nobody"),
        pytest.param({"aud": [CLIENT, "another"]}, id="for two, asked for by nobody"),
        pytest.param({"aud": [CLIENT, "another"], "azp": "another"}, id="asked for by another"),
        pytest.param({"azp": "another"}, id="for us, asked for by another"),
        pytest.param({"sub": "rhys"}, id="somebody else's"),
        pytest.param({"sub": None}, id="nobody's"),
        pytest.param({"nonce": "m" * 43}, id="another challenge"),
        pytest.param({"nonce": None}, id="no challenge"),
        pytest.param({"auth_time": NOW - 400}, id="she signed in too long ago"),
        pytest.param({"auth_time": NOW + 3600}, id="she will sign in"),
        pytest.param({"auth_time": None}, id="nobody knows when she signed in"),
        pytest.param({"auth_time": True}, id="a truth is no time"),
        pytest.param({"auth_time": str(NOW)}, id="a text is no time"),
        pytest.param({"iat": NOW - 400}, id="signed too long ago"),
        pytest.param({"iat": NOW + 3600}, id="signed in the future"),
        pytest.param({"exp": NOW - 60}, id="ended"),
        pytest.param({"exp": None}, id="without an end"),
    ],
)
def test_another_token_is_not(claims: dict[str, Any]) -> None:
    assert not is_good(ISSUER.id_token(SUB, NONCE, **claims))


def test_a_token_for_several_that_we_asked_for_is_good() -> None:
    assert is_good(ISSUER.id_token(SUB, NONCE, aud=["another", CLIENT], azp=CLIENT))


def test_what_another_signed_is_not_good() -> None:
    assert not is_good(Issuer().id_token(SUB, NONCE))


def test_an_access_token_is_no_id_token() -> None:
    claims = {"nonce": NONCE, "auth_time": NOW, "aud": CLIENT}

    assert not is_good(ISSUER.token("citizen", SUB, **claims))


@pytest.mark.parametrize("token", ["", "a.b.c", "....", "{}", "\xff".encode("latin-1"), "a" * 9000])
def test_what_is_no_token_is_not_good(token: str | bytes) -> None:
    assert not is_good(token)


def test_how_long_ago_she_may_have_signed_in_can_be_set() -> None:
    token = ISSUER.id_token(SUB, NONCE, auth_time=int(time.time()) - 100)

    assert is_good(token)
    assert not is_good(token, max_age_seconds=60)


@pytest.mark.parametrize(("said", "is_enough"), [("high", True), ("low", False), (None, False)])
def test_how_well_she_was_recognised_can_be_asked_for(said: str | None, *, is_enough: bool) -> None:
    token = ISSUER.id_token(SUB, NONCE, acr=said)

    assert is_good(token, acr_values=("higher", "high")) is is_enough
    assert is_good(token)
