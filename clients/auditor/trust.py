# SPDX-License-Identifier: Apache-2.0
"""Whom the auditor believes: keys of logs, and a policy of witnesses, brought along from elsewhere.

A key that only the registry names shows that a history holds together with what its operator signs.
A pinned key shows that it is that operator's log. Witnesses of another house, as many as the policy
asks for, show that the log was not forked or rewritten; the log's own key is no witness.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final, Literal

from clients.auditor.canonical import FormError, b64
from clients.auditor.note import Checkpoint, Key, parse_checkpoint, parse_note
from clients.auditor.policy import Policy
from clients.auditor.proof import parse_proof
from clients.auditor.registry import Registry

Verdict = Literal[
    "FAILED", "NOT SHOWN TO BE HERS", "WITHHELD", "UNSIGNED", "CONSISTENT ONLY", "VERIFIED"
]
VERDICTS: Final[tuple[Verdict, ...]] = (
    "FAILED",
    "NOT SHOWN TO BE HERS",
    "WITHHELD",
    "UNSIGNED",
    "CONSISTENT ONLY",
    "VERIFIED",
)
"""In order of precedence: the first that applies is the verdict."""
NO_WITNESS: Final = "no independent witness signed"
NO_CHECKPOINT: Final = "no checkpoint was shown"


def exit_code(verdict: Verdict) -> int:
    """Return the exit code of a verdict."""
    return {"VERIFIED": 0, "FAILED": 1, "NOT SHOWN TO BE HERS": 1}.get(verdict, 3)


@dataclass(frozen=True, slots=True)
class Signed:
    """A checkpoint with those who signed it, as far as they are known."""

    checkpoint: Checkpoint
    signer: Literal["pinned", "listed", "unknown"]
    witnesses: tuple[str, ...] = ()
    is_quorum: bool = False

    @property
    def verdict(self) -> Verdict:
        """Return what such a checkpoint shows at most."""
        if self.signer == "unknown":
            return "UNSIGNED"
        is_whole = self.signer == "pinned" and self.is_quorum and self.witnesses
        return "VERIFIED" if is_whole else "CONSISTENT ONLY"

    def reach(self) -> tuple[int, int]:
        """Return how much it shows: how many entries, before how surely."""
        # The whole log before all else: what is in no checkpoint could be anything.
        return self.checkpoint.size, VERDICTS.index(self.verdict)

    @property
    def name(self) -> str:
        """Return what whoever contradicts it contradicts."""
        if self.witnesses:
            return "the witness"
        return "the signed log" if self.signer != "unknown" else "an unsigned checkpoint"

    def __str__(self) -> str:
        key = {
            "pinned": "key pinned",
            "listed": "key named by the registry alone",
            "unknown": "no key of this log is known: pin one with --log-key",
        }[self.signer]
        if not self.witnesses:
            return f"{key}, {NO_WITNESS}"
        few = "" if self.is_quorum else ", which are no quorum"
        several = "es" if len(self.witnesses) > 1 else ""
        return f"{key}, {len(self.witnesses)} independent witness{several}{few}"


@dataclass(slots=True)
class Coverage:
    """How many records were shown, and by which checkpoints they are covered at least."""

    records: int = 0
    unproved: int = 0
    weakest: Signed | None = None

    def take(self, signed: Signed | None, count: int = 1) -> None:
        """Count records that a checkpoint covers; None: that none does."""
        self.records += count
        if signed is None:
            self.unproved += count
        elif self.weakest is None or worst([signed.verdict, self.weakest.verdict]) != (
            self.weakest.verdict
        ):
            self.weakest = signed

    @property
    def verdict(self) -> Verdict:
        """Return what the log shows of all of them."""
        if self.weakest is None or self.unproved:
            return "UNSIGNED"
        return self.weakest.verdict

    def __str__(self) -> str:
        if self.weakest is None:
            return f"{NO_CHECKPOINT}, {NO_WITNESS}"
        if self.unproved:
            few = f"{self.unproved} of {self.records} records are in no checkpoint that was shown"
            return f"{few}; of the others: {self.weakest}"
        return str(self.weakest)


@dataclass(slots=True)
class Trust:
    """The keys that count: pinned ones of a log if there are any, else those that are listed."""

    pinned: tuple[Key, ...] = ()
    policy: Policy | None = None
    receipt_keys: tuple[bytes, ...] = ()
    listed: dict[str, Key] = field(default_factory=dict)
    """By the log's origin, from the registry."""
    _judged: dict[str, Signed] = field(default_factory=dict)

    def learn(self, registry: Registry) -> list[str]:
        """Learn whom the registry names, and return what does not fit what is pinned."""
        self.listed = {key.name: key for key in registry.log_keys.values()}
        wrong = []
        if any(b64(key) not in registry.receipt_keys.values() for key in self.receipt_keys):
            wrong.append("a pinned receipt key is not listed")
        if any(self.listed.get(key.name, key) != key for key in self.all_pinned()):
            wrong.append("a pinned log key is not the one that is listed")
        return wrong

    def judge(self, text: str) -> Signed:
        """Return a checkpoint and who signed it.

        Raises:
            FormError: if it is none, a signature of a known key does not verify, or the log has a
                known key that did not sign.
        """
        if text not in self._judged:
            self._judged[text] = self._judge(text)
        return self._judged[text]

    def prove(self, text: str, origin: str, leaf_index: int, leaf: bytes) -> Signed:
        """Return the checkpoint under which a proof shows a leaf at its place.

        Raises:
            FormError: if it shows anything else.
        """
        proof = parse_proof(text)
        signed = self.judge(proof.note)
        checkpoint = signed.checkpoint
        if checkpoint.origin != origin:
            raise FormError("is a proof of another log")
        if proof.index != leaf_index:
            raise FormError("is a proof of another place in the log")
        if not proof.leads_to(leaf, checkpoint.size, checkpoint.root):
            raise FormError("is a proof that does not lead to the root that was signed")
        return signed

    def _judge(self, text: str) -> Signed:
        # What JSON can name and UTF-8 cannot write is no note, whatever else it is.
        note = parse_note(text.encode(errors="replace"))
        checkpoint = parse_checkpoint(note.text)
        pinned = [key for key in self.all_pinned() if key.name == checkpoint.origin]
        listed = [key for key in self.listed.values() if key.name == checkpoint.origin]
        signers = note.signers(pinned or listed)
        if (pinned or listed) and not signers:
            which = "pinned" if pinned else "listed"
            raise FormError(f"is not signed by the {which} key of {checkpoint.origin}")
        witnesses = self.policy.witnesses.values() if self.policy else ()
        own = {key.public_key for key in (*pinned, *listed)}
        cosigned = [key for key in note.signers(witnesses) if key.public_key not in own]
        return Signed(
            checkpoint=checkpoint,
            signer="pinned" if pinned else "listed" if listed else "unknown",
            witnesses=tuple(sorted({key.name for key in cosigned})),
            is_quorum=self.policy is not None and self.policy.is_met(cosigned),
        )

    def all_pinned(self) -> tuple[Key, ...]:
        """Return every pinned key of a log."""
        return (*self.pinned, *(self.policy.logs if self.policy else ()))


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """Return the verdict that takes precedence; with none, all that could be shown was."""
    return min(verdicts, key=VERDICTS.index, default="VERIFIED")
