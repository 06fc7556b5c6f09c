# SPDX-License-Identifier: Apache-2.0
"""Long content sealed in chunks: what opens, and everything that does not."""

import tracemalloc
from collections.abc import Iterable, Iterator
from itertools import pairwise
from random import Random

import msgspec
import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given, settings
from hypothesis import strategies as st

from vault.sealing.chunks import CHUNK_BYTES, ChunkOpener, ChunkSealer
from vault.sealing.envelope import Context, Key, new_key, open_sealed, seal
from vault.sealing.errors import SealError

KEY = Key("6d4e7bd5-3c5f-4a44-9f3e-0d2f5b8f8f01", bytes(range(32)))
CONTEXT = Context("8a1f0000-0000-8000-8000-000000000001", "document", "e-1", 2, "document@1")
ASSOCIATED_DATA = (
    b'["AES-256-GCM","8a1f0000-0000-8000-8000-000000000001","document","e-1",2,"document@1",'
    b'"6d4e7bd5-3c5f-4a44-9f3e-0d2f5b8f8f01"]'
)
HEADER = 8
CONTENT = CHUNK_BYTES - 1
SEALED = CHUNK_BYTES + 16
LARGEST = 25 * 1024 * 1024
PIECE = 10_000

# Runs of the very bytes that end and fill a chunk, about as long as chunks.
runs = st.tuples(
    st.sampled_from([b"\x00", b"\x80", b"a"]),
    st.integers(0, 3) | st.integers(CONTENT - 2, CONTENT + 2) | st.integers(0, 3 * CHUNK_BYTES),
)
contents = st.lists(runs, max_size=4).map(lambda parts: b"".join(b * n for b, n in parts))
texts = st.text(max_size=8)
contexts = st.builds(
    Context, stream=texts, kind=texts, evidence_id=texts, revision=st.integers(0, 9), schema=texts
)


def pieces_of(whole: bytes, size: int = PIECE) -> Iterator[bytes]:
    return (whole[start : start + size] for start in range(0, len(whole), size))


def sealed_of(content: bytes, key: Key = KEY, context: Context = CONTEXT) -> bytes:
    sealer = ChunkSealer(key, context)
    return b"".join([*map(sealer.update, pieces_of(content)), sealer.finish()])


def opened(sealed: bytes, size: int = PIECE) -> bytes:
    opener = ChunkOpener(KEY, CONTEXT, KEY.commitment)
    return b"".join([*map(opener.update, pieces_of(sealed, size)), opener.finish()])


def given_out(sealed: bytes) -> bytes:
    """Return what is given out before the error, after which nothing more is."""
    opener = ChunkOpener(KEY, CONTEXT, KEY.commitment)
    content = bytearray()

    def give_out(pieces: Iterable[bytes]) -> None:
        for piece in pieces:
            content.extend(opener.update(piece))
        content.extend(opener.finish())

    for pieces in (pieces_of(sealed), [b""], []):
        with pytest.raises(SealError):
            give_out(pieces)
    return bytes(content)


def chunks_of(sealed: bytes) -> list[bytes]:
    return list(pieces_of(sealed[HEADER:], SEALED))


def with_chunks(sealed: bytes, chunks: list[bytes]) -> bytes:
    return sealed[:HEADER] + b"".join(chunks)


def a_document(size: int) -> bytes:
    return Random(size).randbytes(size)


DOCUMENT = a_document(4 * CONTENT + 1000)
OBJECT = sealed_of(DOCUMENT)
NUMBERS = range(len(chunks_of(OBJECT)))


# --- What opens


@pytest.mark.parametrize(
    "size",
    [0, 1, CONTENT - 1, CONTENT, CONTENT + 1, CONTENT + 2, 3 * CONTENT, LARGEST - 1, LARGEST],
)
def test_what_is_sealed_opens_to_the_same_bytes(size: int) -> None:
    document = a_document(size)

    assert opened(sealed_of(document), 256 * 1024) == document


@given(content=contents)
def test_no_content_is_taken_for_padding(content: bytes) -> None:
    assert opened(sealed_of(content)) == content


