# SPDX-License-Identifier: Apache-2.0
"""The witness protocol: what is cosigned is a tree that only grew."""

from __future__ import annotations

import hashlib

import pytest

from tests.signed_log import LOG, ORIGIN, STRANGER, TIME, WITNESSES, checkpoint, nodes_of, signed
from vault.transparency.checkpoint import Checkpoint
from vault.transparency.encoding import FormError, encode_base64
from vault.transparency.note import MOST_SIGNATURES, Note, Signature, SignatureError
from vault.transparency.tree import EMPTY_ROOT, consistency_path
from vault.transparency.witness import (
    AddCheckpoint,
    Head,
    InconsistentError,
    NotSignedError,
    OriginUnknownError,
    RefusedError,
    SizeConflictError,
    admit,
    checkpoint_path,
    cosignature_of,
    encode_signatures,
    encode_size,
    parse_size,
)

LOGS = {ORIGIN: [LOG.verifier]}
ADA = WITNESSES["ada"]


def growth(old: int, size: int) -> tuple[bytes, ...]:
    levels = nodes_of(size)
    return consistency_path(lambda level, index: levels[level][index], old, size) if old else ()


def asked(old: int, size: int) -> AddCheckpoint:
    return AddCheckpoint(old, growth(old, size), signed(size))


def head(size: int) -> Head:
    return Head(size, checkpoint(size).root) if size else Head()


def judge(request: AddCheckpoint, known: Head) -> Checkpoint:
    return admit(request, LOGS, {ORIGIN: known}.__getitem__)


@pytest.mark.parametrize("size", range(1, 14))
def test_every_growth_is_admitted(size: int) -> None:
    for old in range(size + 1):
        request = AddCheckpoint.parse(asked(old, size).encode())

        assert request == asked(old, size)
        assert judge(request, head(old)) == checkpoint(size)


def test_a_request_is_written_as_specified() -> None:
    lines = ["old 5", *map(encode_base64, growth(5, 13)), "", ""]

    assert asked(5, 13).encode() == "\n".join(lines).encode() + signed(13).encode()


def empty(root: bytes) -> AddCheckpoint:
    body = Checkpoint(ORIGIN, 0, root).body()
    return AddCheckpoint(0, (), Note(body, (LOG.sign(body),)))


def test_an_empty_log_is_admitted() -> None:
    assert judge(empty(EMPTY_ROOT), Head()).size == 0


def refused(request: AddCheckpoint, known: Head) -> RefusedError:
    with pytest.raises(RefusedError) as caught:
        judge(request, known)
    return caught.value


def test_an_unknown_log_is_not_found() -> None:
    body = Checkpoint("other.example", 1, bytes(32)).body()
    request = AddCheckpoint(0, (), Note(body, (LOG.sign(body),)))

    found = refused(request, Head())

    assert (type(found), found.status) == (OriginUnknownError, 404)


@pytest.mark.parametrize("wrong", ["unsigned", "spoiled"])
def test_a_checkpoint_that_the_log_did_not_sign_is_forbidden(wrong: str) -> None:
    body = checkpoint().body()
    spoiled = Signature(ORIGIN, LOG.verifier.key_id, bytes(64))
    signatures = {
        "unsigned": (STRANGER.sign(body),),
        "spoiled": (LOG.sign(body), spoiled),
    }[wrong]

    found = refused(AddCheckpoint(0, (), Note(body, signatures)), Head())

    assert (type(found), found.status) == (NotSignedError, 403)


def test_signatures_of_unknown_keys_are_ignored() -> None:
    note = signed(13).adding(STRANGER.sign(checkpoint().body()))

    assert judge(AddCheckpoint(0, (), note), Head()) == checkpoint()


def test_an_old_size_beyond_the_new_one_is_a_bad_request() -> None:
    found = refused(AddCheckpoint(14, (), signed(13)), head(13))

    assert (type(found), found.status) == (RefusedError, 400)


@pytest.mark.parametrize(("old", "kept"), [(0, 5), (5, 0), (5, 8), (8, 5), (13, 5)])
def test_another_old_size_is_a_conflict_that_tells_the_size(old: int, kept: int) -> None:
    found = refused(asked(old, 13), head(kept))

    assert (type(found), found.status) == (SizeConflictError, 409)
    assert str(found) == "the witness has a head of another size: prove growth from that"
    assert found.body == f"{kept}\n".encode()
    assert parse_size(found.body) == kept


def test_an_older_checkpoint_is_a_conflict() -> None:
    """A witness never goes back, even to what it signed before."""
    assert refused(asked(5, 5), head(13)).status == 409


def forked(size: int) -> Checkpoint:
    return Checkpoint(ORIGIN, size, hashlib.sha256(b"another tree").digest())


@pytest.mark.parametrize("old", [1, 5, 8])
def test_a_log_that_was_rewritten_is_inconsistent(old: int) -> None:
    rewritten = forked(13)
    note = Note(rewritten.body(), (LOG.sign(rewritten.body()),))

    for known, request in [
        (head(old), AddCheckpoint(old, growth(old, 13), note)),
        (Head(old, bytes(32)), asked(old, 13)),
        (head(old), AddCheckpoint(old, (), signed(13))),
        (head(old), AddCheckpoint(old, (*growth(old, 13), bytes(32)), signed(13))),
    ]:
        found = refused(request, known)
        assert (type(found), found.status) == (InconsistentError, 422)


def test_two_roots_of_one_size_are_inconsistent() -> None:
    body = forked(13).body()
    request = AddCheckpoint(13, (), Note(body, (LOG.sign(body),)))

    assert refused(request, head(13)).status == 422


