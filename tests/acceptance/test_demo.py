# SPDX-License-Identifier: Apache-2.0
"""`make demo` tells its story to the end in citizens' words, leaving no trace; FULL=1 all of it."""

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[2]
_NEVER_SAID = re.compile(
    r"\b(vault|grant|disclos|subject|consent|revo(ke|cation)|narrow|evidence|receipt)",
    re.IGNORECASE,
)
_CURL = re.compile(r"^    curl .*?\n\n", re.MULTILINE | re.DOTALL)
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

    @property
    def words(self) -> str:
        """Return what is said to people: all but the call that is typed into a terminal."""
        return _CURL.sub("", self.out)

    @property
    def counters(self) -> list[str]:
        return [line[2:] for line in self.out.splitlines() if line.startswith("▌ ")]

    @property
    def outcome(self) -> dict[str, str]:
        """Return the lines at the end, by their names."""
        lines = self.out[self.out.rindex("━━━━") :].splitlines()
        return {line[2:24].strip(): line[24:].strip() for line in lines if line[24:].strip()}


def _environment(temporary: Path) -> Mapping[str, str]:
    return {**os.environ, "TMPDIR": str(temporary), "COLUMNS": "100", "CITIZEN_VAULT_LISTEN": "x"}


def _run(temporary: Path, *arguments: str, seconds: float = 50) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=_ROOT,
        env=_environment(temporary),
        capture_output=True,
        encoding="utf-8",
        timeout=seconds,
        check=False,
    )


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Told:
    temporary = tmp_path_factory.mktemp("temporary")
    folder = tmp_path_factory.mktemp("kept") / "new"
    done = _run(temporary, "-m", "clients.demo", "--keep", str(folder))
    return Told(done.returncode, done.stdout, done.stderr, folder)


@pytest.fixture(scope="module")
def told_in_full(tmp_path_factory: pytest.TempPathFactory) -> Told:
    temporary = tmp_path_factory.mktemp("temporary")
    folder = tmp_path_factory.mktemp("kept") / "new"
    done = _run(temporary, "-m", "clients.demo", "--full", "--keep", str(folder))
    return Told(done.returncode, done.stdout, done.stderr, folder)


@pytest.fixture(params=["told", "told_in_full"])
def either(request: pytest.FixtureRequest) -> Told:
    told: Told = request.getfixturevalue(request.param)
    return told


def test_everything_comes_out_as_expected(either: Told) -> None:
    assert (either.err, either.code) == ("", 0)
    assert either.out.rstrip().endswith("Everything came out as expected.")


def test_the_story_is_told_in_citizens_words(either: Told) -> None:
    assert _NEVER_SAID.findall(either.words) == []


def test_every_screen_has_its_counter(told: Told) -> None:
    assert told.counters == [
        "Typed once 19 answers · Shared 0 things · Seen by nobody",
        "Typed once 19 answers · Shared 3 things · Seen by nobody",
        "Typed once 19 answers · Shared 3 things · Seen by Aber Council",
        "Typed once 19 answers · Shared 4 things · Seen by Aber Council, BrightCare",
        *["Typed once 19 answers · Shared 3 things · Seen by Aber Council, BrightCare"] * 6,
    ]


def test_the_full_story_begins_as_the_short_one_and_goes_on(told: Told, told_in_full: Told) -> None:
    seen = "Shared 2 things · Seen by Aber Council, BrightCare"

    assert told_in_full.counters[:10] == told.counters
    assert told_in_full.counters[10:] == [
        *[f"Typed once 19 answers · {seen}"] * 2,
        f"Typed once 22 answers · {seen}",
        f"Typed once 23 answers · {seen}",
        "Emlyn · Typed once 5 answers · Shared 1 thing · Seen by BrightCare",
        *[f"Typed once 23 answers · {seen}"] * 2,
    ]


