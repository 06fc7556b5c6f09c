# SPDX-License-Identifier: Apache-2.0
"""The client of every benchmark over gRPC: one process, one event loop, bytes in and bytes out.

    python -m tests.benchmarks.load FOLDER

Requests are serialised before it begins, answers are kept and judged after it ended: what a client
does with protobuf is the same for a server that does everything and one that does nothing.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from itertools import cycle
from pathlib import Path
from typing import Any, Final

import grpc

from tests.benchmarks.program import run_program

_PLAN: Final = "plan.json"
_REQUESTS: Final = "requests"
_ANSWERS: Final = "answers"
_FINISH_SECONDS: Final = 120.0
MOST_FAILED: Final = 0.05
"""On a machine that stalls, a disclosure may be too late to be released; more is a fault."""


@dataclass(frozen=True)
class Plan:
    """What is sent where.

    Attributes:
        in_flight: how many calls are under way at any time.
        warm_seconds: how long it runs before anything counts.
        is_stream: each worker has one bidirectional stream, one message under way on it.
        repeats: the requests may be sent again and again; otherwise it ends when they do.
    """

    target: str
    method: str
    metadata: list[tuple[str, str]]
    in_flight: int
    warm_seconds: float
    seconds: float
    is_stream: bool = False
    repeats: bool = False


@dataclass
class Load:
    """What came of it. Rates and percentiles are of calls that ended in the window that counts."""

    answered: int
    counted: int
    seconds: float
    p50_ms: float
    p99_ms: float
    client_cpu_seconds: float
    failed: int
    answers: list[bytes] = field(default_factory=list)

    @property
    def rate(self) -> float:
        """Return calls a second."""
        return self.counted / self.seconds

    @property
    def details(self) -> dict[str, float]:
        """Return what else is worth knowing."""
        return {
            "p50_ms": self.p50_ms,
            "p99_ms": self.p99_ms,
            "failed": self.failed,
            "client_cpu_us_each": self.client_cpu_seconds / self.answered * 1e6,
        }


def put_load(folder: Path, plan: Plan, requests: Iterable[bytes]) -> Load:
    """Run the client as a process of its own, and return what came of it.

    Raises:
        RuntimeError: if a call failed; a benchmark that measures errors is worse than none.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / _PLAN).write_text(json.dumps(asdict(plan)), encoding="utf-8")
    _write(folder / _REQUESTS, requests)
    patience = plan.warm_seconds + plan.seconds + _FINISH_SECONDS
    load = Load(**run_program("load", folder, patience_seconds=patience))
    load.answers = list(_read(folder / _ANSWERS))
    return load


class _Client:
    """One channel, and what came of the calls on it."""

    def __init__(self, plan: Plan, requests: Sequence[bytes]) -> None:
        self._plan = plan
        self._requests = cycle(requests) if plan.repeats else iter(requests)
        self._metadata = tuple((name, value) for name, value in plan.metadata)
        self._opens = self._closes = 0.0
        self._latencies: list[float] = []
        self._failures: list[grpc.aio.AioRpcError] = []
        self.answers: list[bytes] = []

    async def run(self) -> Load:
        """Keep so many calls under way until the time is over, and return what came of it."""
        plan = self._plan
        processor = time.process_time()
        async with grpc.aio.insecure_channel(plan.target) as channel:
            await channel.channel_ready()
            self._opens = time.perf_counter() + plan.warm_seconds
            self._closes = self._opens + plan.seconds
            work = self._converse if plan.is_stream else self._call
            await asyncio.gather(*(work(channel) for _ in range(plan.in_flight)))
        processor = time.process_time() - processor
        failed, latencies = len(self._failures), sorted(self._latencies)
        if not latencies or failed > MOST_FAILED * len(self.answers):
            told = f"{len(self.answers)} answers, {failed} failures: {self._failures[:1]}"
            raise RuntimeError(told)
        return Load(
            answered=len(self.answers),
            counted=len(latencies),
            # Requests may have run out before the time did.
            seconds=min(time.perf_counter(), self._closes) - self._opens,
            p50_ms=latencies[len(latencies) // 2] * 1e3,
            p99_ms=latencies[int(len(latencies) * 0.99)] * 1e3,
            client_cpu_seconds=processor,
            failed=failed,
        )

    async def _call(self, channel: grpc.aio.Channel) -> None:
        call: Any = channel.unary_unary(self._plan.method)
        while (began := time.perf_counter()) < self._closes:
            request = next(self._requests, None)
            if request is None:
                return
            try:
                answer = await call(request, metadata=self._metadata)
            except grpc.aio.AioRpcError as error:
                self._failures.append(error)
            else:
                self._note(began, answer)

    async def _converse(self, channel: grpc.aio.Channel) -> None:
        begin: Any = channel.stream_stream(self._plan.method)
        call = begin(metadata=self._metadata)
        while (began := time.perf_counter()) < self._closes:
            request = next(self._requests, None)
            if request is None:
                break
            await call.write(request)
            answer = await call.read()
            if answer is grpc.aio.EOF:
                ended = f"{await call.code()}: {await call.details()}"
                raise RuntimeError(f"a stream ended early: {ended}")
            self._note(began, answer)
        await call.done_writing()
        await call.code()

    def _note(self, began: float, answer: bytes) -> None:
        ended = time.perf_counter()
        self.answers.append(answer)
        if self._opens <= ended < self._closes:
            self._latencies.append(ended - began)


def _write(path: Path, messages: Iterable[bytes]) -> None:
    with path.open("wb") as file:
        for message in messages:
            file.write(len(message).to_bytes(4) + message)


def _read(path: Path) -> Iterator[bytes]:
    data = path.read_bytes()
    at = 0
    while at < len(data):
        length = int.from_bytes(data[at : at + 4])
        yield data[at + 4 : at + 4 + length]
        at += 4 + length


def _main(folder: Path) -> None:
    plan = Plan(**json.loads((folder / _PLAN).read_text(encoding="utf-8")))
    client = _Client(plan, list(_read(folder / _REQUESTS)))
    load = asyncio.run(client.run())
    _write(folder / _ANSWERS, client.answers)
    figures = asdict(load)
    del figures["answers"]
    json.dump(figures, sys.stdout)


if __name__ == "__main__":
    _main(Path(sys.argv[1]))
