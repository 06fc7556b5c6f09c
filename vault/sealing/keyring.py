# SPDX-License-Identifier: Apache-2.0
"""The keyring: all keys of one citizen, and the ids by which services know her.

A keyring is a value; each change gives a new one, and the key store compares and sets it. Each
revision of a piece of evidence has a random key of its own, so that one can be erased alone.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from vault.domain import canonical
from vault.sealing.envelope import Key, new_key

_SALT_BYTES = 16


class Keyring(msgspec.Struct, frozen=True):
    """The keys of one citizen. `repr` tells how many, not which.

    Attributes:
        number: The number of the stored row, for compare-and-set; 0 was never stored.
        history: The key of what her history says beside the record: references, statements, proofs.
        evidence: The key of each revision, by evidence id and revision from 1.
        subjects: The subject id by which a service knows her, by service id.
    """

    number: int
    history: Key
    evidence: Mapping[tuple[str, int], Key]
    subjects: Mapping[str, str]

    def __repr__(self) -> str:
        sizes = f"{len(self.evidence)} evidence keys, {len(self.subjects)} subjects"
        return f"<Keyring number {self.number}: {sizes}>"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        """Tell rich no more than `repr` tells."""
        return [("number", self.number)]

    def evidence_key(self, evidence_id: str, revision: int) -> Key | None:
        """Return the key of one revision; None if it never had one or was erased."""
        return self.evidence.get((evidence_id, revision))

    def with_evidence_key(self, evidence_id: str, revision: int, key: Key) -> "Keyring":
        """Return this keyring with the key of one more revision.

        Raises:
            ValueError: The revision has another key; replacing it would erase what that one sealed.
        """
        if self.evidence.get((evidence_id, revision), key) != key:
            raise ValueError("this revision has a key already: use it")
        evidence = {**self.evidence, (evidence_id, revision): key}
        return msgspec.structs.replace(self, evidence=evidence)

    def with_subject(self, service_id: str, subject_id: str) -> "Keyring":
        """Return this keyring with the id by which one more service knows her.

        Raises:
            ValueError: The service knows her by another id.
        """
        if self.subjects.get(service_id, subject_id) != subject_id:
            raise ValueError("this service knows her by another subject already: use it")
        return msgspec.structs.replace(self, subjects={**self.subjects, service_id: subject_id})

    def without_evidence(self, evidence_id: str) -> "Keyring":
        """Return this keyring without the keys of any revision of a piece of evidence.

        The evidence is erased once the result is stored, and not before.
        """
        evidence = {place: key for place, key in self.evidence.items() if place[0] != evidence_id}
        return msgspec.structs.replace(self, evidence=evidence)


def new_keyring() -> Keyring:
    """Return a keyring with a new history key and nothing else, not yet stored."""
    return Keyring(number=0, history=new_key(), evidence={}, subjects={})


def bundle_salt(keyring: Keyring, request_id: str) -> str:
    """Return the salt of the bundle that answers one request: the same for its every repeat.

    Without the history key it can be neither guessed nor made again.

    Returns:
        16 bytes, as base64url without padding.
    """
    message = canonical.encode(["bundle-salt/1", request_id])
    return canonical.b64(keyring.history.mac(message)[:_SALT_BYTES])


class StoredEvidenceKey(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """The key of one revision as key stores seal it."""

    evidence_id: str
    revision: int
    key: Key


class StoredKeyring(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A keyring, all but its number, as key stores seal it: JSON has no pairs for names."""

    history: Key
    evidence: list[StoredEvidenceKey]
    subjects: dict[str, str]

    @classmethod
    def of(cls, keyring: Keyring) -> "StoredKeyring":
        """Return the stored form of a keyring."""
        evidence = [
            StoredEvidenceKey(evidence_id, revision, key)
            for (evidence_id, revision), key in keyring.evidence.items()
        ]
        return cls(keyring.history, evidence, dict(keyring.subjects))

    def keyring(self, number: int) -> Keyring:
        """Return the keyring that stands in the row with this number."""
        evidence = {(stored.evidence_id, stored.revision): stored.key for stored in self.evidence}
        return Keyring(number, self.history, evidence, self.subjects)