def test_its_end_sums_up_what_came_of_it(told: Told) -> None:
    compared = told.outcome.pop("Compared on the way", "")

    assert int(compared.partition(" ")[0]) >= 100
    expected = {
        "Refused attempts": "2, all in her list",
        "Sent after stopping": "0",
        "Removed entry": "found: FAILED",
        "Another history": "found: FAILED, contradicts the witness",
        "Invented permission": "found: NOT SHOWN TO BE HERS",
        "Honest copy": "VERIFIED: 2 of 2 allowed",
    }
    assert {name: told.outcome[name] for name in expected} == expected


def test_the_end_of_the_full_story_sums_up_what_came_of_all_of_it(
    told: Told, told_in_full: Told
) -> None:
    outcome = told_in_full.outcome
    compared = [int(one.outcome["Compared on the way"].split()[0]) for one in (told, told_in_full)]

    assert compared[1] > compared[0] + 100
    assert outcome["Typed once"] == "23 answers"
    assert outcome["Refused attempts"] == "6, all in her list"
    assert outcome["Shared less"] == "told first to her, then to Aber Council: the same"
    assert re.fullmatch(
        r"once whole, once stopped at [0-8]\.\d MB of 8\.7 MB", outcome["The letter"]
    )
    assert outcome["Emlyn"] == "helped by Eleri Jones, at the counter; in his list"
    assert outcome["Asked again"] == "9 of 9 uses: the same answer"
    assert re.fullmatch(r"\d\d entries, nothing missing or changed", outcome["Both histories"])
    assert re.fullmatch(r"none of what she typed, in \d{2,3} files", outcome["On the disk"])


def test_every_line_fits_80_columns_and_has_no_colour(either: Told) -> None:
    assert max(map(len, either.out.splitlines())) <= 80
    assert "\x1b" not in either.out


def test_no_call_is_shown_unless_asked_for(either: Told) -> None:
    assert "Service/" not in either.words


@pytest.mark.timeout(120)
def test_on_postgresql_the_story_is_the_same(told: Told, tmp_path: Path) -> None:
    demo = (sys.executable, "-m", "clients.demo", "--store", "postgres")
    done = _run(tmp_path, "-m", "tests.postgres", *demo, seconds=110)
    there = Told(done.returncode, done.stdout, done.stderr, tmp_path)

    assert (there.err, there.code) == ("", 0)
    outcome, on_files = there.outcome, told.outcome
    on_disk = outcome.pop("On the disk")
    assert there.counters == told.counters
    assert outcome == {name: on_files[name] for name in outcome}
    assert re.fullmatch(r"none of what she typed, in \d{2,3} files and \d\d tables", on_disk)
    assert max(map(len, there.out.splitlines())) <= 80
    assert list(tmp_path.iterdir()) == []


def test_without_its_databases_the_story_on_postgresql_says_so(tmp_path: Path) -> None:
    done = _run(tmp_path, "-m", "clients.demo", "--store", "postgres")

    assert done.returncode == 1
    assert "CITIZEN_VAULT_POSTGRES_KEYS" in done.stderr
    assert "make demo STORE=postgres" in done.stderr


@pytest.mark.parametrize(
    "canary", [b"Heol yr Afon", b"SY29 4ZZ", b"Broken left hip", b"Amlodipine", b"Dafydd Rees"]
)
def test_nothing_that_was_typed_stands_in_any_file(either: Told, canary: bytes) -> None:
    files = [path for path in either.folder.rglob("*") if path.is_file()]

    assert len(files) > 10
    assert [path.name for path in files if canary in path.read_bytes()] == []


@pytest.mark.parametrize(
    "canary",
    [
        b"%PDF-",
        b"Dr Ffion Bowen",
        b"I never said meals",
        b"SY29 7QW",
        b"n y Felin",
        b"Eleri Jones",
    ],
)
def test_neither_letter_nor_words_nor_helper_stand_in_any_file(
    told_in_full: Told, canary: bytes
) -> None:
    files = [path for path in told_in_full.folder.rglob("*") if path.is_file()]

    assert any("documents" in path.parts for path in files)
    assert [path.name for path in files if canary in path.read_bytes()] == []


