# SPDX-License-Identifier: Apache-2.0
"""What can go wrong with keys and what they seal.

No message holds a key, a plaintext, or who somebody is.
"""


class SealingError(Exception):
    """The root of every error that `vault.sealing` raises on purpose."""


class SealError(SealingError):
    """Sealed bytes do not open with this key in this context.

    One class and one sentence for every cause, so that an answer tells nobody which it was.
    """

    def __init__(self) -> None:
        super().__init__("The sealed bytes do not open with this key in this context.")


class KeyringConflictError(SealingError):
    """Another writer stored this keyring first: load it, decide again, store again."""

    def __init__(self) -> None:
        super().__init__("The keyring was stored by another writer: load it and decide again.")


class LogConflictError(SealingError):
    """Another writer stored this log's key or head first: load it, decide again, store again."""

    def __init__(self) -> None:
        super().__init__("The log was stored by another writer: load it and decide again.")


class KeyFileError(SealingError):
    """The file with the wrapping key is missing, readable by others, or not such a file."""


class KeyStoreError(SealingError):
    """The key store cannot be opened, read or written."""


class KeyRemnantError(KeyStoreError):
    """A change is stored, but the row that it replaced is still in the database's files.

    They leave with the next change, or when the store is next opened or closed. Until then
    nothing that was to be erased may be called erased. The change itself stands: do not repeat it.
    """
