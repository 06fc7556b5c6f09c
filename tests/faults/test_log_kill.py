# SPDX-License-Identifier: Apache-2.0
"""Killed at every step between an append and the published checkpoint: never two roots for a size.

Everything that ever left the server is compared: what is in the folder after each kill, what HTTP
served, what a witness was asked to cosign, and the head beside the key.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from random import Random

import pytest

from tests.faults.campaign import new_seed
from tests.faults.log_steps import LOG_STEPS, LogStep, order, program
from tests.faults.prefork import ForkedServer, forks
from tests.logs import must_be_served
from tests.published import SECONDS, PublishedLog
from tests.server import DEVELOPMENT, Server, running
from tests.witnesses import RecordingWitness, log_keys
from tests.world import INCOME, Citizen, World, connected
from vault.configuration.config import read_config
from vault.configuration.settings import PREFIX
from vault.fsck.check import check
from vault.sealing.sqlite import SQLiteKeyStore
from vault.sealing.wrapper import FileKeyWrapper
from vault.transparency.checkpoint import Checkpoint, open_checkpoint
from vault.transparency.note import Note, Verifier

SEED = new_seed()

pytestmark = pytest.mark.timeout(180)


@dataclass
class Site:
    """A server, its witness, and everything that was ever seen of its log."""

    server: Server
    witness: RecordingWitness
    published: PublishedLog
    key: Verifier
    deaths: int = 0

    def append_until_dead(self, world: World, citizen: Citizen) -> None:
        """Append until the server has died."""
        assert self.server.process is not None
        give_up = time.monotonic() + SECONDS
        while self.server.process.poll() is None:
            assert time.monotonic() < give_up, "it did not die"
            # What it came to in the end nobody knows.
            with suppress(AssertionError):
                world.provide(citizen, "income", INCOME)
        self.deaths += 1

    def must_be_clean(self) -> None:
        """Have everything derived again from what is stored, as the command `fsck` does."""
        given = {"DATA": str(self.server.data), "ENVIRONMENT": "development"}
        config = read_config({f"{PREFIX}{name}": value for name, value in given.items()})
        report = check(config, lambda *_progress: None)
        assert report.is_clean, "\n".join(report.as_text())

    def must_have_one_history(self) -> None:
        """Compare everything that left the server, or could have."""
        path = self.server.data / "log" / "0" / "checkpoint"
        seen = [*self.witness.asked, Checkpoint.parse(Note.parse(path.read_bytes()).text)]
        wrapper = FileKeyWrapper(self.server.data / "wrapping.key")
        keys = SQLiteKeyStore(self.server.data / "keys.db", wrapper)
        log = keys.load_log(self.key.name)
        keys.close()
        assert log is not None
        if log.size:
            seen.append(Checkpoint(self.key.name, log.size, log.root))
        for checkpoint in seen:
            known = self.published.roots.setdefault(checkpoint.size, checkpoint.root)
            assert known == checkpoint.root, f"two roots of size {checkpoint.size}, seed {SEED}"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("log-kill")
    witness = RecordingWitness(folder / "witness")
    (folder / "policy").write_text(witness.policy)
    settings = {"CITIZEN_VAULT_LOG_POLICY": str(folder / "policy")}
    with forks() as forked:
        server = ForkedServer(
            folder / "server", forks=forked, settings=settings, program=program(folder)
        )
        with running(server):
            (vkey,) = log_keys(server)
            witness.know(vkey)
            server.options = (*DEVELOPMENT, "--listen", server.target)
            yield Site(server, witness, PublishedLog(server), Verifier.of(vkey))
    witness.close()


@pytest.fixture(scope="module")
def world(site: Site) -> Iterator[World]:
    with connected(site.server.target) as channel:
        yield World(site.server, channel)


@pytest.fixture(scope="module")
def citizen(world: World) -> Citizen:
    return world.citizen()


@pytest.mark.parametrize("step", LOG_STEPS, ids=str)
def test_a_killed_log_goes_on_with_one_history(
    site: Site, world: World, citizen: Citizen, step: LogStep
) -> None:
    passed = Random(f"{SEED}/{step}").randint(1, 4)
    site.published.up_to_date()
    where = site.server.folder.parent

    order(where, replace(step, passed=passed))
    site.append_until_dead(world, citizen)
    order(where, None)

    site.must_have_one_history()
    site.must_be_clean()
    site.server.start()
    checkpoint = open_checkpoint(site.published.up_to_date(), [site.key])
    must_be_served(site.published.get, checkpoint, site.published.entries())
    site.must_have_one_history()


def test_it_was_killed_at_each(site: Site) -> None:
    """Else the others say nothing."""
    assert site.deaths == len(LOG_STEPS)
    assert len(site.witness.asked) > len(LOG_STEPS)
    assert len(site.published.roots) > len(LOG_STEPS)