@given(cuts=st.lists(st.integers(0, len(OBJECT)), max_size=9))
def test_pieces_may_be_cut_anywhere(cuts: list[int]) -> None:
    places = [0, *sorted(cuts), len(OBJECT)]
    opener = ChunkOpener(KEY, CONTEXT, KEY.commitment)

    content = b"".join(opener.update(OBJECT[start:end]) for start, end in pairwise(places))

    assert content + opener.finish() == DOCUMENT


@given(content=contents, cuts=st.lists(st.integers(0, 10 * CHUNK_BYTES), max_size=9))
def test_content_may_come_in_any_pieces(content: bytes, cuts: list[int]) -> None:
    places = [0, *sorted(min(cut, len(content)) for cut in cuts), len(content)]
    sealer = ChunkSealer(KEY, CONTEXT)

    sealed = b"".join(sealer.update(content[start:end]) for start, end in pairwise(places))

    assert opened(sealed + sealer.finish()) == content


def test_content_comes_out_as_soon_as_its_chunk_is_known_not_to_be_the_last() -> None:
    opener = ChunkOpener(KEY, CONTEXT, KEY.commitment)

    assert opener.update(OBJECT[: HEADER + SEALED]) == b""
    assert opener.update(OBJECT[HEADER + SEALED :][:1]) == DOCUMENT[:CONTENT]


def test_25_mebibytes_pass_in_a_few() -> None:
    """Sealed and opened a mebibyte at a time, and never held whole."""
    piece = bytes(1024 * 1024)
    sealer = ChunkSealer(KEY, CONTEXT)
    opener = ChunkOpener(KEY, CONTEXT, KEY.commitment)
    size = 0
    tracemalloc.start()

    for _ in range(25):
        size += len(opener.update(sealer.update(piece)))
    size += len(opener.update(sealer.finish())) + len(opener.finish())
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert size == LARGEST
    assert peak < 6 * 1024 * 1024


# --- What does not open, and what was given out by then


@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.parametrize("place", [0, 1, -17, -1], ids=["first", "second", "last", "tag"])
def test_a_changed_chunk_and_what_follows_are_not_given_out(number: int, place: int) -> None:
    chunks = chunks_of(OBJECT)
    changed = bytearray(chunks[number])
    changed[place] ^= 1
    chunks[number] = bytes(changed)

    assert given_out(with_chunks(OBJECT, chunks)) == DOCUMENT[: number * CONTENT]


