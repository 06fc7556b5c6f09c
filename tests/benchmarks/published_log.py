# SPDX-License-Identifier: Apache-2.0
"""The log: how fast it is integrated, how long a proof takes, and how soon there is one."""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

from tests.benchmarks.appends import CALLERS
from tests.benchmarks.limits import Limit, Result, Scene, Stage, compare, summary
from tests.benchmarks.program import run_program
from tests.benchmarks.rounds import Figure, Spread, Turn, progress, take_turns
from tests.server import Server, running
from tests.wire import Caller
from tests.witnesses import log_keys, witnessed
from tests.world import World, connected
from vault.api.v1 import audit_service_pb2 as audit
from vault.api.v1.log_pb2 import Receipt
from vault.log.folder import LogFolder
from vault.log.growth import Growth
from vault.log.integrator import Published
from vault.log.proofs import Proofs
from vault.log.status import LogStatus
from vault.transparency.checkpoint import Checkpoint
from vault.transparency.note import Note, Signer, Verifier
from vault.transparency.policy import Policy
from vault.transparency.proof import InclusionProof
from vault.transparency.tree import leaf_hash

LEAVES: Final = 1_000_000
WITNESSES: Final = 2
_PAGE: Final = 65_536
_PROOFS_BETWEEN_LOOKS: Final = 20
_ASKING: Final = 16
_SIGNER: Final = Signer("bench/0", bytes(32))


# --- Leaves a second


def _integrate(stage: Stage) -> Turn:
    def turn(seconds: float) -> Figure:
        with tempfile.TemporaryDirectory(dir=stage.folder) as folder:
            figures = run_program("integrate", folder, seconds)
        return Figure(figures.pop("rate"), figures)

    return turn


def _append(stage: Stage) -> Turn:
    def turn(seconds: float) -> Figure:
        with tempfile.TemporaryDirectory(dir=stage.folder) as folder:
            figures = run_program("append_sqlite", "product", folder, CALLERS, seconds)
        return Figure(figures.pop("rate"), figures)

    return turn


# --- A proof


def _million(stage: Stage) -> tuple[LogFolder, Published, list[bytes]]:
    """Write the tiles of a log of a million leaves, and return its head."""
    progress(f"writing the tiles of {LEAVES:,} leaves")
    folder, growth = LogFolder(stage.folder / "log" / "0"), Growth()
    leaves: list[bytes] = []
    while growth.size < LEAVES:
        count = min(_PAGE, LEAVES - growth.size)
        entries = [b"\x01" + os.urandom(64) for _ in range(count)]
        leaves += map(leaf_hash, entries)
        folder.put((tile.path, data) for tile, data in growth.take(entries))
    folder.put((tile.path, data) for tile, data in growth.partial())
    checkpoint = Checkpoint(_SIGNER.verifier.name, LEAVES, growth.root())
    note = Note(checkpoint.body(), (_SIGNER.sign(checkpoint.body()),))
    return folder, Published(note, checkpoint, has_quorum=True), leaves


