# SPDX-License-Identifier: Apache-2.0
"""What is measured runs as a program of its own, and tells what it measured on standard output."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

from tests.server import ROOT

_CLOCK_TICKS: Final = 100


def run_program(module: str, *arguments: object, patience_seconds: float = 120.0) -> dict[str, Any]:
    """Run a module of ours with arguments, and return the JSON object that it prints.

    Raises:
        RuntimeError: if it failed, with what it said.
    """
    ended = subprocess.run(
        [sys.executable, "-m", f"tests.benchmarks.{module}", *map(str, arguments)],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=patience_seconds,
    )
    if ended.returncode:
        raise RuntimeError(f"{module} failed:\n{ended.stderr[-3000:]}")
    figures: dict[str, Any] = json.loads(ended.stdout)
    return figures


def processor_seconds(pid: int) -> float:
    """Return the processor time that a process and its children have used.

    It is 0 where the system does not tell.
    """
    process = Path(f"/proc/{pid}")
    try:
        stat = (process / "stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        children = (process / "task" / str(pid) / "children").read_text(encoding="ascii").split()
    except OSError:
        return 0.0
    own = (int(stat[11]) + int(stat[12])) / _CLOCK_TICKS
    return own + sum(processor_seconds(int(child)) for child in children)
