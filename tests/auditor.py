# SPDX-License-Identifier: Apache-2.0
"""The auditor's own program, run on what was replayed; it shares no code with the server."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from tests.server import ROOT
from vault.api.v1.log_pb2 import Receipt, Record


def judge(
    folder: Path, vault: Iterable[Record], registry: Iterable[Record], receipts: Sequence[Receipt]
) -> dict[str, Any]:
    """Have the program judge a vault and receipts, and return its report."""
    folder.mkdir(parents=True)
    vault_file, registry_file = folder / "vault.jsonl", folder / "registry.jsonl"
    _write(vault_file, vault)
    _write(registry_file, registry)
    command = [sys.executable, "-m", "clients.auditor", "history", str(vault_file), "--json"]
    command += ["--registry", str(registry_file)]
    for number, receipt in enumerate(receipts):
        kept = folder / f"receipt-{number}.json"
        kept.write_text(json.dumps(_receipt(receipt)), encoding="ascii")
        command += ["--receipt", str(kept)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, timeout=60, check=False)
    assert done.returncode in {0, 1, 3}, done.stderr.decode(errors="replace")
    report: dict[str, Any] = json.loads(done.stdout)
    return report


def _write(path: Path, records: Iterable[Record]) -> None:
    with path.open("w", encoding="ascii") as file:
        for record in records:
            line = {
                "leaf_index": record.leaf_index,
                "stream_id": record.stream_id,
                "version": record.version,
                "entry": _b64(record.entry),
                "link": record.link.decode("ascii"),
                "facts": record.facts.decode("ascii"),
            }
            file.write(json.dumps(line) + "\n")


def _receipt(receipt: Receipt) -> dict[str, Any]:
    return {
        "facts": receipt.facts.decode("ascii"),
        "link_hash": _b64(receipt.link_hash),
        "origin": receipt.origin,
        "leaf_index": receipt.leaf_index,
        "leaf_hash": _b64(receipt.leaf_hash),
        "key_id": receipt.key_id,
        "signature": _b64(receipt.signature),
    }


def _b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")
