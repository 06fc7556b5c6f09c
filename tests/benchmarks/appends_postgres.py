# SPDX-License-Identifier: Apache-2.0
"""Durable appends on PostgreSQL, at the speed of this disk and of one that is far away."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import psycopg

from tests.benchmarks.limits import Limit, NotHereError, Result, Scene, Stage, compare, leave_out
from tests.benchmarks.program import run_program
from tests.benchmarks.rounds import Figure, Turn, progress
from tests.postgres import Cluster, running

CALLERS: Final = 32
SLOW_CALLERS: Final = 128
SLOW_MILLISECONDS: Final = 2
_SETTINGS: Final = {"shared_buffers": "128MB"}
"""What PostgreSQL takes by itself; all else is as in the tests, fsync on."""


def _turn(cluster: Cluster, how: str, callers: int) -> Turn:
    def turn(seconds: float) -> Figure:
        # A new database each time: what grows in one turn slows nobody's next.
        database = cluster.fresh_events()
        figures = run_program(
            "append_postgres", how, database.server, database.owner, callers, seconds
        )
        cluster.run(f"DROP DATABASE {database.name}")
        return Figure(figures.pop("rate"), figures)

    return turn


def _measure(stage: Stage, limits: Collection[Limit]) -> Mapping[str, Result]:
    names = ["product", "unkeyed", *sorted({name for limit in limits for name in limit.below})]
    with running(_SETTINGS) as cluster:
        return compare(stage, limits, {name: _turn(cluster, name, CALLERS) for name in names})


def _measure_slowly(stage: Stage, limits: Collection[Limit]) -> Mapping[str, Result]:
    try:
        with _slowed() as cluster:
            turns = {name: _turn(cluster, name, SLOW_CALLERS) for name in ("product", "raw")}
            return compare(stage, limits, turns)
    except NotHereError as error:
        return leave_out(stage, limits, str(error))


@contextmanager
def _slowed() -> Iterator[Cluster]:
    """Run a server whose every fsync takes longer.

    Raises:
        NotHereError: if it cannot be had here.
    """
    compiler = shutil.which("cc")
    if compiler is None:
        raise NotHereError("there is no C compiler here: install `cc`, or see slow_fsync.c")
    # Where whoever the server runs as can read it.
    with tempfile.TemporaryDirectory(prefix="slow-fsync-") as folder:
        Path(folder).chmod(0o755)
        library = Path(folder) / "slow_fsync.so"
        source = Path(__file__).with_name("slow_fsync.c")
        subprocess.run(
            [compiler, "-O2", "-shared", "-fPIC", "-o", library, source, "-ldl"], check=True
        )
        cluster = Cluster.make(_SETTINGS)
        try:
            cluster.stop()
            with _environment(
                LD_PRELOAD=str(library), SLOW_FSYNC_MICROSECONDS=str(SLOW_MILLISECONDS * 1000)
            ):
                cluster.start()
            _must_be_slow(cluster)
            yield cluster
        finally:
            cluster.close()


def _must_be_slow(cluster: Cluster) -> None:
    """Commit once, and see that it took as long as it should; a preload may be ignored."""
    with psycopg.connect(cluster.conninfo(), autocommit=True) as connection:
        connection.execute("CREATE TABLE slow (number integer)")
        began = time.perf_counter()
        connection.execute("INSERT INTO slow VALUES (1)")
        took = (time.perf_counter() - began) * 1000
    progress(f"one commit takes {took:.1f} ms")
    if took < SLOW_MILLISECONDS:
        raise NotHereError(f"the server does not take slow_fsync.c: a commit took {took:.1f} ms")


@contextmanager
def _environment(**settings: str) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in settings}
    os.environ.update(settings)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


SCENE: Final = Scene(
    "appends to PostgreSQL",
    (
        Limit(
            "append_postgres_32_vs_raw_batch64",
            "durable 1 KiB events/s, 32 callers, ÷ one connection, 64 a commit",
            0.35,
            "product",
            ("raw",),
        ),
        Limit(
            "append_postgres_32_vs_stock",
            "the same ÷ the library's stock recorder, 32 threads",
            15,
            "product",
            ("stock",),
        ),
    ),
    _measure,
)

SLOW_SCENE: Final = Scene(
    f"appends to PostgreSQL, {SLOW_MILLISECONDS} ms added to every fsync",
    (
        Limit(
            "append_postgres_128_slow_fsync_vs_raw_batch64",
            "durable 1 KiB events/s, 128 callers, ÷ one connection, 64 a commit",
            0.6,
            "product",
            ("raw",),
        ),
    ),
    _measure_slowly,
)
