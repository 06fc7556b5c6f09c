# SPDX-License-Identifier: Apache-2.0
"""Signed notes: a known key's signature counts if it verifies, and spoils the note if not."""

from __future__ import annotations

import base64

import pytest

from tests.signed_log import LOG, STRANGER
from vault.transparency.encoding import FormError
from vault.transparency.note import (
    MOST_SIGNATURES,
    Note,
    Signature,
    SignatureError,
    Signer,
    Verifier,
)

TEXT = "One line.\n\nAnd another after an empty one: è vero.\n"
NOTE = Note(TEXT, (LOG.sign(TEXT),))
LINE = NOTE.signatures[0].line()


def test_a_note_is_read_as_it_was_written() -> None:
    note = NOTE.adding(STRANGER.sign(TEXT))

    assert Note.parse(note.encode()) == note
    assert note.encode().decode() == f"{TEXT}\n{LINE}{STRANGER.sign(TEXT).line()}"


def test_a_note_is_signed_by_who_signed_it() -> None:
    note = NOTE.adding(STRANGER.sign(TEXT))

    assert note.verify([LOG.verifier]) == (LOG.sign(TEXT),)
    assert note.verify([STRANGER.verifier, LOG.verifier]) == note.signatures


def test_a_note_that_no_known_key_signed_is_refused() -> None:
    with pytest.raises(SignatureError, match="no signature is of a known key"):
        NOTE.verify([STRANGER.verifier])
    with pytest.raises(SignatureError, match="no signature is of a known key"):
        NOTE.verify([])


def test_another_text_is_refused() -> None:
    other = Note(TEXT.replace("One", "Two"), NOTE.signatures)

    with pytest.raises(SignatureError, match="not that of the key it names"):
        other.verify([LOG.verifier])


@pytest.mark.parametrize("order", [1, -1])
def test_one_wrong_signature_of_a_known_key_spoils_the_note(order: int) -> None:
    """Even if another of the same key is right: no reader may see what another does not."""
    right = LOG.sign(TEXT)
    wrong = Signature(right.name, right.key_id, bytes(64))
    note = Note(TEXT, (right, wrong)[::order])

    with pytest.raises(SignatureError, match="not that of the key it names"):
        note.verify([LOG.verifier])


def test_one_wrong_signature_of_a_second_known_key_spoils_the_note() -> None:
    wrong = Signature(STRANGER.verifier.name, STRANGER.verifier.key_id, bytes(64))
    note = NOTE.adding(wrong)

    with pytest.raises(SignatureError, match="not that of the key it names"):
        note.verify([LOG.verifier, STRANGER.verifier])
    assert len(note.verify([LOG.verifier])) == 1


@pytest.mark.parametrize("length", [1, 63, 65, 72])
def test_a_signature_of_another_length_is_refused(length: int) -> None:
    wrong = Signature(LOG.verifier.name, LOG.verifier.key_id, bytes(length))

    with pytest.raises(SignatureError):
        Note(TEXT, (wrong,)).verify([LOG.verifier])


def test_a_key_of_the_same_name_and_another_id_is_unknown() -> None:
    renewed = Signer(LOG.verifier.name, b"\x09" * 32)
    note = NOTE.adding(renewed.sign(TEXT))

    assert note.verify([LOG.verifier]) == (LOG.sign(TEXT),)
    assert note.verify([renewed.verifier]) == (renewed.sign(TEXT),)


def test_a_key_of_the_same_id_and_another_name_is_unknown() -> None:
    right = LOG.sign(TEXT)
    note = Note(TEXT, (Signature("other.example", right.key_id, right.value),))

    with pytest.raises(SignatureError, match="no signature is of a known key"):
        note.verify([LOG.verifier])


def test_a_signature_twice_is_one_signer() -> None:
    note = NOTE.adding(LOG.sign(TEXT))

    assert {found.name for found in note.verify([LOG.verifier])} == {LOG.verifier.name}


def test_a_key_may_be_known_twice() -> None:
    again = Verifier.of(LOG.verifier.vkey)

    assert NOTE.verify([LOG.verifier, again]) == NOTE.signatures


def test_two_keys_of_one_name_and_one_id_are_not_known_together() -> None:
    """Nobody could say which of them has to verify."""
    other = Verifier(LOG.verifier.name, bytes(32))
    object.__setattr__(other, "key_id", LOG.verifier.key_id)

    with pytest.raises(FormError, match="the same name and the same id"):
        NOTE.verify([LOG.verifier, other])


def test_a_note_has_at_most_a_hundred_signatures() -> None:
    most = f"{TEXT}\n{LINE * MOST_SIGNATURES}"

    assert len(Note.parse(most.encode()).verify([LOG.verifier])) == MOST_SIGNATURES
    with pytest.raises(FormError, match="more than 100"):
        Note.parse(f"{most}{LINE}".encode())


