# SPDX-License-Identifier: Apache-2.0
"""The auditor's own notes, proofs and policies, held against what others published."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import pytest

from clients.auditor.canonical import FormError
from clients.auditor.note import COSIGNATURE, ED25519, Key, parse_checkpoint, parse_note
from clients.auditor.policy import parse_policy
from clients.auditor.proof import parse_proof
from clients.auditor.tree import EMPTY_ROOT, Tree, leaf_hash, root_from
from clients.auditor.trust import Trust
from tests import rfc6962
from tests.unit.auditor.logs import POLICY

FOLDER = Path(__file__).parents[2] / "vectors" / "transparency"


def load(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    return found


def cases(name: str) -> list[Any]:
    return [pytest.param(case, id=case.get("name") or case["desc"]) for case in load(name)["cases"]]


@pytest.mark.parametrize("case", cases("merkle-inclusion"))
def test_inclusion_is_judged_as_published(case: dict[str, Any]) -> None:
    leaf, root, *path = (
        base64.b64decode(each) for each in (case["leafHash"], case["root"], *(case["proof"] or []))
    )

    try:
        is_refused = root_from(leaf, case["leafIdx"], case["treeSize"], path) != root
    except FormError:
        is_refused = True

    assert is_refused is case["wantErr"]


@pytest.mark.parametrize("size", [*range(40), 63, 64, 65, 255, 256, 257, 300])
def test_a_tree_has_the_root_of_rfc_6962_and_every_leaf_leads_to_it(size: int) -> None:
    leaves = [leaf_hash(f"leaf {number}".encode()) for number in range(size)]
    plain, tree = rfc6962.Tree(leaves), Tree()
    for leaf in leaves:
        tree.append(leaf)

    assert tree.root() == (plain.root(0, size) if size else EMPTY_ROOT)
    for index, leaf in enumerate(leaves):
        assert root_from(leaf, index, size, plain.path(index, 0, size)) == tree.root()


class TestTesseraLog:
    """A log that another program wrote."""

    log = load("tessera-log")
    key = Key.parse(log["vkey"], ED25519)

    @pytest.mark.parametrize("size", range(16))
    def test_its_checkpoints_are_signed_and_have_the_roots_of_its_leaves(self, size: int) -> None:
        signed = Trust(pinned=(self.key,)).judge(self.log["checkpoints"][f"checkpoint.{size}"])
        tree = Tree()
        tile = base64.b64decode(self.log["tiles"]["tile/0/000.p/15"])
        for start in range(0, 32 * size, 32):
            tree.append(tile[start : start + 32])

        assert (signed.checkpoint.size, signed.checkpoint.root) == (size, tree.root())
        assert signed.signer == "pinned"


@pytest.mark.parametrize("case", cases("golang-notes"))
def test_notes_are_verified_as_published(case: dict[str, Any]) -> None:
    known = [Key.parse(vkey, ED25519) for vkey in case["known"]]
    data = base64.b64decode(case["note"])

    if case.get("error") == "form":
        with pytest.raises(FormError):
            parse_note(data)
    elif case.get("error") == "signature" and known:
        with pytest.raises(FormError, match="does not verify"):
            parse_note(data).signers(known)
    else:
        assert [key.name for key in parse_note(data).signers(known)] == case.get("signers", [])


EXAMPLES = load("c2sp-examples")


def test_the_example_of_signed_note_verifies() -> None:
    key = Key.parse(EXAMPLES["note"]["vkey"], ED25519)

    assert key.vkey == EXAMPLES["note"]["vkey"]
    assert parse_note(EXAMPLES["note"]["note"].encode()).signers([key]) == [key]


@pytest.mark.parametrize(
    "edit",
    [
        lambda vkey: vkey.replace("530d903a", "530d903b"),
        lambda vkey: vkey.replace("530d903a", "530D903A"),
        lambda vkey: vkey.replace("foo+", "foo bar+"),
        lambda vkey: vkey.replace("+Aeky", "+Beky"),
        lambda vkey: vkey[:-4],
        lambda vkey: vkey.partition("+")[2],
    ],
    ids=range(6),
)
def test_what_is_no_vkey_is_refused(edit: Callable[[str], str]) -> None:
    with pytest.raises(FormError):
        Key.parse(edit(EXAMPLES["note"]["vkey"]), ED25519)


@pytest.mark.parametrize("name", ["checkpoint", "cosigned"])
def test_the_examples_of_tlog_checkpoint_are_read(name: str) -> None:
    checkpoint = parse_checkpoint(parse_note(EXAMPLES[name].encode()).text)

    assert (checkpoint.origin, checkpoint.size) == ("example.com/behind-the-sofa", 20852163)


@pytest.mark.parametrize(
    "text",
    [
        "origin\n1\n",
        "origin\n01\n" + "A" * 43 + "=\n",
        "origin\n-1\n" + "A" * 43 + "=\n",
        "origin\n9223372036854775808\n" + "A" * 43 + "=\n",
        "origin\n1\n" + "A" * 43 + "\n",
        "origin\n1\n" + "A" * 44 + "\n",
        "origin\n1\n" + "A" * 43 + "=\n\nextension\n",
        "\n1\n" + "A" * 43 + "=\n",
        "origin\n1\n" + "A" * 43 + "=",
        "",
    ],
)
def test_what_is_no_checkpoint_is_refused(text: str) -> None:
    with pytest.raises(FormError):
        parse_checkpoint(text)


class TestWitnessedCheckpoint:
    """A real log and real witnesses, none of which we know more of than their keys."""

    vector = load("witnessed-checkpoint")
    known: ClassVar = vector["witnesses"]

    def trust(self, threshold: int) -> Trust:
        lines = [f"log {self.vector['log']}"]
        lines += [f"witness {name} {vkey}" for name, vkey in self.known.items()]
        lines += [f"group some {threshold} {' '.join(self.known)}", "quorum some", ""]
        return Trust(policy=parse_policy("\n".join(lines).encode()))

    def test_four_of_five_have_cosigned(self) -> None:
        signed = self.trust(4).judge(self.vector["note"])

        cosigned = {vkey.partition("+")[0] for vkey in self.known.values()} - {
            self.known["navigli"].partition("+")[0]
        }
        assert set(signed.witnesses) == cosigned
        assert signed.verdict == "VERIFIED"

    def test_five_have_not(self) -> None:
        signed = self.trust(5).judge(self.vector["note"])

        assert signed.verdict == "CONSISTENT ONLY"
        assert str(signed).endswith("4 independent witnesses, which are no quorum")

    @pytest.mark.parametrize("name", sorted(known))
    def test_a_cosignature_of_another_time_does_not_verify(self, name: str) -> None:
        key = Key.parse(self.known[name], COSIGNATURE)
        note = parse_note(self.vector["note"].encode())
        for signer, key_id, signature in note.signatures:
            if (signer, key_id) == (key.name, key.id):
                assert key.has_signed(note.text, signature)
                later = (int.from_bytes(signature[:8]) + 1).to_bytes(8) + signature[8:]
                assert not key.has_signed(note.text, later)


@pytest.mark.parametrize("case", cases("sigsum-policies"))
def test_policies_are_judged_as_published(case: dict[str, Any]) -> None:
    data = case["policy"].encode()
    if "error" in case:
        with pytest.raises(FormError):
            parse_policy(data)
        return
    policy = parse_policy(data)

    assert (len(policy.logs), len(policy.witnesses)) == (case["logs"], case["witnesses"])
    for names, is_enough in case["quorum"]:
        cosigned = [policy.witnesses[name.encode()] for name in names]
        assert policy.is_met(cosigned) is is_enough, names


@pytest.mark.parametrize(
    "policy",
    [
        b"witness none W quorum none",
        b"quorum none\nquorum none",
        b"group g any\nquorum g",
        b"group g 0 a\nquorum g",
        b"quorum unknown",
        b"log vkey\nquorum none",
        b"watcher w\nquorum none",
        b"quorum none more",
        b"quorum",
    ],
)
def test_what_is_no_policy_is_refused(policy: bytes) -> None:
    with pytest.raises(FormError):
        parse_policy(policy)


@pytest.mark.parametrize(
    "groups",
    [
        b"group a any ada.example\ngroup b any ada.example\nquorum a",
        b"group a any ada.example ada.example\nquorum a",
        b"group a 2 ada.example\nquorum a",
        b"group a any ada.example\ngroup a any ben.example\nquorum a",
        b"group a all b\ngroup b any ada.example\nquorum a",
    ],
)
def test_groups_that_are_none_are_refused(groups: bytes) -> None:
    witnesses = b"\n".join(POLICY.split(b"\n")[:3]) + b"\n"
    assert parse_policy(witnesses + b"group a any ada.example ben.example\nquorum a")

    with pytest.raises(FormError):
        parse_policy(witnesses + groups)


PROOF = "c2sp.org/tlog-proof@v1\n{extra}index 3\n{hashes}\ntest\n4\nroot\n\nsignatures"
HASH = "A" * 43 + "=\n"


def test_a_proof_is_read_as_tlog_proof_writes_it() -> None:
    text = PROOF.format(extra="extra YWdl\n", hashes=HASH * 2)

    proof = parse_proof(text)

    assert (proof.index, proof.path) == (3, (bytes(32), bytes(32)))
    assert proof.note == "test\n4\nroot\n\nsignatures"


@pytest.mark.parametrize(
    "text",
    [
        "",
        PROOF.format(extra="", hashes=HASH).replace("@v1", "@v2"),
        PROOF.format(extra="extra ***\n", hashes=HASH),
        PROOF.format(extra="extra YWdl\nextra YWdl\n", hashes=HASH),
        PROOF.format(extra="", hashes="AAAA\n"),
        PROOF.format(extra="", hashes=HASH * 64),
        PROOF.format(extra="", hashes=HASH).replace("index 3", "index 03"),
        PROOF.format(extra="", hashes=HASH).replace("index 3\n", ""),
        PROOF.format(extra="", hashes=HASH).replace("\n\n", "\n"),
    ],
)
def test_what_is_no_proof_is_refused(text: str) -> None:
    with pytest.raises(FormError):
        parse_proof(text)
