# SPDX-License-Identifier: Apache-2.0
"""Her documents: looked at before they are sent, checked before they get their name."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import stat
from pathlib import Path

import grpc
import pytest

from clients.cli import document_file
from clients.cli.session import Session
from tests.unit.cli import her_things
from tests.unit.cli.conftest import Terminal
from tests.unit.cli.fake_server import FakeServer, Refusal
from vault.api.v1.evidence_service_pb2 import DownloadDocumentResponse

SAID = ("--set", "title=Letter", "--set", "kind=medical letter or report")
PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture(autouse=True)
def _her_things(server: FakeServer) -> None:
    her_things.fill(server)


@dataclasses.dataclass(frozen=True)
class Folder:
    """A folder with a letter in it."""

    path: Path

    @property
    def letter(self) -> str:
        return str(self.path / "letter.pdf")

    def names(self) -> set[str]:
        return {one.name for one in self.path.iterdir()}


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    made = tmp_path / "documents"
    made.mkdir()
    (made / "letter.pdf").write_bytes(her_things.CONTENT)
    return Folder(made)


def test_the_digest_is_sent_before_the_bytes(
    server: FakeServer, terminal: Terminal, folder: Folder
) -> None:
    ran = terminal.run("document", "add", folder.letter, *SAID, "--issued", "2026-05-01")

    ((first, *rest),) = server.requests("UploadDocument")
    header, chunks = first.header, [one.chunk for one in rest]
    assert ran.exit_code == 0
    assert header.sha256 == hashlib.sha256(her_things.CONTENT).digest()
    assert (header.media_type, header.issued_date) == ("application/pdf", "2026-05-01")
    assert json.loads(header.values) == {"title": "Letter", "kind": "medical_letter"}
    assert b"".join(chunks) == her_things.CONTENT
    assert max(len(chunk) for chunk in chunks) == 131072


@pytest.mark.parametrize(
    ("content", "media_type"), [(PNG, "image/png"), (b"\xff\xd8\xff\xe0", "image/jpeg")]
)
def test_a_file_is_known_by_its_own_bytes(
    server: FakeServer, terminal: Terminal, folder: Folder, content: bytes, media_type: str
) -> None:
    Path(folder.letter).write_bytes(content)

    terminal.run("document", "add", folder.letter, *SAID)

    assert server.requests("UploadDocument")[0][0].header.media_type == media_type


@pytest.mark.parametrize("content", [b"", b"hello", b"GIF89a", b" %PDF-1.7"])
def test_what_is_no_document_is_not_sent(
    server: FakeServer, terminal: Terminal, folder: Folder, content: bytes
) -> None:
    Path(folder.letter).write_bytes(content)

    ran = terminal.run("document", "add", folder.letter, *SAID)

    assert ran.exit_code == 2
    assert "no PDF, PNG or JPEG" in " ".join(ran.err.split())
    assert server.requests("UploadDocument") == []


def test_what_is_too_large_is_not_sent(
    server: FakeServer, terminal: Terminal, folder: Folder
) -> None:
    with Path(folder.letter).open("wb") as file:
        file.write(PNG)
        file.truncate(document_file.LARGEST_BYTES + 1)

    ran = terminal.run("document", "add", folder.letter, *SAID)

    assert ran.exit_code == 2
    assert "25 MiB" in ran.err
    assert server.requests("UploadDocument") == []


def test_what_cannot_be_read_is_a_usage_error(terminal: Terminal, folder: Folder) -> None:
    for file in (str(folder.path), str(folder.path / "none.pdf"), "/dev/null"):
        assert terminal.run("document", "add", file, *SAID).exit_code == 2


def test_a_file_that_goes_away_meanwhile_is_not_blamed_on_the_server(
    server: FakeServer, terminal: Terminal, folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def looked_at(session: Session, file: str) -> document_file.Looked:
        found = document_file.looked_at(session, file)
        Path(file).unlink()
        return found

    monkeypatch.setattr("clients.cli.document.looked_at", looked_at)
    server.says("UploadDocument", Refusal(grpc.StatusCode.INVALID_ARGUMENT, "DOCUMENT_INVALID"))

    ran = terminal.run("document", "add", folder.letter, *SAID)

    assert ran.exit_code == 2
    assert "cannot be read" in " ".join(ran.err.split())


def test_adding_makes_the_place_first_and_sends_all_of_it_again(
    server: FakeServer, terminal: Terminal, folder: Folder
) -> None:
    closed = Refusal(grpc.StatusCode.FAILED_PRECONDITION, "VAULT_NOT_OPEN")
    server.says("UploadDocument", closed, *server.answers["UploadDocument"])

    ran = terminal.run("document", "add", folder.letter, *SAID)

    first, second = server.requests("UploadDocument")
    assert ran.exit_code == 0
    assert len(server.requests("OpenVault")) == 1
    assert first == second


def test_replacing_keeps_what_is_said_of_it(
    server: FakeServer, terminal: Terminal, folder: Folder
) -> None:
    ran = terminal.run("document", "replace", "a1", folder.letter, "--set", "issuedBy=The ward")

    header = server.requests("UploadDocument")[0][0].header
    assert ran.exit_code == 0
    assert header.evidence_id == her_things.DOCUMENT
    assert header.issued_date == "2026-05-01"
    assert json.loads(header.values) == {
        "title": "Letter",
        "kind": "letter",
        "issuedBy": "The ward",
    }
    assert "These received an old version" in ran.out


@pytest.mark.parametrize("part", ["content=x", "sha256=x"])
def test_the_file_is_no_part_to_type(
    server: FakeServer, terminal: Terminal, folder: Folder, part: str
) -> None:
    ran = terminal.run("document", "add", folder.letter, *SAID, "--set", part)

    assert ran.exit_code == 2
    assert server.requests("UploadDocument") == []


def test_what_does_not_fit_is_told_by_its_label(
    server: FakeServer, terminal: Terminal, folder: Folder
) -> None:
    fields = (("/title", "This field is missing."),)
    refusal = Refusal(grpc.StatusCode.INVALID_ARGUMENT, "EVIDENCE_INVALID", fields=fields)
    server.says("UploadDocument", refusal)

    ran = terminal.run("document", "add", folder.letter, "--set", "kind=letter")

    assert ran.exit_code == 1
    assert "Title: This field is missing." in ran.err


def test_documents_are_listed_by_what_she_calls_them(terminal: Terminal) -> None:
    printed = " ".join(terminal.run("document", "list").out.split())

    assert "a1000000 Letter letter PDF, 300 kB 22 Nov 2026" in printed
    assert "Your address" not in printed


def test_a_document_is_saved_whole_and_for_its_owner_alone(
    server: FakeServer, terminal: Terminal, folder: Folder
) -> None:
    saved = folder.path / "saved.pdf"

    ran = terminal.run("document", "save", "a1", str(saved), "--revision", "1", "--json")

    (request,) = server.requests("DownloadDocument")
    assert (request.evidence_id, request.revision) == (her_things.DOCUMENT, 1)
    assert saved.read_bytes() == her_things.CONTENT
    assert stat.S_IMODE(saved.stat().st_mode) == 0o600
    assert json.loads(ran.out)["size_bytes"] == len(her_things.CONTENT)
    assert folder.names() == {"letter.pdf", "saved.pdf"}


def test_a_file_that_is_there_is_written_over_only_when_said(
    server: FakeServer, terminal: Terminal, folder: Folder
) -> None:
    Path(folder.letter).write_bytes(b"mine")

    refused = terminal.run("document", "save", "a1", folder.letter)
    kept = Path(folder.letter).read_bytes()
    forced = terminal.run("document", "save", "a1", folder.letter, "--force")

    assert (refused.exit_code, kept, forced.exit_code) == (2, b"mine", 0)
    assert "--force" in refused.err
    assert len(server.requests("DownloadDocument")) == 1
    assert Path(folder.letter).read_bytes() == her_things.CONTENT


@pytest.mark.parametrize(
    "sent", [b"", her_things.CONTENT[:-1], her_things.CONTENT[:-1] + b"x", her_things.CONTENT * 2]
)
def test_what_is_not_the_document_gets_no_name(
    server: FakeServer, terminal: Terminal, folder: Folder, sent: bytes
) -> None:
    server.says("DownloadDocument", lambda _: her_things.a_download(sent=sent))
    Path(folder.letter).write_bytes(b"mine")

    ran = terminal.run("document", "save", "a1", folder.letter, "--force")

    assert (ran.exit_code, ran.out) == (1, "")
    assert Path(folder.letter).read_bytes() == b"mine"
    assert folder.names() == {"letter.pdf"}


@pytest.mark.parametrize("begins", [0, 1, 3])
def test_a_stream_that_breaks_off_leaves_nothing(
    server: FakeServer, terminal: Terminal, folder: Folder, begins: int
) -> None:
    broken = Refusal(grpc.StatusCode.UNAVAILABLE, "STORE_UNAVAILABLE")
    server.says("DownloadDocument", lambda _: [*her_things.a_download()[:begins], broken])

    ran = terminal.run("document", "save", "a1", str(folder.path / "saved.pdf"))

    assert ran.exit_code == 4
    assert folder.names() == {"letter.pdf"}


def test_a_stream_without_its_header_is_no_document(
    server: FakeServer, terminal: Terminal, folder: Folder
) -> None:
    server.says("DownloadDocument", lambda _: [DownloadDocumentResponse(chunk=b"x")])

    ran = terminal.run("document", "save", "a1", str(folder.path / "saved.pdf"))

    assert ran.exit_code == 1
    assert folder.names() == {"letter.pdf"}


def test_somebody_elses_file_beside_it_is_left_alone(terminal: Terminal, folder: Folder) -> None:
    (folder.path / "saved.pdf.part").write_bytes(b"mine")

    terminal.run("document", "save", "a1", str(folder.path / "saved.pdf"))

    assert (folder.path / "saved.pdf.part").read_bytes() == b"mine"


def test_a_document_is_not_added_as_something_else(terminal: Terminal) -> None:
    added = terminal.run("information", "add", "document", "--set", "title=x")
    replaced = terminal.run("information", "replace", "a1", "--set", "title=x")

    assert (added.exit_code, replaced.exit_code) == (2, 2)
    assert "document add FILE" in added.err
    assert "document replace a1000000 FILE" in replaced.err


def test_what_is_watched_is_a_bar_on_a_terminal_and_nothing_elsewhere(
    terminal: Terminal, folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    quiet = terminal.run("document", "add", folder.letter, *SAID)
    monkeypatch.setenv("FORCE_COLOR", "1")
    watched = terminal.run("document", "add", folder.letter, *SAID)
    program = terminal.run("document", "add", folder.letter, *SAID, "--json")

    assert quiet.err == program.err == ""
    assert "Sending" in watched.err
