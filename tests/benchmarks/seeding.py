# SPDX-License-Identifier: Apache-2.0
"""A server's folder with many citizens in it, made in bulk once and kept.

    python -m tests.benchmarks.seeding FOLDER CITIZENS

What is registered goes over the wire; the citizens' histories are made on all processors, appended
by the shipped recorder in large batches, and their keys stored by the shipped key store.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Final

from tests.benchmarks import histories
from tests.benchmarks.histories import Ground, History, history, sensitivities_of
from tests.benchmarks.rounds import progress
from tests.server import ROOT, Server, running
from tests.world import ADDRESS, INCOME, World, connected
from vault.application.identifiers import Identifiers
from vault.domain import registry
from vault.domain.registry import RegistryState
from vault.domain.values import RegistryMark, time_of
from vault.sealing.sqlite import SQLiteKeyStore
from vault.sealing.wrapper import FileKeyWrapper
from vault.store.record import read_event
from vault.store.sqlite import SQLiteRecorder
from vault.store.sqlite_file import FORMAT

DEPLOYMENT: Final = "bench.example"
PRODUCTION: Final = {
    "CITIZEN_VAULT_ENVIRONMENT": "production",
    "CITIZEN_VAULT_DEPLOYMENT": DEPLOYMENT,
    "CITIZEN_VAULT_HANDOFF_URI": "https://vault.example/asked/",
    "CITIZEN_VAULT_ALLOW_FILE_WRAPPER_IN_PRODUCTION": "yes",
}
"""A server as it is shipped; the key file stands for a hardware module."""
SHARES: Final = "shares.json"
_FORM: Final = 2
"""Counts up whenever other citizens are seeded: those that are kept are made anew."""
_CHUNK: Final = 1_000
_OLDEST_SECONDS: Final = 30 * 86_400
"""What is kept is made anew after a month: consents end."""


def seeded(cache: Path, citizens: int) -> Path:
    """Return a folder with so many citizens, made now or earlier. It is not to be changed."""
    # In which form events are stored never changes: `tests/vectors` would tell.
    folder = cache / f"{citizens}-citizens-{_FORM}.{FORMAT}"
    if (folder / SHARES).exists():
        age = datetime.now(UTC).timestamp() - (folder / SHARES).stat().st_mtime
        if age < _OLDEST_SECONDS:
            return folder
    shutil.rmtree(folder, ignore_errors=True)
    seed(folder, citizens)
    return folder


def seed(folder: Path, citizens: int) -> None:
    """Fill a folder with citizens who share their address with one service."""
    progress(f"making {citizens:,} citizens with {histories.EVENTS} events each ...")
    server = Server(folder, options=(), settings=PRODUCTION)
    with running(server), connected(server.target) as channel:
        service = World(server, channel).service()
    key_store = SQLiteKeyStore(
        server.data / "keys.db", FileKeyWrapper(server.data / "wrapping.key")
    )
    recorder = SQLiteRecorder(server.data / "events.db")
    ground = _ground(recorder, key_store, service.service_id, service.purpose_code)
    shares = []
    done = 0
    for made in _histories(ground, citizens):
        recorder.insert_batch([append for each in made for append in each.appends])
        recorder.maintain(is_idle=False)
        with _one_transaction(key_store):
            for each in made:
                _store_keys(key_store, ground, each)
        shares += [(each.subject, each.consent_id) for each in made]
        done += len(made)
        if done % 10_000 == 0:
            progress(f"  {done:,}")
    recorder.maintain(is_idle=True)
    recorder.close()
    key_store.close()
    told = {
        "service_id": service.service_id,
        "purpose_code": service.purpose_code,
        "shares": shares,
    }
    (folder / SHARES).write_text(json.dumps(told), encoding="utf-8")


def _ground(
    recorder: SQLiteRecorder, key_store: SQLiteKeyStore, service_id: str, purpose_code: str
) -> Ground:
    secrets = key_store.secrets()
    origin = f"{DEPLOYMENT}/0"
    stream = Identifiers(secrets, origin).registry_stream
    state: RegistryState | None = None
    for record in recorder.select_records(stream, limit=10_000):
        if record.state is not None:
            state = registry.fold(state, read_event(record.state))
    if state is None:
        raise RuntimeError("nothing is registered")
    now = time_of(datetime.now(UTC))
    definition = (ROOT / "vault" / "evidence_types" / "postal_address.json").read_bytes()
    return Ground(
        origin=origin,
        secrets=secrets,
        registry=state,
        mark=RegistryMark(size=state.version, confirmed_time=now),
        service_id=service_id,
        purpose_code=purpose_code,
        sensitivities=sensitivities_of(definition),
        time=now,
    )


def _histories(ground: Ground, citizens: int) -> Iterator[list[History]]:
    starts = range(0, citizens, _CHUNK)
    make = partial(_some, ground, citizens)
    with ProcessPoolExecutor(os.cpu_count()) as processes:
        # A few ahead, not all: they are made faster than they are stored.
        waiting = []
        for start in starts:
            waiting.append(processes.submit(make, start))
            if len(waiting) > 8:
                yield waiting.pop(0).result()
        for each in waiting:
            yield each.result()


def _some(ground: Ground, citizens: int, start: int) -> list[History]:
    values = {"postal_address": ADDRESS, "income": INCOME}
    return [history(ground, n, values) for n in range(start, min(start + _CHUNK, citizens))]


def _store_keys(key_store: SQLiteKeyStore, ground: Ground, made: History) -> None:
    for stream, keyring in made.keyrings:
        key_store.store_keyring(stream, keyring)
    key_store.add_subject(ground.service_id, made.subject, made.identity.vault_id)
    key_store.add_identity("https://issuer.example", made.sub, made.identity)


@contextmanager
def _one_transaction(key_store: SQLiteKeyStore) -> Iterator[None]:
    """Store many rows at once; the store itself makes each durable on its own."""
    writer = key_store._writer  # noqa: SLF001 - nobody but a benchmark has any use for this
    writer.execute("BEGIN IMMEDIATE")
    yield
    writer.execute("COMMIT")


if __name__ == "__main__":
    seed(Path(sys.argv[1]), int(sys.argv[2]))
