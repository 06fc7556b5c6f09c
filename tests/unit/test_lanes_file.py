# SPDX-License-Identifier: Apache-2.0
"""The file of lanes: what it says, and what is said of a wrong one without quoting it."""

from __future__ import annotations

from pathlib import Path

import pytest

from vault.configuration import lanes_file
from vault.configuration.config import read_config
from vault.configuration.lanes_file import LARGEST_COUNT, ONE_LANE, read_lanes
from vault.configuration.settings import ConfigError
from vault.domain import lane

SECRET = "a-word-nobody-may-see"


def same(text: str) -> str:
    return text


def test_each_line_names_a_lane() -> None:
    text = """
    # the first server is full
    0  full
    1  full              host=db-1 dbname=vault
    12 takes-new-vaults  host=db-2 dbname='a vault'
    """

    read = read_lanes(text, same)

    assert read.databases == {1: "host=db-1 dbname=vault", 12: "host=db-2 dbname='a vault'"}
    assert read.full == {0, 1}


def test_the_first_lane_takes_new_vaults_unless_it_is_said_to_be_full() -> None:
    assert read_lanes("1 full there", same).full == {1}
    assert read_lanes("", same) == ONE_LANE


@pytest.mark.parametrize(
    ("text", "what"),
    [
        (f"{SECRET} full x", "line 1, which must begin with a number from 0 to 65535"),
        ("65536 full x", "line 1, which must begin with a number from 0 to 65535"),
        ("-1 full x", "line 1, which must begin with a number"),
        ("\n# ok\n1", "line 3, which must say takes-new-vaults or full"),
        (f"1 {SECRET} x", "line 1, which must say takes-new-vaults or full"),
        ("1 full", "line 1, which names no database"),
        (f"0 full {SECRET}", "line 1, which names a database for lane 0"),
        (f"1 full x\n1 full {SECRET}", "line 2, which names a lane a second time"),
        ("0 full", "has no lane that takes new vaults"),
        ("0 full\n1 full x", "has no lane that takes new vaults"),
        (
            "\n".join(f"{n} full db-{n}" for n in range(1, LARGEST_COUNT + 1)),
            f"names more than {LARGEST_COUNT} lanes",
        ),
    ],
)
def test_what_is_wrong_is_said_and_not_quoted(text: str, what: str) -> None:
    with pytest.raises(ValueError, match=what) as error:
        read_lanes(text, same)

    assert SECRET not in str(error.value)


def test_what_is_wrong_with_a_database_is_said_with_its_line() -> None:
    def refuse(text: str) -> str:
        raise ValueError("is none of ours" if text == SECRET else "")

    with pytest.raises(ValueError, match="line 2, which is none of ours"):
        read_lanes(f"# one\n1 full {SECRET}", refuse)


def test_its_numbers_are_those_of_the_domain() -> None:
    assert (lanes_file.FIRST_LANE, lanes_file.LARGEST_LANE) == (lane.FIRST_LANE, lane.LARGEST_LANE)


# --- In the configuration


def configured(folder: Path, text: str, **changes: str) -> dict[str, str]:
    file = folder / "lanes"
    file.write_text(text)
    return {
        "CITIZEN_VAULT_ENVIRONMENT": "development",
        "CITIZEN_VAULT_DATA": str(folder),
        "CITIZEN_VAULT_LANES_FILE": str(file),
        **changes,
    }


def faults_of(settings: dict[str, str]) -> tuple[str, ...]:
    with pytest.raises(ConfigError) as caught:
        read_config(settings)
    return caught.value.faults


POSTGRES = {
    "CITIZEN_VAULT_STORE": "vault.store.postgres",
    "CITIZEN_VAULT_POSTGRES": "host=db-0 dbname=events",
    "CITIZEN_VAULT_POSTGRES_KEYS": "host=db-0 dbname=keys",
}


def test_without_a_file_there_is_one_lane(tmp_path: Path) -> None:
    settings = configured(tmp_path, "")
    del settings["CITIZEN_VAULT_LANES_FILE"]

    assert read_config(settings).store.lanes == ONE_LANE


def test_a_file_of_sqlite_lies_in_the_data_folder(tmp_path: Path) -> None:
    text = "1 full lane-1.db\n2 takes-new-vaults /elsewhere/lane-2.db"

    lanes = read_config(configured(tmp_path, text)).store.lanes

    assert lanes.databases == {1: str(tmp_path / "lane-1.db"), 2: "/elsewhere/lane-2.db"}


def test_a_database_of_postgres_is_a_connection_string(tmp_path: Path) -> None:
    settings = configured(tmp_path, "1 full host=db-1 dbname=events", **POSTGRES)

    config = read_config(settings)

    assert config.store.lanes.databases == {1: "host=db-1 dbname=events"}
    assert "db-1" not in repr(config)


@pytest.mark.parametrize(
    ("text", "settings", "what"),
    [
        (f"1 full dbname=x password={SECRET}", POSTGRES, "line 1, which holds a password"),
        ("1 full host=db-1", POSTGRES, "line 1, which names no database: add dbname"),
        ("1 full host=db-0 dbname=events", POSTGRES, "another lane's, or of keys"),
        ("1 full host=db-0 dbname=keys", POSTGRES, "another lane's, or of keys"),
        ("1 full dbname=x\n2 full dbname=x", POSTGRES, "line 2, which names a database that is"),
        ("1 full events.db", {}, "another lane's, or of keys"),
        ("1 full ./keys.db", {}, "another lane's, or of keys"),
        ("1 full a.db\n2 full a.db", {}, "line 2, which names a database that is"),
    ],
)
def test_no_two_lanes_lie_in_one_database_nor_any_beside_keys(
    tmp_path: Path, text: str, settings: dict[str, str], what: str
) -> None:
    (fault,) = faults_of(configured(tmp_path, text, **settings))

    assert fault.startswith("CITIZEN_VAULT_LANES_FILE is wrong in line")
    assert what in fault
    assert SECRET not in fault


def test_a_file_that_cannot_be_read_is_a_fault(tmp_path: Path) -> None:
    settings = configured(tmp_path, "")
    (tmp_path / "lanes").unlink()

    (fault,) = faults_of(settings)

    assert fault.startswith("CITIZEN_VAULT_LANES_FILE cannot be read")
