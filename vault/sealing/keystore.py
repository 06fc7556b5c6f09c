# SPDX-License-Identifier: Apache-2.0
"""The key store: keyrings, identities, floors, keys of logs and the deployment's secrets.

The port, and the values that cross it. A key store is a database of its own with backups of its
own: keys that must die may not live in the event database, its journal, replicas or backups.
"""

import hmac
import os
import uuid
from typing import Any, Protocol

import msgspec

from vault.domain import canonical
from vault.sealing.envelope import SECRET_BYTES
from vault.sealing.keyring import Keyring
from vault.sealing.log import Log


class Identity(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a sign-in leads to.

    Attributes:
        vault_id: The stream of the vault that the sign-in opens.
        sign_in_id: The random id by which the vault's events name the sign-in.
    """

    vault_id: str
    sign_in_id: str


class Secrets(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The secrets of one deployment. `repr` hides them.

    Attributes:
        request_key: 32 bytes; makes request keys and ids from requests. Never rotates.
        index_key: 32 bytes; makes the names under which identities are found.
        token_key: 32 bytes; authenticates position tokens, page tokens and tails.
        receipt_seed: 32 bytes, Ed25519 (RFC 8032); signs receipts.
        receipt_key_id: The id (UUIDv4) by which receipts name their key.
    """

    request_key: bytes
    index_key: bytes
    token_key: bytes
    receipt_seed: bytes
    receipt_key_id: str

    def __repr__(self) -> str:
        return f"Secrets(receipt_key_id={self.receipt_key_id!r})"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        """Hide the secrets from rich, too, which does not ask `repr`."""
        return [("receipt_key_id", self.receipt_key_id)]


class KeyStore(Protocol):
    """Keeps what opens everything else.

    Every change is durable on return. Methods may be called from several threads at once, and
    several processes may share one store; they block. Each row is sealed under a key of its own,
    which the current epoch wraps, and bound to its place. A row that does not open raises
    `SealError`; a store that cannot be read or written raises `KeyStoreError`.
    """

    def load_keyring(self, stream: str) -> Keyring | None:
        """Return the keyring as last stored; None if there is none, or none any more."""

    def store_keyring(self, stream: str, keyring: Keyring) -> Keyring:
        """Store a keyring if nobody else has since it was loaded.

        Number 0 inserts a row; number n rewrites row n under a new key, and the key that opened
        the old row is in no file of the database any more.

        Returns:
            The keyring with the number it now has.

        Raises:
            KeyringConflictError: The row has another number, exists already, or is gone.
            KeyRemnantError: Stored, but the old row's key is still in a file.
        """

    def delete_keyring(self, stream: str) -> None:
        """Delete a keyring, and with it every key of hers; an absent one is no error.

        Raises:
            KeyRemnantError: Deleted, but the row's key is still in a file.
        """

    def find_identity(self, issuer: str, sub: str) -> Identity | None:
        """Return what the sign-in of this provider and this `sub` leads to, if anything."""

    def add_identity(self, issuer: str, sub: str, identity: Identity) -> Identity:
        """Store what a sign-in leads to, unless it leads somewhere already.

        Returns:
            The one that stands: this one, or the one that was first.
        """

    def find_subject(self, service_id: str, subject_id: str) -> str | None:
        """Return the vault that this service knows by this subject; no other service finds it."""

    def add_subject(self, service_id: str, subject_id: str, vault_id: str) -> str:
        """Store the vault that a service knows by this subject, unless it knows one already.

        Returns:
            The vault id that stands: this one, or the one that was first.
        """

    def confirm(self) -> None:
        """Return once everything that was read until now is as durable as any change.

        A change that somebody gave up on may be seen before it is durable: who relies on what
        stands already, instead of storing it, asks first.
        """

    def raise_floor(self, stream: str, version: int) -> None:
        """Keep that a stream has reached a version, unless it is known to have reached a later one.

        An event store that was restored from a backup and ends below lacks what was acknowledged.
        """

    def floor(self, stream: str) -> int:
        """Return the version that a stream is known to have reached, whatever became of its keys.

        Returns:
            The largest version ever given to `raise_floor`; 0 if none was.
        """

    def load_log(self, origin: str) -> Log | None:
        """Return the key of a lane's log and its last signed head, as last stored; None if none."""

    def store_log(self, origin: str, log: Log) -> Log:
        """Store the key and the head of a log if nobody else has since they were loaded.

        A head is stored before its checkpoint is shown to anybody: of all who have the key, one
        alone may sign what follows a head.

        Returns:
            The log with the number that it now has.

        Raises:
            LogConflictError: It has another number, or exists already.
        """

    def secrets(self) -> Secrets:
        """Return the deployment's secrets: drawn when the store was made, the same ever after."""


def new_secrets() -> Secrets:
    """Draw the secrets of a new deployment."""
    return Secrets(
        request_key=os.urandom(SECRET_BYTES),
        index_key=os.urandom(SECRET_BYTES),
        token_key=os.urandom(SECRET_BYTES),
        receipt_seed=os.urandom(SECRET_BYTES),
        receipt_key_id=str(uuid.uuid4()),
    )


def tail_key(secrets: Secrets) -> bytes:
    """Return the key that authenticates files of a lane's tail, and nothing else."""
    return hmac.digest(secrets.token_key, b"tail/1", "sha256")


def identity_name(secrets: Secrets, authority: str, name: str) -> str:
    """Return the name of the row that says who somebody is to one authority.

    Args:
        secrets: The deployment's secrets.
        authority: A sign-in provider (issuer) or a service (id): it finds its own rows alone.
        name: How it names the person (`sub`, or subject id).

    Returns:
        HMAC-SHA256 as base64url without padding: who reads the table learns neither.
    """
    message = canonical.encode([authority, name])
    return canonical.b64(hmac.digest(secrets.index_key, message, "sha256"))
