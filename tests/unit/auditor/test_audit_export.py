# SPDX-License-Identifier: Apache-2.0
"""What the auditor says of what a person took away: proofs, what was sealed, whose decisions."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace as replaced

from clients.auditor.findings import Findings, Where
from clients.auditor.main import main
from clients.auditor.payloads import Payloads
from clients.auditor.report import as_text
from clients.auditor.trust import VERDICTS, Trust, Verdict, exit_code, worst
from tests.unit.auditor.logs import JWKS, LOG, POLICY, Folder, Log, Signing, a_log, trust
from tests.unit.auditor.stories import (
    BUNDLE,
    CARE,
    PUBLIC_KEY,
    SALT,
    SESSION,
    Placed,
    Story,
    asked_terms,
    asks,
    chooses,
)
from vault.domain.canonical import b64, digest, encode, unb64
from vault.domain.consent import ConsentGranted
from vault.domain.events import Draft
from vault.domain.operation import EntryRange, KnownFaultPublished
from vault.domain.values import NO_REGISTRY, PayloadMark, RegistryMark, later
from vault.domain.vault import VaultImported
from vault.sealing import envelope
from vault.sealing.envelope import Context
from vault.store.record import first_leaf, link_event
from vault.transparency.note import Note

SEEN, FIRST, SECOND = a_log()
FOLDER = Folder.of(SEEN, FIRST)
GRANTED = next(
    p.event.link.version for p in FIRST.vault if isinstance(p.event.facts, ConsentGranted)
)


def edited(lines: list[bytes], number: int, **changed: Any) -> list[bytes]:
    """Return lines of which one says something else."""
    line = json.dumps({**json.loads(lines[number]), **changed}).encode()
    return [*lines[:number], line, *lines[number + 1 :]]


def test_everything_that_she_took_away_is_verified() -> None:
    report = FOLDER.audit(checkpoints=[SEEN.checkpoint(9).encode()])

    assert (report.verdict, report.exit, report.findings) == ("VERIFIED", 0, ())
    assert report.line == "VERIFIED (key pinned, 2 independent witnesses)"
    assert [(d.version, d.hers) for d in report.decisions] == [(GRANTED, "shown")]
    assert report.payloads
    assert (report.payloads.opened, report.payloads.missing) == ({"approval": 1}, 0)


def test_the_program_verifies_the_folder(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "export"
    folder.mkdir()
    for name in ("history", "registry", "payloads", "proofs"):
        lines = getattr(FOLDER, name)
        (folder / f"{name}.jsonl").write_bytes(b"".join(line + b"\n" for line in lines))
    policy, keys, kept = (tmp_path / name for name in ("policy", "jwks", "checkpoint"))
    policy.write_bytes(POLICY)
    keys.write_bytes(JWKS)
    kept.write_bytes(SEEN.checkpoint(9).encode())
    arguments = ["history", str(folder), "--policy", str(policy), "--provider-keys", str(keys)]

    assert main([*arguments, "--checkpoint", str(kept), "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["verdict"], report["witnesses"]) == ("VERIFIED", ["ada.example", "ben.example"])
    assert report["proved"]["unproved"] == 0
    assert main(arguments[:2]) == 1
    assert "without the keys of her provider (--provider-keys)" in capsys.readouterr().out
    code = main([*arguments[:2], "--log-key", LOG.verifier.vkey, *arguments[4:]])
    assert code == 3
    assert "CONSISTENT ONLY (key pinned, no independent witness" in capsys.readouterr().out


# --- In the log ---------------------------------------------------------------------------------


def test_a_record_without_a_proof_is_unsigned() -> None:
    report = replace(FOLDER, proofs=FOLDER.proofs[1:]).audit()

    assert report.verdict == "UNSIGNED"
    count = len(FOLDER.proofs)
    assert f"1 of {count} records are in no checkpoint that was shown" in report.line


def test_the_weakest_proof_decides() -> None:
    alone = replace(SEEN, witnesses=())
    proofs = edited(FOLDER.proofs, 3, proof=alone.proof(json.loads(FOLDER.proofs[3])["leaf_index"]))

    report = replace(FOLDER, proofs=proofs).audit()

    assert report.verdict == "CONSISTENT ONLY"
    assert "no independent witness signed" in report.line


def test_a_proof_of_another_place_or_entry_is_a_failure() -> None:
    one, other = (json.loads(line)["proof"] for line in FOLDER.proofs[:2])
    assert one != other

    report = replace(FOLDER, proofs=edited(FOLDER.proofs, 0, proof=other)).audit()

    assert report.verdict == "FAILED"
    assert "is a proof of another place in the log" in report.line


def test_a_proof_that_leads_elsewhere_is_a_failure() -> None:
    lines = json.loads(FOLDER.proofs[0])["proof"].split("\n")
    lines[2], lines[3] = lines[3], lines[2]

    report = replace(FOLDER, proofs=edited(FOLDER.proofs, 0, proof="\n".join(lines))).audit()

    assert "is a proof that does not lead to the root that was signed" in report.line


def test_a_log_of_one_size_with_two_roots_forks() -> None:
    other = Log.of(FIRST.registry, SECOND.vault, FIRST.vault)
    rows = list(other.placed)
    rows[-1], rows[-2] = rows[-2], rows[-1]
    forked = Log(tuple(replace(placed, leaf_index=i) for i, placed in enumerate(rows)))

    report = FOLDER.audit(checkpoints=[forked.checkpoint().encode()])

    assert report.verdict == "FAILED"
    assert "checkpoint 1 contradicts the witness: contradicts another checkpoint" in report.line


# --- What came with her, and what touches her -----------------------------------------------------


def imported(story: Story, vault: str) -> Placed:
    """Record that a history of hers goes on here."""
    facts = VaultImported(
        time=story.time,
        salt=SALT,
        origin="old/0",
        vault=vault,
        version=7,
        leaf=BUNDLE,
        evidence=0,
        consents=1,
    )
    return story.record(Draft(facts=facts))


def test_a_history_that_goes_on_here_is_named_and_comes_once() -> None:
    story = Story()
    story.found()
    imported(story, "one")
    imported(story, "another")
    report = story.audit()
    assert (report.findings, [past.vault for past in report.continues]) == ((), ["one", "another"])
    assert "Continues the history of old/0, vault one, up to version" in "\n".join(as_text(report))

    imported(story, "one")

    assert "that history was brought here already" in story.audit().line


def test_a_fault_that_was_made_known_is_named_where_it_touches_her() -> None:
    indexes = [json.loads(line)["leaf_index"] for line in FOLDER.history]
    lines = [
        operation(number, EntryRange(origin=origin, first=first, end=end))
        for number, (origin, first, end) in enumerate(
            [("test/0", indexes[2], indexes[3] + 1), ("test/1", 0, 99), ("test/0", 0, indexes[0])],
            start=1,
        )
    ]
    leaf, chained = "", []
    for number, make in enumerate(lines, start=1):
        placed = make(leaf)
        leaf = placed.event.leaf
        chained.append(placed.line)
        assert placed.event.link.version == number

    report = FOLDER.audit(operations=chained)

    assert report.findings == ()
    assert [fault.leaf_indexes for fault in report.faults] == [(indexes[2], indexes[3])]
    assert "touches leaf indexes" in "\n".join(as_text(report))
    assert FOLDER.audit(operations=chained[1:]).verdict == "FAILED"


def operation(version: int, entries: EntryRange) -> Callable[[str], Placed]:
    """Return what records that a fault is known, given the leaf before it."""
    stream, time = "00000000-0000-8000-8000-0000000000ff", later(FIRST.time, seconds=version)
    facts = KnownFaultPublished(time=time, salt=SALT, fault="fault", ranges=(entries,))

    def make(leaf: str) -> Placed:
        link = replaced(
            FIRST.registry[0].event.link,
            stream=stream,
            version=version,
            previous_leaf=leaf or first_leaf("test/0", stream),
            request_key="",
        )
        return Placed(link_event(link, facts), 100 + version)

    return make


# --- What was sealed ----------------------------------------------------------------------------


def test_what_was_sealed_and_changed_is_a_failure_and_nobodys_decision() -> None:
    sealed = json.loads(FOLDER.payloads[0])["sealed"]
    changed = b64(unb64(sealed)[:-1] + b"\0")

    report = replace(FOLDER, payloads=edited(FOLDER.payloads, 0, sealed=changed)).audit()

    assert "the approval beside it was changed: its digest is not the one" in report.line
    report = replace(FOLDER, payloads=edited(FOLDER.payloads, 0, key=b64(bytes(32)))).audit()
    assert "its key is not the one that the record names" in report.line


@pytest.mark.parametrize("gone", [{"key": ""}, {"sealed": "", "key": ""}])
def test_what_is_gone_is_counted_and_seals_the_decision(gone: dict[str, str]) -> None:
    report = replace(FOLDER, payloads=edited(FOLDER.payloads, 0, **gone)).audit()

    assert (report.findings, report.verdict) == ((), "WITHHELD")
    assert report.payloads
    assert report.payloads.missing == 1
    assert "the proofs of 1 decisions are sealed from this reader" in report.line


def test_a_payload_that_no_record_names_is_a_failure() -> None:
    line = {"leaf_index": 3, "kind": "approval", "sealed": "AAAA", "key": ""}

    report = replace(FOLDER, payloads=[*FOLDER.payloads, json.dumps(line).encode()]).audit()

    assert "the approval there belongs to no record" in report.line


def test_a_document_is_held_against_what_stands_with_it() -> None:
    story, document = Signing(), b"%PDF-1.7 a letter"
    story.found()
    place = story.provide("letter", "postal_address", ("line1", "postcode", "town"))
    key = envelope.Key("00000000-0000-4000-8000-00000000bbbb", b"e" * 32)
    stream = place.event.link.stream
    context = Context(
        stream=stream, kind="evidence", evidence_id="letter", revision=1, schema="postal_address@1"
    )
    values = encode({"content": {"sha256": digest(document)}})
    sealed = envelope.seal(key, context, values)
    marks = tuple(
        PayloadMark(kind=kind, hash=hashed, key_id=key.key_id, commitment=key.commitment)
        for kind, hashed in (("document", digest(b"sealed")), ("evidence", digest(sealed)))
    )
    event = link_event(replaced(place.event.link, payloads=marks), place.event.facts)
    story.vault[-1] = Placed(event, place.leaf_index)
    opener = {"sealed": b64(sealed), "key": b64(key.secret)}
    story.sealed[2] = [
        {"kind": "document", "sealed": "", "key": opener["key"], "file": "documents/letter.pdf"},
        {"kind": "evidence", **opener},
    ]
    folder = Folder.of(Log.of(story.registry, story.vault), story)

    for content, findings, opened in (
        (document, 0, {"evidence": 1, "document": 1}),
        (document + b"!", 1, {"evidence": 1}),
        (None, 0, {"evidence": 1}),
    ):
        report = folder.audit(files={"documents/letter.pdf": content})
        assert report.payloads
        assert (len(report.findings), report.payloads.opened) == (findings, opened)


def test_no_file_outside_of_the_documents_is_read() -> None:
    asked: list[str] = []
    payloads = Payloads(read_file=asked.append)  # type: ignore[func-returns-value]
    where, findings = Where("payload", 1, 1), Findings()

    payloads._check_file("documents/../../secret", b"{}", where, findings)  # noqa: SLF001
    payloads._check_file("documents/letter.pdf", b"{}", where, findings)  # noqa: SLF001

    assert asked == ["documents/letter.pdf"]


# --- Whose decision -----------------------------------------------------------------------------


def test_a_consent_in_a_signed_and_witnessed_log_is_not_hers_without_her_proof() -> None:
    class Inventing(Signing):
        def decide(self, draft: Draft, mark: RegistryMark = NO_REGISTRY) -> Any:
            return self.record(draft, mark, approval=SESSION)

    story = Inventing()
    story.found()
    story.provide("address", "postal_address", ("line1", "postcode", "town"))
    tell_grant(story)
    log = Log.of(story.registry, story.vault)

    report = Folder.of(log, story).audit()

    assert (report.verdict, report.exit, report.findings) == ("NOT SHOWN TO BE HERS", 1, ())
    assert "consent-granted.1 at version" in report.line
    assert report.line.endswith("; key pinned, 2 independent witnesses)")


def tell_grant(story: Signing) -> None:
    story.ask("request", asked_terms(CARE, "home-care", asks("postal_address", ("line1",))))
    story.grant("request", "consent", chooses("address", "line1"))


def test_verdicts_take_precedence_in_the_documented_order() -> None:
    for number, verdict in enumerate(VERDICTS):
        assert worst(VERDICTS[number:]) == verdict
    expected: dict[Verdict, int] = {"VERIFIED": 0, "FAILED": 1, "NOT SHOWN TO BE HERS": 1}
    assert [exit_code(verdict) for verdict in VERDICTS] == [expected.get(v, 3) for v in VERDICTS]


# --- Receipts by themselves ---------------------------------------------------------------------


@pytest.fixture
def receipt(tmp_path: Path) -> Path:
    path = tmp_path / "receipt.json"
    path.write_bytes(SEEN.receipt(20))
    return path


def test_a_receipt_with_its_proof_needs_nothing_else(
    receipt: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    policy = tmp_path / "policy"
    policy.write_bytes(POLICY)
    key = ("--receipt-key", b64(PUBLIC_KEY))

    assert main(["receipt", str(receipt), "--policy", str(policy), *key]) == 0
    out = capsys.readouterr().out
    assert "VERIFIED (in the log test/0, 29 entries: key pinned, 2 independent witnesses;" in out
    assert main(["receipt", str(receipt), "--log-key", LOG.verifier.vkey]) == 3
    out = capsys.readouterr().out
    assert "CONSISTENT ONLY" in out
    assert "its signature was not judged" in out
    assert main(["receipt", str(receipt)]) == 3
    assert "UNSIGNED" in capsys.readouterr().out


def test_a_receipt_whose_proof_was_changed_fails(
    receipt: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = json.loads(receipt.read_bytes())
    receipt.write_text(json.dumps({**file, "proof": SEEN.proof(19)}))

    assert main(["receipt", str(receipt), "--log-key", LOG.verifier.vkey]) == 1
    assert "is a proof of another place in the log" in capsys.readouterr().out


def test_a_note_that_json_can_name_and_utf_8_cannot_write_is_none() -> None:
    report = replace(FOLDER, proofs=edited(FOLDER.proofs, 0, proof="\ud800")).audit()

    assert report.verdict == "FAILED"


def test_a_signature_by_an_unknown_key_says_nothing() -> None:
    note = SEEN.checkpoint()
    stranger = replace(note.signatures[1], name="eve.example")
    text = Note(note.text, (*note.signatures, stranger)).encode().decode()

    assert trust().judge(text) == trust().judge(note.encode().decode())
    assert Trust().judge(text).signer == "unknown"
