# SPDX-License-Identifier: Apache-2.0
"""`citizen-vault-server fsck`: clean on an honest store, also after a kill; nothing else is.

Every kind of damage is done at random places of copies of one honest store; the seed is printed.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import apsw
import pytest
from psycopg.conninfo import conninfo_to_dict

from tests.postgres import Cluster, new_settings
from tests.server import ROOT, Server, running
from tests.world import World, connected, pdf
from vault.configuration.config import Config, read_config
from vault.fsck.check import check
from vault.fsck.report import Report
from vault.store.record import entry_of

EACH: Final = 5
"""Places at which each kind of damage is done."""

Damage = Callable[[Path, random.Random], None]


def config_of(data: Path) -> Config:
    """Return the configuration of a store."""
    return read_config(
        {"CITIZEN_VAULT_DATA": str(data), "CITIZEN_VAULT_ENVIRONMENT": "development"}
    )


def checked(data: Path) -> Report:
    """Check a store."""
    return check(config_of(data), lambda *_: None)


def kinds(report: Report) -> set[str]:
    """Return what was found."""
    return {finding.kind for finding in report.findings}


@pytest.fixture(scope="module")
def honest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data of a server that was killed in the middle of its work."""
    server = Server(tmp_path_factory.mktemp("fsck"))
    with running(server), connected(server.target) as channel:
        world = World(server, channel)
        world.upload(world.mair, pdf(200_000))
        shared = world.share(world.mair, world.council)
        # More than a tile holds.
        for _ in range(230):
            assert world.disclose(shared).is_ok
        world.revoke(shared)
        shared = world.share(world.citizen(), world.council)
        world.disclose(shared)
        wait_for_checkpoint(server)
        server.kill()
    return server.data


def wait_for_checkpoint(server: Server) -> None:
    """Return once something was published."""
    ((size,),) = server.sql("SELECT count(*) FROM entries")
    published = server.data / "log" / "0" / "checkpoint"
    for _ in range(10_000):
        if published.exists() and int(published.read_text().splitlines()[1]) >= int(str(size)):
            return
        os.sched_yield()
        server.sql("SELECT 1")
    pytest.fail("no checkpoint is published")


