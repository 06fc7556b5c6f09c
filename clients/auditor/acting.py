# SPDX-License-Identifier: Apache-2.0
"""The auditor's rule for who acted: an official, only by a way to her vault that she opened.

The mandate of everything that an official does is such a way, open at that moment. An official who
opens a vault opens the way in the next record; both name it before it is there. A decision carries
what shows that it is hers: if she made it with an official, the proof that she agreed.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from clients.auditor.facts import (
    ConsentExtended,
    ConsentGranted,
    ConsentResumed,
    Facts,
    Link,
    LinkCodeCreated,
    PasskeyAdded,
    PasskeyRemoved,
    SignInLinked,
    VaultOpened,
    VaultRead,
)
from clients.auditor.history import Vault
from clients.auditor.problem import Problem
from clients.auditor.ways import judge_way, must_be_open

PROOFS: Final = {"counter": "staff-assisted", "phone": "staff-assisted", "letter": "paper"}
"""What shows that she agreed, by the channel through which an official acts."""

DECISIONS: Final = (ConsentGranted, ConsentResumed, ConsentExtended, LinkCodeCreated)


def judge_acting(vault: Vault, version: int, link: Link, facts: Facts) -> Iterator[Problem]:
    """Say why nobody could act so; whether by an open way, `ways.py` says."""
    yield from judge_way(vault, link, facts)
    way = vault.official_way
    follows = isinstance(facts, SignInLinked) and facts.sign_in == way
    if version == 2 and way is not None and not follows and not isinstance(facts, VaultRead):
        yield Problem("an official opened the vault, and this does not open the way that was named")
    match facts:
        case PasskeyAdded() | PasskeyRemoved():
            yield from _of_passkey(vault, link, facts)
        case _:
            pass
    if link.acting.capacity == "official":
        begins = isinstance(facts, VaultOpened) or (follows and link.acting.mandate == way)
        if not begins:
            yield from must_be_open(vault, link.acting.mandate, "an official acted by")
            if isinstance(facts, SignInLinked):
                # The first may be the one for which the vault was opened, in a withheld record.
                yield Problem("an official opened another way to her vault", not vault.ways)
        if link.acting.channel not in PROOFS:
            yield Problem(f"an official acted through channel {link.acting.channel}")
    if isinstance(facts, DECISIONS) and not _is_hers(link):
        yield Problem("nothing shows that the decision is hers")


def _of_passkey(
    vault: Vault, link: Link, facts: PasskeyAdded | PasskeyRemoved
) -> Iterator[Problem]:
    """Say why a passkey could not be added or removed: it is added once for ever, by herself."""
    if isinstance(facts, PasskeyRemoved):
        if facts.passkey_id not in vault.passkeys:
            yield Problem("it removes a passkey that was never added", needs_more=True)
        elif version := vault.removed_passkeys.get(facts.passkey_id):
            yield Problem(f"the passkey was removed already at version {version}")
        return
    for known in vault.passkeys.values():
        same = (known.passkey_id, known.credential, known.public_key)
        if {facts.passkey_id, facts.credential, facts.public_key}.intersection(same):
            yield Problem("the passkey was added already")
    if link.acting.capacity != "self":
        yield Problem(f"she alone adds a passkey, not somebody who acts as {link.acting.capacity}")


def _is_hers(link: Link) -> bool:
    if link.acting.capacity != "official":
        return bool(link.approval.kind)
    is_kept = any(mark.kind == "approval" for mark in link.payloads)
    fits = link.approval.kind == PROOFS.get(link.acting.channel)
    return fits and is_kept and bool(link.approval.proof_hash)