@pytest.mark.parametrize(
    "request_",
    [
        AddCheckpoint(0, (bytes(32),), signed(13)),
        AddCheckpoint(13, (bytes(32),), signed(13)),
        empty(bytes(32)),
    ],
)
def test_a_proof_where_none_belongs_is_inconsistent(request_: AddCheckpoint) -> None:
    assert refused(request_, head(request_.old_size)).status == 422


def test_what_is_no_checkpoint_has_a_bad_form() -> None:
    with pytest.raises(FormError):
        judge(AddCheckpoint(0, (), Note("hello\n", (LOG.sign("hello\n"),))), Head())


def test_the_largest_request_is_read_as_it_was_written() -> None:
    request = AddCheckpoint(2**63 - 1, (bytes(32),) * 63, signed(13))

    assert AddCheckpoint.parse(request.encode()) == request


TEXT = asked(5, 13).encode().decode()
FIRST = encode_base64(growth(5, 13)[0])


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n\n",
        TEXT.removeprefix("old 5\n"),
        "\n" + TEXT,
        TEXT.replace("old 5", "5"),
        TEXT.replace("old 5", "old"),
        TEXT.replace("old 5", "old "),
        TEXT.replace("old 5", "old 05"),
        TEXT.replace("old 5", "old -5"),
        TEXT.replace("old 5", "old 5 "),
        TEXT.replace("old 5", "old  5"),
        TEXT.replace("old 5", "old \u0665"),
        TEXT.replace("old 5", f"old {2**63}"),
        TEXT.replace("old 5", "Old 5"),
        TEXT.replace("\n", "\r\n"),
        TEXT.replace(FIRST, FIRST[:-1]),
        TEXT.replace(FIRST, encode_base64(bytes(33))),
        TEXT.replace(FIRST, f"{FIRST}\n" * 63 + FIRST),
        TEXT.replace(FIRST, f"{FIRST}\n" * 5000 + FIRST),
        TEXT.replace(f"{FIRST}\n", f"{FIRST}\n\n"),
        TEXT.partition("\n\n")[0] + "\n",
        TEXT.partition("\n\n")[0] + "\n\nhello\n",
        TEXT[:-1],
        TEXT + "\n",
    ],
)
def test_what_is_no_request_is_refused(text: str) -> None:
    with pytest.raises(FormError):
        AddCheckpoint.parse(text.encode())


@pytest.mark.parametrize(
    ("old", "path"), [(-1, ()), (2**63, ()), (1, (bytes(31),)), (1, (bytes(32),) * 64)]
)
def test_what_no_request_can_hold_is_refused(old: int, path: tuple[bytes, ...]) -> None:
    with pytest.raises(FormError):
        AddCheckpoint(old, path, signed(13))


def test_a_log_finds_its_witness_in_the_answer() -> None:
    bob = WITNESSES["bob"]
    signatures = [bob.cosign(checkpoint(), TIME), ADA.cosign(checkpoint(), TIME)]
    answer = encode_signatures(signatures)

    assert cosignature_of(answer, signed(), ADA.verifier) == signatures[1]
    assert cosignature_of(answer, signed(), bob.verifier) == signatures[0]
    assert signed().adding(*signatures) == signed(13, "bob", "ada")


def test_a_log_keeps_the_latest_of_several() -> None:
    times = (TIME, TIME + 9, TIME + 3)
    answer = encode_signatures(ADA.cosign(checkpoint(), time) for time in times)

    assert cosignature_of(answer, signed(), ADA.verifier) == ADA.cosign(checkpoint(), TIME + 9)


ANSWER = ADA.cosign(checkpoint(), TIME)


def untimed() -> Signature:
    """A cosignature without a time, which this code does not make: built by hand."""
    message = f"cosignature/v1\ntime 0\n{checkpoint().body()}".encode()
    key = ADA._key  # noqa: SLF001 - what no public method signs
    return Signature(ANSWER.name, ANSWER.key_id, bytes(8) + key.sign(message))


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (encode_signatures([WITNESSES["bob"].cosign(checkpoint(), TIME)]), SignatureError),
        (encode_signatures([ADA.cosign(checkpoint(12), TIME)]), SignatureError),
        (encode_signatures([ANSWER, ADA.cosign(checkpoint(12), TIME)]), SignatureError),
        (encode_signatures([LOG.sign(checkpoint().body())]), SignatureError),
        (encode_signatures([untimed()]), SignatureError),
        (encode_signatures([ANSWER] * (MOST_SIGNATURES + 1)), FormError),
        (encode_signatures([ANSWER])[:-1], FormError),
        (encode_signatures([ANSWER]) + b"\n", FormError),
        (b"\n" + encode_signatures([ANSWER]), FormError),
        (b"more\n\n" + encode_signatures([ANSWER]), FormError),
        (b"", FormError),
        (b"\n", FormError),
        (b"\xff\n", FormError),
    ],
)
def test_an_answer_without_the_witness_is_refused(answer: bytes, error: type[ValueError]) -> None:
    with pytest.raises(error):
        cosignature_of(answer, signed(), ADA.verifier)


@pytest.mark.parametrize("size", [0, 7, 2**63 - 1])
def test_a_size_is_read_as_it_was_written(size: int) -> None:
    assert parse_size(encode_size(size)) == size


@pytest.mark.parametrize(
    "answer", [b"", b"\n", b"7", b"72", b"7\n\n", b"07\n", b" 7\n", b"-7\n", b"\xff\n"]
)
def test_what_is_no_size_is_refused(answer: bytes) -> None:
    with pytest.raises(FormError):
        parse_size(answer)


def test_a_witness_serves_a_log_by_the_hash_of_its_origin() -> None:
    expected = hashlib.sha256(b"vault.example/0").hexdigest() + "/checkpoint"

    assert checkpoint_path(ORIGIN) == expected
