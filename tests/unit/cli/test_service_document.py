# SPDX-License-Identifier: Apache-2.0
"""A document is a whole file that verifies, or no file."""

from __future__ import annotations

import hashlib
import itertools
import json
from pathlib import Path
from typing import Any

import grpc
import pytest

from tests.unit.cli import world
from tests.unit.cli.conftest import Terminal
from tests.unit.cli.fake_server import FakeServer, Refusal
from vault.api.v1.disclosure_service_pb2 import DiscloseDocumentResponse

UNDER = ("--consent", world.CONSENT, "--subject", world.SUBJECT, "--purpose", "care-at-home")
DOCUMENT = b"%PDF-1.7" + bytes(3000)
STOPPED = Refusal(grpc.StatusCode.FAILED_PRECONDITION, "CONSENT_REVOKED", "It was revoked.")


def announced(content: bytes = DOCUMENT, **facts: str) -> DiscloseDocumentResponse:
    bundle = world.a_bundle(
        sha256=world.b64(hashlib.sha256(content).digest()),
        sizeBytes=len(content),
        mediaType="application/pdf",
    )
    told = {"bundle_hash": world.b64(hashlib.sha256(bundle).digest()), **facts}
    return DiscloseDocumentResponse(disclosure=world.a_disclosure(bundle, **told))


def chunks(content: bytes = DOCUMENT) -> list[Any]:
    return [
        DiscloseDocumentResponse(chunk=content[begin : begin + 1000])
        for begin in range(0, len(content), 1000)
    ]


@pytest.fixture(autouse=True)
def _council(server: FakeServer, terminal: Terminal) -> None:
    world.publish(server)
    server.says("DiscloseDocument", [announced(), *chunks()])
    terminal.sign_in("council", "service")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "documents"
    made.mkdir()
    return made


def fetch(folder: Path, *more: str) -> tuple[str, ...]:
    return ("service", "fetch-document", "--out", str(folder / "letter.pdf"), *UNDER, *more)


def test_a_document_is_written_whole_for_its_owner_alone(terminal: Terminal, folder: Path) -> None:
    receipt = ("--receipt", str(folder / "receipt"), "--bundle", str(folder / "bundle"))
    ran = terminal.run(*fetch(folder, *receipt))

    assert ran.exit_code == 0, ran.err
    written = folder / "letter.pdf"
    assert written.read_bytes() == DOCUMENT
    assert written.stat().st_mode & 0o077 == 0
    assert "verified" in ran.out
    assert {path.name for path in folder.iterdir()} == {"letter.pdf", "receipt", "bundle"}


def test_only_the_content_is_asked_for_unless_more_is_named(
    server: FakeServer, terminal: Terminal, folder: Path
) -> None:
    terminal.run(*fetch(folder))
    terminal.run(*fetch(folder / "..", "document#2:title,content"))

    plain, more = server.requests("DiscloseDocument")
    assert (plain.fields.evidence_type, list(plain.fields.names)) == ("document", ["content"])
    assert (more.fields.item, list(more.fields.names)) == (2, ["title", "content"])


def test_a_stream_that_she_stops_leaves_no_file_and_says_why(
    server: FakeServer, terminal: Terminal, folder: Path
) -> None:
    server.says("DiscloseDocument", lambda _: iter([announced(), chunks()[0], STOPPED]))

    ran = terminal.run(*fetch(folder))

    assert (ran.exit_code, ran.out) == (1, "")
    assert "It was revoked. It broke off after 1,000 of 3,008 bytes: no file." in " ".join(
        ran.err.split()
    )
    assert "She stopped it" in ran.err
    assert list(folder.iterdir()) == []


def test_a_program_learns_the_reason_of_a_stream_that_broke_off(
    server: FakeServer, terminal: Terminal, folder: Path
) -> None:
    server.says("DiscloseDocument", lambda _: iter([announced(), STOPPED]))

    ran = terminal.run(*fetch(folder, "--json"))

    assert json.loads(ran.err)["error"]["reason"] == "CONSENT_REVOKED"


@pytest.mark.parametrize(
    "answer",
    [
        [announced(), *chunks()[:-1]],
        [announced(), *chunks(DOCUMENT + b"more")],
        [announced(), *chunks(bytes(len(DOCUMENT)))],
        [announced(subject=world.CONSENT), *chunks()],
        [announced(bundle_hash=world.b64(bytes(32))), *chunks()],
        [DiscloseDocumentResponse(disclosure=world.a_disclosure())],
        chunks(),
        [],
    ],
    ids=[
        "too short",
        "too long",
        "other bytes",
        "somebody else's",
        "not what was signed",
        "no document",
        "no bundle",
        "nothing",
    ],
)
def test_what_is_not_what_was_signed_leaves_no_file(
    server: FakeServer, terminal: Terminal, folder: Path, answer: list[Any]
) -> None:
    server.says("DiscloseDocument", answer)

    ran = terminal.run(*fetch(folder))

    assert (ran.exit_code, ran.out) == (1, "")
    assert list(folder.iterdir()) == []


def test_a_document_that_ends_early_says_how_much_came(
    server: FakeServer, terminal: Terminal, folder: Path
) -> None:
    server.says("DiscloseDocument", [announced(), *chunks()[:-1]])

    ran = terminal.run(*fetch(folder))

    assert "3,000 of 3,008 bytes" in ran.err


@pytest.mark.timeout(30)
def test_no_more_is_written_than_was_announced(
    server: FakeServer, terminal: Terminal, folder: Path
) -> None:
    more = DiscloseDocumentResponse(chunk=bytes(1000))
    server.says(
        "DiscloseDocument", lambda _: itertools.chain([announced()], itertools.repeat(more))
    )

    ran = terminal.run(*fetch(folder))

    assert ran.exit_code == 1
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("there", ["letter.pdf", "bundle"])
def test_a_file_that_is_there_stops_before_anything_is_fetched(
    server: FakeServer, terminal: Terminal, folder: Path, there: str
) -> None:
    (folder / there).write_bytes(b"an earlier one")

    ran = terminal.run(*fetch(folder, "--bundle", str(folder / "bundle")))

    assert ran.exit_code == 2
    assert server.requests("DiscloseDocument") == []
    assert (folder / there).read_bytes() == b"an earlier one"


def test_a_folder_that_is_not_there_stops_before_anything_is_fetched(
    server: FakeServer, terminal: Terminal, folder: Path
) -> None:
    ran = terminal.run(*fetch(folder / "missing"))

    assert ran.exit_code == 2
    assert server.requests("DiscloseDocument") == []


def test_a_document_without_its_content_is_a_usage_error(
    server: FakeServer, terminal: Terminal, folder: Path
) -> None:
    assert terminal.run(*fetch(folder, "document:title")).exit_code == 2
    assert server.requests("DiscloseDocument") == []
