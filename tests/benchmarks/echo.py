# SPDX-License-Identifier: Apache-2.0
"""Bare gRPC servers: the least that a call can cost. Each answers every call with the same bytes.

    python -m tests.benchmarks.echo sync|aio ANSWER ADDRESS

ANSWER is the file with those bytes; where it listens is written to the file ADDRESS.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import grpc

from tests.server import ROOT

SERVICE: Final = "bench.Echo"
METHOD: Final = f"/{SERVICE}/Do"
WORKERS: Final = 4
"""Threads of the synchronous server; with one for each call under way it is a third slower."""
_START_SECONDS: Final = 20.0


@contextmanager
def echoing(kind: str, folder: Path, answer: bytes) -> Iterator[tuple[str, int]]:
    """Run a server, `sync` or `aio`, and yield where it listens and the id of its process."""
    folder.mkdir(parents=True, exist_ok=True)
    address = folder / "address"
    address.unlink(missing_ok=True)
    (folder / "answer").write_bytes(answer)
    command = [sys.executable, "-m", "tests.benchmarks.echo", kind, folder / "answer", address]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL) as process:
        try:
            give_up = time.monotonic() + _START_SECONDS
            while not address.exists():
                if process.poll() is not None or time.monotonic() > give_up:
                    raise RuntimeError(f"the {kind} echo server does not start")
                time.sleep(0.01)
            yield address.read_text(encoding="utf-8"), process.pid
        finally:
            process.terminate()


def _handler(do: Any) -> grpc.GenericRpcHandler:
    return grpc.method_handlers_generic_handler(
        SERVICE, {"Do": grpc.unary_unary_rpc_method_handler(do)}
    )


def _announce(port: int, address: Path) -> None:
    unfinished = address.with_suffix(".unfinished")
    unfinished.write_text(f"127.0.0.1:{port}", encoding="utf-8")
    unfinished.replace(address)


def _serve_sync(answer: bytes, address: Path) -> None:
    def do(request: bytes, context: grpc.ServicerContext) -> bytes:
        del request, context
        return answer

    server = grpc.server(ThreadPoolExecutor(WORKERS))
    server.add_generic_rpc_handlers((_handler(do),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    _announce(port, address)
    server.wait_for_termination()


async def _serve_aio(answer: bytes, address: Path) -> None:
    async def do(request: bytes, context: Any) -> bytes:
        del request, context
        return answer

    server = grpc.aio.server()
    server.add_generic_rpc_handlers((_handler(do),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    _announce(port, address)
    await server.wait_for_termination()


if __name__ == "__main__":
    _kind, _answer, _address = sys.argv[1:]
    if _kind == "sync":
        _serve_sync(Path(_answer).read_bytes(), Path(_address))
    else:
        asyncio.run(_serve_aio(Path(_answer).read_bytes(), Path(_address)))