def _prove(stage: Stage) -> Turn:
    folder, published, leaves = _million(stage)
    chance = stage.random()

    async def prove(seconds: float) -> list[float]:
        status = LogStatus(asyncio.get_running_loop())
        status.publish(published)

        async def tree_size() -> int:
            return LEAVES

        proofs = Proofs(folder, status, tree_size)
        spent: list[float] = []
        until = time.perf_counter() + seconds
        while time.perf_counter() < until:
            index = chance.randrange(LEAVES)
            began = time.perf_counter()
            text = await proofs.of(index, leaves[index], time.monotonic() + 1)
            spent.append(time.perf_counter() - began)
            if not len(spent) % _PROOFS_BETWEEN_LOOKS:
                proof = InclusionProof.parse(text.encode())
                proof.verify(leaves[index], Policy(), _SIGNER.verifier)
        return spent

    def turn(seconds: float) -> Figure:
        spent = sorted(asyncio.run(prove(seconds)))
        middle, last = spent[len(spent) // 2], spent[int(len(spent) * 0.99)]
        return Figure(middle * 1e3, {"p99_ms": last * 1e3, "proofs": len(spent)})

    return turn


# --- How soon


def _lag(stage: Stage, witnesses: int) -> Turn:
    def turn(seconds: float) -> Figure:
        with tempfile.TemporaryDirectory(dir=stage.folder) as folder, ExitStack() as parts:
            server = Server(Path(folder))
            if witnesses:
                parts.enter_context(witnessed(server, witnesses))
            parts.enter_context(running(server))
            spent = sorted(_lags(server, seconds, witnesses))
        last = spent[int(len(spent) * 0.99)]
        middle = spent[len(spent) // 2]
        return Figure(last, {"p50_s": middle, "longest_s": spent[-1], "grants": len(spent)})

    return turn


def _lags(server: Server, seconds: float, witnesses: int) -> Sequence[float]:
    """Return how long after its acknowledgement each of many grants was provable offline."""
    with connected(server.target) as channel, ThreadPoolExecutor(_ASKING) as asking:
        world = World(server, channel)
        service, citizen = world.service(), world.citizen()
        auditor, verify = world.auditor, _verifier(server, witnesses)
        answers = []
        until = time.perf_counter() + seconds
        while time.perf_counter() < until:
            receipt = world.share(citizen, service).receipt
            acknowledged = time.perf_counter()
            answers.append(asking.submit(_provable, auditor, receipt, acknowledged, verify))
        return [answer.result() for answer in answers]


def _provable(
    auditor: Caller,
    receipt: Receipt,
    acknowledged: float,
    verify: Callable[[bytes, bytes], None],
) -> float:
    request = audit.GetInclusionProofRequest(
        origin=receipt.origin, leaf_index=receipt.leaf_index, leaf_hash=receipt.leaf_hash
    )
    proof = auditor.call("AuditService/GetInclusionProof", request).read().proof.encode()
    spent = time.perf_counter() - acknowledged
    verify(proof, receipt.leaf_hash)
    return spent


def _verifier(server: Server, witnesses: int) -> Callable[[bytes, bytes], None]:
    (vkey,) = log_keys(server)
    policy = Policy()
    if witnesses:
        policy = Policy.parse(Path(server.settings["CITIZEN_VAULT_LOG_POLICY"]).read_bytes())

    def verify(proof: bytes, leaf: bytes) -> None:
        judgement = InclusionProof.parse(proof).verify(leaf, policy, Verifier.of(vkey))
        if len(judgement.cosigned) != witnesses:
            raise RuntimeError("a witness is missing")

    return verify


# --- The scene


def _measure(stage: Stage, limits: Collection[Limit]) -> Mapping[str, Result]:
    results: dict[str, Result] = {}
    wanted = {limit.key: limit for limit in limits}
    if _RATE.key in wanted:
        turns = {"integrate": _integrate(stage), "append": _append(stage)}
        results |= compare(stage, [_RATE], turns)
    if _PROOF.key in wanted:
        results |= _told(stage, _PROOF, {"proofs": _prove(stage)})
    if _LAG.key in wanted:
        turns = {"alone": _lag(stage, 0), f"{WITNESSES} witnesses": _lag(stage, WITNESSES)}
        results |= _told(stage, _LAG, turns)
    return results


def _told(stage: Stage, limit: Limit, turns: Mapping[str, Turn]) -> dict[str, Result]:
    """Return the largest of what turns measured, round by round."""
    figures, failed = take_turns(turns, stage.rounds, stage.seconds)
    if failed:
        stage.left_out[limit.key] = "; ".join(failed.values())
        return {}
    rounds = zip(*figures.values(), strict=True)
    worst = [max(figure.value for figure in figures_of) for figures_of in rounds]
    details: dict[str, Any] = {name: summary(found) for name, found in figures.items()}
    return {limit.key: Result(Spread.of(worst), details)}


_RATE: Final = Limit(
    "integrate_leaves_vs_append",
    "leaves/s integrated, tiles fsynced, signed ÷ durable appends/s at 32 callers",
    3,
    "integrate",
    ("append",),
)
_PROOF: Final = Limit(
    "proof_ms_1m", "median inclusion proof at 1,000,000 leaves from tiles, in ms", None
)
_LAG: Final = Limit(
    "checkpoint_lag_p99_s",
    "a grant acknowledged → provable offline, p99 in s, without witnesses or with two",
    1,
    is_ceiling=True,
)

SCENE: Final = Scene("the log", (_RATE, _PROOF, _LAG), _measure)
