# SPDX-License-Identifier: Apache-2.0
"""How long the auditor's program takes for a whole log, as a multiple of hashing its records."""

from __future__ import annotations

import base64
import hashlib
import json
import subprocess
import sys
from collections.abc import Collection, Mapping
from itertools import islice
from pathlib import Path
from time import perf_counter
from typing import Final

from tests.benchmarks.growth import LARGE
from tests.benchmarks.lane_export import export
from tests.benchmarks.limits import Limit, NotHereError, Result, Scene, Stage
from tests.benchmarks.rounds import Spread, progress
from tests.benchmarks.seeding import DEPLOYMENT, seeded
from tests.server import ROOT
from vault.sealing.sqlite import SQLiteKeyStore
from vault.sealing.wrapper import FileKeyWrapper
from vault.transparency.checkpoint import Checkpoint
from vault.transparency.note import Note, Signer
from vault.transparency.tree import Frontier, leaf_hash

RECORDS: Final = 1_000_000
ROUNDS: Final = 3
"""At most: a round reads the log three times."""
_CHUNK: Final = 50_000


class Lane:
    """The export of a lane, and what its log signed."""

    def __init__(self, folder: Path, data: Path, records: int) -> None:
        self.path, self._checkpoint = folder / "log.jsonl", folder / "checkpoint"
        self.records = export(data / "events.db", self.path, size=records)
        signer = _signer(data)
        frontier = Frontier()
        with self.path.open("rb") as lines:
            for line in lines:
                frontier.append(leaf_hash(_bytes(json.loads(line)["entry"])))
        head = Checkpoint(f"{DEPLOYMENT}/0", frontier.size, frontier.root())
        self._checkpoint.write_bytes(Note(head.body(), (signer.sign(head.body()),)).encode())

    def hash_seconds(self) -> float:
        """Return how long SHA-256 takes for link and facts of every record, one by one."""
        seconds = 0.0
        with self.path.open("rb") as lines:
            while chunk := [json.loads(line) for line in islice(lines, _CHUNK)]:
                parts = [row[name].encode() for row in chunk for name in ("link", "facts")]
                begun = perf_counter()
                for part in parts:
                    hashlib.sha256(part).digest()
                seconds += perf_counter() - begun
        return seconds

    def verify_seconds(self, processes: int) -> float:
        """Return how long the program takes to verify it, from start to exit.

        Raises:
            RuntimeError: if it finds anything wrong, or does not find the checkpoint on it.
        """
        command = [sys.executable, "-m", "clients.auditor", "log", str(self.path), "--json"]
        command += ["--processes", str(processes), "--checkpoint", str(self._checkpoint)]
        begun = perf_counter()
        done = subprocess.run(command, cwd=ROOT, capture_output=True, check=False)
        seconds = perf_counter() - begun
        report = json.loads(done.stdout)
        held = [checkpoint["holds"] for checkpoint in report["checkpoints"]]
        if (report["findings"], report["size"], held) != ([], self.records, [True]):
            raise RuntimeError(report["line"])
        return seconds


def _signer(data: Path) -> Signer:
    """Return the key with which the log of a stopped server signs, as its registry lists it."""
    key_store = SQLiteKeyStore(data / "keys.db", FileKeyWrapper(data / "wrapping.key"))
    try:
        log = key_store.load_log(f"{DEPLOYMENT}/0")
    finally:
        key_store.close()
    if log is None:
        raise NotHereError("the seeded server has no log")
    return Signer(f"{DEPLOYMENT}/0", log.seed)


def _bytes(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _measure(stage: Stage, limits: Collection[Limit]) -> Mapping[str, Result]:
    progress(f"verifying {RECORDS:,} records; the first time they have to be made ...")
    lane = Lane(stage.folder, seeded(stage.cache, LARGE) / "data", RECORDS)
    seconds: dict[str, list[float]] = {limit.key: [] for limit in limits}
    hashed = []
    for number in range(1, min(stage.rounds, ROUNDS) + 1):
        hashed.append(lane.hash_seconds())
        for limit in limits:
            seconds[limit.key].append(lane.verify_seconds(PROCESSES[limit.key]))
            ratio = seconds[limit.key][-1] / hashed[-1]
            progress(f"round {number}  {limit.key}: {ratio:,.1f}")
    results = {}
    for key, each in seconds.items():
        ratios = [mine / theirs for mine, theirs in zip(each, hashed, strict=True)]
        details = {
            "records": lane.records,
            "verify_us_each": Spread.of(each).median / lane.records * 1e6,
            "sha256_us_each": Spread.of(hashed).median / lane.records * 1e6,
        }
        results[key] = Result(Spread.of(ratios), details)
    lane.path.unlink()
    return results


PROCESSES: Final = {"verify_vs_sha256": 1, "verify_vs_sha256_2_processes": 2}
SCENE: Final = Scene(
    "verifying",
    (
        Limit(
            "verify_vs_sha256",
            "time to verify an export of 1,000,000 events ÷ time to SHA-256 its records one by one",
            40,
            is_ceiling=True,
        ),
        Limit(
            "verify_vs_sha256_2_processes",
            "the same with two processes",
            22,
            is_ceiling=True,
        ),
    ),
    _measure,
)
