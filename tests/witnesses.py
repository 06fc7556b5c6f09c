# SPDX-License-Identifier: Apache-2.0
"""Real witnesses, each a process of its own, and the policy that names them."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Final

from tests.server import ROOT, STOP_SECONDS, Server
from vault.transparency.checkpoint import Checkpoint
from vault.transparency.cosignature import CosignatureSigner
from vault.transparency.note import Verifier
from vault.transparency.witness import AddCheckpoint, RefusedError, encode_signatures
from vault.witness.heads import Heads
from vault.witness.witness import Witness

_LISTED: Final = "SELECT state FROM records WHERE topic = 'log-key-listed.1' ORDER BY position"


@dataclass
class WitnessProgram:
    """`citizen-vault-server witness` on one folder; it comes back where it was."""

    folder: Path
    name: str
    vkey: str = ""
    url: str = ""
    process: subprocess.Popen[str] | None = None

    def start(self, *logs: str) -> None:
        """Start, and return once it answers.

        Args:
            logs: the vkeys of the logs that it knows; those of the last time if none.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        known = self.folder / "logs.txt"
        if logs:
            known.write_text("".join(f"{vkey}\n" for vkey in logs))
        listen = self.url.removeprefix("http://") or "127.0.0.1:0"
        with (self.folder / "written.log").open("ab") as written:
            self.process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "vault.main", "witness", "--listen", listen),
                    *("--folder", str(self.folder / "own"), "--logs", str(known)),
                    *("--name", self.name),
                ],
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=written,
                text=True,
            )
        assert self.process.stdout is not None
        said = self.process.stdout.readline().split()
        assert said, (self.folder / "written.log").read_text()
        _, _, self.vkey, self.url = said

    def stop(self) -> int:
        """Stop it as its operator would, and return its exit code."""
        assert self.process is not None
        self.process.terminate()
        return self._ended()

    def kill(self) -> None:
        """Kill it at once."""
        assert self.process is not None
        self.process.kill()
        self._ended()

    def _ended(self) -> int:
        assert self.process is not None
        assert self.process.stdout is not None
        self.process.stdout.close()
        return self.process.wait(STOP_SECONDS)


def log_keys(server: Server) -> list[str]:
    """Return the vkeys of the logs that a server has listed."""
    return [
        json.loads(bytes(state).partition(b"\n")[2])["vkey"]  # type: ignore[call-overload]
        for (state,) in server.sql(_LISTED)
    ]


def policy_of(witnesses: Sequence[WitnessProgram], quorum: int, *logs: str) -> str:
    """Return a policy: so many of these have to cosign."""
    names = " ".join(witness.name for witness in witnesses)
    return "".join(
        [
            *(f"log {vkey}\n" for vkey in logs),
            *(f"witness {each.name} {each.vkey} {each.url}\n" for each in witnesses),
            f"group all-of-them {quorum} {names}\nquorum all-of-them\n",
        ]
    )


@contextmanager
def witnessed(server: Server, count: int = 2, quorum: int = 0) -> Iterator[list[WitnessProgram]]:
    """Run witnesses of a server that is not running, and have it ask them from its next start."""
    server.start()
    assert server.stop() == 0
    keys = log_keys(server)
    with ExitStack() as running:
        witnesses = []
        for number in range(count):
            witness = WitnessProgram(server.folder / f"w{number}", f"w{number}.example")
            witness.start(*keys)
            running.callback(_end, witness)
            witnesses.append(witness)
        policy = server.folder / "policy.txt"
        policy.write_text(policy_of(witnesses, quorum or count, *keys))
        server.settings["CITIZEN_VAULT_LOG_POLICY"] = str(policy)
        yield witnesses


def _end(witness: WitnessProgram) -> None:
    if witness.process is not None and witness.process.poll() is None:
        witness.kill()


class RecordingWitness:
    """A real witness in this process that remembers everything it was ever asked to cosign."""

    def __init__(
        self, folder: Path, name: str = "recording.example", seed: bytes = bytes(range(32))
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.asked: list[Checkpoint] = []
        self._signer = CosignatureSigner(name, seed)
        self._heads = Heads(folder / "heads.db")
        self._logs: dict[str, list[Verifier]] = {}
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._thread = Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()

    @property
    def policy(self) -> str:
        """The policy in which this witness is the quorum."""
        url = f"http://127.0.0.1:{self._server.server_port}"
        return f"witness w {self._signer.verifier.vkey} {url}\nquorum w\n"

    def know(self, *vkeys: str) -> None:
        """Know these logs."""
        for vkey in vkeys:
            verifier = Verifier.of(vkey)
            self._logs[verifier.name] = [verifier]

    def forget(self) -> None:
        """Know no log any more."""
        self._logs.clear()

    def close(self) -> None:
        """End."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
        self._heads.close()

    def answer(self, body: bytes) -> tuple[int, bytes]:
        """Answer one request."""
        witness = Witness(self._signer, self._logs, self._heads)
        try:
            request = AddCheckpoint.parse(body)
            self.asked.append(Checkpoint.parse(request.note.text))
            return 200, encode_signatures([witness.cosignature(request)])
        except RefusedError as error:
            return error.status, error.body

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        witness = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                length = int(self.headers["content-length"])
                status, body = witness.answer(self.rfile.read(length))
                self.send_response(status)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_args: object) -> None:
                pass

        return Handler
