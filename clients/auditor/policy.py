# SPDX-License-Identifier: Apache-2.0
"""Whom an auditor trusts: a policy file as C2SP tlog-policy defines it.

    log VKEY [URL]
    witness NAME VKEY [URL]
    group NAME all|any|K NAME...
    quorum NAME|none

A checkpoint is good if one of the logs signed it and the quorum's witnesses cosigned it.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import Final

from clients.auditor.canonical import FormError
from clients.auditor.note import COSIGNATURE, ED25519, Key

_FORBIDDEN: Final = re.compile(rb"[\x00-\x08\x0b-\x1f\x7f]")
_SPACES: Final = re.compile(rb"[ \t]+")
_COUNT: Final = re.compile(rb"[1-9][0-9]{0,8}")
_NONE: Final = b"none"
_MOST_WORDS: Final = {b"log": 3, b"witness": 4, b"quorum": 2}
"""How many words a line has at most; a group has as many as it has members."""


@dataclass(slots=True)
class Policy:
    """Logs, witnesses, groups of them, and the quorum; names are bytes, as in the file."""

    logs: list[Key] = field(default_factory=list)
    witnesses: dict[bytes, Key] = field(default_factory=dict)
    groups: dict[bytes, tuple[int, list[bytes]]] = field(default_factory=dict)
    quorum: bytes = b""

    def is_met(self, cosigned: Collection[Key]) -> bool:
        """Say whether witnesses that cosigned are a quorum."""
        met = {name: key in cosigned for name, key in self.witnesses.items()}
        # A group names only what stands before it, however deep they lie in one another.
        for name, (least, members) in self.groups.items():
            met[name] = sum(met[member] for member in members) >= least
        return self.quorum == _NONE or met[self.quorum]

    def take(self, words: list[bytes]) -> None:
        """Add what a line says.

        Raises:
            FormError: if it may not stand there.
        """
        keyword = words[0]
        if keyword == b"group" and len(words) >= 4:
            self._take_group(words[1], words[2], words[3:])
        elif len(words) < (3 if keyword == b"witness" else 2) or len(words) > _MOST_WORDS.get(
            keyword, 0
        ):
            raise FormError("is no log, witness, group or quorum")
        elif keyword == b"log":
            key = _key(words[1], ED25519)
            _require_new_key(key, self.logs)
            self.logs.append(key)
        elif keyword == b"witness":
            key = _key(words[2], COSIGNATURE)
            _require_new_key(key, self.witnesses.values())
            self._require_new(words[1])
            self.witnesses[words[1]] = key
        elif self.quorum:
            raise FormError("is a second quorum")
        else:
            if words[1] != _NONE:
                self._require_known(words[1])
            self.quorum = words[1]

    def _take_group(self, name: bytes, least: bytes, members: list[bytes]) -> None:
        self._require_new(name)
        taken = [each for _, group in self.groups.values() for each in group]
        for number, member in enumerate(members):
            self._require_known(member)
            if member in taken or member in members[:number]:
                raise FormError("names a member that is in a group already")
        words = {b"all": len(members), b"any": 1}
        count = words.get(least) or (int(least) if _COUNT.fullmatch(least) else 0)
        if not 1 <= count <= len(members):
            raise FormError("asks for more members than it has, or for none")
        self.groups[name] = count, members

    def _require_new(self, name: bytes) -> None:
        if name == _NONE or name in self.witnesses or name in self.groups:
            raise FormError("defines a name a second time, or the name none")

    def _require_known(self, name: bytes) -> None:
        if name not in self.witnesses and name not in self.groups:
            raise FormError("uses a name that no line before it defines")


def parse_policy(data: bytes) -> Policy:
    """Read a policy file.

    Raises:
        FormError: if it is none; it names the line.
    """
    if _FORBIDDEN.search(data):
        raise FormError("has a control character")
    policy = Policy()
    for number, line in enumerate(data.split(b"\n"), start=1):
        words = [word for word in _SPACES.split(line) if word]
        try:
            if words and not words[0].startswith(b"#"):
                policy.take(words)
        except FormError as error:
            raise FormError(f"line {number} {error}") from None
    if not policy.quorum:
        raise FormError("has no quorum")
    return policy


def _key(vkey: bytes, key_type: int) -> Key:
    try:
        return Key.parse(vkey.decode(), key_type)
    except UnicodeDecodeError:
        raise FormError("is no vkey") from None


def _require_new_key(key: Key, known: Iterable[Key]) -> None:
    if any(key.public_key == other.public_key for other in known):
        raise FormError("names a key a second time")
