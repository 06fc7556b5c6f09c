# SPDX-License-Identifier: Apache-2.0
"""Whose signatures make a checkpoint good: policies, C2SP tlog-policy.

A policy lists logs and witnesses by their keys, groups of witnesses with thresholds, and which of
them is the quorum. Names are octets that mean nothing outside of the policy.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from vault.transparency.checkpoint import Checkpoint, open_checkpoint
from vault.transparency.cosignature import CosignatureVerifier, time_of
from vault.transparency.encoding import FormError, parse_decimal
from vault.transparency.note import Note, Verifier

NO_WITNESSES = "none"
"""The quorum that always holds."""

_OCTETS = re.compile(rb"[\t\n\x20-\x7e\x80-\xff]*")


class QuorumError(ValueError):
    """A checkpoint is signed by its log, but not by enough witnesses."""


@dataclass(frozen=True)
class Log:
    """A log that is known.

    Args:
        verifier: its key, whose name is the log's origin.
        url: where it is served, or "".
    """

    verifier: Verifier
    url: str


@dataclass(frozen=True)
class Witness:
    """A witness that is known.

    Args:
        name: what the policy calls it.
        verifier: its key.
        url: the prefix below which it takes checkpoints, or "".
    """

    name: str
    verifier: CosignatureVerifier
    url: str


@dataclass(frozen=True)
class Group:
    """Some of its members have to have cosigned.

    Args:
        name: what the policy calls it.
        threshold: how many of them, at least 1.
        members: names of witnesses and of groups that were named before.
    """

    name: str
    threshold: int
    members: tuple[str, ...]


@dataclass(frozen=True)
class Judgement:
    """What a policy finds in a note that its log has signed.

    Args:
        checkpoint: what the note says.
        cosigned: who of the policy's witnesses cosigned it, by name, and when: in seconds since
            1970, the latest time if there are several.
        has_quorum: whether these are enough for the policy.
    """

    checkpoint: Checkpoint
    cosigned: Mapping[str, int]
    has_quorum: bool

    def require_quorum(self) -> None:
        """Refuse the checkpoint unless its witnesses are enough.

        Raises:
            QuorumError: if they are not.
        """
        if not self.has_quorum:
            raise QuorumError("too few of the policy's witnesses have cosigned the checkpoint")


@dataclass(frozen=True)
class Policy:
    """Which checkpoints are good. Made by `parse`; without arguments: those that a log signed.

    Args:
        logs: may be empty where the log is known otherwise.
        witnesses: in the order of the text.
        groups: in the order of the text, in which each names only what stands before it.
        quorum: the name of a witness, of a group, or `none`.
    """

    logs: tuple[Log, ...] = ()
    witnesses: tuple[Witness, ...] = ()
    groups: tuple[Group, ...] = ()
    quorum: str = NO_WITNESSES

    @classmethod
    def parse(cls, data: bytes) -> Policy:
        """Return the policy that a file writes.

        Raises:
            FormError: if it writes none; the message names the line.
        """
        if not _OCTETS.fullmatch(data):
            raise FormError("a policy has a control character")
        # Octets above 0x7f are opaque: this decoding keeps every one of them apart.
        lines = data.decode("utf-8", "surrogateescape").split("\n")
        if lines.pop():
            raise FormError("the last line of a policy does not end with a newline")
        draft = _Draft()
        for number, line in enumerate(lines, 1):
            words = [word for word in re.split("[ \t]+", line) if word]
            if words and not words[0].startswith("#"):
                try:
                    draft.read(words)
                except FormError as error:
                    raise FormError(f"line {number} of the policy: {error}") from None
        return draft.policy()

    def is_quorum(self, names: Iterable[str]) -> bool:
        """Return whether these witnesses, by the policy's names, are enough."""
        witnessed = {NO_WITNESSES, *names}
        for group in self.groups:
            if sum(member in witnessed for member in group.members) >= group.threshold:
                witnessed.add(group.name)
        return self.quorum in witnessed

    def judge(self, note: Note, log: Verifier | None = None) -> Judgement:
        """Find out who signed a checkpoint.

        Args:
            note: the checkpoint, signed and cosigned.
            log: the key of the one log it may be of; without it, any of the policy's logs.

        Raises:
            SignatureError: if the log has not signed it, or a known key is named and did not.
            FormError: if the note's text is no checkpoint.
        """
        logs = [log] if log else [known.verifier for known in self.logs]
        checkpoint = open_checkpoint(note, logs)
        cosigned: dict[str, int] = {}
        by_key = {(it.verifier.name, it.verifier.key_id): it for it in self.witnesses}
        for signature in note.signatures:
            if witness := by_key.get((signature.name, signature.key_id)):
                witness.verifier.verify(note.text, signature.value)
                latest = max(time_of(signature), cosigned.get(witness.name, 0))
                cosigned[witness.name] = latest
        return Judgement(checkpoint, cosigned, self.is_quorum(cosigned))


@dataclass
class _Draft:
    """A policy while its lines are read."""

    logs: list[Log] = field(default_factory=list)
    witnesses: list[Witness] = field(default_factory=list)
    groups: list[Group] = field(default_factory=list)
    quorum: str = ""
    names: set[str] = field(default_factory=set)
    members: set[str] = field(default_factory=set)

    def read(self, words: Sequence[str]) -> None:
        readers: dict[str, tuple[Callable[..., None], int, int]] = {
            "log": (self._log, 1, 2),
            "witness": (self._witness, 2, 3),
            "group": (self._group, 3, len(words)),
            "quorum": (self._quorum, 1, 1),
        }
        keyword, *items = words
        if keyword not in readers:
            raise FormError("it begins with none of log, witness, group, quorum")
        reader, least, most = readers[keyword]
        if not least <= len(items) <= most:
            raise FormError("it has too few or too many items")
        reader(*items)

    def policy(self) -> Policy:
        if not self.quorum:
            raise FormError("a policy has no quorum line")
        return Policy(tuple(self.logs), tuple(self.witnesses), tuple(self.groups), self.quorum)

    def _log(self, vkey: str, url: str = "") -> None:
        verifier = Verifier.of(vkey)
        if verifier.public_key in {known.verifier.public_key for known in self.logs}:
            raise FormError("the key of the log stands before")
        self.logs.append(Log(verifier, url))

    def _witness(self, name: str, vkey: str, url: str = "") -> None:
        verifier = CosignatureVerifier.of(vkey)
        if verifier.public_key in {known.verifier.public_key for known in self.witnesses}:
            raise FormError("the key of the witness stands before")
        self._define(name)
        self.witnesses.append(Witness(name, verifier, url))

    def _group(self, name: str, threshold: str, *members: str) -> None:
        words = {"any": 1, "all": len(members)}
        count = words[threshold] if threshold in words else parse_decimal(threshold)
        if not 1 <= count <= len(members):
            raise FormError("the threshold is not between 1 and the number of members")
        for member in members:
            if member not in self.names:
                raise FormError("a member is not defined before")
            if member in self.members:
                raise FormError("a member is a member already")
            self.members.add(member)
        self._define(name)
        self.groups.append(Group(name, count, members))

    def _quorum(self, name: str) -> None:
        if self.quorum:
            raise FormError("there is a quorum already")
        if name not in {NO_WITNESSES, *self.names}:
            raise FormError("the quorum is not defined before")
        self.quorum = name

    def _define(self, name: str) -> None:
        if name == NO_WITNESSES or name in self.names:
            raise FormError("the name is defined already")
        self.names.add(name)
