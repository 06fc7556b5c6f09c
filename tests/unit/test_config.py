# SPDX-License-Identifier: Apache-2.0
"""The configuration: what a good one says, and that a bad one names everything wrong with it."""

from __future__ import annotations

from pathlib import Path

import pytest

from vault.configuration.config import POSTGRES, Postgres, read_config, read_owner
from vault.configuration.settings import PREFIX, ConfigError

DEVELOPMENT = {"DATA": "/data", "ENVIRONMENT": "development"}
PRODUCTION = {
    "DATA": "/data",
    "DEPLOYMENT": "vault.aber.example",
    "HANDOFF_URI": "https://vault.aber.example/asked/",
    "ISSUER": "https://login.aber.example",
    "JWKS_URL": "https://login.aber.example/jwks",
    "ALLOW_FILE_WRAPPER_IN_PRODUCTION": "yes",
}
ON_POSTGRES = {
    "STORE": "vault.store.postgres",
    "POSTGRES": "host=db.aber.example dbname=events user=vault",
    "POSTGRES_KEYS": "host=keys.aber.example dbname=keys user=vault",
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
        ("DURABILITY", "standby"),
        ("DURABILITY", "weak"),
        ("PROCESSES", "0"),
        ("PROCESSES", "129"),
        ("REMEMBERED_STATES", "0"),
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
        ("NEW_SIGN_IN_WAIT_SECONDS", "0"),
        ("NEW_SIGN_IN_WAIT_SECONDS", "2592001"),
    ],
)
def test_a_bad_setting_is_named(name: str, value: str) -> None:
    assert name in faults({**PRODUCTION, name: value})


def test_a_new_sign_in_waits_for_three_days_unless_said() -> None:
    usual = read_config(settings(PRODUCTION))
    short = read_config(settings({**PRODUCTION, "NEW_SIGN_IN_WAIT_SECONDS": "3600"}))

    assert (usual.new_sign_in_wait_seconds, short.new_sign_in_wait_seconds) == (259_200, 3600)


def test_repr_hides_where_the_key_lies() -> None:
    config = read_config(settings({**DEVELOPMENT, "KEY_FILE": "/media/key"}))

    assert "/media/key" not in repr(config)


def test_a_bad_setting_is_not_repeated() -> None:
    with pytest.raises(ConfigError) as caught:
        read_config(settings({**DEVELOPMENT, "DEPLOYMENT": "Somebody's password"}))

    assert "password" not in str(caught.value)


# --- Where events and keys are


def test_events_and_keys_are_files_unless_said() -> None:
    store = read_config(settings(PRODUCTION)).store

    assert (store.module, store.postgres) == ("vault.store.sqlite", None)
    assert not store.needs_standby


def test_postgres_has_two_databases() -> None:
    store = read_config(settings({**DEVELOPMENT, **ON_POSTGRES})).store

    assert store.module == POSTGRES
    assert store.postgres == Postgres(ON_POSTGRES["POSTGRES"], ON_POSTGRES["POSTGRES_KEYS"])


@pytest.mark.parametrize(
    ("base", "durability", "needs_standby"),
    [
        (PRODUCTION, "", True),
        (PRODUCTION, "local", False),
        (DEVELOPMENT, "", False),
        (DEVELOPMENT, "standby", True),
    ],
)
def test_production_on_postgres_needs_a_standby_unless_said(
    base: dict[str, str], durability: str, *, needs_standby: bool
) -> None:
    config = read_config(settings({**base, **ON_POSTGRES, "DURABILITY": durability}))

    assert config.store.needs_standby is needs_standby


def test_postgres_without_databases_names_both() -> None:
    assert faults({**DEVELOPMENT, "STORE": POSTGRES}) == ["POSTGRES", "POSTGRES_KEYS"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("POSTGRES", "host=db dbname=events password=hunter2"),
        ("POSTGRES", "host=db dbname=events password = 'hunter2'"),
        ("POSTGRES", "host=db dbname=events sslpassword=hunter2"),
        ("POSTGRES", "postgresql://vault:hunter2@db/events"),
        ("POSTGRES", "postgres://db/events?user=vault&password=hunter2"),
        ("POSTGRES", "postgresql://db/events?pass%77ord=hunter2"),
        ("POSTGRES_KEYS", "dbname='keys' password=hunter2"),
        ("POSTGRES", "host=db user=vault"),
        ("POSTGRES", "postgresql://vault@db"),
        ("POSTGRES", "dbname=events hunter2"),
        ("POSTGRES", "dbname='events"),
        ("POSTGRES", "postgresql://vault@db:hunter2/events"),
        ("POSTGRES_KEYS", ON_POSTGRES["POSTGRES"]),
        ("POSTGRES_KEYS", "postgresql://other@DB.aber.example:5432/events"),
        ("POSTGRES_KEYS", "port=5432 dbname = 'events' host='db.aber.example' user=other"),
        ("POSTGRES_KEYS", "host=standby.example,db.aber.example dbname=events"),
    ],
)
def test_a_bad_database_is_named_and_not_repeated(name: str, value: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read_config(settings({**DEVELOPMENT, **ON_POSTGRES, name: value}))

    (fault,) = caught.value.faults
    assert fault.startswith(f"{PREFIX}{name} ")
    assert "hunter2" not in fault


@pytest.mark.parametrize(
    "keys",
    [
        "host=db.aber.example dbname=keys",
        "host=db.aber.example port=5433 dbname=events",
        "host=keys.aber.example dbname=events",
        "postgresql://keys.aber.example,db.aber.example:5433/events",
        "postgresql://%2Frun%2Fpostgres/events?user=vault",
        "service=keys",
        r"host=db.aber.example dbname=e\vents\ too passfile='/etc/vault/pass file'",
    ],
)
def test_another_server_port_or_name_is_another_database(keys: str) -> None:
    config = read_config(settings({**DEVELOPMENT, **ON_POSTGRES, "POSTGRES_KEYS": keys}))

    assert config.store.postgres is not None
    assert config.store.postgres.keys == keys


def test_repr_hides_where_the_databases_are() -> None:
    config = read_config(settings({**DEVELOPMENT, **ON_POSTGRES}))

    assert "aber.example" not in repr(config.store)


def test_the_owner_has_settings_of_its_own() -> None:
    owner = {f"OWNER_{name}": ON_POSTGRES[name] for name in ("POSTGRES", "POSTGRES_KEYS")}

    assert read_owner(settings(owner)).events == ON_POSTGRES["POSTGRES"]
    with pytest.raises(ConfigError, match="OWNER_POSTGRES_KEYS is missing"):
        read_owner(settings({"OWNER_POSTGRES": ON_POSTGRES["POSTGRES"]}))


# --- Processes


def test_one_process_serves_unless_said() -> None:
    assert read_config(settings(PRODUCTION)).processes == 1
    assert read_config(settings({**PRODUCTION, "PROCESSES": "8"})).processes == 8