def test_emlyns_code_stands_in_his_letter_and_in_no_file(told_in_full: Told) -> None:
    code = re.search(r"^ +│ +([0-9A-Z]{5}(?:-[0-9A-Z]{5}){3}) +│", told_in_full.out, re.MULTILINE)
    assert code
    forms = [code[1].encode(), code[1].replace("-", "").encode()]

    files = [path for path in told_in_full.folder.rglob("*") if path.is_file()]

    assert not any(form in path.read_bytes() for path in files for form in forms)


def test_no_server_is_left_running(either: Told) -> None:
    assert list(either.folder.rglob("server.json")) == []


def test_an_explained_story_shows_who_calls_what(tmp_path: Path) -> None:
    done = _run(tmp_path, "-m", "clients.demo", "--full", "--explain")

    assert done.returncode == 0
    assert "BrightCare → DisclosureService/DiscloseEvidence  FAILED_PRECONDITION" in done.stdout
    assert "Checker → AuditService/ReplayVault  OK" in done.stdout
    assert "Mair → EvidenceService/UploadDocument  OK" in done.stdout
    assert "Aber Council → DisclosureService/DiscloseDocument  OK" in done.stdout
    assert "Aber Council → DisclosureService/DiscloseDocument  FAILED_PRECOND" in done.stdout
    assert "Eleri Jones → ConsentService/ExtendConsent  PERMISSION_DENIED" in done.stdout
    assert "Aber Council → POST DisclosureService/DiscloseEvidence  200" in done.stdout
    assert "refused  failed_precondition FIELD_NOT_GRANTED" in done.stdout
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


@dataclass(frozen=True)
class Kept:
    process: subprocess.Popen[str]
    out: Path
    shell_file: Path


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Kept]:
    """`make run`, when all is printed."""
    out = tmp_path / "out.txt"
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    with out.open("w") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", "clients.demo", "run"],
            cwd=_ROOT,
            env=_environment(temporary),
            stdout=file,
            encoding="utf-8",
        )
    try:
        while "citizen-vault-auditor" not in out.read_text(encoding="utf-8"):
            assert process.poll() is None
            time.sleep(0.05)
        (shell_file,) = temporary.glob("*/people.sh")
        yield Kept(process, out, shell_file)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=30)


def test_run_keeps_the_server_until_it_is_told_to_end(kept: Kept, tmp_path: Path) -> None:
    time.sleep(0.5)
    assert kept.process.poll() is None

    kept.process.send_signal(signal.SIGTERM)

    assert kept.process.wait(timeout=30) == 0
    assert list((tmp_path / "temporary").iterdir()) == []


def test_run_prints_how_to_talk_to_it(kept: Kept) -> None:
    out = kept.out.read_text(encoding="utf-8")

    assert "A server runs at 127.0.0.1:" in out
    assert re.search(r"^  The same as JSON +http://127\.0\.0\.1:\d+, described", out, re.MULTILINE)
    assert re.search(r"^  Access tokens +http://127\.0\.0\.1:\d+, for everybody", out, re.MULTILINE)
    assert "citizen-vault service ask home-visits" in out
    assert "citizen-vault sandbox credential --role citizen" in out
    assert "citizen-vault assist open --as jones --channel counter" in out


@pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl here")
def test_what_run_prints_for_officials_and_programs_can_be_typed(kept: Kept) -> None:
    printed = [line.strip() for line in kept.out.read_text(encoding="utf-8").splitlines()]
    typed = [
        line
        for line in printed
        if line.startswith(("TOKEN=", "curl ", "citizen-vault assist open ")) or "--short" in line
    ]

    done = subprocess.run(
        ["bash", "-ec", "\n".join([f". {shlex.quote(str(kept.shell_file))}", *typed])],
        capture_output=True,
        encoding="utf-8",
        timeout=50,
        check=False,
    )

    assert (done.stderr, done.returncode) == ("", 0)
    assert len(typed) == 4
    assert re.search(r"\b[0-9A-Z]{5}(-[0-9A-Z]{5}){3}\b", done.stdout)
    assert re.search(r"^[0-9A-Z]{4}-[0-9A-Z]{4}$", done.stdout, re.MULTILINE)
    listed = json.loads(done.stdout[done.stdout.rindex('{"evidence":') :])
    assert len(listed["evidence"]) == 5
