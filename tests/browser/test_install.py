# SPDX-License-Identifier: Apache-2.0
"""On a machine without a Chromium one is installed; where that fails, tests fail and say so."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.browser.chromium import NONE_HERE
from tests.browser.install import ways

_ROOT = Path(__file__).parents[2]
_NEEDS_ONE = """
def test_needs_a_browser(browser):
    assert browser
"""


@pytest.fixture
def release(tmp_path: Path) -> Path:
    file = tmp_path / "os-release"
    file.write_text('NAME="Debian GNU/Linux"\nID=debian\nVERSION_ID="12"\n', encoding="utf-8")
    return file


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine whose only program is apt-get."""
    program = tmp_path / "bin" / "apt-get"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\n", encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent))
    return program


def test_root_on_debian_takes_debians_own(release: Path, machine: Path) -> None:
    update, install = ways(release, is_root=True)

    assert (update[0], update[-1]) == (str(machine), "update")
    assert "chromium" in install


@pytest.mark.parametrize(("is_root", "system"), [(False, "debian"), (True, "ubuntu"), (True, "")])
def test_others_take_playwrights(
    is_root: bool,  # noqa: FBT001 - pytest gives parameters by name
    system: str,
    release: Path,
    machine: Path,
) -> None:
    assert machine.exists()
    release.write_text(f"ID={system}\n", encoding="utf-8")

    assert ways(release, is_root=is_root) == [
        [sys.executable, "-m", "playwright", "install", "chromium"]
    ]


def test_without_one_a_test_fails_and_says_what_to_do(tmp_path: Path) -> None:
    """It is not skipped: nobody reads what was skipped."""
    (tmp_path / "test_one.py").write_text(_NEEDS_ONE, encoding="utf-8")
    nothing = {"PATH": str(tmp_path), "PLAYWRIGHT_BROWSERS_PATH": str(tmp_path)}

    done = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-q", "-n", "0", "-p", "no:cacheprovider"),
            *("-p", "tests.browser.conftest", "--rootdir", str(_ROOT), str(tmp_path)),
        ],
        cwd=_ROOT,
        env={**os.environ, **nothing},
        capture_output=True,
        encoding="utf-8",
        check=False,
        timeout=50,
    )

    assert done.returncode == 1
    assert NONE_HERE.splitlines()[0] in done.stdout
    assert "1 error" in done.stdout
