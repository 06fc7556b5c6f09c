# SPDX-License-Identifier: Apache-2.0
"""Writes a lane of a stopped server's database as an auditor's export: JSON lines."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import apsw

from vault.domain.canonical import b64

_RECORDS = """
SELECT position, stream, version, entry, state FROM entries LEFT JOIN records USING (lane, position)
WHERE lane = ? AND position < ? ORDER BY position
"""


def export(events: Path, out: Path, lane: int = 0, size: int = 2**53) -> int:
    """Write the first records of a lane, and return how many there were."""
    connection = apsw.Connection(str(events), flags=apsw.SQLITE_OPEN_READONLY)
    count = 0
    try:
        with out.open("w", encoding="ascii") as file:
            for row in connection.execute(_RECORDS, (lane, size)):
                file.write(_line(*row))
                count += 1
    finally:
        connection.close()
    return count


def _line(position: Any, stream: Any, version: Any, entry: Any, state: Any) -> str:
    link, _, facts = (state or b"").decode("ascii").partition("\n")
    row = {
        "leaf_index": position,
        "stream_id": stream,
        "version": version,
        "entry": b64(entry),
        "link": link,
        "facts": facts,
    }
    return json.dumps(row) + "\n"


if __name__ == "__main__":
    print(export(Path(sys.argv[1]), Path(sys.argv[2]), size=int(sys.argv[3])))
