# SPDX-License-Identifier: Apache-2.0
"""What opens sealed bytes, and everything that does not."""

import msgspec
import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st

from vault.sealing.envelope import Context, Key, new_key, open_sealed, seal
from vault.sealing.errors import SealError

KEY = Key("6d4e7bd5-3c5f-4a44-9f3e-0d2f5b8f8f01", bytes(range(32)))
CONTEXT = Context("8a1f0000-0000-8000-8000-000000000001", "evidence", "e-1", 2, "income@1")
ASSOCIATED_DATA = (
    b'["AES-256-GCM","8a1f0000-0000-8000-8000-000000000001","evidence","e-1",2,"income@1",'
    b'"6d4e7bd5-3c5f-4a44-9f3e-0d2f5b8f8f01"]'
)
# Made apart from the product:
# printf commit/1 | openssl dgst -sha256 -mac HMAC -macopt hexkey:000102…1f
KNOWN_COMMITMENT = "dmWHJ63uxX2-un-Ekvb4gYvqbbV701oawdgEoKptP-o"

texts = st.text(max_size=8)
contexts = st.builds(
    Context, stream=texts, kind=texts, evidence_id=texts, revision=st.integers(0, 9), schema=texts
)


@given(plaintext=st.binary(max_size=2000), context=contexts)
def test_what_is_sealed_opens_to_the_same_bytes(plaintext: bytes, context: Context) -> None:
    sealed = seal(KEY, context, plaintext)

    assert open_sealed(KEY, context, sealed, KEY.commitment) == plaintext


@given(context=contexts, other=contexts)
def test_another_context_does_not_open(context: Context, other: Context) -> None:
    sealed = seal(KEY, context, b"plaintext")

    if context != other:
        with pytest.raises(SealError):
            open_sealed(KEY, other, sealed, KEY.commitment)


@pytest.mark.parametrize(
    "moved",
    [
        {"stream": "8a1f0000-0000-8000-8000-000000000002"},
        {"kind": "command"},
        {"evidence_id": "e-2"},
        {"revision": 1},
        {"revision": 0},
        {"schema": "income@2"},
        {"key_id": "6d4e7bd5-3c5f-4a44-9f3e-0d2f5b8f8f02"},
        {"evidence_id": "", "schema": "e-1"},
    ],
    ids=str,
)
def test_each_field_of_the_context_is_bound(moved: dict[str, str | int]) -> None:
    sealed = seal(KEY, CONTEXT, b"plaintext")

    with pytest.raises(SealError):
        open_sealed(KEY, msgspec.structs.replace(CONTEXT, **moved), sealed, KEY.commitment)


def test_another_key_does_not_open() -> None:
    other = new_key()

    with pytest.raises(SealError):
        open_sealed(other, CONTEXT, seal(KEY, CONTEXT, b"plaintext"), other.commitment)


def test_the_same_secret_under_another_id_does_not_open() -> None:
    renamed = Key("6d4e7bd5-3c5f-4a44-9f3e-0d2f5b8f8f02", KEY.secret)

    with pytest.raises(SealError):
        open_sealed(renamed, CONTEXT, seal(KEY, CONTEXT, b"plaintext"), KEY.commitment)


@pytest.mark.parametrize(
    "expected",
    ["", "A" * 43, KNOWN_COMMITMENT + "=", "ü", "\ud800"],
    ids=["none", "another", "padded", "not ASCII", "not text"],
)
def test_another_commitment_does_not_open(expected: str) -> None:
    with pytest.raises(SealError):
        open_sealed(KEY, CONTEXT, seal(KEY, CONTEXT, b"plaintext"), expected)


def test_the_commitment_is_compared_before_opening(monkeypatch: pytest.MonkeyPatch) -> None:
    sealed = seal(KEY, CONTEXT, b"plaintext")
    monkeypatch.setattr("vault.sealing.envelope.AESGCM", None)  # whoever opens, fails otherwise

    with pytest.raises(SealError):
        open_sealed(KEY, CONTEXT, sealed, "A" * 43)


