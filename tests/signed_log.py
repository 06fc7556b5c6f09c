# SPDX-License-Identifier: Apache-2.0
"""A small log with its key and three witnesses: what the tests of `vault.transparency` sign."""

from __future__ import annotations

from vault.transparency.checkpoint import Checkpoint
from vault.transparency.cosignature import CosignatureSigner
from vault.transparency.note import Note, Signer
from vault.transparency.policy import Policy
from vault.transparency.tree import inclusion_path, leaf_hash, levels_of

ORIGIN = "vault.example/0"
TIME = 1_800_000_000
LOG = Signer(ORIGIN, b"\x01" * 32)
STRANGER = Signer("stranger.example", b"\x02" * 32)
WITNESSES = {
    name: CosignatureSigner(f"{name}.example", bytes([number]) * 32)
    for number, name in enumerate(("ada", "bob", "cyd"), 3)
}
LEAVES = [leaf_hash(f"entry {number}".encode()) for number in range(13)]


def nodes_of(size: int) -> list[list[bytes]]:
    """Return the levels of the log's tree when it had `size` leaves."""
    return [list(level) for level in levels_of(LEAVES[:size])]


def checkpoint(size: int = len(LEAVES)) -> Checkpoint:
    """Return the log's head when it had `size` leaves."""
    return Checkpoint(ORIGIN, size, nodes_of(size)[-1][0])


def signed(size: int = len(LEAVES), *cosigners: str, time: int = TIME) -> Note:
    """Return the log's checkpoint with its signature and those of witnesses."""
    head = checkpoint(size)
    signatures = [LOG.sign(head.body())]
    signatures += [WITNESSES[name].cosign(head, time) for name in cosigners]
    return Note(head.body(), tuple(signatures))


def path(index: int, size: int = len(LEAVES)) -> tuple[bytes, ...]:
    """Return the path from a leaf to the root of the log when it had `size` leaves."""
    levels = levels_of(LEAVES)
    return inclusion_path(lambda level, at: levels[level][at], index, size)


def policy(quorum: str = "any ada bob cyd", *, logs: bool = True) -> Policy:
    """Return a policy that knows the log and all witnesses.

    Args:
        quorum: threshold and members of the group that is asked for, or `none`.
        logs: whether it lists the log.
    """
    lines = [f"log {LOG.verifier.vkey}"] if logs else []
    lines += [f"witness {name} {signer.verifier.vkey}" for name, signer in WITNESSES.items()]
    lines += ["quorum none"] if quorum == "none" else [f"group asked {quorum}", "quorum asked"]
    return Policy.parse("\n".join([*lines, ""]).encode())
