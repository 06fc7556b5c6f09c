# SPDX-License-Identifier: Apache-2.0
"""The key of a lane's log, together with the last head that it signed.

They lie in one row, so that whoever has the key knows what was signed with it: a key may sign what
goes on from its head, and nothing else.
"""

import hashlib
import os
from typing import Any, Final

import msgspec

from vault.sealing.envelope import SECRET_BYTES

_EMPTY_ROOT: Final = hashlib.sha256().digest()


class Log(msgspec.Struct, frozen=True):
    """The key and the head of one log. `repr` hides the key.

    Attributes:
        number: The number of the stored row, for compare-and-set; 0 was never stored.
        seed: 32 bytes, Ed25519 (RFC 8032); signs checkpoints. Drawn once, the same ever after.
        size: How many leaves the last signed head has; 0 if none was signed.
        root: The root of the last signed head, 32 bytes.
    """

    number: int
    seed: bytes
    size: int
    root: bytes

    def __repr__(self) -> str:
        return f"<Log number {self.number}: size {self.size}>"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        """Tell rich no more than `repr` tells."""
        return [("number", self.number), ("size", self.size)]

    def with_head(self, size: int, root: bytes) -> "Log":
        """Return this log with a later head."""
        return msgspec.structs.replace(self, size=size, root=root)


def new_log() -> Log:
    """Draw the key of a log that has signed nothing, not yet stored."""
    return Log(number=0, seed=os.urandom(SECRET_BYTES), size=0, root=_EMPTY_ROOT)


class StoredLog(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A log, all but its number, as key stores seal it."""

    seed: bytes
    size: int
    root: bytes

    @classmethod
    def of(cls, log: Log) -> "StoredLog":
        """Return the stored form of a log."""
        return cls(log.seed, log.size, log.root)

    def log(self, number: int) -> Log:
        """Return the log that stands in the row with this number."""
        return Log(number, self.seed, self.size, self.root)
