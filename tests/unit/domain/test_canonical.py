# SPDX-License-Identifier: Apache-2.0
"""Canonical JSON against the standard library's, and base64url that has one form only."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vault.domain.canonical import (
    LARGEST_INTEGER,
    b64,
    digest,
    encode,
    is_printable_ascii,
    unb64,
)

# What we store: no floats, no nulls, integers below 2^53. msgspec and RFC 8785 sort names by UTF-8
# and UTF-16; they differ from code points beyond the BMP only, where our names never are.
texts = st.text()
names = st.text(st.characters(max_codepoint=0x7F))
integers = st.integers(-LARGEST_INTEGER, LARGEST_INTEGER)
values = st.recursive(
    st.booleans() | integers | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names, inner, max_size=4),
    max_leaves=12,
)


@given(values)
def test_canonical_json_is_sorted_and_compact_and_escapes_no_more_than_it_must(value: Any) -> None:
    # RFC 8785 section 3.2.2.2 leaves DEL alone, as the standard library does.
    expected = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)

    assert encode(value) == expected.encode()


@given(values)
def test_canonical_json_reads_back_equal(value: Any) -> None:
    assert json.loads(encode(value)) == value


@given(st.binary(max_size=80))
def test_base64url_reads_back_equal(data: bytes) -> None:
    assert unb64(b64(data)) == data


@pytest.mark.parametrize("text", ["AA==", "AB", "A", "A+", "A/", "AA\n", " AA", "äA", "A_=", "AA="])
def test_another_form_of_base64url_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        unb64(text)


def test_a_digest_is_sha_256_in_base64url() -> None:
    assert digest(b"abc") == "ungWv48Bz-pBQUDeXa4iI7ADYaOWF3qctBD_YfIAFa0"
    assert unb64(digest(b"abc")) == hashlib.sha256(b"abc").digest()


@pytest.mark.parametrize(
    ("data", "is_printable"),
    [
        (b"", True),
        (b" ~", True),
        (b"\x7f", False),
        (b"\n", False),
        ("é".encode(), False),
        (encode(' "~\\'), True),
        (encode("\n"), False),
        (encode("\x00"), False),
    ],
)
def test_printable_ascii_reaches_from_space_to_tilde_whatever_is_escaped(
    data: bytes, *, is_printable: bool
) -> None:
    assert is_printable_ascii(data) is is_printable
