# SPDX-License-Identifier: Apache-2.0
"""What the README says to type, typed in a real shell while the server of `make run` runs."""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

ROOT: Final = Path(__file__).parents[2]
START_SECONDS: Final = 40
ENVIRONMENT: Final = {
    name: value for name, value in os.environ.items() if not name.startswith("CITIZEN_VAULT_")
}

pytestmark = pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl here")


def block(heading: str) -> list[str]:
    """Return the lines to type that stand under a heading."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    found = re.search(rf"^## {heading}$.*?^```sh\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    assert found, heading
    return found.group(1).splitlines()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of a server with people, with `people.sh` in it."""
    folder = tmp_path_factory.mktemp("kept")
    command = [sys.executable, "-m", "clients.demo", "run", "--keep", str(folder)]
    with subprocess.Popen(command, cwd=ROOT, env=ENVIRONMENT, stdout=subprocess.PIPE) as process:
        give_up = time.monotonic() + START_SECONDS
        while not (folder / "people.sh").exists():
            assert process.poll() is None, "it does not start"
            assert time.monotonic() < give_up, "it is not ready in time"
            time.sleep(0.05)
        yield folder
        process.send_signal(signal.SIGINT)


@pytest.fixture(scope="module")
def answers(folder: Path) -> list[Any]:
    """What each line with curl printed."""
    lines = [
        f"{line}; echo" if line.startswith("curl ") else line for line in block("JSON and curl")
    ]
    ended = subprocess.run(
        ["bash", "-c", "\n".join(["set -e", *lines])],
        cwd=folder,
        env=ENVIRONMENT,
        check=False,
        capture_output=True,
        text=True,
        timeout=40,
    )
    assert ended.returncode == 0, ended.stderr
    return [json.loads(line) for line in ended.stdout.splitlines() if line.startswith("{")]


def test_five_lines_are_answered(answers: list[Any]) -> None:
    assert len(answers) == 5


def test_evidence_types_are_listed(answers: list[Any]) -> None:
    assert "postal_address" in json.dumps(answers[0]["evidenceTypes"])


def test_a_vault_is_opened(answers: list[Any]) -> None:
    assert answers[1]["vault"]["version"] == "1"


def test_evidence_is_provided(answers: list[Any]) -> None:
    provided = answers[2]["evidence"]

    assert provided["evidenceType"] == "postal_address"
    assert base64.b64decode(answers[2]["receipt"]["signature"] + "==")


def test_evidence_is_listed(answers: list[Any]) -> None:
    listed = [piece["evidenceId"] for piece in answers[3]["evidence"]]

    assert listed == [answers[2]["evidence"]["evidenceId"]]


def test_an_error_names_its_reason(answers: list[Any]) -> None:
    assert answers[4]["code"] == "invalid_argument"
    assert answers[4]["details"][0]["debug"]["reason"] == "FIELD_INVALID"


def test_a_credential_is_json_if_asked_for(folder: Path) -> None:
    ended = subprocess.run(
        [
            *(sys.executable, "-m", "clients.cli", "sandbox", "credential"),
            *("--role", "service", "--as", "somebody", "--json"),
        ],
        cwd=ROOT,
        env={**ENVIRONMENT, "CITIZEN_VAULT_DATA": str(folder / "data")},
        check=True,
        capture_output=True,
        timeout=40,
    )

    found = json.loads(ended.stdout)
    assert (found["token_type"], found["role"], found["sub"]) == ("Bearer", "service", "somebody")
    assert found["access_token"].count(".") == 2
