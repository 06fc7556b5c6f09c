# SPDX-License-Identifier: Apache-2.0
"""Yesterday's backup, and two instances with one key: the log refuses to sign, and says what to do.

Nothing else stops: a log that is not signed is an operator's trouble, and no citizen's.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from grpc_health.v1 import health
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse

from tests.faults.log_steps import program
from tests.faults.prefork import ForkedServer, Forks, forks
from tests.logs import must_be_served
from tests.published import SECONDS, PublishedLog
from tests.server import ROOT, Server, running
from tests.witnesses import RecordingWitness, log_keys
from tests.world import World, connected
from vault.transparency.checkpoint import Checkpoint, open_checkpoint
from vault.transparency.note import Note, Verifier

pytestmark = pytest.mark.timeout(120)

NOT_SERVING = HealthCheckResponse.NOT_SERVING
STORE = ("events.db", "documents", "views")
KEYS = ("keys.db",)


@pytest.fixture(scope="module")
def forked() -> Iterator[Forks]:
    with forks() as started:
        yield started


@pytest.fixture
def server(tmp_path: Path, forked: Forks) -> ForkedServer:
    return ForkedServer(tmp_path / "server", forks=forked)


def append(server: Server) -> None:
    """Append something."""
    with connected(server.target) as channel:
        World(server, channel).citizen()


def published(server: Server) -> Checkpoint:
    """Return what is published, from the folder."""
    note = Note.parse((server.data / "log" / "0" / "checkpoint").read_bytes())
    return Checkpoint.parse(note.text)


def has_gone_on_since_a_backup(server: Server) -> PublishedLog:
    """Have a server append and publish, be backed up, append and publish more, and stop."""
    log = PublishedLog(server)
    with running(server):
        append(server)
        log.up_to_date()
        assert server.stop() == 0
        shutil.copytree(server.data, server.folder / "backup")
        server.start()
        append(server)
        log.up_to_date()
        assert server.stop() == 0
    return log


def restore(server: Server, names: Sequence[str]) -> None:
    """Put parts of the backup in the place of what is there."""
    for name in names:
        for path in server.data.glob(f"{name}*"):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        source = server.folder / "backup" / name
        copy = shutil.copytree if source.is_dir() else shutil.copy2
        copy(source, server.data / name)


def log_health(server: Server) -> int:
    """Return what health tells of the log."""
    check = f"/{health.SERVICE_NAME}/Check"
    with connected(server.target) as channel:
        ask = channel.unary_unary(check, response_deserializer=HealthCheckResponse.FromString)
        answer: HealthCheckResponse = ask(
            HealthCheckRequest(service="vault.log").SerializeToString()
        )
        return int(answer.status)


@contextmanager
def refusing(server: Server) -> Iterator[str]:
    """Run a server whose log must refuse to sign, and say what it tells its operator."""
    before = published(server)
    already = server.written.stat().st_size if server.written.exists() else 0
    with running(server):
        give_up = time.monotonic() + SECONDS
        while log_health(server) != NOT_SERVING:
            assert time.monotonic() < give_up, "it does not refuse"
            time.sleep(0.02)
        with connected(server.target) as channel:
            # Everything else is served.
            World(server, channel).citizen()
        yield server.written.read_text()[already:]
        assert published(server) == before
        assert server.stop() == 0
    assert published(server) == before


def test_a_store_of_yesterday_is_not_signed(server: ForkedServer) -> None:
    log = has_gone_on_since_a_backup(server)
    signed = published(server).size
    restore(server, STORE)

    with refusing(server) as told:
        assert f"has signed {signed} entries and the event store holds" in told
        assert "citizen-vault-server tail replay" in told
        assert log.size() == signed


def test_a_store_of_yesterday_whose_tail_was_put_back_is_signed_on(server: ForkedServer) -> None:
    log = has_gone_on_since_a_backup(server)
    tail = server.folder / "tail"
    run_tail(server, "save", str(tail))
    restore(server, STORE)
    with refusing(server):
        pass
    restore(server, STORE)

    run_tail(server, "replay", str(tail))

    with running(server):
        append(server)
        (vkey,) = log_keys(server)
        checkpoint = open_checkpoint(log.up_to_date(), [Verifier.of(vkey)])
        must_be_served(log.get, checkpoint, log.entries())


def run_tail(server: Server, *arguments: str) -> None:
    """Run the operator's command on a server's data."""
    environment = {"CITIZEN_VAULT_ENVIRONMENT": "development", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "vault.main", "tail", *arguments, "--data", str(server.data)]
    subprocess.run(command, cwd=ROOT, env=environment, check=True, stdout=subprocess.DEVNULL)


def test_a_store_that_went_on_otherwise_is_not_signed(server: ForkedServer) -> None:
    """After a restart, too, when it is as long as what was signed."""
    log = has_gone_on_since_a_backup(server)
    restore(server, STORE)
    with refusing(server):
        while len(log.entries()) <= published(server).size:
            append(server)

    with refusing(server) as told:
        assert "are not those that the log citizen-vault.localhost/0 has signed" in told


def test_keys_of_yesterday_sign_nothing(server: ForkedServer) -> None:
    has_gone_on_since_a_backup(server)
    restore(server, KEYS)

    with refusing(server) as told:
        assert "the key store was restored from a backup" in told


def test_everything_of_yesterday_is_not_signed_where_a_witness_saw_more(
    server: ForkedServer, tmp_path: Path
) -> None:
    witness = RecordingWitness(tmp_path / "witness")
    server.settings["CITIZEN_VAULT_LOG_POLICY"] = str(tmp_path / "policy")
    (tmp_path / "policy").write_text(witness.policy)
    with running(server):
        witness.know(*log_keys(server))
        assert server.stop() == 0
    has_gone_on_since_a_backup(server)
    witnessed = published(server).size
    restore(server, (*STORE, *KEYS, "log"))

    with refusing(server) as told:
        assert f"has cosigned {witnessed} entries of this log" in told
    witness.close()


def test_a_second_instance_with_the_same_key_store_signs_no_other_history(
    server: ForkedServer, tmp_path: Path, forked: Forks
) -> None:
    log = has_gone_on_since_a_backup(server)
    other = ForkedServer(tmp_path / "other", forks=forked)
    shutil.copytree(server.folder / "backup", other.data)
    with running(server):
        for path in other.data.glob("keys.db*"):
            path.unlink()
        (other.data / "keys.db").symlink_to(server.data / "keys.db")

        with refusing(other) as told:
            assert "Nothing is signed" in told
            append(server)
            log.up_to_date()


def test_a_second_instance_with_a_copied_key_is_stopped_by_the_witness(
    server: ForkedServer, tmp_path: Path, forked: Forks
) -> None:
    witness = RecordingWitness(tmp_path / "witness")
    settings = {"CITIZEN_VAULT_LOG_POLICY": str(tmp_path / "policy")}
    (tmp_path / "policy").write_text(witness.policy)
    server.settings.update(settings)
    with running(server):
        witness.know(*log_keys(server))
        assert server.stop() == 0
    log = has_gone_on_since_a_backup(server)
    other = ForkedServer(tmp_path / "other", forks=forked, settings=settings)
    shutil.copytree(server.data, other.data)
    with running(server):
        append(server)
        log.up_to_date()

        with refusing(other) as told:
            assert "two servers use copies of one key" in told
    witness.close()


def test_a_log_that_compares_nothing_is_found_out(server: ForkedServer, tmp_path: Path) -> None:
    """Else the others say nothing: this one signs two roots of one size."""
    server.program = program(tmp_path, "trusting")
    log = has_gone_on_since_a_backup(server)
    signed = published(server).size
    restore(server, STORE)

    def go_on() -> None:
        append(server)
        assert len(log.entries()) == signed
        give_up = time.monotonic() + SECONDS
        while time.monotonic() < give_up:
            log.note()
            time.sleep(0.02)

    with running(server), pytest.raises(AssertionError, match="two roots"):
        go_on()
