# SPDX-License-Identifier: Apache-2.0
"""Which Chromium the pages are tried in: the machine's own, else the one that Playwright brings."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from playwright.sync_api import Playwright

NAMES: Final = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
NONE_HERE: Final = (
    "There is no Chromium on this machine, and the pages cannot be tried without one.\n"
    "Install one (Debian: apt-get install chromium), or run: "
    "python -m playwright install --with-deps chromium"
)

_QUIET: Final = (
    # A browser that asks nobody for updates, and keeps its shared memory where there is room.
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-dev-shm-usage",
    "--disable-gpu",
    "--disable-quic",
    "--disable-sync",
    "--no-first-run",
)


def found(playwright: Playwright) -> str | None:
    """Return the program of a Chromium, or None where there is none."""
    for name in NAMES:
        if program := shutil.which(name):
            return program
    own = playwright.chromium.executable_path
    return own if Path(own).exists() else None


def options(program: str) -> Mapping[str, Any]:
    """Return how to start it; its sandbox refuses to work for root, and for nobody else."""
    unboxed = ("--no-sandbox",) if os.geteuid() == 0 else ()
    return {"executable_path": program, "headless": True, "args": [*_QUIET, *unboxed]}
