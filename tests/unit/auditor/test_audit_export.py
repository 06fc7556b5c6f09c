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

from clients.auditor.audit import End
from clients.auditor.canonical import FormError
from clients.auditor.findings import Findings, Where
from clients.auditor.main import main
from clients.auditor.payloads import Payloads, read_payloads
from clients.auditor.provider import read_provider
from clients.auditor.report import as_text
from clients.auditor.trust import VERDICTS, Trust, Verdict, exit_code, worst
from tests.unit.auditor.logs import (
    HER_SIGN_IN,
    JWKS,
    LOG,
    POLICY,
    Folder,
    Log,
    Signing,
    a_log,
    id_token,
    jwks,
    trust,
)
from tests.unit.auditor.stories import (
    BUNDLE,
    CARE,
    ORIGIN,
    PUBLIC_KEY,
    SALT,
    SESSION,
    Placed,
    Story,
    asked_terms,
    asks,
    chooses,
    log_signer,
)
from vault.domain.approval import challenge_of
from vault.domain.canonical import b64, digest, encode, unb64
from vault.domain.consent import ConsentGranted
from vault.domain.events import Draft, stored_name_of
from vault.domain.operation import EntryRange, KnownFaultPublished
from vault.domain.values import NO_REGISTRY, PayloadMark, RegistryMark, later
from vault.domain.vault import VaultImported
from vault.sealing import envelope
from vault.sealing.envelope import Context
from vault.store.record import first_leaf, link_event
from vault.transparency.note import Note

SEEN, FIRST, SECOND = a_log()
FOLDER = Folder.of(SEEN, FIRST)
LAST = FIRST.vault[-1].event
END = End(ORIGIN, LAST.link.stream, LAST.link.version, LAST.leaf)
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


def written(path: Path) -> Path:
    """Write the folder that she took away."""
    folder = path / "export"
    folder.mkdir()
    for name in ("history", "registry", "payloads", "proofs"):
        lines = getattr(FOLDER, name)
        (folder / f"{name}.jsonl").write_bytes(b"".join(line + b"\n" for line in lines))
    told = {"form": "citizen-vault/export/1", "time": FIRST.time, "log_keys": []}
    told |= {"origin": END.origin, "vault_id": END.stream, "version": END.version, "leaf": END.leaf}
    (folder / "export.json").write_text(json.dumps(told))
    return folder


