# SPDX-License-Identifier: Apache-2.0
"""Log proofs: a leaf, its path and a checkpoint, and nothing of them can be exchanged."""

from __future__ import annotations

import dataclasses

import pytest

from tests.signed_log import (
    LEAVES,
    LOG,
    STRANGER,
    TIME,
    WITNESSES,
    checkpoint,
    path,
    policy,
    signed,
)
from vault.transparency.checkpoint import Checkpoint
from vault.transparency.encoding import FormError, encode_base64
from vault.transparency.note import Note, SignatureError
from vault.transparency.policy import Policy, QuorumError
from vault.transparency.proof import InclusionProof

PROOF = InclusionProof(5, path(5), signed(13, "ada"))


@pytest.mark.parametrize("size", range(1, 14))
def test_every_leaf_of_every_checkpoint_is_proved(size: int) -> None:
    for index in range(size):
        proof = InclusionProof(index, path(index, size), signed(size, "ada", "cyd"))

        again = InclusionProof.parse(proof.encode())

        assert again == proof
        assert again.verify(LEAVES[index], policy("2 ada bob cyd")).cosigned == {
            "ada": TIME,
            "cyd": TIME,
        }


def test_a_proof_is_written_as_specified() -> None:
    lines = ["c2sp.org/tlog-proof@v1", "index 5", *map(encode_base64, path(5)), "", ""]
    head = "\n".join(lines)

    assert PROOF.encode() == head.encode() + PROOF.note.encode()


def test_extra_data_goes_along() -> None:
    proof = dataclasses.replace(PROOF, extra=b"more")

    assert proof.encode().split(b"\n")[1] == b"extra bW9yZQ=="
    assert InclusionProof.parse(proof.encode()) == proof
    assert proof.verify(LEAVES[5], policy()).has_quorum


def test_another_leaf_is_not_proved() -> None:
    for index, leaf in enumerate(LEAVES):
        if index != 5:
            with pytest.raises(ValueError, match="another root"):
                PROOF.judge(leaf, policy())


def test_another_place_is_not_proved() -> None:
    for index in range(20):
        if index != 5:
            with pytest.raises(ValueError, match=r"another root|the path|the place"):
                dataclasses.replace(PROOF, index=index).judge(LEAVES[5], policy())


@pytest.mark.parametrize("at", range(len(PROOF.path)))
def test_another_path_proves_nothing(at: int) -> None:
    left, right = PROOF.path[:at], PROOF.path[at + 1 :]
    changed = [(*left, bytes(32), *right), (*left, *right), (*left, bytes(32), *PROOF.path[at:])]

    for other in changed:
        with pytest.raises(ValueError, match=r"another root|the path"):
            dataclasses.replace(PROOF, path=other).judge(LEAVES[5], policy())


@pytest.mark.parametrize("size", [1, 6, 12])
def test_an_earlier_checkpoint_has_another_path(size: int) -> None:
    with pytest.raises(ValueError, match=r"another root|the path|the place"):
        dataclasses.replace(PROOF, note=signed(size, "ada")).judge(LEAVES[5], policy())


def test_a_checkpoint_that_its_log_did_not_sign_proves_nothing() -> None:
    """The right root is not enough: anybody can compute a tree."""
    body = checkpoint().body()
    cosigned = tuple(signer.cosign(checkpoint(), TIME) for signer in WITNESSES.values())
    unsigned = dataclasses.replace(PROOF, note=Note(body, cosigned))
    stranger = dataclasses.replace(PROOF, note=Note(body, (STRANGER.sign(body),)))

    for proof in (unsigned, stranger):
        with pytest.raises(SignatureError):
            proof.judge(LEAVES[5], policy())
        with pytest.raises(SignatureError):
            proof.judge(LEAVES[5], policy(), LOG.verifier)


def test_a_checkpoint_of_another_root_proves_nothing() -> None:
    other = Checkpoint(checkpoint().origin, 13, bytes(32))
    note = Note(other.body(), (LOG.sign(other.body()),))

    with pytest.raises(ValueError, match="another root"):
        dataclasses.replace(PROOF, note=note).judge(LEAVES[5], policy())


