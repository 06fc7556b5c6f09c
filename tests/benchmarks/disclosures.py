# SPDX-License-Identifier: Apache-2.0
"""Disclosures over gRPC: against a server that does nothing, and against what others do instead."""

from __future__ import annotations

import shutil
from collections.abc import Collection, Mapping
from contextlib import ExitStack
from typing import Final

from tests.benchmarks.echo import METHOD as ECHO
from tests.benchmarks.echo import echoing
from tests.benchmarks.limits import Limit, Result, Scene, Stage, compare, names_in
from tests.benchmarks.load import Plan, put_load
from tests.benchmarks.peers import Peers
from tests.benchmarks.program import processor_seconds
from tests.benchmarks.rounds import Figure, Turn, progress
from tests.benchmarks.seeding import seeded
from tests.benchmarks.vault_server import WARM_SECONDS, Fetches, vault

IN_FLIGHT: Final = 32
STREAMS: Final = 2
"""One message of a stream is decided while that of another is committed."""
CITIZENS: Final = 1_000
_FIRST_SECONDS: Final = 6.0
"""Until nearly every citizen was met: what a cold one costs is measured by itself, as growth."""


def _echo(stage: Stage, kind: str, fetches: Fetches, parts: ExitStack) -> Turn:
    """Send what the vault is sent, and have what the vault answers come back."""
    folder = stage.folder / f"echo-{kind}"
    (request,), answer = fetches.requests(1), fetches.answer
    target, pid = parts.enter_context(echoing(kind, folder, answer))

    def turn(seconds: float) -> Figure:
        plan = Plan(
            target=target,
            method=ECHO,
            metadata=fetches.metadata,
            in_flight=IN_FLIGHT,
            warm_seconds=WARM_SECONDS,
            seconds=seconds,
            repeats=True,
        )
        spent = processor_seconds(pid)
        load = put_load(folder, plan, [request.SerializeToString()])
        spent = processor_seconds(pid) - spent
        if set(load.answers) != {answer}:
            raise RuntimeError("the echo answers something else")
        each = spent / load.answered * 1e6
        return Figure(load.rate, {**load.details, "server_cpu_us_each": each})

    return turn


def _measure(stage: Stage, limits: Collection[Limit]) -> Mapping[str, Result]:
    wanted = names_in(limits)
    folder = stage.folder / "vault"
    shutil.copytree(seeded(stage.cache, CITIZENS), folder)
    with ExitStack() as parts:
        fetches = parts.enter_context(vault(folder, stage.random()))
        progress(f"{CITIZENS:,} citizens, {fetches.size():,} events")
        fetches.unary(_FIRST_SECONDS, IN_FLIGHT)
        turns: dict[str, Turn] = {}
        if "unary" in wanted:
            turns["unary"] = lambda seconds: fetches.unary(seconds, IN_FLIGHT)
        if "batch" in wanted:
            turns["batch"] = lambda seconds: fetches.batch(seconds, STREAMS)
        for kind in ("sync", "aio"):
            if f"echo {kind}" in wanted:
                turns[f"echo {kind}"] = _echo(stage, kind, fetches, parts)
        if wanted & {"spicedb", "solid"}:
            peers = Peers(stage.cache.with_name("peers"))
            if "spicedb" in wanted:
                turns["spicedb"] = peers.spicedb(IN_FLIGHT)
            if "solid" in wanted:
                turns["solid"] = parts.enter_context(peers.solid(stage.folder / "pod", IN_FLIGHT))
        return compare(stage, limits, turns)


_ECHOES: Final = ("echo sync", "echo aio")

SCENE: Final = Scene(
    "disclosures",
    (
        Limit(
            "disclose_unary_vs_echo",
            "full durable disclosures/s, 32 calls in flight, ÷ a bare gRPC echo",
            0.5,
            "unary",
            _ECHOES,
        ),
        Limit(
            "disclose_batch_vs_echo",
            "disclosures/s through the batch call ÷ that echo",
            3,
            "batch",
            _ECHOES,
        ),
        Limit(
            "disclose_unary_vs_spicedb_check",
            "full durable disclosures/s ÷ permission checks/s in SpiceDB, 32 threads",
            0.7,
            "unary",
            ("spicedb",),
            needs_peers=True,
        ),
        Limit(
            "disclose_batch_vs_spicedb_check",
            "disclosures/s through the batch call ÷ permission checks/s in SpiceDB",
            4,
            "batch",
            ("spicedb",),
            needs_peers=True,
        ),
        Limit(
            "disclose_unary_vs_solid_read",
            "full durable disclosures/s ÷ authorised reads/s of a Community Solid Server",
            80,
            "unary",
            ("solid",),
            needs_peers=True,
        ),
    ),
    _measure,
)