@settings(max_examples=30)
@given(st.integers(0, len(OBJECT) * 8 - 1))
def test_a_changed_bit_does_not_open(bit: int) -> None:
    changed = bytearray(OBJECT)
    changed[bit // 8] ^= 1 << bit % 8

    assert DOCUMENT.startswith(given_out(bytes(changed)))


@pytest.mark.parametrize("number", NUMBERS)
def test_a_chunk_left_out_is_noticed(number: int) -> None:
    chunks = chunks_of(OBJECT)
    del chunks[number]

    assert DOCUMENT[: number * CONTENT].startswith(given_out(with_chunks(OBJECT, chunks)))


@pytest.mark.parametrize("number", NUMBERS)
def test_a_chunk_repeated_is_noticed(number: int) -> None:
    chunks = chunks_of(OBJECT)
    chunks.insert(number, chunks[number])

    assert DOCUMENT[: (number + 1) * CONTENT].startswith(given_out(with_chunks(OBJECT, chunks)))


@pytest.mark.parametrize("one", NUMBERS)
@pytest.mark.parametrize("other", NUMBERS)
def test_chunks_in_another_order_are_noticed(one: int, other: int) -> None:
    chunks = chunks_of(OBJECT)
    chunks[one], chunks[other] = chunks[other], chunks[one]

    if one != other:
        assert given_out(with_chunks(OBJECT, chunks)) == DOCUMENT[: min(one, other) * CONTENT]


@pytest.mark.parametrize("number", NUMBERS)
def test_a_chunk_of_another_object_under_the_same_key_is_noticed(number: int) -> None:
    chunks = chunks_of(OBJECT)
    chunks[number] = chunks_of(sealed_of(DOCUMENT))[number]

    assert given_out(with_chunks(OBJECT, chunks)) == DOCUMENT[: number * CONTENT]


@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.parametrize("cut", [-1, 0, 1], ids=["before", "at", "after"])
def test_an_object_cut_off_at_the_edge_of_a_chunk_is_noticed(number: int, cut: int) -> None:
    sealed = OBJECT[: HEADER + number * SEALED + cut]

    assert DOCUMENT[: number * CONTENT].startswith(given_out(sealed))


def test_no_part_of_a_small_object_opens() -> None:
    sealed = sealed_of(b"plaintext")

    for size in range(len(sealed)):
        assert given_out(sealed[:size]) == b""


@pytest.mark.parametrize(
    "more",
    [b"\0", bytes(SEALED), chunks_of(OBJECT)[0], chunks_of(OBJECT)[-1], OBJECT],
    ids=["a byte", "zeros", "its first chunk", "its last chunk", "itself"],
)
@pytest.mark.parametrize("size", [10, 15 * CHUNK_BYTES // 2, 4 * CHUNK_BYTES - 5])
def test_appended_bytes_are_noticed(size: int, more: bytes) -> None:
    """The last size fills its last chunk, so that its end is only known by what follows."""
    document = a_document(size)

    assert document.startswith(given_out(sealed_of(document) + more))


def test_the_last_chunk_is_not_given_out_after_bytes_were_appended() -> None:
    """Not even to one who goes on after the error and says that the object ends."""
    sealed = sealed_of(a_document(CHUNK_BYTES - 1 - 5))
    assert len(sealed) == HEADER + SEALED
    opener = ChunkOpener(KEY, CONTEXT, KEY.commitment)
    with pytest.raises(SealError):
        opener.update(sealed + b"\0")

    with pytest.raises(SealError):
        opener.finish()


@pytest.mark.parametrize("place", range(HEADER))
def test_another_header_does_not_open(place: int) -> None:
    changed = bytearray(OBJECT)
    changed[place] ^= 1

    assert given_out(bytes(changed)) == b""


def test_an_envelope_and_an_object_do_not_pass_for_each_other() -> None:
    envelope = seal(KEY, CONTEXT, b"plaintext")

    assert given_out(envelope) == b""
    with pytest.raises(SealError):
        open_sealed(KEY, CONTEXT, sealed_of(b"plaintext"), KEY.commitment)


# --- Keys and contexts


@given(context=contexts, other=contexts)
def test_another_context_does_not_open(context: Context, other: Context) -> None:
    sealed = sealed_of(b"plaintext", context=context)
    opener = ChunkOpener(KEY, other, KEY.commitment)
    opener.update(sealed)

    if context == other:
        assert opener.finish() == b"plaintext"
    else:
        with pytest.raises(SealError):
            opener.finish()


@pytest.mark.parametrize(
    "moved",
    [
        {"stream": "8a1f0000-0000-8000-8000-000000000002"},
        {"kind": "evidence"},
        {"evidence_id": "e-2"},
        {"revision": 1},
        {"schema": "document@2"},
    ],
    ids=str,
)
def test_each_field_of_the_context_is_bound(moved: dict[str, str | int]) -> None:
    opener = ChunkOpener(KEY, msgspec.structs.replace(CONTEXT, **moved), KEY.commitment)

    with pytest.raises(SealError):
        opener.update(OBJECT)


@given(secret=st.binary(min_size=32, max_size=32).filter(lambda secret: secret != KEY.secret))
def test_another_key_does_not_open(secret: bytes) -> None:
    other = Key(KEY.key_id, secret)
    opener = ChunkOpener(other, CONTEXT, other.commitment)

    with pytest.raises(SealError):
        opener.update(OBJECT)


def test_the_same_secret_under_another_id_does_not_open() -> None:
    renamed = Key(new_key().key_id, KEY.secret)

    with pytest.raises(SealError):
        ChunkOpener(renamed, CONTEXT, KEY.commitment).update(OBJECT)


@pytest.mark.parametrize("expected", ["", "A" * 43, KEY.commitment + "=", "ü", "\ud800"], ids=ascii)
def test_another_commitment_is_refused_before_a_byte_is_seen(expected: str) -> None:
    with pytest.raises(SealError):
        ChunkOpener(KEY, CONTEXT, expected)


def test_a_context_that_names_another_key_is_refused() -> None:
    other = msgspec.structs.replace(CONTEXT, key_id="other")

    with pytest.raises(SealError):
        ChunkSealer(KEY, other)
    with pytest.raises(SealError):
        ChunkOpener(KEY, other, KEY.commitment)


# --- The form


def test_the_form_is_what_it_is_said_to_be() -> None:
    """Read without the product: header, nonces, associated data, ends and padding."""
    cipher = AESGCM(KEY.secret)
    prefix, chunks = OBJECT[1:HEADER], chunks_of(OBJECT)

    padded = [
        cipher.decrypt(
            prefix + bytes([0, 0, 0, number, chunk is chunks[-1]]), chunk, ASSOCIATED_DATA
        )
        for number, chunk in enumerate(chunks)
    ]

    assert OBJECT[:1] == b"\x02"
    assert padded[:4] == [part + b"\x80" for part in pieces_of(DOCUMENT, CONTENT)][:4]
    assert padded[4].startswith(DOCUMENT[4 * CONTENT :] + b"\x80\0")
    # Padmé of 263,145 bytes: the next multiple of 2^(18-5).
    assert sum(map(len, padded)) == 33 * 2**13


def test_padding_goes_on_in_chunks_of_its_own() -> None:
    """A little more than 2^24 bytes are padded by up to 512 KiB."""
    chunks = chunks_of(sealed_of(bytes(2**24)))
    size = sum(len(chunk) - 16 for chunk in chunks)

    assert size == 2**24 + 2**19
    assert len(chunks) == 256 + 8


@pytest.mark.parametrize(
    "padded",
    [
        [b""],
        [bytes(256)],
        [b"no end of content".ljust(256, b"a")],
        [b"content\x80"],
        [b"content\x80".ljust(512, b"\0")],
        [b"content\x80".ljust(CHUNK_BYTES, b"\0"), b"\x80".ljust(256, b"\0")],
        [bytes(CHUNK_BYTES), b"\x80".ljust(256, b"\0")],
    ],
    ids=["empty", "zeros", "no end", "no padding", "another size", "one more", "no end in one"],
)
def test_other_padding_does_not_open(padded: list[bytes]) -> None:
    cipher = AESGCM(KEY.secret)
    sealed = b"\x02" + bytes(7)
    for number, chunk in enumerate(padded):
        nonce = bytes(7) + bytes([0, 0, 0, number, number == len(padded) - 1])
        sealed += cipher.encrypt(nonce, chunk, ASSOCIATED_DATA)

    assert given_out(sealed) in {b"", b"content"}


@pytest.mark.parametrize("size", [300, 5_000, 65_534, 65_535, 70_000, 1_000_003, LARGEST])
def test_hiding_the_size_costs_an_eighth_at_most(size: int) -> None:
    sealed = sealed_of(bytes(size))

    assert size < len(sealed) <= size * 1.12 + 256


def test_documents_of_about_one_size_have_one_size() -> None:
    small = {len(sealed_of(bytes(size))) for size in (0, 1, 100, 255)}
    large = {len(sealed_of(bytes(size))) for size in range(1_000_000, 1_010_000, 1_000)}

    assert len(small) == len(large) == 1


def test_sealed_twice_shows_no_repetition() -> None:
    other = sealed_of(DOCUMENT)

    assert other[1:HEADER] != OBJECT[1:HEADER]
    assert not set(chunks_of(other)) & set(chunks_of(OBJECT))


# --- Using it wrongly


def test_a_finished_object_is_not_gone_on_with() -> None:
    sealer = ChunkSealer(KEY, CONTEXT)
    opener = ChunkOpener(KEY, CONTEXT, KEY.commitment)
    opener.update(sealer.finish())
    opener.finish()

    for finished in (sealer, opener):
        with pytest.raises(ValueError, match="finished"):
            finished.update(b"more")
        with pytest.raises(ValueError, match="finished"):
            finished.finish()


def test_neither_says_the_key() -> None:
    said = repr(ChunkSealer(KEY, CONTEXT)) + repr(ChunkOpener(KEY, CONTEXT, KEY.commitment))

    assert KEY.secret.hex() not in said
    assert repr(KEY.secret) not in said


def test_an_error_tells_nothing() -> None:
    opener = ChunkOpener(KEY, CONTEXT, KEY.commitment)
    opener.update(OBJECT[:5000])

    with pytest.raises(SealError) as raised:
        opener.finish()

    assert str(raised.value) == str(SealError())
    assert raised.value.__suppress_context__
