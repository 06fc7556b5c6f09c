# SPDX-License-Identifier: Apache-2.0
"""A primary and its standby, the link between them, and how a server of ours finds either."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Final

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from tests.link import Link
from tests.postgres import Cluster, new_settings
from tests.postgres import running as running_cluster

STANDBY: Final = "standby"
"""The standby's name."""

_SECONDS: Final = 20.0
_CONNINFOS: Final = ("CITIZEN_VAULT_POSTGRES", "CITIZEN_VAULT_POSTGRES_KEYS")


@dataclass
class Pair:
    """A primary whose changes stream to a standby, through a link that can be cut."""

    primary: Cluster
    standby: Cluster
    link: Link

    def name_standby(self) -> None:
        """Have the primary's commits wait for the standby, and return once it answers."""
        name_standby(self.primary, STANDBY)

    def settings(self) -> dict[str, str]:
        """Return the settings of a server on new databases, which knows where the standby is."""
        settings = new_settings(self.primary)
        for name in _CONNINFOS:
            settings[name] = reaching((self.primary, self.standby), settings[name])
        return settings


@contextmanager
def pair() -> Iterator[Pair]:
    """Run a primary and a standby, which the primary does not wait for unless that is named."""
    with ExitStack() as running:
        primary = running.enter_context(running_cluster())
        link = running.enter_context(Link(primary.port))
        standby = primary.standby(STANDBY, through=link.port)
        running.callback(standby.close)
        yield Pair(primary, standby, link)


@contextmanager
def paused(cluster: Cluster) -> Iterator[None]:
    """Stop every process of a server; on the way out they go on, and know nothing of it."""
    pids = [cluster.pid, *_children(cluster.pid)]
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


def _children(parent: int) -> list[int]:
    listing = subprocess.run(
        ["ps", "-A", "-o", "pid=", "-o", "ppid="], check=True, capture_output=True, text=True
    )
    pairs = (map(int, line.split()) for line in listing.stdout.splitlines())
    return [pid for pid, of in pairs if of == parent]


def reaching(clusters: tuple[Cluster, ...], conninfo: str) -> str:
    """Return a conninfo that leads to the primary among several servers."""
    said = conninfo_to_dict(conninfo)
    said["host"] = ",".join(str(cluster.folder) for cluster in clusters)
    said["port"] = ",".join(str(cluster.port) for cluster in clusters)
    return make_conninfo(**{name: value for name, value in said.items() if value is not None})


def name_standby(primary: Cluster, name: str) -> None:
    """Have commits wait for a standby, "" for none; return once it is so."""
    primary.run(f"ALTER SYSTEM SET synchronous_standby_names = '{name}'")
    primary.run("SELECT pg_reload_conf()")
    wanted = [("sync",)] if name else []
    give_up = time.monotonic() + _SECONDS
    while _synchronous(primary) != wanted:
        assert time.monotonic() < give_up, "the standby does not become synchronous"
        time.sleep(0.02)


def _synchronous(primary: Cluster) -> list[tuple[str]]:
    with psycopg.connect(primary.conninfo()) as connection:
        return connection.execute(
            "SELECT sync_state FROM pg_stat_replication WHERE sync_state = 'sync'"
            " AND state = 'streaming'"
        ).fetchall()
