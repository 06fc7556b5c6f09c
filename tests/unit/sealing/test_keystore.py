# SPDX-License-Identifier: Apache-2.0
"""The deployment's secrets, and the names under which identities are found."""

import hashlib
import hmac

from rich.pretty import pretty_repr

from vault.domain import canonical
from vault.sealing.keystore import Secrets, identity_name, new_secrets

CANARY = b"canary-secret-0123456789abcdefgh"
SECRETS = Secrets(CANARY, CANARY, CANARY, CANARY, "receipt-key")


def test_no_secret_is_shown() -> None:
    shown = repr(SECRETS) + str(SECRETS) + pretty_repr(SECRETS)

    assert "canary" not in shown


def test_new_secrets_have_nothing_in_common() -> None:
    first, second = new_secrets(), new_secrets()
    secrets = [
        secret
        for drawn in (first, second)
        for secret in (drawn.request_key, drawn.index_key, drawn.token_key, drawn.receipt_seed)
    ]

    assert {len(secret) for secret in secrets} == {32}
    assert len(set(secrets)) == 8
    assert first.receipt_key_id != second.receipt_key_id


def test_an_identity_is_named_by_an_hmac_of_authority_and_name() -> None:
    expected = hmac.new(CANARY, b'["https://issuer.example","sub"]', hashlib.sha256).digest()

    assert identity_name(SECRETS, "https://issuer.example", "sub") == canonical.b64(expected)


def test_names_do_not_run_into_each_other() -> None:
    assert identity_name(SECRETS, "a", "bc") != identity_name(SECRETS, "ab", "c")
