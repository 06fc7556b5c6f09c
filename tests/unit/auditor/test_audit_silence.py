# SPDX-License-Identifier: Apache-2.0
"""What the auditor says of proofs of silence: honest ones, and changed ones."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from clients.auditor.main import main
from clients.auditor.note import ED25519, Key
from clients.auditor.policy import parse_policy
from clients.auditor.silence import Silence, as_json, as_text, prove_silence
from clients.auditor.trust import Trust
from tests.unit.auditor.stories import (
    ADDRESS_NAMES,
    ORIGIN,
    Placed,
    Story,
    an_honest_story,
    wants,
)
from vault.domain import vault
from vault.domain.canonical import unb64
from vault.domain.consent import ConsentRevoked
from vault.domain.events import Draft
from vault.transparency import checkpoint
from vault.transparency.cosignature import CosignatureSigner
from vault.transparency.note import Note, Signer
from vault.transparency.proof import InclusionProof
from vault.transparency.tree import leaf_hash, levels_of, path_of

LOG = Signer(ORIGIN, b"\x01" * 32)
ANOTHER = Signer("test/1", b"\x01" * 32)
STRANGER = Signer(ORIGIN, b"\x02" * 32)
WITNESS = CosignatureSigner("ada.example", b"\x03" * 32)
PINNED = Trust(pinned=(Key.parse(LOG.verifier.vkey, ED25519),))
LISTED = Trust(listed={ORIGIN: PINNED.pinned[0]})
WITNESSED = Trust(
    pinned=PINNED.pinned,
    policy=parse_policy(
        f"log {LOG.verifier.vkey}\nwitness ada {WITNESS.verifier.vkey}\nquorum ada\n".encode()
    ),
)


def a_story() -> Story:
    """Return a history that goes on after a consent was revoked, and then closes a proof."""
    story = an_honest_story()
    story.provide("another", "postal_address", ADDRESS_NAMES)
    story.record(vault.read(story.stamp, "proof"))
    return story


@dataclass
class Proved:
    """A history and the log in which it stands."""

    placed: list[Placed]
    signer: Signer = LOG

    @property
    def leaves(self) -> list[bytes]:
        """Return the leaves of the log; what no record of the history has is of others."""
        size = self.placed[-1].leaf_index + 3
        leaves = [leaf_hash(f"entry {index}".encode()) for index in range(size)]
        for placed in self.placed:
            leaves[placed.leaf_index] = unb64(placed.event.leaf)
        return leaves

    def proof(self, index: int) -> str:
        """Return the proof of the record at a leaf index."""
        leaves = self.leaves
        levels = levels_of(leaves)
        head = checkpoint.Checkpoint(self.signer.verifier.name, len(leaves), levels[-1][0])
        signatures = (self.signer.sign(head.body()), WITNESS.cosign(head, 1_800_000_000))
        note = Note(head.body(), signatures)
        return InclusionProof(index, path_of(levels, index), note).encode().decode()

    def proof_line(self, index: int, **changed: Any) -> bytes:
        """Return the line of that proof."""
        line = {"leaf_index": index, "origin": ORIGIN, "proof": self.proof(index)}
        return json.dumps({**line, **changed}).encode()

    @property
    def stretch(self) -> list[Placed]:
        """Return the records from the revocation on."""
        kinds = [isinstance(placed.event.facts, ConsentRevoked) for placed in self.placed]
        return self.placed[kinds.index(True) :]

    @property
    def file(self) -> list[bytes]:
        """Return the lines of the file."""
        ends = (self.stretch[0].leaf_index, self.stretch[-1].leaf_index)
        return [placed.line for placed in self.stretch] + [self.proof_line(end) for end in ends]


@pytest.fixture(scope="module")
def proved() -> Proved:
    return Proved(a_story().vault)


def found(silence: Silence) -> str:
    """Return the first finding, in words."""
    assert silence.verdict == "FAILED", silence.line
    assert silence.exit == 1
    return str(silence.findings.listed[0])


@pytest.mark.parametrize(
    ("trust", "verdict", "code"),
    [(WITNESSED, "VERIFIED", 0), (PINNED, "CONSISTENT ONLY", 3), (LISTED, "CONSISTENT ONLY", 3)],
)
def test_a_proof_shows_what_the_keys_that_are_known_let_it_show(
    proved: Proved, trust: Trust, verdict: str, code: int
) -> None:
    silence = prove_silence(proved.file, trust)

    assert (silence.verdict, silence.exit) == (verdict, code), silence.line
    assert silence.consent_id == "consent-2"
    assert silence.revoked is not None
    assert silence.closed is not None
    assert silence.revoked.leaf_index == proved.stretch[0].leaf_index
    assert silence.closed.time == proved.stretch[-1].event.facts.time


def test_without_any_key_it_is_unsigned(proved: Proved) -> None:
    assert prove_silence(proved.file, Trust()).verdict == "UNSIGNED"


def test_it_is_told_to_people_and_to_programs(proved: Proved) -> None:
    silence = prove_silence(proved.file, WITNESSED)

    text = "\n".join(as_text(silence))
    assert "Nothing left under this consent between the two." in text
    assert silence.line in text
    told = as_json(silence)
    assert json.loads(json.dumps(told)) == told
    assert (told["verdict"], told["exit"], told["records"]) == ("VERIFIED", 0, len(proved.stretch))


def test_what_left_in_between_is_found() -> None:
    story = an_honest_story()
    revoked = next(p for p in story.vault if isinstance(p.event.facts, ConsentRevoked))
    before = Story(vault=story.vault[: story.vault.index(revoked)], registry=story.registry)
    before.time = before.vault[-1].event.facts.time
    before.wait(days=1)
    allowed = before.disclose("consent-2", wants("postal_address", "line1")).event
    story.wait()
    facts = replace(allowed.facts, time=story.time)
    cheat = story.record(Draft(facts=facts, items=allowed.link.items), acting=allowed.link.acting)
    story.wait()
    story.record(vault.read(story.stamp, "proof"))

    silence = prove_silence(Proved(story.vault).file, WITNESSED)

    assert "fields left after the consent was revoked" in found(silence)
    assert silence.findings.listed[0].where.version == cheat.event.link.version


@pytest.mark.parametrize("which", [0, 1, 2])
def test_a_record_that_is_left_out_is_found(proved: Proved, which: int) -> None:
    lines = proved.file
    del lines[which]

    assert found(prove_silence(lines, WITNESSED))


def test_records_that_change_places_are_found(proved: Proved) -> None:
    lines = proved.file
    lines[0], lines[1] = lines[1], lines[0]

    assert found(prove_silence(lines, WITNESSED))


@pytest.mark.parametrize("which", [0, 1, 2])
@pytest.mark.parametrize("part", ["link", "facts", "entry"])
def test_a_record_that_was_changed_is_found(proved: Proved, which: int, part: str) -> None:
    lines = proved.file
    row = json.loads(lines[which])
    row[part] = ("B" if row[part][-1] != "B" else "A").join([row[part][:-4], row[part][-3:]])
    lines[which] = json.dumps(row).encode()

    assert found(prove_silence(lines, WITNESSED))


def test_a_record_that_is_not_shown_may_be_a_use(proved: Proved) -> None:
    lines = proved.file
    lines[1] = proved.stretch[1].line_with(link="", facts="")

    silence = prove_silence(lines, WITNESSED)

    assert (silence.verdict, silence.exit) == ("WITHHELD", 3)


def test_a_proof_of_another_record_place_or_log_shows_nothing(proved: Proved) -> None:
    first, *_, last = proved.stretch
    other = Proved(proved.placed, ANOTHER)
    for line, why in (
        (proved.proof_line(first.leaf_index), "another place"),
        (other.proof_line(last.leaf_index), "another log"),
        (Proved(proved.placed, STRANGER).proof_line(last.leaf_index), "not signed"),
        (proved.proof_line(last.leaf_index, proof=""), "no proof"),
        (proved.proof_line(last.leaf_index, proof=None), "without a proof"),
        (b"[]", "without a proof"),
        (b"{", "not JSON"),
    ):
        silence = prove_silence([*proved.file[:-1], line], WITNESSED)
        assert why in found(silence)


def test_a_stretch_that_ends_otherwise_proves_nothing(proved: Proved) -> None:
    stretch = proved.stretch[:2]
    lines = [placed.line for placed in stretch]
    ends = [placed.leaf_index for placed in stretch]
    silence = prove_silence([*lines, *map(proved.proof_line, ends)], WITNESSED)

    assert "does not close a proof" in found(silence)


def test_a_stretch_that_begins_otherwise_proves_nothing(proved: Proved) -> None:
    stretch = proved.stretch[1:]
    lines = [placed.line for placed in stretch]
    ends = (stretch[0].leaf_index, stretch[-1].leaf_index)
    silence = prove_silence([*lines, *map(proved.proof_line, ends)], WITNESSED)

    assert "no revocation" in found(silence)


@pytest.mark.parametrize("lines", [[], [b"{}"], [b"", b""], [b"\xff\xfe", b"{}", b"{}"]])
def test_what_is_no_proof_is_no_proof(lines: list[bytes]) -> None:
    assert found(prove_silence(lines, WITNESSED))


def test_the_program_verifies_a_file(
    proved: Proved, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "silence.jsonl"
    file.write_bytes(b"".join(line + b"\n" for line in proved.file))
    said = ["silence", str(file), "--log-key", LOG.verifier.vkey]

    assert main(said) == 3
    assert "Nothing left under this consent" in capsys.readouterr().out
    assert main([*said, "--json"]) == 3
    assert json.loads(capsys.readouterr().out)["verdict"] == "CONSISTENT ONLY"
