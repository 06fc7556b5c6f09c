# SPDX-License-Identifier: Apache-2.0
"""Callers that append events of 1 KiB: on one event loop, on threads, or one alone by the batch.

Each caller has a stream of its own, a new one after a hundred events. Only what was appended inside
the window is counted; what came before warms up, what comes after is finished.
"""

from __future__ import annotations

import asyncio
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count, cycle
from typing import Any, Final
from uuid import uuid4

from eventsourcing.persistence import StoredEvent

from vault.application.identifiers import new_vault_id
from vault.domain.canonical import b64
from vault.store.append import Append
from vault.store.committer import BatchRecorder, Committer
from vault.store.record import entry_of

TOPIC: Final = "evidence-disclosed.1"
STATE_BYTES: Final = 1024
STREAM_EVENTS: Final = 100
RAW_BATCH: Final = 64
WARM_SECONDS: Final = 0.3


def _state() -> bytes:
    # Two lines, as a record has; nothing in them can be compressed.
    text = b64(secrets.token_bytes(STATE_BYTES)).encode()[: STATE_BYTES - 1]
    return text[:512] + b"\n" + text[512:]


_STATES: Final = tuple(_state() for _ in range(256))
_ENTRIES: Final = tuple(entry_of(state) for state in _STATES)


@dataclass(frozen=True)
class Written:
    """One event as it lies in the tables."""

    stream: str
    version: int
    entry: bytes
    state: bytes
    request_key: str


def story() -> Iterator[Written]:
    """Yield what one caller appends."""
    for number in count():
        version = number % STREAM_EVENTS + 1
        if version == 1:
            stream = new_vault_id()
        at = number % len(_STATES)
        yield Written(stream, version, _ENTRIES[at], _STATES[at], str(uuid4()))


def appends(*, keyed: bool) -> Iterator[Append]:
    """Yield what one caller hands to the committer."""
    for written in story():
        event = StoredEvent(written.stream, written.version, TOPIC, written.state)
        yield Append((event,), (), written.request_key if keyed else "")


class Window:
    """Counts what is appended, from when it is warm until the time is over."""

    def __init__(self, seconds: float) -> None:
        self._opens = time.perf_counter() + WARM_SECONDS
        self._closes = self._opens + seconds
        self._seconds = seconds
        self._latencies: list[float] = []
        self._processor = time.process_time()
        self.appended = 0
        self._counted = 0

    @property
    def is_open(self) -> bool:
        """Say whether to go on."""
        return time.perf_counter() < self._closes

    def note(self, began: float, events: int) -> None:
        """Note that so many events are durable."""
        ended = time.perf_counter()
        self.appended += events
        if self._opens <= ended < self._closes:
            self._latencies.append(ended - began)
            self._counted += events

    def figures(self, **more: Any) -> dict[str, Any]:
        """Return events a second and what else was seen."""
        processor = time.process_time() - self._processor
        latencies = sorted(self._latencies)
        return {
            "rate": self._counted / self._seconds,
            "p50_ms": latencies[len(latencies) // 2] * 1e3,
            "p99_ms": latencies[int(len(latencies) * 0.99)] * 1e3,
            "cpu_us_each": processor / self.appended * 1e6,
            "appended": self.appended,
            **more,
        }


class _Counted:
    """A recorder that counts its batches."""

    def __init__(self, recorder: BatchRecorder) -> None:
        self._recorder = recorder
        self.batches = 0

    def insert_batch(self, batch: Any) -> Any:
        self.batches += 1
        return self._recorder.insert_batch(batch)

    def maintain(self, *, is_idle: bool) -> None:
        self._recorder.maintain(is_idle=is_idle)


async def by_coroutines(
    recorder: BatchRecorder, callers: int, seconds: float, *, keyed: bool
) -> dict[str, Any]:
    """Append as the product does: a recorder, its committer, callers on one event loop."""
    counted = _Counted(recorder)
    fatal: list[BaseException] = []
    committer = Committer(counted, on_fatal=fatal.append)
    committer.start()
    window = Window(seconds)

    async def caller() -> None:
        for append in appends(keyed=keyed):
            if not window.is_open:
                return
            began = time.perf_counter()
            await committer.append(append)
            window.note(began, 1)

    await asyncio.gather(*(caller() for _ in range(callers)))
    await committer.close()
    if fatal:
        raise fatal[0]
    return window.figures(batch=window.appended / counted.batches)


def by_threads(
    insert: Callable[[list[StoredEvent]], Any], callers: int, seconds: float
) -> dict[str, Any]:
    """Append as the library's users do: callers on threads, one event a transaction."""
    window = Window(seconds)
    failed: list[BaseException] = []
    # What is added up by several threads.
    noting = threading.Lock()

    def caller() -> None:
        stream, version = uuid4(), 0
        try:
            while window.is_open:
                version += 1
                if version > STREAM_EVENTS:
                    stream, version = uuid4(), 1
                began = time.perf_counter()
                insert([StoredEvent(stream, version, TOPIC, _STATES[version % len(_STATES)])])
                with noting:
                    window.note(began, 1)
        except BaseException as error:  # noqa: BLE001 - told by whoever waits for the thread
            failed.append(error)

    threads = [threading.Thread(target=caller) for _ in range(callers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failed:
        raise failed[0]
    return window.figures()


def alone(commit: Callable[[list[Written]], None], callers: int, seconds: float) -> dict[str, Any]:
    """Append by the batch on one connection, with nobody to answer: the least that it can cost.

    Args:
        callers: whose streams they are, taken in turns.
    """
    written = cycle([story() for _ in range(callers)])
    window = Window(seconds)
    while window.is_open:
        batch = [next(next(written)) for _ in range(RAW_BATCH)]
        began = time.perf_counter()
        commit(batch)
        window.note(began, RAW_BATCH)
    return window.figures()
