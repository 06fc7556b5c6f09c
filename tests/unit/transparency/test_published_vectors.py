# SPDX-License-Identifier: Apache-2.0
"""What the transparency community published: accepted and refused as it says."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any, ClassVar

import pytest

from vault.transparency.checkpoint import Checkpoint, open_checkpoint
from vault.transparency.cosignature import CosignatureSigner, CosignatureVerifier
from vault.transparency.encoding import FormError
from vault.transparency.note import Note, SignatureError, Signer, Verifier
from vault.transparency.policy import Policy
from vault.transparency.proof import InclusionProof
from vault.transparency.tiles import ENTRIES, Tile, TileReader, parse_entries, parse_hashes
from vault.transparency.tree import (
    consistency_path,
    consistent,
    inclusion_path,
    leaf_hash,
    root_of,
    root_of_path,
)
from vault.transparency.witness import (
    AddCheckpoint,
    Head,
    RefusedError,
    admit,
    cosignature_of,
    encode_signatures,
)

FOLDER = Path(__file__).parents[2] / "vectors" / "transparency"


def load(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((FOLDER / f"{name}.json").read_text())
    return found


def cases(name: str) -> list[Any]:
    return [
        pytest.param(case, id=case.get("name") or case.get("desc") or case.get("path"))
        for case in load(name)["cases"]
    ]


def hashes(values: list[str] | None) -> list[bytes]:
    return [base64.b64decode(value) for value in values or []]


INCLUSION, CONSISTENCY = cases("merkle-inclusion"), cases("merkle-consistency")


def test_all_published_proofs_are_here() -> None:
    assert len(INCLUSION) + len(CONSISTENCY) == 196


@pytest.mark.parametrize("case", INCLUSION)
def test_inclusion_is_judged_as_published(case: dict[str, Any]) -> None:
    leaf, root = hashes([case["leafHash"], case["root"]])
    path = hashes(case["proof"])

    try:
        found = root_of_path(leaf, case["leafIdx"], case["treeSize"], path)
    except ValueError:
        found = b"refused"

    assert (found != root) is case["wantErr"]


@pytest.mark.parametrize("case", CONSISTENCY)
def test_consistency_is_judged_as_published(case: dict[str, Any]) -> None:
    old_root, root = hashes([case["root1"], case["root2"]])

    try:
        consistent(case["size1"], old_root, case["size2"], root, hashes(case["proof"]))
        refused = False
    except ValueError:
        refused = True

    assert refused is case["wantErr"]


class TestTesseraLog:
    """A log that another program wrote, from its tiles up to its signatures."""

    log = load("tessera-log")
    key = Verifier.of(log["vkey"])
    files: ClassVar = {path: base64.b64decode(data) for path, data in log["tiles"].items()}

    def read(self, path: str) -> bytes:
        try:
            return self.files[path]
        except KeyError:
            raise FileNotFoundError(path) from None

    def head(self, size: int) -> Checkpoint:
        note = Note.parse(self.log["checkpoints"][f"checkpoint.{size}"].encode())
        return open_checkpoint(note, [self.key])

    @pytest.mark.parametrize("size", range(16))
    def test_its_checkpoints_are_signed_and_its_tiles_have_their_roots(self, size: int) -> None:
        head = self.head(size)

        assert head.size == size
        assert root_of(TileReader(self.read, size).nodes, size) == head.root

    @pytest.mark.parametrize("size", range(1, 16))
    def test_its_entries_hash_to_its_tiles(self, size: int) -> None:
        entries = parse_entries(self.read(Tile(ENTRIES, 0, size).path))
        tile = Tile(0, 0, size)

        leaves = parse_hashes(tile, self.read(tile.path))

        assert tuple(leaf_hash(entry) for entry in entries) == leaves

    @pytest.mark.parametrize("old", range(1, 16))
    def test_it_only_grew(self, old: int) -> None:
        head = self.head(15)
        path = consistency_path(TileReader(self.read, 15).nodes, old, 15)

        consistent(old, self.head(old).root, 15, head.root, path)

    def test_a_proof_out_of_it_verifies(self) -> None:
        note = Note.parse(self.log["checkpoints"]["checkpoint.15"].encode())
        path = inclusion_path(TileReader(self.read, 15).nodes, 7, 15)

        proof = InclusionProof.parse(InclusionProof(7, path, note).encode())

        assert proof.verify(leaf_hash(b"eit"), Policy(), self.key).checkpoint.size == 15


@pytest.mark.parametrize("case", cases("tessera-paths"))
def test_paths_of_tiles_are_read_and_written_as_published(case: dict[str, Any]) -> None:
    if case.get("refused"):
        with pytest.raises(FormError):
            Tile.parse(case["path"])
        return
    level = ENTRIES if case["level"] == "entries" else case["level"]
    tile = Tile(level, case["index"], case["partial"] or 256)

    assert (tile.path, Tile.parse(case["path"])) == (case["path"], tile)


@pytest.mark.parametrize("case", cases("golang-notes"))
def test_notes_are_verified_as_published(case: dict[str, Any]) -> None:
    known = [Verifier.of(vkey) for vkey in case["known"]]
    data = base64.b64decode(case["note"])

    if error := case.get("error"):
        expected = {"form": FormError, "signature": SignatureError}[error]
        with pytest.raises(expected):
            Note.parse(data).verify(known)
    else:
        assert [signature.name for signature in Note.parse(data).verify(known)] == case["signers"]


def test_a_note_is_signed_as_published() -> None:
    vector = load("golang-notes")
    name, key_id, material = vector["signer"].removeprefix("PRIVATE+KEY+").split("+", 2)
    signer = Signer(name, base64.b64decode(material)[1:])
    text, _, _ = vector["signed"].rpartition("\n\n")

    note = Note(text + "\n", (signer.sign(text + "\n"),))

    assert signer.verifier.key_id.hex() == key_id
    assert note.encode().decode() == vector["signed"]


EXAMPLES = load("c2sp-examples")


def test_the_example_of_signed_note_verifies() -> None:
    verifier = Verifier.of(EXAMPLES["note"]["vkey"])
    note = Note.parse(EXAMPLES["note"]["note"].encode())

    assert verifier.vkey == EXAMPLES["note"]["vkey"]
    assert [found.name for found in note.verify([verifier])] == ["example.com/foo"]


@pytest.mark.parametrize("name", ["note_without_key", "checkpoint", "cosigned"])
def test_the_examples_without_a_key_are_read_and_written_alike(name: str) -> None:
    data = EXAMPLES[name].encode()

    assert Note.parse(data).encode() == data


@pytest.mark.parametrize("name", ["checkpoint", "cosigned"])
def test_the_example_of_tlog_checkpoint_is_read_and_written_alike(name: str) -> None:
    text = Note.parse(EXAMPLES[name].encode()).text

    checkpoint = Checkpoint.parse(text)

    assert (checkpoint.origin, checkpoint.size) == ("example.com/behind-the-sofa", 20852163)
    assert checkpoint.body() == text


def test_the_examples_of_tlog_witness_are_read_and_written_alike() -> None:
    request = AddCheckpoint.parse(EXAMPLES["add_checkpoint"].encode())
    answer = EXAMPLES["add_checkpoint_answer"]
    signatures = Note.parse(f"{request.note.text}\n{answer}".encode()).signatures

    assert (request.old_size, len(request.path)) == (20852014, 4)
    assert request.encode().decode() == EXAMPLES["add_checkpoint"]
    assert encode_signatures(signatures).decode() == answer


class TestWitnessedCheckpoint:
    """A real log and real witnesses, none of which we know more of than their keys."""

    vector = load("witnessed-checkpoint")
    note = Note.parse(vector["note"].encode())

    def policy(self, threshold: int) -> Policy:
        known = self.vector["witnesses"]
        lines = [f"log {self.vector['log']}"]
        lines += [f"witness {name} {vkey}" for name, vkey in known.items()]
        lines += [f"group all-of-them {threshold} {' '.join(known)}", "quorum all-of-them", ""]
        return Policy.parse("\n".join(lines).encode())

    def test_four_of_five_have_cosigned(self) -> None:
        judgement = self.policy(4).judge(self.note)

        assert judgement.has_quorum
        assert judgement.cosigned == dict.fromkeys(
            ("little-garden", "smartit", "remora", "stagemole"), self.vector["time"]
        )

    def test_five_have_not(self) -> None:
        assert not self.policy(5).judge(self.note).has_quorum

    def test_it_is_written_as_it_was_read(self) -> None:
        assert self.note.encode() == self.vector["note"].encode()

    def test_another_size_was_signed_by_nobody(self) -> None:
        other = Note(self.note.text.replace("1432088532", "1432088533"), self.note.signatures)

        with pytest.raises(SignatureError):
            self.policy(1).judge(other)
        for vkey in self.vector["witnesses"].values():
            with pytest.raises(SignatureError):
                other.verify([CosignatureVerifier.of(vkey)])


class TestTorchwoodWitness:
    vector = load("torchwood-witness")
    # What has changed since, in the specification or with our strictness.
    otherwise: ClassVar = {1: 400, 2: 404}

    def test_requests_are_answered_as_published(self) -> None:
        origin = self.vector["origin"]
        logs = {origin: [Verifier(origin, bytes.fromhex(self.vector["log_key"]))]}
        heads: dict[str, Head] = {}

        for number, case in enumerate(self.vector["cases"]):
            status, body = self.answer(case["request"], logs, heads)

            assert status == self.otherwise.get(number, case["status"]), number
            if "body" in case:
                assert body.decode() == case["body"]
        assert heads[origin].size == 5

    def test_a_log_whose_key_has_another_name_than_its_origin_is_known(self) -> None:
        other = self.vector["other_log"]
        logs = {other["origin"]: [Verifier.of(other["vkey"])]}

        assert self.answer(other["request"], logs, {})[0] == other["status"]

    def answer(
        self, request: str, logs: dict[str, list[Verifier]], heads: dict[str, Head]
    ) -> tuple[int, bytes]:
        signer = CosignatureSigner(
            self.vector["witness"], bytes.fromhex(self.vector["witness_seed"])
        )
        assert signer.verifier.public_key.hex() == self.vector["witness_public_key"]
        try:
            asked = AddCheckpoint.parse(request.encode())
            checkpoint = admit(asked, logs, lambda origin: heads.get(origin, Head()))
        except FormError:
            return 400, b""
        except RefusedError as refusal:
            return refusal.status, refusal.body
        heads[checkpoint.origin] = Head(checkpoint.size, checkpoint.root)
        answer = encode_signatures([signer.cosign(checkpoint, 1)])
        assert cosignature_of(answer, asked.note, signer.verifier).name == self.vector["witness"]
        return 200, answer


@pytest.mark.parametrize("case", cases("sigsum-policies"))
def test_policies_are_judged_as_published(case: dict[str, Any]) -> None:
    if "error" in case:
        with pytest.raises(FormError, match=case["error"]):
            Policy.parse(case["policy"].encode())
        return
    policy = Policy.parse(case["policy"].encode())

    assert (len(policy.logs), len(policy.witnesses)) == (case["logs"], case["witnesses"])
    for names, enough in case["quorum"]:
        assert policy.is_quorum(names) is enough, names
