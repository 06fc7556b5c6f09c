# SPDX-License-Identifier: Apache-2.0
"""Whatever bytes come, readers refuse them in their own words, or read them in one way only."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.signed_log import LEAVES, LOG, WITNESSES, path, policy, signed
from vault.transparency.checkpoint import Checkpoint
from vault.transparency.cosignature import CosignatureVerifier
from vault.transparency.encoding import FormError
from vault.transparency.note import Note, SignatureError, Verifier
from vault.transparency.policy import Policy
from vault.transparency.proof import InclusionProof
from vault.transparency.tiles import Tile, encode_entries, parse_entries
from vault.transparency.witness import AddCheckpoint, cosignature_of, encode_size, parse_size

NOTE = signed(13, "ada", "bob")
PROOF = InclusionProof(5, path(5), NOTE, b"extra")
REQUEST = AddCheckpoint(5, path(5), NOTE)
POLICY = (
    f"log {LOG.verifier.vkey} https://log\n"
    f"witness a {WITNESSES['ada'].verifier.vkey}\ngroup g any a\nquorum g\n"
)


def by_path(data: bytes) -> bytes:
    return Tile.parse(text(data)).path.encode()


def text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


# Each reads bytes and writes again what it read.
READERS: dict[str, tuple[Callable[[bytes], bytes], bytes]] = {
    "note": (lambda data: Note.parse(data).encode(), NOTE.encode()),
    "checkpoint": (
        lambda data: Checkpoint.parse(text(data)).body().encode(),
        NOTE.text.encode(),
    ),
    "vkey": (lambda data: Verifier.of(text(data)).vkey.encode(), LOG.verifier.vkey.encode()),
    "witness vkey": (
        lambda data: CosignatureVerifier.of(text(data)).vkey.encode(),
        WITNESSES["ada"].verifier.vkey.encode(),
    ),
    "proof": (lambda data: InclusionProof.parse(data).encode(), PROOF.encode()),
    "request": (lambda data: AddCheckpoint.parse(data).encode(), REQUEST.encode()),
    "size": (lambda data: encode_size(parse_size(data)), b"13\n"),
    "path": (by_path, b"tile/0/x001/234.p/5"),
    "bundle": (lambda data: encode_entries(parse_entries(data)), encode_entries([b"one", b""])),
}
STRUCTURE = ["\n", "\n\n", "— ", " ", "+", "=", "old ", "index ", "extra ", "quorum ", "x", "/"]
WORDS = ["a", "g", "h", "any", "all", "none", "1", "2", "group", "quorum", "witness", "log", "#"]
WORDS += ["\n", WITNESSES["ada"].verifier.vkey]


def changed(draw: random.Random, data: bytes) -> bytes:
    """Return the bytes with a few of them changed, cut out, or put elsewhere."""
    for _ in range(draw.randrange(1, 4)):
        start, end = sorted(draw.randrange(len(data) + 1) for _ in range(2))
        inserted = draw.choice(
            [
                b"",
                draw.randbytes(draw.randrange(4)),
                draw.choice(STRUCTURE).encode(),
                data[start:end],
            ]
        )
        data = draw.choice([data[:start] + inserted + data[start:], data[:start] + data[end:]])
    return data


@pytest.mark.parametrize("name", READERS)
def test_one_value_has_one_form(name: str) -> None:
    """So that what is signed, hashed or compared cannot be written in a second way."""
    read, good = READERS[name]
    seed = random.randrange(2**32)
    print(f"seed {seed}")  # noqa: T201 - shown if it fails
    draw = random.Random(seed)

    assert read(good) == good
    for _ in range(1500):
        data = changed(draw, good)
        try:
            assert read(data) == data
        except FormError:
            continue


@pytest.mark.parametrize("name", READERS)
@given(data=st.binary(max_size=300))
def test_any_bytes_are_refused_in_our_own_words(name: str, data: bytes) -> None:
    read, _ = READERS[name]

    with contextlib.suppress(FormError):
        assert read(data) == data


@given(lines=st.lists(st.sampled_from(WORDS), max_size=40))
def test_any_words_are_a_policy_or_refused(lines: list[str]) -> None:
    try:
        found = Policy.parse(" ".join([*lines, "\n"]).encode())
    except FormError:
        return
    assert found.is_quorum(it.name for it in found.witnesses)
    assert found.is_quorum(()) is (found.quorum == "none")


def test_changed_policies_are_read_or_refused_in_our_own_words() -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")  # noqa: T201 - shown if it fails
    draw = random.Random(seed)

    for _ in range(1500):
        try:
            Policy.parse(changed(draw, POLICY.encode()))
        except FormError:
            continue


def test_no_changed_byte_of_a_proof_stays_a_proof() -> None:
    """Signatures of unknown keys apart: those nobody reads. Here every key is known."""
    asked, good = policy("2 ada bob cyd"), InclusionProof(5, path(5), NOTE).encode()
    seed = random.randrange(2**32)
    print(f"seed {seed}")  # noqa: T201 - shown if it fails
    draw = random.Random(seed)

    assert InclusionProof.parse(good).verify(LEAVES[5], asked).has_quorum
    for at in range(len(good)):
        data = bytearray(good)
        data[at] ^= 1 << draw.randrange(8)
        with pytest.raises(ValueError, match=r"."):
            InclusionProof.parse(bytes(data)).verify(LEAVES[5], asked)


@given(answer=st.binary(max_size=300))
def test_any_answer_of_a_witness_is_refused_in_our_own_words(answer: bytes) -> None:
    with pytest.raises((FormError, SignatureError)):
        cosignature_of(answer, NOTE, WITNESSES["ada"].verifier)


@pytest.mark.parametrize(
    "data",
    [
        b"\n" * 2_000_000,
        b"\n\n" + "— ".encode() * 500_000,
        b"x\n\n" + b"\xe2\x80\x94 a AAAAAAE=\n" * 100_000,
        b"old 1\n" + b"A\n" * 500_000 + b"\n",
        b"c2sp.org/tlog-proof@v1\nindex 1\n" + b"A\n" * 500_000 + b"\n",
        b"old " + b"9" * 2_000_000 + b"\n\n",
        b"tile/0/" + b"x000/" * 400_000 + b"000",
        b"+" * 2_000_000,
        b"\x00\x00" * 1_000_000,
    ],
    ids=range(9),
)
def test_large_bytes_are_refused_soon(data: bytes) -> None:
    """Soon: what takes a square of their length would run into the time limit of a test."""
    for read, _ in READERS.values():
        with pytest.raises(FormError):
            read(data)
