# SPDX-License-Identifier: Apache-2.0
"""The gate: so many inside, so many waiting, the rest turned away, and no place ever lost."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack

import pytest

from vault.application.caller import Caller
from vault.domain.errors import LimitExceededError
from vault.server.gate import (
    BATCHES_AT_ONCE,
    IMPORTS_AT_ONCE,
    STREAMS_OF_ONE,
    Gate,
    Streams,
    gates_of,
    streams_of,
)

SERVICE = "/vault.api.v1.DisclosureService"
NAMES = ("DiscloseEvidence", "DiscloseEvidenceBatch")


class Crowd:
    """Passes a gate again and again, and stays inside until let go."""

    def __init__(self, gate: Gate) -> None:
        self.gate = gate
        self.inside = 0
        self.leave = asyncio.Event()

    async def enter(self) -> None:
        async with self.gate.place():
            self.inside += 1
            await self.leave.wait()

    async def come(self, number: int) -> list[asyncio.Task[None]]:
        tasks = [asyncio.create_task(self.enter()) for _ in range(number)]
        await asyncio.sleep(0)
        return tasks


async def test_so_many_pass_at_once() -> None:
    crowd = Crowd(Gate(2, 5))

    tasks = await crowd.come(4)

    assert crowd.inside == 2
    crowd.leave.set()
    await asyncio.gather(*tasks)


async def test_who_comes_beyond_those_that_wait_is_turned_away() -> None:
    crowd = Crowd(Gate(1, 1))
    tasks = await crowd.come(2)

    with pytest.raises(LimitExceededError):
        await crowd.enter()

    crowd.leave.set()
    await asyncio.gather(*tasks)


async def test_who_waits_passes_when_a_place_is_free() -> None:
    crowd = Crowd(Gate(1, 1))
    tasks = await crowd.come(2)

    crowd.leave.set()
    await asyncio.gather(*tasks)

    assert crowd.inside == 2


@pytest.mark.parametrize("cancelled", [0, 1])
async def test_who_gives_up_leaves_a_place(cancelled: int) -> None:
    crowd = Crowd(Gate(1, 1))
    tasks = await crowd.come(2)
    tasks[cancelled].cancel()
    await asyncio.wait([tasks[cancelled]])

    tasks += await crowd.come(1)
    crowd.leave.set()
    await asyncio.gather(*tasks, return_exceptions=True)

    assert [task.cancelled() for task in tasks].count(False) == 2
    assert not tasks[2].exception()


async def test_messages_of_many_have_a_narrow_gate_of_their_own() -> None:
    gates = gates_of(100, 0, 1_000)
    single, batch = (Crowd(gates[f"{SERVICE}/{name}"]) for name in NAMES)

    tasks = [*await single.come(100), *await batch.come(BATCHES_AT_ONCE)]

    assert (single.inside, batch.inside) == (100, BATCHES_AT_ONCE)
    for crowd in (single, batch):
        with pytest.raises(LimitExceededError):
            await crowd.enter()
        crowd.leave.set()
    await asyncio.gather(*tasks)


async def test_who_waits_for_proofs_takes_a_quarter_of_all_calls() -> None:
    """They wait for as long as the log stands still: the others must be heard, to revoke."""
    gate = gates_of(1, 0, 8)["/vault.api.v1.AuditService/GetInclusionProof"]
    crowd = Crowd(gate)
    tasks = await crowd.come(2)

    assert crowd.inside == 2
    with pytest.raises(LimitExceededError, match="Too many proofs wait"):
        await crowd.enter()

    crowd.leave.set()
    await asyncio.gather(*tasks)


# --- Streams -------------------------------------------------------------------------------------


def named(sub: str, scope: str = "") -> Caller:
    return Caller("service", "issuer", sub, frozenset(scope.split()))


def test_so_many_streams_of_one_are_open() -> None:
    streams = Streams(5, 2)

    with ExitStack() as opened:
        opened.enter_context(streams.place(named("one")))
        # Another token of hers is nobody else's.
        opened.enter_context(streams.place(named("one", "evidence")))
        with pytest.raises(LimitExceededError):
            opened.enter_context(streams.place(named("one", "vault")))
        opened.enter_context(streams.place(named("other")))


def test_so_many_streams_of_all_are_open() -> None:
    streams = Streams(3, 2)

    with ExitStack() as opened:
        for sub in ("1", "2", "3"):
            opened.enter_context(streams.place(named(sub)))
        with pytest.raises(LimitExceededError):
            opened.enter_context(streams.place(named("4")))


def test_a_stream_that_fails_leaves_nothing_behind() -> None:
    streams = Streams(1, 1)
    for _ in range(2):
        with pytest.raises(ValueError, match="failed"), streams.place(named("one")):
            raise ValueError("failed")

    assert not streams.open


IMPORT = "/vault.api.v1.VaultService/ImportVault"
EXPORT = "/vault.api.v1.VaultService/ExportVault"
REPLAY = "/vault.api.v1.AuditService/ReplayLane"


@pytest.mark.parametrize(("method", "most"), [(IMPORT, 1), (EXPORT, 2), (REPLAY, 4)])
def test_one_caller_reads_and_brings_a_few_wholes_at_once(method: str, most: int) -> None:
    streams = streams_of(1_000)

    with ExitStack() as opened:
        for _ in range(most):
            opened.enter_context(streams.place(named("one"), method))
        with pytest.raises(LimitExceededError):
            opened.enter_context(streams.place(named("one"), method))
        opened.enter_context(streams.place(named("other"), method))
        # What else she does is not held up by it.
        opened.enter_context(streams.place(named("one"), "/another"))

    assert not streams.open
    assert not streams.of_method[method].open


def test_few_imports_run_at_once() -> None:
    streams = streams_of(1_000)

    with ExitStack() as opened:
        for number in range(IMPORTS_AT_ONCE):
            opened.enter_context(streams.place(named(str(number)), IMPORT))
        with pytest.raises(LimitExceededError):
            opened.enter_context(streams.place(named("one too many"), IMPORT))


@pytest.mark.parametrize("calls", [1, 2, 64, 2048])
def test_wholes_leave_room_for_other_streams(calls: int) -> None:
    streams = streams_of(calls)

    for narrower in streams.of_method.values():
        assert 1 <= narrower.most_of_one <= narrower.most <= max(1, streams.most // 2)


@pytest.mark.parametrize("calls", [1, 2, 64, 2048])
def test_streams_leave_most_calls_to_others(calls: int) -> None:
    streams = streams_of(calls)

    assert 1 <= streams.most <= max(1, calls // 4)
    assert 1 <= streams.most_of_one <= min(STREAMS_OF_ONE, max(1, streams.most // 4))
