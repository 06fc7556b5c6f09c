# SPDX-License-Identifier: Apache-2.0
"""Looks for a Chromium, and installs one where there is none: `make test` runs it first.

As root on Debian from Debian's packages, elsewhere by Playwright. It never fails: the tests do,
and say what to do, so that those which need no browser run without one.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

from tests.browser.chromium import NONE_HERE, found


def main() -> None:
    """Make sure that there is a Chromium, or say that there is none."""
    with sync_playwright() as playwright:
        if found(playwright) is None:
            install()
        if found(playwright) is None:
            sys.stderr.write(f"{NONE_HERE}\n")


def install() -> None:
    """Install a Chromium, in the way that this machine has for it."""
    sys.stdout.write("Installing Chromium, once: the pages are tried in it.\n")
    sys.stdout.flush()
    for command in ways(Path("/etc/os-release"), is_root=os.geteuid() == 0):
        subprocess.run(command, check=False, stdin=subprocess.DEVNULL)


def ways(release: Path, *, is_root: bool) -> list[list[str]]:
    """Return the commands that install one.

    Args:
        release: the file that says which system this is.
    """
    lines = release.read_text(encoding="utf-8").splitlines() if release.exists() else []
    if is_root and "ID=debian" in lines and (program := shutil.which("apt-get")):
        quietly = [program, "-q", "-y", "-o", "DPkg::Lock::Timeout=120"]
        packages = ["chromium", "fonts-liberation"]
        return [[*quietly, "update"], [*quietly, "install", "--no-install-recommends", *packages]]
    return [[sys.executable, "-m", "playwright", "install", "chromium"]]


if __name__ == "__main__":
    main()
