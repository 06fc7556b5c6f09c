# SPDX-License-Identifier: Apache-2.0
"""Why a log refuses to sign, in words for its operator: what was found, and what to do.

Each is final for the process that found it: what was signed stays signed, so that waiting mends
nothing. The rest of the server goes on. `docs/operating.md` says more on each.
"""

from __future__ import annotations


class LogRefusesError(Exception):
    """What would have to be signed contradicts what was signed, or may do so."""


class StoreBehindError(LogRefusesError):
    """The event store ends before what was signed."""

    def __init__(self, origin: str, *, signed: int, stored: int) -> None:
        super().__init__(
            f"The log {origin} has signed {signed} entries and the event store holds {stored}: it "
            "was restored from a backup, or is another one. Nothing is signed. Stop every server "
            "and put back what was acknowledged since: citizen-vault-server tail replay. If that "
            "is lost, this log has ended."
        )


class StoreDiffersError(LogRefusesError):
    """The event store holds other entries than were signed."""

    def __init__(self, origin: str, size: int) -> None:
        super().__init__(
            f"The first {size} entries in the event store are not those that the log {origin} has "
            "signed: a store that was restored from a backup went on otherwise, or somebody "
            "changed it. Nothing is signed. Restore the store that was signed."
        )


class KeyBehindError(LogRefusesError):
    """The key's head is not the one that was published with it."""

    def __init__(self, origin: str, *, published: int, signed: int) -> None:
        super().__init__(
            f"The log {origin} has published a checkpoint of {published} entries, of which its "
            f"key, whose head has {signed}, knows nothing: the key store was restored from a "
            "backup, or two servers use copies of one key. Nothing is signed. Restore the newest "
            "key store, and let one server alone use it."
        )


class OtherKeyError(LogRefusesError):
    """The key is not the one of this log."""

    def __init__(self, origin: str) -> None:
        super().__init__(
            f"The key of the log {origin} in the key store is not the one that is listed in the "
            "registry, or that signed what is published. Nothing is signed. Restore the key store."
        )


class TileDiffersError(LogRefusesError):
    """A published file is not what the entries in the store make."""

    def __init__(self, path: str) -> None:
        super().__init__(
            f"The file {path} of the log is not what the entries in the event store make: the "
            "file was changed or damaged, or the store was restored and went on otherwise. Nothing "
            "is signed. If the store is the right one, move the log's folder away and start again: "
            "it is built anew and compared with what was signed."
        )


class WitnessAheadError(LogRefusesError):
    """A witness has cosigned more than the key's head.

    Attributes:
        witnessed: how many entries it has cosigned.
    """

    def __init__(self, witness: str, *, witnessed: int, signed: int) -> None:
        super().__init__(
            f"The witness {witness} has cosigned {witnessed} entries of this log and its key has "
            f"signed {signed}: store and key store were both restored from a backup, or two "
            "servers use copies of one key. Nothing is signed. Restore the newest of both. Only if "
            "you know that it is the witness that is wrong, take it out of the policy."
        )
        self.witnessed = witnessed


class WitnessContradictsError(LogRefusesError):
    """A witness has cosigned another tree than the one that would be signed."""

    def __init__(self, witness: str) -> None:
        super().__init__(
            f"The witness {witness} has cosigned another history of this log: what it saw does not "
            "grow into what would be signed. Nothing is signed. Keep everything as it is, find out "
            "which of the two is true, and tell whoever holds receipts."
        )