def test_the_program_verifies_the_folder(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = written(tmp_path)
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


@pytest.mark.parametrize(
    "wrong",
    [
        *({"leaf_index": value, "origin": "x", "proof": ""} for value in (None, "abc", [1], True)),
        {"leaf_index": 1, "origin": None, "proof": ""},
        {"leaf_index": 1, "origin": "x", "proof": 5},
        [],
    ],
    ids=str,
)
def test_what_is_no_line_of_proofs_exits_with_2(
    tmp_path: Path, wrong: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = written(tmp_path)
    (folder / "proofs.jsonl").write_bytes(json.dumps(wrong).encode() + b"\n")

    with pytest.raises(SystemExit) as exits:
        main(["history", str(folder)])

    assert exits.value.code == 2
    assert "proofs.jsonl: line 1 is no proof" in capsys.readouterr().err


@pytest.mark.parametrize("kind", ["x\nVERIFIED (key pinned)", "\x1b[2J", "\ud800", "", "A"])
def test_a_payload_is_called_by_a_plain_word(kind: str) -> None:
    line = {"leaf_index": 3, "kind": kind, "sealed": "AAAA", "key": ""}

    with pytest.raises(FormError, match="line 1 names no payload"):
        read_payloads([json.dumps(line).encode()])


def test_nothing_from_a_file_steers_the_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = tmp_path / "log.jsonl"
    row = {**json.loads(FOLDER.history[0]), "stream_id": "\x1b[2J\nVERIFIED \u202e\ud800"}
    log.write_bytes(json.dumps(row).encode() + b"\n")

    assert main(["log", str(log)]) == 1
    out = capsys.readouterr().out
    assert not set(out) - {"\n", *map(chr, range(32, 127))}
    assert "\\x1b[2J\\nVERIFIED \\u202e\\ud800" in out
    assert not any(line.startswith("VERIFIED") for line in out.splitlines())


# --- Where it ends ------------------------------------------------------------------------------


def without_its_tail() -> Folder:
    """Return what she took away without her revocation, and without the proof of it."""
    index = json.loads(FOLDER.history[-1])["leaf_index"]
    proofs = [line for line in FOLDER.proofs if json.loads(line)["leaf_index"] != index]
    return replace(FOLDER, history=FOLDER.history[:-1], proofs=proofs)


def test_a_history_whose_tail_was_cut_does_not_end_as_it_should() -> None:
    assert FOLDER.audit(end=END).verdict == "VERIFIED"

    report = without_its_tail().audit(end=END)

    assert report.verdict == "FAILED"
    assert f"beside it stands version {END.version} of {END.stream}" in report.line


@pytest.mark.parametrize("part", ["origin", "stream", "version", "leaf"])
def test_each_part_of_the_end_counts(part: str) -> None:
    assert FOLDER.audit(end=replace(END, **{part: "another"})).verdict == "FAILED"


def test_the_program_reads_where_it_ends(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = written(tmp_path)
    (folder / "history.jsonl").write_bytes(b"".join(n + b"\n" for n in FOLDER.history[:-1]))

    assert main(["history", str(folder)]) == 1
    assert "it does not end as it should" in capsys.readouterr().out


@pytest.mark.parametrize("told", ["{}", "[]", "5", "null", '{"form": "another"}', "nonsense"])
def test_an_end_that_says_nothing_exits_with_2(
    tmp_path: Path, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = written(tmp_path)
    (folder / "export.json").write_text(told)

    with pytest.raises(SystemExit) as exits:
        main(["history", str(folder)])

    assert exits.value.code == 2
    assert "export.json" in capsys.readouterr().err


def test_one_history_does_not_show_that_it_goes_on_nowhere() -> None:
    report = without_its_tail().audit()

    assert report.verdict == "VERIFIED"
    assert "Nor does one history alone show that it does not go on" in list(as_text(report))[-1]


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


def test_a_checkpoint_with_which_nothing_was_compared_does_not_hold() -> None:
    other = log_signer("elsewhere/0")
    elsewhere = replace(SEEN, signer=other).checkpoint().encode()
    kept = [SEEN.checkpoint(9).encode(), SEEN.checkpoint().encode(), elsewhere]

    report = FOLDER.audit(checkpoints=kept)

    assert report.verdict == "VERIFIED"
    assert [answer.compared for answer in report.checkpoints] == [False, True, False]
    assert [answer.holds for answer in report.checkpoints] == [False, True, False]
    assert "\n".join(as_text(report)).count("    not compared: no proof that was shown") == 2


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


@pytest.mark.parametrize("evidence", [b'{"content":{"sha256":1.5}}', b"nonsense"])
def test_a_document_beside_what_cannot_be_read_is_a_finding(evidence: bytes) -> None:
    payloads, findings = Payloads(read_file=lambda _: b"x"), Findings()

    payloads._check_file("documents/a.pdf", evidence, Where("payload", 1, 1), findings)  # noqa: SLF001

    assert "nothing tells which document is beside it" in findings.line


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


@pytest.mark.parametrize("unknown", [*HER_SIGN_IN, ""])
def test_a_sign_in_that_nobody_named_as_hers_makes_nothing_verified(unknown: str) -> None:
    known = {name: value for name, value in HER_SIGN_IN.items() if unknown and name != unknown}

    report = FOLDER.audit(provider=read_provider(jwks(**known)))

    assert (report.verdict, report.exit, report.signer_pinned) == ("CONSISTENT ONLY", 3, False)
    assert report.line == (
        "CONSISTENT ONLY (that she at https://provider.example, for vault is she, nobody said "
        "beside her provider's keys; key pinned, 2 independent witnesses)"
    )


@pytest.mark.parametrize("name", HER_SIGN_IN)
def test_a_sign_in_that_is_not_hers_shows_nothing(name: str) -> None:
    report = FOLDER.audit(provider=read_provider(jwks(**{**HER_SIGN_IN, name: "another"})))

    assert report.verdict == "NOT SHOWN TO BE HERS"


def test_whoever_signs_first_is_she_only_if_somebody_said_so() -> None:
    class Impostor(Signing):
        def decide(self, draft: Draft, mark: RegistryMark = NO_REGISTRY) -> Any:
            nonce = challenge_of(stored_name_of(draft.facts), draft.shown)
            return self.decide_by(draft, mark, id_token(nonce, self.time, sub="operator"))

    story = Impostor()
    story.found()
    story.provide("address", "postal_address", ("line1", "postcode", "town"))
    tell_grant(story)
    folder = Folder.of(Log.of(story.registry, story.vault), story)

    assert folder.audit().verdict == "NOT SHOWN TO BE HERS"
    unpinned = folder.audit(provider=read_provider(jwks()))
    assert unpinned.verdict == "CONSISTENT ONLY"
    assert "that operator at https://provider.example, for vault is she, nobody" in unpinned.line


def test_a_sign_in_is_text() -> None:
    with pytest.raises(FormError, match="that is no text"):
        read_provider(json.dumps({"keys": [], "sub": None}).encode())


def test_who_signed_is_named() -> None:
    (decision,) = FOLDER.audit().decisions

    assert decision.why == (
        "her sign-in provider signed what was shown to she at https://provider.example, for vault"
    )


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
