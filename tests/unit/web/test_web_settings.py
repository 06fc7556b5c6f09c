# SPDX-License-Identifier: Apache-2.0
"""What the pages are told: nothing is guessed that has to be said, and nothing unsafe is taken."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from clients.web.settings import (
    PREFIX,
    SettingsError,
    development_settings,
    read_settings,
)

GIVEN = {
    "ORIGIN": "https://your-information.example",
    "TARGET": "vault.example:443",
    "ISSUER": "https://sign-in.example",
    "CLIENT_ID": "the-pages",
    "DATA": "/srv/pages",
}


def environment(**changed: str) -> dict[str, str]:
    return {f"{PREFIX}{name}": value for name, value in {**GIVEN, **changed}.items()}


def test_what_has_to_be_said_is_enough() -> None:
    settings = read_settings(environment())

    assert settings.origin == GIVEN["ORIGIN"]
    assert settings.is_secure
    assert not settings.is_development
    assert settings.client_key is None


@pytest.mark.parametrize("name", sorted(GIVEN))
def test_what_is_missing_is_named(name: str) -> None:
    with pytest.raises(SettingsError, match=f"{PREFIX}{name} is missing"):
        read_settings(environment(**{name: " "}))


@pytest.mark.parametrize(
    "origin",
    [
        "http://your-information.example",
        "https://your-information.example/",
        "https://your-information.example/pages",
        "https://",
        "your-information.example",
    ],
)
def test_an_origin_that_is_none_is_refused(origin: str) -> None:
    with pytest.raises(SettingsError, match="ORIGIN") as caught:
        read_settings(environment(ORIGIN=origin))

    assert "your-information" not in str(caught.value)


@pytest.mark.parametrize("port", ["0", "65536", "-1", "x", "8_000", "٣"])
def test_a_port_that_is_none_is_refused(port: str) -> None:
    with pytest.raises(SettingsError, match="PORT"):
        read_settings(environment(PORT=port))


@pytest.mark.parametrize("name", ["SAFE_PLACE", "AUTHORITY_ADDRESS_EN", "AUTHORITY_ADDRESS_CY"])
@pytest.mark.parametrize("address", ["javascript:alert(1)", "http://weather.example", "/"])
def test_a_place_to_go_to_is_an_https_address(name: str, address: str) -> None:
    with pytest.raises(SettingsError, match=name):
        read_settings(environment(**{name: address}))


def test_names_are_the_operators_in_each_language() -> None:
    settings = read_settings(environment(NAME_CY="Fy mhethau"))

    assert settings.names == {"en": "Your information", "cy": "Fy mhethau"}


def test_in_development_a_servers_folder_says_it_all(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    address = {
        "target": "127.0.0.1:1",
        "http": "http://127.0.0.1:2",
        "issuer": "http://127.0.0.1:3",
    }
    (tmp_path / "data" / "server.json").write_text(json.dumps(address), encoding="utf-8")

    settings = development_settings(tmp_path / "data", 8123)

    assert settings.origin == "http://localhost:8123"
    assert settings.is_development


def test_without_a_server_it_says_so(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="No server runs"):
        development_settings(tmp_path)