SIGNED = f"{TEXT}\n{LINE}"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\n",
        b"\n\n",
        TEXT.encode(),
        f"{TEXT}\n".encode(),
        f"{TEXT}\n\n".encode(),
        SIGNED.encode()[:-1],
        f"{SIGNED}\n".encode(),
        f"{SIGNED} ".encode(),
        f"{TEXT}{LINE}".encode(),
        f"\n{LINE}".encode(),
        LINE.encode(),
        SIGNED.replace("\n", "\r\n").encode(),
        SIGNED.replace("One", "One\t").encode(),
        SIGNED.replace("One", "One\0").encode(),
        SIGNED.encode("utf-16"),
        SIGNED.encode("latin-1", "replace") + b"\xff",
        b"\xed\xa0\x80" + SIGNED.encode(),
        f"{TEXT}\n{LINE.replace('—', '-')}".encode(),
        f"{TEXT}\n{LINE.replace('— ', '—')}".encode(),
        f"{TEXT}\n{LINE.replace('— ', '—  ')}".encode(),
        f"{TEXT}\n{LINE.replace('vault.example/0', 'vault.example+0')}".encode(),
        f"{TEXT}\n— vault\u00a0example AAAAAAE=\n".encode(),
        f"{TEXT}\n— vault\u2028example AAAAAAE=\n".encode(),
        f"{TEXT}\n{LINE.replace('vault.example/0 ', '')}".encode(),
        f"{TEXT}\n— vault.example/0\n".encode(),
        f"{TEXT}\n— vault.example/0 \n".encode(),
        f"{TEXT}\n— vault.example/0 AAAA\n".encode(),
        f"{TEXT}\n— vault.example/0 AAAAAA==\n".encode(),
        f"{TEXT}\n— vault.example/0 AAAAAAE\n".encode(),
        f"{TEXT}\n— vault.example/0 AAAAAAF=\n".encode(),
        f"{TEXT}\n— vault.example/0 AAAAAAE=AAAA\n".encode(),
        f"{TEXT}\n— vault.example/0 AAAA-AE_\n".encode(),
        f"{TEXT}\n— vault.example/0 \uff21AAAAAE=\n".encode(),
        f"{TEXT}\n{LINE}junk\n".encode(),
        f"{TEXT}\n{LINE.replace('=', '= ')}".encode(),
    ],
)
def test_what_is_no_note_is_refused(data: bytes) -> None:
    with pytest.raises(FormError):
        Note.parse(data)


@pytest.mark.parametrize("text", ["", "no newline", "a\tb\n", "a\rb\n", "\ud800\n"])
def test_what_no_note_can_hold_is_refused(text: str) -> None:
    with pytest.raises(FormError):
        Note(text, NOTE.signatures)


def test_a_note_without_signatures_is_refused() -> None:
    with pytest.raises(FormError, match="no signature"):
        Note(TEXT, ())


def test_a_vkey_is_read_as_it_was_written() -> None:
    assert Verifier.of(LOG.verifier.vkey) == LOG.verifier


def test_a_vkey_whose_base64_has_a_plus_sign_is_read() -> None:
    vkey = "TEST+7997405c+AQcC+FTVKf0jlTdHDY3rbevmnKxxPjigCXlVtGe6RIr6"

    assert Verifier.of(vkey).vkey == vkey


NAME, KEY_ID, MATERIAL = LOG.verifier.vkey.split("+", 2)
RAW = base64.b64decode(MATERIAL)
ECDSA = (
    "rekor.sigstore.dev+c0d23d6a+AjBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABNhtmPtrWm3U1eQXBogSMdGvXwBcK5AW"
    "5i0hrZLOC96l+smGNM7nwZ4QvFK/4sueRoVj//QP22Ni4Qt9DPfkWLc="
)


@pytest.mark.parametrize(
    "vkey",
    [
        "",
        "+",
        "++",
        NAME,
        f"{NAME}+{KEY_ID}",
        f"{NAME}+{KEY_ID}+",
        f"+{KEY_ID}+{MATERIAL}",
        f"other+{KEY_ID}+{MATERIAL}",
        f"{NAME}+00000000+{MATERIAL}",
        f"{NAME}+{KEY_ID[:-1]}+{MATERIAL}",
        f"{NAME}+{KEY_ID.upper()}+{MATERIAL}",
        f"{NAME}+{KEY_ID}+{MATERIAL}=",
        f"{NAME}+{KEY_ID}+{MATERIAL}\n",
        f" {NAME}+{KEY_ID}+{MATERIAL}",
        f"{NAME}\ud800+{KEY_ID}+{MATERIAL}",
        f"{NAME}+{KEY_ID}+{base64.b64encode(RAW[:-1]).decode()}",
        f"{NAME}+{KEY_ID}+{base64.b64encode(RAW + b'x').decode()}",
        f"{NAME}+{KEY_ID}+{base64.b64encode(bytes([4]) + RAW[1:]).decode()}",
        "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz",
        # A real key of another type: ECDSA.
        ECDSA,
    ],
)
def test_what_is_no_vkey_is_refused(vkey: str) -> None:
    with pytest.raises(FormError):
        Verifier.of(vkey)


def test_the_upper_case_of_an_id_is_another_text() -> None:
    assert KEY_ID.upper() != KEY_ID


@pytest.mark.parametrize("length", [0, 31, 33])
def test_a_private_key_has_32_bytes(length: int) -> None:
    with pytest.raises(FormError, match="32 bytes"):
        Signer("name", bytes(length))


@pytest.mark.parametrize("length", [0, 31, 33])
def test_a_public_key_has_32_bytes(length: int) -> None:
    with pytest.raises(FormError, match="32 bytes"):
        Verifier("name", bytes(length))


@pytest.mark.parametrize("name", ["", "a b", "a+b", "a\nb", "a\u00a0b", "\ud800"])
def test_a_key_has_a_name_that_a_line_can_hold(name: str) -> None:
    with pytest.raises(FormError):
        Signer(name, bytes(32))
