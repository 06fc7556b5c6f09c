# SPDX-License-Identifier: Apache-2.0
"""Cosignatures: what a witness saw, and when."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tests.signed_log import TIME, WITNESSES, checkpoint, signed
from vault.transparency.checkpoint import Checkpoint
from vault.transparency.cosignature import CosignatureSigner, CosignatureVerifier, time_of
from vault.transparency.encoding import FormError
from vault.transparency.note import Note, Signature, SignatureError, Signer, Verifier

ADA = WITNESSES["ada"]
COSIGNED = ADA.cosign(checkpoint(), TIME)


def test_the_message_is_that_of_the_specification() -> None:
    key = Ed25519PrivateKey.from_private_bytes(b"\x07" * 32)
    head = checkpoint(3)
    message = f"cosignature/v1\ntime {TIME}\n{head.body()}"

    found = CosignatureSigner("w.example", b"\x07" * 32).cosign(head, TIME)

    assert found.value == TIME.to_bytes(8, "big") + key.sign(message.encode())


def test_a_cosignature_verifies_and_tells_its_time() -> None:
    note = signed(13, "ada", "bob")

    assert note.verify([ADA.verifier]) == (COSIGNED,)
    assert time_of(COSIGNED) == TIME


def test_extension_lines_are_cosigned() -> None:
    head = checkpoint()
    extended = Checkpoint(head.origin, head.size, head.root, ("more",))

    with pytest.raises(SignatureError):
        ADA.verifier.verify(head.body(), ADA.cosign(extended, TIME).value)


@pytest.mark.parametrize("at", [0, 7, 8, 71])
def test_a_changed_bit_is_refused(at: int) -> None:
    value = bytearray(COSIGNED.value)
    value[at] ^= 1

    with pytest.raises(SignatureError):
        ADA.verifier.verify(checkpoint().body(), bytes(value))


@pytest.mark.parametrize(
    "value",
    [
        b"x",
        COSIGNED.value[8:],
        COSIGNED.value[:-1],
        COSIGNED.value + b"x",
        (2**63).to_bytes(8, "big") + COSIGNED.value[8:],
    ],
)
def test_what_is_no_cosignature_is_refused(value: bytes) -> None:
    signature = Signature(COSIGNED.name, COSIGNED.key_id, value)

    with pytest.raises(SignatureError):
        time_of(signature)
    with pytest.raises(SignatureError):
        Note(checkpoint().body(), (signature,)).verify([ADA.verifier])


def test_a_witness_key_and_a_log_key_of_one_seed_are_two() -> None:
    """Neither's signature passes for the other's."""
    log = Signer("ada.example", b"\x03" * 32)
    body = checkpoint().body()
    assert log.verifier.public_key == ADA.verifier.public_key

    assert log.verifier.key_id != ADA.verifier.key_id
    with pytest.raises(SignatureError, match="no signature is of a known key"):
        Note(body, (log.sign(body),)).verify([ADA.verifier])
    with pytest.raises(SignatureError):
        ADA.verifier.verify(body, log.sign(body).value)
    with pytest.raises(SignatureError):
        log.verifier.verify(body, COSIGNED.value[8:])


def test_a_vkey_of_one_type_is_none_of_the_other() -> None:
    with pytest.raises(FormError, match="type 0x01"):
        Verifier.of(ADA.verifier.vkey)
    with pytest.raises(FormError, match="type 0x04"):
        CosignatureVerifier.of(Verifier("ada.example", ADA.verifier.public_key).vkey)


@pytest.mark.parametrize("time", [1, 2**63 - 1])
def test_every_time_can_be_told(time: int) -> None:
    cosigned = ADA.cosign(checkpoint(), time)

    ADA.verifier.verify(checkpoint().body(), cosigned.value)
    assert time_of(cosigned) == time


@pytest.mark.parametrize("time", [0, -1, 2**63])
def test_a_witness_needs_a_time(time: int) -> None:
    with pytest.raises(ValueError, match="time"):
        ADA.cosign(checkpoint(), time)


def test_a_private_key_has_32_bytes() -> None:
    with pytest.raises(FormError, match="32 bytes"):
        CosignatureSigner("w", bytes(31))
