# SPDX-License-Identifier: Apache-2.0
"""Checkpoints: one text for each head, and only its own log's signature counts."""

from __future__ import annotations

import base64

import pytest

from tests.signed_log import LOG, ORIGIN, STRANGER, checkpoint, signed
from vault.transparency.checkpoint import Checkpoint, open_checkpoint
from vault.transparency.encoding import FormError
from vault.transparency.note import Note, SignatureError, Signer
from vault.transparency.tree import EMPTY_ROOT

ROOT = base64.b64encode(b"r" * 32).decode()


@pytest.mark.parametrize(
    "head",
    [
        checkpoint(),
        Checkpoint("o", 0, EMPTY_ROOT),
        Checkpoint("go.sum database tree", 2**63 - 1, bytes(32)),
        Checkpoint("o", 1, bytes(32), ("more", " and  more ")),
        Checkpoint("o\u2028\u0085o", 1, bytes(32), ("\x7f",)),
    ],
)
def test_a_checkpoint_is_read_as_it_was_written(head: Checkpoint) -> None:
    assert Checkpoint.parse(head.body()) == head


@pytest.mark.parametrize(
    "body",
    [
        "",
        "\n\n\n",
        "o\n1\n",
        f"o\n1\n{ROOT}",
        f"\n1\n{ROOT}\n",
        f"o\n\n{ROOT}\n",
        f"o\n1\n{ROOT}\n\n",
        f"o\n1\n{ROOT}\n\nmore\n",
        f"o\n1\n{ROOT}\nmore",
        f"o\n01\n{ROOT}\n",
        f"o\n+1\n{ROOT}\n",
        f"o\n-1\n{ROOT}\n",
        f"o\n 1\n{ROOT}\n",
        f"o\n1 \n{ROOT}\n",
        f"o\n1_0\n{ROOT}\n",
        f"o\n1e3\n{ROOT}\n",
        f"o\n0x1\n{ROOT}\n",
        f"o\n\u0661\n{ROOT}\n",
        f"o\n{2**63}\n{ROOT}\n",
        f"o\n{'9' * 5000}\n{ROOT}\n",
        f"o\n1\n{ROOT[:-1]}\n",
        f"o\n1\n{ROOT}=\n",
        f"o\n1\n {ROOT}\n",
        f"o\n1\n{ROOT.replace('y', '-')}\n",
        f"o\n1\n{ROOT[:-2]}J=\n",
        f"o\n1\n{base64.b64encode(b'r' * 31).decode()}\n",
        f"o\n1\n{base64.b64encode(b'r' * 33).decode()}\n",
        f"o\r\n1\n{ROOT}\n",
        f"o\ud800\n1\n{ROOT}\n",
    ],
)
def test_what_is_no_checkpoint_is_refused(body: str) -> None:
    with pytest.raises(FormError):
        Checkpoint.parse(body)


@pytest.mark.parametrize(
    ("origin", "size", "root", "extensions"),
    [
        ("", 1, bytes(32), ()),
        ("a\nb", 1, bytes(32), ()),
        ("a", -1, bytes(32), ()),
        ("a", 2**63, bytes(32), ()),
        ("a", 1, bytes(31), ()),
        ("a", 1, bytes(32), ("",)),
        ("a", 1, bytes(32), ("b\nc",)),
        ("a\t", 1, bytes(32), ()),
    ],
)
def test_what_no_checkpoint_can_hold_is_refused(
    origin: str, size: int, root: bytes, extensions: tuple[str, ...]
) -> None:
    with pytest.raises(FormError):
        Checkpoint(origin, size, root, extensions)


def test_a_checkpoint_that_its_log_signed_is_opened() -> None:
    assert open_checkpoint(signed(), [STRANGER.verifier, LOG.verifier]) == checkpoint()


def test_a_checkpoint_that_another_log_signed_is_refused() -> None:
    """A key may speak for the log whose origin is its name, and for no other."""
    body = checkpoint().body()
    note = Note(body, (STRANGER.sign(body),))

    with pytest.raises(SignatureError, match="not signed by the log that it names"):
        open_checkpoint(note, [LOG.verifier, STRANGER.verifier])


def test_a_checkpoint_that_a_key_of_the_same_name_signed_is_refused() -> None:
    body = checkpoint().body()
    impostor = Signer(ORIGIN, b"\x0a" * 32)

    with pytest.raises(SignatureError, match="no signature is of a known key"):
        open_checkpoint(Note(body, (impostor.sign(body),)), [LOG.verifier])


def test_what_its_log_signed_but_is_no_checkpoint_is_refused() -> None:
    with pytest.raises(FormError):
        open_checkpoint(Note("hello\n", (LOG.sign("hello\n"),)), [LOG.verifier])
