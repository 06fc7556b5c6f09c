# SPDX-License-Identifier: Apache-2.0
"""A keyring is a value: what each change keeps, adds and takes away."""

import hashlib
import hmac
from collections.abc import Callable

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.pretty import pretty_repr

from vault.domain import canonical
from vault.sealing.envelope import Key, new_key
from vault.sealing.keyring import Keyring, StoredKeyring, bundle_salt, new_keyring

keys = st.builds(
    Key, key_id=st.uuids(version=4).map(str), secret=st.binary(min_size=32, max_size=32)
)
keyrings = st.builds(
    Keyring,
    number=st.integers(0, 2**31),
    history=keys,
    evidence=st.dictionaries(st.tuples(st.uuids().map(str), st.integers(1, 99)), keys, max_size=5),
    subjects=st.dictionaries(st.uuids().map(str), st.uuids().map(str), max_size=5),
)


def test_a_new_keyring_holds_a_history_key_and_was_never_stored() -> None:
    keyring = new_keyring()

    assert (keyring.number, keyring.evidence, keyring.subjects) == (0, {}, {})


def test_an_added_evidence_key_is_found_by_evidence_and_revision() -> None:
    key = new_key()

    keyring = new_keyring().with_evidence_key("e-1", 2, key)

    assert keyring.evidence_key("e-1", 2) == key


def test_another_revision_has_no_key() -> None:
    keyring = new_keyring().with_evidence_key("e-1", 2, new_key())

    assert keyring.evidence_key("e-1", 1) is None


def test_adding_leaves_the_first_keyring_as_it_was() -> None:
    first = new_keyring()

    first.with_evidence_key("e-1", 1, new_key()).with_subject("service", "subject")

    assert (first.evidence, first.subjects) == ({}, {})


def test_the_key_of_a_revision_is_not_replaced() -> None:
    keyring = new_keyring().with_evidence_key("e-1", 1, new_key())

    with pytest.raises(ValueError, match="has a key already"):
        keyring.with_evidence_key("e-1", 1, new_key())


def test_adding_the_same_key_again_changes_nothing() -> None:
    key = new_key()
    keyring = new_keyring().with_evidence_key("e-1", 1, key)

    assert keyring.with_evidence_key("e-1", 1, key) == keyring


def test_a_service_knows_her_by_one_subject_only() -> None:
    keyring = new_keyring().with_subject("service", "subject")

    with pytest.raises(ValueError, match="another subject"):
        keyring.with_subject("service", "other")


def test_erasing_evidence_takes_every_revision_and_nothing_else() -> None:
    keyring = new_keyring().with_subject("service", "subject")
    for evidence_id, revision in (("e-1", 1), ("e-1", 2), ("e-2", 1)):
        keyring = keyring.with_evidence_key(evidence_id, revision, new_key())

    erased = keyring.without_evidence("e-1")

    assert set(erased.evidence) == {("e-2", 1)}
    assert (erased.history, erased.subjects) == (keyring.history, keyring.subjects)


@given(keyrings)
def test_the_stored_form_keeps_everything(keyring: Keyring) -> None:
    text = msgspec.json.encode(StoredKeyring.of(keyring))

    assert msgspec.json.decode(text, type=StoredKeyring).keyring(keyring.number) == keyring


def test_the_bundle_salt_is_the_same_for_the_same_request() -> None:
    keyring = new_keyring()

    assert bundle_salt(keyring, "request") == bundle_salt(keyring, "request")


def test_the_bundle_salt_is_another_for_another_request() -> None:
    keyring = new_keyring()

    assert bundle_salt(keyring, "request") != bundle_salt(keyring, "other")


def test_the_bundle_salt_is_another_for_another_citizen() -> None:
    assert bundle_salt(new_keyring(), "request") != bundle_salt(new_keyring(), "request")


def test_the_bundle_salt_is_half_an_hmac_of_the_request() -> None:
    keyring = Keyring(1, Key("id", bytes(32)), {}, {})
    whole = hmac.new(bytes(32), b'["bundle-salt/1","request"]', hashlib.sha256).digest()

    assert bundle_salt(keyring, "request") == canonical.b64(whole[:16])


@pytest.mark.parametrize("show", [repr, str, pretty_repr])
def test_no_secret_is_shown(show: Callable[[object], str]) -> None:
    secret = b"canary-secret-0123456789abcdefgh"
    keyring = Keyring(1, Key("h", secret), {("e-1", 1): Key("k", secret)}, {"service": "subject-7"})

    shown = show([keyring, keyring.history])

    assert "canary" not in shown
    assert "subject-7" not in shown
