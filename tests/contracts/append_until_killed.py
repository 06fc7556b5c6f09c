# SPDX-License-Identifier: Apache-2.0
"""Appends to a store under load and prints what it acknowledged, until somebody kills it.

The environment says to which, as for an application of the library.
"""

from __future__ import annotations

import asyncio
import os
from uuid import uuid4

from eventsourcing.persistence import InfrastructureFactory, StoredEvent
from eventsourcing.utils import Environment

from vault.store.append import Append, Payload
from vault.store.committer import Committer
from vault.store.recorder import RecorderFactory


async def append_for_ever() -> None:
    """Append to many streams at once; one line for each append that was acknowledged."""
    factory = InfrastructureFactory.construct(Environment("", os.environ))
    assert isinstance(factory, RecorderFactory)
    committer = Committer(factory.application_recorder(), on_fatal=lambda _: os.abort())
    committer.start()

    async def one_caller() -> None:
        stream = str(uuid4())
        for version in range(1, 1_000_000):
            key = str(uuid4())
            event = StoredEvent(stream, version, "something-happened.1", os.urandom(256))
            payload = Payload("evidence", os.urandom(256))
            commit = await committer.append(Append((event,), ((payload,),), key))
            # Unbuffered: the line leaves the process before it is killed, or was never promised.
            os.write(1, f"{stream} {version} {key} {commit.positions[0]}\n".encode())

    await asyncio.gather(*(one_caller() for _ in range(32)))


if __name__ == "__main__":
    asyncio.run(append_for_ever())
