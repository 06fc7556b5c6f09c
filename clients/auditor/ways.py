# SPDX-License-Identifier: Apache-2.0
"""The auditor's rule for the ways to her vault: nobody comes in but by one that she opened.

She opens it by her first sign-in, and lets another in with a code that is good once, for a quarter
of an hour, unless she stopped something since. The sign-in that comes by it waits as long as the
record of the code says, before it shares or lets others in. Her last sign-in is not closed while
nothing else leads to her vault.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from clients.auditor.canonical import microseconds
from clients.auditor.facts import (
    ConsentExtended,
    ConsentGranted,
    ConsentResumed,
    ContactSet,
    Facts,
    Link,
    LinkCodeCreated,
    PasskeyAdded,
    SignedOutEverywhere,
    SignInLinked,
    SignInUnlinked,
    VaultOpened,
)
from clients.auditor.history import LinkCode, Vault
from clients.auditor.problem import Problem

SECOND: Final = 1_000_000
GOOD: Final = 900 * SECOND
"""How long a code is good, in microseconds."""
WAITED: Final = (
    ConsentGranted,
    ConsentExtended,
    ConsentResumed,
    PasskeyAdded,
    LinkCodeCreated,
    ContactSet,
)
"""What a sign-in that still waits may not do."""


def judge_way(vault: Vault, link: Link, facts: Facts) -> Iterator[Problem]:
    """Say why a way could not be opened or closed so, or why nobody could come by it."""
    actor = link.acting.actor
    match facts:
        case LinkCodeCreated():
            yield from _created(vault, link, facts)
        case SignInLinked():
            yield from _linked(vault, link, facts)
        case SignInUnlinked():
            yield from _unlinked(vault, link, facts)
        case _:
            pass
    begins = isinstance(facts, VaultOpened) or (
        isinstance(facts, SignInLinked) and facts.sign_in == actor
    )
    if link.acting.capacity == "self" and not begins:
        yield from must_be_open(vault, actor, "she acted by")
    hands_out = isinstance(facts, SignInLinked) and facts.means == "assistance-code"
    if isinstance(facts, WAITED) or hands_out or _shuts_out(vault, link, facts):
        yield from _has_waited(vault, link, facts)


def must_be_open(vault: Vault, name: str, did: str) -> Iterator[Problem]:
    """Say why somebody could not do something to a way, or by it: it is not open."""
    way = vault.ways.get(name)
    if way is None:
        yield Problem(f"{did} a way to her vault that was never opened", needs_more=True)
    elif way.closed_version:
        yield Problem(f"{did} a way to her vault that was closed at version {way.closed_version}")


def _created(vault: Vault, link: Link, facts: LinkCodeCreated) -> Iterator[Problem]:
    if facts.link_code in vault.link_codes:
        yield Problem("the code was made already")
    if microseconds(facts.expires) - microseconds(facts.time) != GOOD:
        yield Problem("the code is not good for a quarter of an hour")
    if link.acting.capacity == "official" and link.acting.channel != "counter":
        yield Problem("an official let a sign-in be linked who did not have her at the counter")


def _linked(vault: Vault, link: Link, facts: SignInLinked) -> Iterator[Problem]:
    if facts.sign_in in vault.ways:
        yield Problem("the way to her vault was opened already")
    if (facts.means == "provider") != bool(facts.link_code):
        yield Problem("a sign-in is linked with a code, and nothing else is")
    if facts.means != "provider" or not facts.link_code:
        return
    if link.acting.capacity != "self" or link.acting.actor != facts.sign_in:
        yield Problem("a sign-in was linked that somebody else named")
    code = vault.link_codes.get(facts.link_code)
    if code is None:
        yield Problem("it was linked with a code that was never made", needs_more=True)
        return
    if code.used_version:
        yield Problem(f"the code was used already at version {code.used_version}")
    if not code.time <= facts.time < code.expires:
        yield Problem("the code was not good at that time")
    if why := _stopped(vault, code):
        yield Problem(f"she {why} after the code was made, which ended it")


def _stopped(vault: Vault, code: LinkCode) -> str:
    if vault.signed_out >= code.time:
        return "signed out everywhere"
    if any(way.closed_version > code.version for way in vault.ways.values()):
        return "closed a way"
    return ""


def _unlinked(vault: Vault, link: Link, facts: SignInUnlinked) -> Iterator[Problem]:
    yield from must_be_open(vault, facts.sign_in, "it closes")
    if facts.sign_in != link.acting.actor:
        yield from _has_waited(vault, link, facts)
    way = vault.ways.get(facts.sign_in)
    others = [other for name, other in vault.ways.items() if name != facts.sign_in]
    if way and way.is_sign_in and all(other.closed_version for other in others):
        yield Problem("it closes the only way to her vault", needs_more=True)


def _shuts_out(vault: Vault, link: Link, facts: Facts) -> bool:
    """Say whether somebody signs her out by a way since whose opening that happened already."""
    way = vault.ways.get(link.acting.actor)
    signs_out = isinstance(facts, SignedOutEverywhere)
    return signs_out and way is not None and vault.signed_out >= way.time


def _has_waited(vault: Vault, link: Link, facts: Facts) -> Iterator[Problem]:
    acting = link.acting
    way = vault.ways.get(acting.mandate if acting.capacity == "official" else acting.actor)
    if way is None:
        return
    if microseconds(facts.time) < microseconds(way.time) + way.wait_seconds * SECOND:
        yield Problem(
            f"the sign-in was linked at version {way.version}, and had to wait"
            f" {way.wait_seconds} seconds"
        )
