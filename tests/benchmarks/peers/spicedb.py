# SPDX-License-Identifier: Apache-2.0
"""Asks a real SpiceDB, in this very process and in memory, whether a service may read evidence.

    python spicedb.py WARM_SECONDS SECONDS THREADS

It runs in an environment of its own, with SPICEDB_LIBRARY_PATH naming the native library. There is
no network between, nothing is recorded and no data leaves: all of that favours the peer.
"""

from __future__ import annotations

import json
import sys
import threading
import time

from authzed.api.v1 import (
    CheckPermissionRequest,
    CheckPermissionResponse,
    Consistency,
    ObjectReference,
    Relationship,
    SubjectReference,
)
from spicedb_embedded import EmbeddedSpiceDB

SCHEMA = """
definition service {}
definition evidence {
    relation reader: service
    permission read = reader
}
"""
_HAS = CheckPermissionResponse.PERMISSIONSHIP_HAS_PERMISSION
_HAS_NOT = CheckPermissionResponse.PERMISSIONSHIP_NO_PERMISSION


def _service(name: str) -> SubjectReference:
    return SubjectReference(object=ObjectReference(object_type="service", object_id=name))


def measure(warm_seconds: float, seconds: float, threads: int) -> dict[str, float]:
    """Check on so many threads, each with a piece of evidence of its own."""
    service = _service("council")
    evidence = [ObjectReference(object_type="evidence", object_id=f"e{n}") for n in range(threads)]
    granted = [Relationship(resource=e, relation="reader", subject=service) for e in evidence]
    database = EmbeddedSpiceDB.start(SCHEMA, granted)
    permissions = database.permissions()
    # As a disclosure: a permission that was taken away may not be seen any more.
    now = Consistency(fully_consistent=True)

    def check(number: int, subject: SubjectReference, expected: int) -> None:
        asked = CheckPermissionRequest(
            consistency=now, resource=evidence[number], permission="read", subject=subject
        )
        if permissions.CheckPermission(asked).permissionship != expected:
            raise RuntimeError("SpiceDB answers something else")

    check(0, _service("stranger"), _HAS_NOT)
    opens = time.perf_counter() + warm_seconds
    closes = opens + seconds
    latencies: list[list[float]] = [[] for _ in range(threads)]
    failed: list[BaseException] = []

    def work(number: int) -> None:
        try:
            while (began := time.perf_counter()) < closes:
                check(number, service, _HAS)
                ended = time.perf_counter()
                if opens <= ended < closes:
                    latencies[number].append(ended - began)
        except BaseException as error:  # noqa: BLE001 - told by whoever waits for the thread
            failed.append(error)

    workers = [threading.Thread(target=work, args=(number,)) for number in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    if failed:
        raise failed[0]
    database.close()
    every = sorted(latency for one in latencies for latency in one)
    return {
        "rate": len(every) / seconds,
        "p50_ms": every[len(every) // 2] * 1e3,
        "p99_ms": every[int(len(every) * 0.99)] * 1e3,
    }


if __name__ == "__main__":
    _warm, _seconds, _threads = sys.argv[1:]
    json.dump(measure(float(_warm), float(_seconds), int(_threads)), sys.stdout)