@pytest.fixture
def store(honest: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    copy = tmp_path / "data"
    shutil.copytree(honest, copy)
    return copy


def events(data: Path) -> apsw.Connection:
    """Open the events without what protects them."""
    return unprotected(data / "events.db")


def unprotected(file: Path) -> apsw.Connection:
    """Open a database, and drop its triggers."""
    connection = apsw.Connection(str(file))
    names = connection.execute("SELECT name FROM sqlite_schema WHERE type = 'trigger'").fetchall()
    for (name,) in names:
        connection.execute(f"DROP TRIGGER {name}")
    return connection


def flipped(data: bytes, dice: random.Random) -> bytes:
    """Return bytes with one bit changed."""
    at = dice.randrange(len(data))
    return data[:at] + bytes([data[at] ^ 1 << dice.randrange(8)]) + data[at + 1 :]


def flip_column(table: str, column: str, file: str = "events.db") -> Damage:
    """Return what flips a bit in a column of some row."""

    def damage(data: Path, dice: random.Random) -> None:
        with unprotected(data / file) as connection:
            rows: list[Any] = connection.execute(
                f"SELECT rowid, {column} FROM {table}"  # noqa: S608
            ).fetchall()
            rowid, value = dice.choice(rows)
            connection.execute(
                f"UPDATE {table} SET {column} = ? WHERE rowid = ?",  # noqa: S608
                (flipped(value, dice), rowid),
            )

    return damage


def flip_file(pattern: str) -> Damage:
    """Return what flips a bit in some file."""

    def damage(data: Path, dice: random.Random) -> None:
        path = dice.choice(sorted(path for path in data.glob(pattern) if path.is_file()))
        path.write_bytes(flipped(path.read_bytes(), dice))

    return damage


def delete_document(data: Path, dice: random.Random) -> None:
    """Lose a document."""
    dice.choice(sorted(data.glob("documents/??/*"))).unlink()


def change_request_key(data: Path, dice: random.Random) -> None:
    """Name another call in a row."""
    with events(data) as connection:
        rows: list[Any] = connection.execute("SELECT position FROM entries").fetchall()
        connection.execute(
            "UPDATE entries SET request_key = ? WHERE position = ?",
            (f"{dice.getrandbits(64)}", dice.choice(rows)[0]),
        )


def swap_records(data: Path, dice: random.Random) -> None:
    """Let two records change places, their payloads with them."""
    with events(data) as connection:
        rows: list[Any] = connection.execute(
            "SELECT position, topic, state FROM records"
        ).fetchall()
        (a, *one), (b, *other) = dice.sample(rows, 2)
        update = "UPDATE records SET topic = ?, state = ? WHERE position = ?"
        connection.execute(update, (*other, a))
        connection.execute(update, (*one, b))


def rewrite_record(data: Path, dice: random.Random) -> None:
    """Write a record anew, its entry with it: by itself it is sound."""
    with events(data) as connection:
        asked = "SELECT position, state FROM records WHERE topic = 'evidence-disclosed.1'"
        rows: list[Any] = connection.execute(asked).fetchall()
        position, state = dice.choice(rows[:-1])
        link, _, facts = state.partition(b"\n")
        changed = json.loads(facts)
        changed["salt"] = changed["salt"][::-1]
        state = link + b"\n" + json.dumps(changed, separators=(",", ":"), sort_keys=True).encode()
        connection.execute("UPDATE records SET state = ? WHERE position = ?", (state, position))
        connection.execute(
            "UPDATE entries SET entry = ? WHERE position = ?", (entry_of(state), position)
        )


def lose_position(data: Path, dice: random.Random) -> None:
    """Delete an entry with everything beside it, and not the last."""
    with events(data) as connection:
        ((last,),) = connection.execute("SELECT max(position) FROM entries").fetchall()
        position = dice.randrange(int(str(last)))
        for table in ("entries", "records", "payloads"):
            connection.execute(f"DELETE FROM {table} WHERE position = ?", (position,))  # noqa: S608


def lose_entry(data: Path, dice: random.Random) -> None:
    """Delete an entry, and leave what is beside it."""
    with events(data) as connection:
        rows: list[Any] = connection.execute("SELECT position FROM entries").fetchall()
        connection.execute("DELETE FROM entries WHERE position = ?", dice.choice(rows[:-1]))


def cut_tail(data: Path, dice: random.Random) -> None:
    """Delete the last entries with everything beside them."""
    with events(data) as connection:
        ((last,),) = connection.execute("SELECT max(position) FROM entries").fetchall()
        position = int(str(last)) - dice.randrange(10)
        for table in ("entries", "records", "payloads"):
            connection.execute(f"DELETE FROM {table} WHERE position >= ?", (position,))  # noqa: S608


def add_payload(data: Path, dice: random.Random) -> None:
    """Put something beside a record that it does not name."""
    with events(data) as connection:
        rows: list[Any] = connection.execute("SELECT position FROM records").fetchall()
        connection.execute(
            "INSERT INTO payloads VALUES (0, ?, 9, 'note', ?)",
            (dice.choice(rows)[0], dice.randbytes(40)),
        )


def lose_public_payload(data: Path, dice: random.Random) -> None:
    """Delete what the registry published."""
    with events(data) as connection:
        asked = "SELECT rowid FROM payloads WHERE kind IN ('texts', 'definition')"
        rows: list[Any] = connection.execute(asked).fetchall()
        connection.execute("DELETE FROM payloads WHERE rowid = ?", dice.choice(rows))


def lose_keyring(data: Path, dice: random.Random) -> None:
    """Delete the keyring of a stream that has sealed payloads."""
    with unprotected(data / "keys.db") as connection:
        rows: list[Any] = connection.execute("SELECT stream FROM keyrings").fetchall()
        connection.execute("DELETE FROM keyrings WHERE stream = ?", dice.choice(rows))


def raise_floor(data: Path, dice: random.Random) -> None:
    """Have a stream acknowledged further than it goes."""
    with unprotected(data / "keys.db") as connection:
        rows: list[Any] = connection.execute("SELECT stream FROM floors").fetchall()
        connection.execute(
            "UPDATE floors SET version = ? WHERE stream = ?",
            (1_000 + dice.randrange(9), dice.choice(rows)[0]),
        )


def lose_tile(data: Path, dice: random.Random) -> None:
    """Lose a file that the published checkpoint stands on."""
    left = int((data / "log/0/checkpoint").read_text().splitlines()[1]) % 256
    needed = ("tile/0/000", "tile/entries/000", f"tile/0/001.p/{left}", "tile/1/000.p/1")
    (data / "log/0" / dice.choice(needed)).unlink()


def flip_full_tile(data: Path, dice: random.Random) -> None:
    """Flip a bit of a file that holds all that it ever will."""
    path = data / "log/0" / dice.choice(("tile/0/000", "tile/entries/000"))
    path.write_bytes(flipped(path.read_bytes(), dice))


DAMAGES: Final[dict[str, tuple[Damage, set[str]]]] = {
    "record": (flip_column("records", "state"), {"entry-differs"}),
    "entry": (flip_column("entries", "entry"), {"entry-differs"}),
    "payload": (flip_column("payloads", "content"), {"payload-differs"}),
    "request key": (change_request_key, {"request-key-differs"}),
    "swapped records": (swap_records, {"record-elsewhere", "entry-differs"}),
    "position": (lose_position, {"position-missing"}),
    "entry lost": (lose_entry, {"position-missing", "row-without-entry"}),
    "tail": (cut_tail, {"log-differs"}),
    "added payload": (add_payload, {"payload-unnamed"}),
    "public payload": (lose_public_payload, {"payload-missing"}),
    "document": (flip_file("documents/??/*"), {"document-differs"}),
    "document lost": (delete_document, {"document-missing"}),
    "keyring": (flip_column("keyrings", "sealed", "keys.db"), {"key-row-damaged", "key-missing"}),
    "keyring lost": (lose_keyring, {"key-missing"}),
    "identity": (flip_column("identities", "sealed", "keys.db"), {"key-row-damaged"}),
    "secrets": (flip_column("secrets", "wrapped_key", "keys.db"), {"key-row-damaged"}),
    "key of the log": (flip_column("logs", "sealed", "keys.db"), {"key-row-damaged"}),
    "floor": (raise_floor, {"floor-above-stream"}),
    "tile": (flip_file("log/0/tile/**/*"), {"log-file-damaged"}),
    "rewritten record": (rewrite_record, {"chain-broken", "log-differs", "log-file-damaged"}),
    "full tile": (flip_full_tile, {"log-file-damaged"}),
    "tile lost": (lose_tile, {"log-file-missing"}),
}


def test_an_honest_store_is_clean_after_a_kill_and_nothing_is_changed(store: Path) -> None:
    """The journal of what was under way is read, not written."""
    before = {
        path: path.read_bytes()
        for path in store.rglob("*")
        # SQLite's index of its journal is shared memory.
        if path.is_file() and not path.name.endswith("-shm")
    }

    report = checked(store)

    assert report.is_clean, report.as_text()
    assert report.counts["documents"] == 1
    assert report.counts["entries"] == report.counts["records"] > 40
    assert [head["holds"] for head in report.heads] == [True, True]
    assert {path: path.read_bytes() for path in before} == before


@pytest.mark.parametrize("name", DAMAGES)
def test_damage_is_found(name: str, honest: Path, tmp_path: Path) -> None:
    damage, expected = DAMAGES[name]
    seed = random.SystemRandom().getrandbits(32)
    print(f"seed {seed}")  # noqa: T201 - of what is random
    dice = random.Random(seed)

    for number in range(EACH):
        data = tmp_path / str(number)
        shutil.copytree(honest, data)
        damage(data, dice)

        report = checked(data)

        assert kinds(report) >= expected, (seed, number, report.as_text())
        assert report.as_json()["clean"] is False


def test_a_changed_checkpoint_is_found(honest: Path, tmp_path: Path) -> None:
    """Wherever the bit is: in the text, in the name of the key or in the signature."""
    seed = random.SystemRandom().getrandbits(32)
    print(f"seed {seed}")  # noqa: T201 - of what is random
    dice = random.Random(seed)

    for number in range(EACH):
        data = tmp_path / str(number)
        shutil.copytree(honest, data)
        flip_file("log/0/checkpoint")(data, dice)

        report = checked(data)

        found = kinds(report)
        assert found & {"log-file-damaged", "log-differs"}, (seed, number, report.as_text())


def test_yesterdays_events_beside_todays_keys_are_found(store: Path) -> None:
    """What was signed and acknowledged since is known to the key store."""
    cut_tail(store, random.Random(7))

    report = checked(store)

    assert "log-differs" in kinds(report)
    assert [head["holds"] for head in report.heads] == [False, False]


def test_the_command_tells_and_has_exit_codes(store: Path, tmp_path: Path) -> None:
    clean = run("--json", data=store)
    delete_document(store, random.Random(1))
    found = run(data=store)
    absent = run(data=tmp_path / "nowhere")
    wrong = run("--all", data=store)

    assert (clean.returncode, json.loads(clean.stdout)["clean"]) == (0, True)
    assert found.returncode == 1
    assert "document-missing" in found.stdout
    assert absent.returncode == 3
    assert absent.stderr.startswith("Not checked: ")
    assert wrong.returncode == 2
    assert not (tmp_path / "nowhere").exists()


def run(*arguments: str, data: Path) -> subprocess.CompletedProcess[str]:
    """Run the command as an operator does."""
    return subprocess.run(
        [sys.executable, "-m", "vault.main", "fsck", "--data", str(data), *arguments],
        cwd=ROOT,
        check=False,
        capture_output=True,
        text=True,
        env={
            **{name: value for name, value in os.environ.items() if "VAULT" not in name},
            "CITIZEN_VAULT_ENVIRONMENT": "development",
        },
    )


def test_on_postgresql_it_finds_the_same(cluster: Cluster, tmp_path: Path) -> None:
    """A flipped bit, put there by whoever may do everything."""
    settings = new_settings(cluster)
    server = Server(tmp_path / "server", settings=settings)
    with running(server), connected(server.target) as channel:
        world = World(server, channel)
        assert world.disclose(world.share(world.mair, world.council)).is_ok
    config = read_config(
        {
            **settings,
            "CITIZEN_VAULT_DATA": str(server.data),
            "CITIZEN_VAULT_ENVIRONMENT": "development",
        }
    )
    honest = check(config, lambda *_: None)
    name = conninfo_to_dict(settings["CITIZEN_VAULT_POSTGRES"])["dbname"]
    found = []
    for table, column in (("payloads", "content"), ("records", "state")):
        cluster.run(f"ALTER TABLE citizen_vault.{table} DISABLE TRIGGER ALL", name)
        cluster.run(
            f"UPDATE citizen_vault.{table} SET {column} = "  # noqa: S608
            f"set_byte({column}, 20, get_byte({column}, 20) # 1) WHERE position = 9",
            name,
        )
        found.append(check(config, lambda *_: None))

    assert honest.is_clean, honest.as_text()
    assert honest.counts["keyrings"] >= 1
    assert all(head["holds"] for head in honest.heads)
    assert kinds(found[0]) == {"payload-differs"}
    assert kinds(found[1]) >= {"entry-differs"}
    assert {one.position for report in found for one in report.findings} <= {-1, 9, 10}
