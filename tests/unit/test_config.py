# SPDX-License-Identifier: Apache-2.0
"""The configuration: what a good one says, and that a bad one names everything wrong with it."""

from __future__ import annotations

from pathlib import Path

import pytest

from vault.config import PREFIX, ConfigError, read_config

DEVELOPMENT = {"DATA": "/data", "ENVIRONMENT": "development"}
PRODUCTION = {
    "DATA": "/data",
    "DEPLOYMENT": "vault.aber.example",
    "HANDOFF_URI": "https://vault.aber.example/asked/",
    "ISSUER": "https://login.aber.example",
    "JWKS_URL": "https://login.aber.example/jwks",
    "ALLOW_FILE_WRAPPER_IN_PRODUCTION": "yes",
}


def settings(values: dict[str, str]) -> dict[str, str]:
    return {PREFIX + name: value for name, value in values.items()}


def faults(values: dict[str, str]) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        read_config(settings(values))
    return [fault.removeprefix(PREFIX).split(" ")[0] for fault in caught.value.faults]


def test_development_needs_a_folder_only() -> None:
    config = read_config(settings(DEVELOPMENT))

    assert config.issuer is None
    assert config.key_file == Path("/data/wrapping.key")


def test_both_addresses_take_a_free_port_unless_said() -> None:
    config = read_config(settings(DEVELOPMENT))

    assert ((config.host, config.port), config.http_address) == (("127.0.0.1", 0),) * 2


def test_http_has_an_address_of_its_own() -> None:
    config = read_config(settings({**DEVELOPMENT, "HTTP_LISTEN": "[::1]:8080"}))

    assert config.http_address == ("::1", 8080)
    assert config.port == 0


def test_origin_is_the_deployment_and_its_lane() -> None:
    assert read_config(settings(PRODUCTION)).origin == "vault.aber.example/0"


def test_production_is_what_is_not_said() -> None:
    assert not read_config(settings(PRODUCTION)).is_development


def test_production_names_all_that_is_missing_at_once() -> None:
    expected = {"DATA", "DEPLOYMENT", "HANDOFF_URI", "ISSUER", "ALLOW_FILE_WRAPPER_IN_PRODUCTION"}

    assert set(faults({})) == expected


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("HTTP_LISTEN", "0.0.0.0:80"),
        ("HTTP_LISTEN", "127.0.0.1"),
        ("LISTEN", "0.0.0.0:443"),
        ("LISTEN", "127.0.0.1"),
        ("LISTEN", "127.0.0.1:65536"),
        ("LISTEN", "[::]:1"),
        ("LISTEN", "vault.aber.example:443"),
        ("ENVIRONMENT", "staging"),
        ("STORE", "os"),
        ("DEPLOYMENT", "Aber Vault"),
        ("DEPLOYMENT", "aber/1"),
        ("HANDOFF_URI", "http://aber.example/"),
        ("HANDOFF_URI", "https://user@aber.example/"),
        ("ISSUER", "http://login.aber.example"),
        ("JWKS_FILE", "/keys.json"),
        ("ALLOW_FILE_WRAPPER_IN_PRODUCTION", "true"),
        ("CALLS", "0"),
        ("CALLS", "many"),
        ("DRAIN_SECONDS", "-1"),
    ],
)
def test_a_bad_setting_is_named(name: str, value: str) -> None:
    assert name in faults({**PRODUCTION, name: value})


def test_repr_hides_where_the_key_lies() -> None:
    config = read_config(settings({**DEVELOPMENT, "KEY_FILE": "/media/key"}))

    assert "/media/key" not in repr(config)


def test_a_bad_setting_is_not_repeated() -> None:
    with pytest.raises(ConfigError) as caught:
        read_config(settings({**DEVELOPMENT, "DEPLOYMENT": "Somebody's password"}))

    assert "password" not in str(caught.value)