@given(st.data())
def test_a_changed_bit_does_not_open(data: st.DataObject) -> None:
    sealed = bytearray(seal(KEY, CONTEXT, b"plaintext"))
    bit = data.draw(st.integers(0, len(sealed) * 8 - 1))
    sealed[bit // 8] ^= 1 << bit % 8

    with pytest.raises(SealError):
        open_sealed(KEY, CONTEXT, bytes(sealed), KEY.commitment)


def test_no_part_of_the_sealed_bytes_opens() -> None:
    sealed = seal(KEY, CONTEXT, b"plaintext")

    for size in range(len(sealed)):
        with pytest.raises(SealError):
            open_sealed(KEY, CONTEXT, sealed[:size], KEY.commitment)


def test_trailing_bytes_do_not_open() -> None:
    with pytest.raises(SealError):
        open_sealed(KEY, CONTEXT, seal(KEY, CONTEXT, b"plaintext") + b"\0", KEY.commitment)


@pytest.mark.parametrize(
    "padded",
    [b"", b"\0" * 256, b"no end of content", b"content\x80", (b"content\x80").ljust(512, b"\0")],
    ids=["empty", "nothing but padding", "no end", "no padding", "another bucket"],
)
def test_other_padding_does_not_open(padded: bytes) -> None:
    nonce = bytes(12)
    sealed = b"\x01" + nonce + AESGCM(KEY.secret).encrypt(nonce, padded, ASSOCIATED_DATA)

    with pytest.raises(SealError):
        open_sealed(KEY, CONTEXT, sealed, KEY.commitment)


def test_associated_data_is_the_canonical_context() -> None:
    sealed = seal(KEY, CONTEXT, b"plaintext")

    padded = AESGCM(KEY.secret).decrypt(sealed[1:13], sealed[13:], ASSOCIATED_DATA)

    assert padded == b"plaintext\x80" + bytes(246)


def test_associated_data_says_none_with_empty_text() -> None:
    sealed = seal(KEY, Context("s", "command"), b"plaintext")
    associated_data = b'["AES-256-GCM","s","command","","","","%b"]' % KEY.key_id.encode()

    padded = AESGCM(KEY.secret).decrypt(sealed[1:13], sealed[13:], associated_data)

    assert padded.startswith(b"plaintext")


def test_an_unnamed_key_is_the_key_that_is_used() -> None:
    named = msgspec.structs.replace(CONTEXT, key_id=KEY.key_id)

    assert open_sealed(KEY, named, seal(KEY, CONTEXT, b"x"), KEY.commitment) == b"x"


def test_a_context_that_names_another_key_is_not_sealed() -> None:
    with pytest.raises(SealError):
        seal(KEY, msgspec.structs.replace(CONTEXT, key_id="other"), b"plaintext")


def test_commitment_is_the_known_answer() -> None:
    assert KEY.commitment == KNOWN_COMMITMENT


def test_sealed_twice_shows_no_repetition() -> None:
    first, second = (seal(KEY, CONTEXT, b"plaintext") for _ in range(2))

    assert first[1:13] != second[1:13]
    assert first[13:] != second[13:]


def test_small_values_all_have_one_size() -> None:
    sizes = {len(seal(KEY, CONTEXT, bytes(size))) for size in (0, 1, 100, 255)}

    assert sizes == {1 + 12 + 256 + 16}


@given(st.integers(256, 2**20))
def test_padding_costs_an_eighth_at_most(size: int) -> None:
    padded = len(seal(KEY, CONTEXT, bytes(size))) - 29

    assert size < padded <= size * 9 // 8


def test_values_up_to_64_kibibytes_have_one_of_130_sizes() -> None:
    seen = {len(seal(KEY, CONTEXT, bytes(size))) for size in range(0, 2**16, 7)}

    assert len(seen) <= 130


def test_a_key_without_32_bytes_is_not_built() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        Key("id", bytes(16))


def test_new_keys_differ() -> None:
    first, second = new_key(), new_key()

    assert first.key_id != second.key_id
    assert first.secret != second.secret


def test_an_error_tells_nothing() -> None:
    with pytest.raises(SealError) as raised:
        open_sealed(KEY, CONTEXT, b"\x01" * 300, KEY.commitment)

    assert str(raised.value) == str(SealError())
    assert raised.value.__suppress_context__
