# SPDX-License-Identifier: Apache-2.0
"""`make demo` tells its story to the end, in citizens' words, and leaves no trace."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[2]
_NEVER_SAID = re.compile(
    r"\b(vault|grant|disclos|subject|consent|revo(ke|cation)|narrow|evidence|receipt)",
    re.IGNORECASE,
)
_BREAK_THE_COUNTER = """
import sys
from clients.demo import __main__, story
story.shared_things = lambda consents: 7
sys.argv = ["demo"]
sys.exit(__main__.main())
"""


@dataclass(frozen=True)
class Told:
    code: int
    out: str
    err: str
    folder: Path


def _environment(temporary: Path) -> Mapping[str, str]:
    return {**os.environ, "TMPDIR": str(temporary), "COLUMNS": "100", "CITIZEN_VAULT_LISTEN": "x"}


def _run(temporary: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=_ROOT,
        env=_environment(temporary),
        capture_output=True,
        encoding="utf-8",
        timeout=50,
        check=False,
    )


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Told:
    temporary = tmp_path_factory.mktemp("temporary")
    folder = tmp_path_factory.mktemp("kept") / "new"
    done = _run(temporary, "-m", "clients.demo", "--keep", str(folder))
    return Told(done.returncode, done.stdout, done.stderr, folder)


def test_everything_comes_out_as_expected(told: Told) -> None:
    assert (told.err, told.code) == ("", 0)
    assert told.out.rstrip().endswith("Everything came out as expected.")


def test_the_story_is_told_in_citizens_words(told: Told) -> None:
    assert _NEVER_SAID.findall(told.out) == []


def test_every_screen_has_its_counter(told: Told) -> None:
    counters = [line[2:] for line in told.out.splitlines() if line.startswith("▌ ")]

    assert counters == [
        "Typed once 19 answers · Shared 0 things · Seen by nobody",
        "Typed once 19 answers · Shared 3 things · Seen by nobody",
        "Typed once 19 answers · Shared 3 things · Seen by Aber Council",
        "Typed once 19 answers · Shared 4 things · Seen by Aber Council, BrightCare",
        *["Typed once 19 answers · Shared 3 things · Seen by Aber Council, BrightCare"] * 4,
    ]


def test_every_line_fits_80_columns_and_has_no_colour(told: Told) -> None:
    assert max(map(len, told.out.splitlines())) <= 80
    assert "\x1b" not in told.out


def test_no_call_is_shown_unless_asked_for(told: Told) -> None:
    assert "Service/" not in told.out


@pytest.mark.parametrize(
    "canary", [b"Heol yr Afon", b"SY29 4ZZ", b"Broken left hip", b"Amlodipine", b"Dafydd Rees"]
)
def test_nothing_that_was_typed_stands_in_any_file(told: Told, canary: bytes) -> None:
    files = [path for path in told.folder.rglob("*") if path.is_file()]

    assert len(files) > 10
    assert [path.name for path in files if canary in path.read_bytes()] == []


def test_no_server_is_left_running(told: Told) -> None:
    assert list(told.folder.rglob("server.json")) == []


def test_an_explained_story_shows_who_calls_what(tmp_path: Path) -> None:
    done = _run(tmp_path, "-m", "clients.demo", "--explain")

    assert done.returncode == 0
    assert "BrightCare → DisclosureService/DiscloseEvidence  FAILED_PRECONDITION" in done.stdout
    assert "Checker → AuditService/ReplayVault  OK" in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 80


def test_what_comes_otherwise_is_told_and_nothing_is_left_behind(tmp_path: Path) -> None:
    done = _run(tmp_path, "-c", _BREAK_THE_COUNTER)

    assert done.returncode == 1
    assert "This did not come out as expected: the counter" in done.stderr
    assert "expected  Typed once 19 answers · Shared 0 things" in done.stderr
    assert "came      Typed once 19 answers · Shared 7 things" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_folder_in_use_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine", encoding="utf-8")

    done = _run(tmp_path, "-m", "clients.demo", "--keep", str(tmp_path))

    assert done.returncode == 2
    assert "is not empty" in done.stderr


def test_run_keeps_the_server_until_it_is_told_to_end(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "clients.demo", "run"],
        cwd=_ROOT,
        env=_environment(tmp_path),
        stdout=subprocess.PIPE,
        encoding="utf-8",
    )
    try:
        while not list(tmp_path.glob("*/people.sh")):
            assert process.poll() is None
            time.sleep(0.05)
        time.sleep(0.5)
        assert process.poll() is None
    finally:
        process.send_signal(signal.SIGTERM)
        out, _ = process.communicate(timeout=30)

    assert process.returncode == 0
    assert "A server runs at 127.0.0.1:" in out
    assert "citizen-vault service ask home-visits" in out
    assert list(tmp_path.iterdir()) == []