def test_a_checkpoint_with_a_changed_signature_proves_nothing() -> None:
    signature = PROOF.note.signatures[0]
    wrong = dataclasses.replace(signature, value=bytes(64))
    note = Note(PROOF.note.text, (wrong, *PROOF.note.signatures[1:]))

    with pytest.raises(SignatureError):
        dataclasses.replace(PROOF, note=note).judge(LEAVES[5], policy())


def test_too_few_witnesses_are_told_from_what_is_false() -> None:
    asked = policy("2 ada bob cyd")

    assert PROOF.judge(LEAVES[5], asked).has_quorum is False
    with pytest.raises(QuorumError):
        PROOF.verify(LEAVES[5], asked)


def test_a_pinned_key_is_the_only_one() -> None:
    assert PROOF.verify(LEAVES[5], Policy(), LOG.verifier).checkpoint == checkpoint()
    with pytest.raises(SignatureError):
        PROOF.verify(LEAVES[5], policy(), STRANGER.verifier)


def test_the_largest_proof_is_read_as_it_was_written() -> None:
    proof = InclusionProof(2**63 - 1, (bytes(32),) * 63, PROOF.note, b"more")

    assert InclusionProof.parse(proof.encode()) == proof


TEXT = PROOF.encode().decode()
FIRST = encode_base64(PROOF.path[0])


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n\n",
        TEXT.replace("@v1", "@v2"),
        TEXT.replace("c2sp.org", "C2SP.org"),
        "\n" + TEXT,
        " " + TEXT,
        TEXT.replace("\n", "\r\n"),
        TEXT.replace("index 5\n", ""),
        TEXT.replace("index 5", "5"),
        TEXT.replace("index 5", "index"),
        TEXT.replace("index 5", "index "),
        TEXT.replace("index 5", "index 05"),
        TEXT.replace("index 5", "index -5"),
        TEXT.replace("index 5", "index  5"),
        TEXT.replace("index 5", "index 5 "),
        TEXT.replace("index 5", "index \u0665"),
        TEXT.replace("index 5", "Index 5"),
        TEXT.replace("index 5", f"index {2**63}"),
        TEXT.replace("index 5", "index 5\nindex 5"),
        TEXT.replace("index 5", "index 5\nextra bW9yZQ=="),
        TEXT.replace("index 5", "extra \nindex 5"),
        TEXT.replace("index 5", "extra bW9yZQ\nindex 5"),
        TEXT.replace("index 5", "extra bW9yZQ==\nextra bW9yZQ==\nindex 5"),
        TEXT.replace("index 5\n", "extra bW9yZQ==\n"),
        TEXT.replace(FIRST, FIRST[:-1]),
        TEXT.replace(FIRST, FIRST + " "),
        TEXT.replace(FIRST, encode_base64(bytes(31))),
        TEXT.replace(FIRST, encode_base64(bytes(64))),
        TEXT.replace(FIRST, f"{FIRST}\n" * 63 + FIRST),
        TEXT.replace(FIRST, f"{FIRST}\n" * 5000 + FIRST),
        TEXT.replace(f"{FIRST}\n", f"{FIRST}\n\n"),
        TEXT.partition("\n\n")[0],
        TEXT.partition("\n\n")[0] + "\n\n",
        TEXT.partition("\n\n")[0] + "\n\ntest checkpoint\n",
        TEXT[:-1],
        TEXT + "x",
        TEXT + "\n",
    ],
)
def test_what_is_no_proof_is_refused(text: str) -> None:
    with pytest.raises(FormError):
        InclusionProof.parse(text.encode())


@pytest.mark.parametrize(
    ("index", "shown"),
    [(-1, ()), (2**63, ()), (0, (b"",)), (0, (bytes(31),)), (0, (bytes(32),) * 64)],
)
def test_what_no_proof_can_hold_is_refused(index: int, shown: tuple[bytes, ...]) -> None:
    with pytest.raises(FormError):
        InclusionProof(index, shown, PROOF.note)
