# SPDX-License-Identifier: Apache-2.0
"""What one disclosure takes on the disk, and where it lies: by table and index."""

from __future__ import annotations

import json
import shutil
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, Final

import apsw
from eventsourcing.persistence import StoredEvent

from tests.benchmarks.disclosures import CITIZENS, IN_FLIGHT
from tests.benchmarks.limits import Limit, Result, Scene, Stage
from tests.benchmarks.rounds import Spread, progress
from tests.benchmarks.seeding import seeded
from tests.benchmarks.vault_server import vault
from tests.postgres import running
from vault.store.append import Append, Payload
from vault.store.postgres import PostgresRecorder

_BATCH: Final = 1_000
_PAGES: Final = "SELECT name, sum(pgsize) FROM dbstat GROUP BY name"
_STORED: Final = """
SELECT stream, version, topic, state, request_key, (
    SELECT json_group_array(json_array(kind, hex(content))) FROM payloads
    WHERE payloads.lane = entries.lane AND payloads.position = entries.position
) FROM entries JOIN records USING (lane, position) ORDER BY position
"""
_RELATIONS: Final = """
SELECT relname, pg_relation_size(oid) FROM pg_class
WHERE relnamespace = 'citizen_vault'::regnamespace AND relkind IN ('r', 'i')
"""
_CONTENT: Final = """
SELECT avg(length(state)), avg((SELECT sum(length(content)) FROM payloads
    WHERE payloads.lane = records.lane AND payloads.position = records.position))
FROM records WHERE topic = 'evidence-disclosed.1'
"""


def _by_name(path: Path) -> dict[str, int]:
    """Return the bytes of each table and index, by its name; the log must be in the database."""
    if path.with_name(f"{path.name}-wal").exists():
        raise RuntimeError("the write-ahead log is not in the database")
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    try:
        rows: list[Any] = connection.execute(_PAGES).fetchall()
        return {str(name): int(size) for name, size in rows}
    finally:
        connection.close()


def _content(path: Path) -> dict[str, float]:
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    try:
        rows: list[Any] = connection.execute(_CONTENT).fetchall()
        ((state, payload),) = rows
        return {"record": state, "payload": payload}
    finally:
        connection.close()


def _on_postgres(events: Path, seeded_events: int) -> dict[str, float]:
    """Store the same events in PostgreSQL, and return the bytes of each after those seeded."""
    connection = apsw.Connection(str(events), flags=apsw.SQLITE_OPEN_READONLY)
    appends = [_append(*row) for row in connection.execute(_STORED)]
    connection.close()
    with running() as cluster:
        database = cluster.fresh_events()
        recorder = PostgresRecorder(database.server)
        _insert(recorder, appends[:seeded_events])
        before = dict(cluster.run(_RELATIONS, database.name))
        _insert(recorder, appends[seeded_events:])
        after = dict(cluster.run(_RELATIONS, database.name))
        recorder.close()
    return _growth(before, after, len(appends) - seeded_events)


def _append(*row: Any) -> Append:
    stream, version, topic, state, request_key, beside = row
    payloads = tuple(Payload(kind, bytes.fromhex(text)) for kind, text in json.loads(beside))
    return Append((StoredEvent(stream, version, topic, state),), (payloads,), request_key)


def _insert(recorder: PostgresRecorder, appends: list[Append]) -> None:
    for start in range(0, len(appends), _BATCH):
        verdicts = recorder.insert_batch(appends[start : start + _BATCH]).verdicts
        refused = next((each for each in verdicts if not isinstance(each, tuple)), None)
        if refused is not None:
            raise refused


def _growth(before: Mapping[str, int], after: Mapping[str, int], count: int) -> dict[str, float]:
    """Return how many bytes each thing grew by for one of so many, the largest first."""
    grown = {name: (size - before.get(name, 0)) / count for name, size in after.items()}
    return dict(sorted(((n, each) for n, each in grown.items() if each > 0), key=lambda g: -g[1]))


def _measure(stage: Stage, limits: Collection[Limit]) -> Mapping[str, Result]:
    (limit,) = limits
    progress("disclosing, then weighing the files ...")
    folder = shutil.copytree(seeded(stage.cache, CITIZENS), stage.folder / "weighed")
    events = folder / "data" / "events.db"
    before = _by_name(events)
    with vault(folder, stage.random()) as fetches:
        seeded_events = fetches.size()
        for _ in range(stage.rounds):
            fetches.unary(stage.seconds, IN_FLIGHT)
        count = fetches.size() - seeded_events
    each = _growth(before, _by_name(events), count)
    on_postgres = _on_postgres(events, seeded_events)
    total = sum(each.values())
    details = {
        "disclosures": count,
        "SQLite": each,
        "PostgreSQL": {"together": sum(on_postgres.values()), **on_postgres},
        "content": _content(events),
    }
    return {limit.key: Result(Spread(total, total, total), details)}


SCENE: Final = Scene(
    "sizes",
    (
        Limit(
            "bytes_per_disclosure",
            "bytes on the disk for each disclosure, indexes included, the log moved in",
            None,
        ),
    ),
    _measure,
)
