# SPDX-License-Identifier: Apache-2.0
"""By what citizens approve: both ways in development, none without its settings elsewhere."""

from __future__ import annotations

import pytest

from tests.unit.test_config import DEVELOPMENT, PRODUCTION, faults, settings
from vault.configuration.approvals import DEVELOPMENT_CLIENT, ApprovalSettings
from vault.configuration.config import read_config

RP = {"PASSKEY_RP_ID": "vault.aber.example", "PASSKEY_ORIGINS": "https://vault.aber.example"}


def read(base: dict[str, str], **changed: str) -> ApprovalSettings:
    return read_config(settings({**base, **changed})).approvals


def test_in_production_a_sign_in_stands_unless_said() -> None:
    assert read(PRODUCTION) == ApprovalSettings()


def test_in_development_there_are_both_ways() -> None:
    found = read(DEVELOPMENT)

    assert (found.client_id, found.rp_id) == (DEVELOPMENT_CLIENT, "localhost")
    assert all(f"http://localhost{port}" in found.origins for port in ("", ":8000", ":41234"))
    for other in ("https://localhost", "http://127.0.0.1:8000", "http://localhost.example", ""):
        assert other not in found.origins
    assert not found.is_required


def test_an_issuer_of_ones_own_ends_what_development_brings() -> None:
    own = {"ISSUER": "https://login.aber.example", "JWKS_FILE": "/jwks.json"}

    assert read({**DEVELOPMENT, **own}) == ApprovalSettings()


def test_everything_can_be_said() -> None:
    found = read(
        PRODUCTION,
        APPROVALS="required",
        STEP_UP_CLIENT_ID="the-vault",
        STEP_UP_MAX_AGE_SECONDS="60",
        STEP_UP_ACR_VALUES="high  higher",
        PASSKEY_RP_ID="aber.example",
        PASSKEY_ORIGINS="https://vault.aber.example https://aber.example:8443",
    )

    assert found == ApprovalSettings(
        is_required=True,
        client_id="the-vault",
        acr_values=("high", "higher"),
        max_age_seconds=60,
        rp_id="aber.example",
        origins=frozenset({"https://vault.aber.example", "https://aber.example:8443"}),
    )


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("APPROVALS", {"APPROVALS": "yes"}),
        ("STEP_UP_CLIENT_ID", {"APPROVALS": "required"}),
        ("STEP_UP_CLIENT_ID", {"APPROVALS": "required", **RP}),
        ("STEP_UP_MAX_AGE_SECONDS", {"STEP_UP_MAX_AGE_SECONDS": "0"}),
        ("STEP_UP_MAX_AGE_SECONDS", {"STEP_UP_MAX_AGE_SECONDS": "3601"}),
        ("PASSKEY_ORIGINS", {"PASSKEY_RP_ID": "vault.aber.example"}),
        ("PASSKEY_ORIGINS", {"PASSKEY_ORIGINS": "https://vault.aber.example"}),
        ("PASSKEY_ORIGINS", {**RP, "PASSKEY_ORIGINS": "http://vault.aber.example"}),
        ("PASSKEY_ORIGINS", {**RP, "PASSKEY_ORIGINS": "https://elsewhere.example"}),
        ("PASSKEY_ORIGINS", {**RP, "PASSKEY_ORIGINS": "https://notvault.aber.example"}),
        ("PASSKEY_ORIGINS", {**RP, "PASSKEY_ORIGINS": "https://vault.aber.example/"}),
        ("PASSKEY_ORIGINS", {**RP, "PASSKEY_ORIGINS": "https://vault.aber.example/pages"}),
        ("PASSKEY_ORIGINS", {**RP, "PASSKEY_ORIGINS": "https://Vault.aber.example"}),
        ("PASSKEY_ORIGINS", {**RP, "PASSKEY_ORIGINS": "vault.aber.example"}),
        ("PASSKEY_RP_ID", {**RP, "PASSKEY_RP_ID": "https://vault.aber.example"}),
        ("PASSKEY_RP_ID", {**RP, "PASSKEY_RP_ID": "Vault.aber.example"}),
    ],
)
def test_a_bad_setting_is_named(name: str, given: dict[str, str]) -> None:
    assert name in faults({**PRODUCTION, **given})
