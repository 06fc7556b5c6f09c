# SPDX-License-Identifier: Apache-2.0
"""The development issuer signs what it is asked to, with a key that stays where it is kept."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from clients.connection import CallError, development_approval, development_token
from vault.api.v1.vault_pb2 import (
    APPROVAL_KIND_OIDC_STEP_UP,
    APPROVAL_KIND_SESSION,
    ApprovalChallenge,
)
from vault.domain.canonical import b64
from vault.server.development.issuer import ISSUER, DevelopmentIssuer
from vault.server.issuer_keys import FixedKeys
from vault.server.step_up import OpenIdStepUp

CHALLENGE = bytes(range(32))


def challenge(*kinds: int) -> ApprovalChallenge:
    return ApprovalChallenge(
        challenge=CHALLENGE,
        accepted_kinds=kinds,  # type: ignore[arg-type]
        step_up_client_id="the-client",
    )


def verify(issuer: DevelopmentIssuer, token: bytes, sub: str = "mair") -> None:
    step_up = OpenIdStepUp(FixedKeys(issuer.jwks), "the-client")
    asyncio.run(step_up.verify(token, ISSUER, sub, b64(CHALLENGE)))


def test_what_it_signs_approves_a_decision() -> None:
    issuer = DevelopmentIssuer("development", "citizen-vault")
    issuer.start()
    try:
        approval = development_approval(issuer.url, "mair", challenge(APPROVAL_KIND_OIDC_STEP_UP))

        assert approval is not None
        verify(issuer, approval.proof)
    finally:
        issuer.close()


def test_nobody_is_asked_where_it_is_not_taken() -> None:
    offered = challenge(APPROVAL_KIND_SESSION)

    assert development_approval("http://127.0.0.1:1", "mair", offered) is None


def test_an_issuer_that_is_not_there_is_told() -> None:
    offered = challenge(APPROVAL_KIND_OIDC_STEP_UP)

    with pytest.raises(CallError) as caught:
        development_approval("http://127.0.0.1:1", "mair", offered)

    assert caught.value.code == "UNAVAILABLE"


def test_what_was_signed_before_a_restart_can_still_be_verified(tmp_path: Path) -> None:
    file = tmp_path / "data" / "key.json"
    before = DevelopmentIssuer("development", "citizen-vault", file)
    token = before.id_token("mair", b64(CHALLENGE), "the-client").encode()
    before.close()

    after = DevelopmentIssuer("development", "citizen-vault", file)
    after.close()

    verify(after, token)
    assert file.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("text", ["", "{}", "not JSON", json.dumps({"kty": "EC"})])
def test_a_broken_key_is_made_again(tmp_path: Path, text: str) -> None:
    file = tmp_path / "key.json"
    file.write_text(text)

    issuer = DevelopmentIssuer("development", "citizen-vault", file)
    issuer.close()

    verify(issuer, issuer.id_token("mair", b64(CHALLENGE), "the-client").encode())


def test_who_asks_without_a_nonce_gets_no_id_token() -> None:
    issuer = DevelopmentIssuer("development", "citizen-vault")
    issuer.start()
    try:
        assert development_token(issuer.url, "citizen", "mair").count(".") == 2
    finally:
        issuer.close()
