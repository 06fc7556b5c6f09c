# SPDX-License-Identifier: Apache-2.0
"""The ways to her vault: sign-ins at her provider, and codes on paper for officials who help her.

She lets another sign-in in with a code, good once, for a quarter of an hour. Whoever comes by it
reads and stops everything at once, but has to wait before anything leaves by that way or others are
let in: the wait stands in the record of the code, so that an auditor judges it. A last
sign-in is not closed while nothing else leads to her vault.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

from msgspec.structs import replace

from vault.domain.canonical import digest, encode
from vault.domain.consent import SHOWN_FOR_HOURS
from vault.domain.errors import (
    CapacityNotAllowedError,
    LastSignInError,
    LimitExceededError,
    LinkCodeEndedError,
    NotFoundError,
    ShownDiffersError,
    SignedOutError,
    SignInTooNewError,
    VaultNotOpenError,
)
from vault.domain.events import Draft, Event, Facts
from vault.domain.values import Means, Time, Value, later
from vault.domain.vault import must_be_sound

if TYPE_CHECKING:
    from vault.domain.choice import Shown
    from vault.domain.state import VaultState
    from vault.domain.values import Acting, Stamp

GOOD_SECONDS: Final = 15 * 60
"""How long a code is good: she types it in on another device, or reads it to herself."""
MOST_SIGN_INS: Final = 20
"""Sign-ins at a time; those that were closed do not count."""


class LinkCodeCreated(Facts, frozen=True, tag="link-code-created.1"):
    """She lets another sign-in be linked, which then has to wait for so long."""

    link_code: str
    expires: Time
    wait_seconds: int


class SignInLinked(Facts, frozen=True, tag="sign-in-linked.2"):
    """Another way to her vault; `link_code` names the code that let it in, "" if it is a code."""

    sign_in: str
    means: Means
    link_code: str


class SignInLinked1(Facts, frozen=True, tag="sign-in-linked.1"):
    """Another way to her vault, when codes on paper were the only others."""

    sign_in: str
    means: Literal["assistance-code"]

    def upcast(self) -> SignInLinked:
        """Return what happened in today's form."""
        return SignInLinked(
            time=self.time, salt=self.salt, sign_in=self.sign_in, means=self.means, link_code=""
        )


class SignInUnlinked(Facts, frozen=True, tag="sign-in-unlinked.1"):
    """That way is closed."""

    sign_in: str


class SignedOutEverywhere(Facts, frozen=True, tag="signed-out-everywhere.1"):
    """She signed out everywhere: what was issued to her sign-ins before is good no more."""


class ShownLinkCode(Value, frozen=True):
    """What stood on her page when she was to let another sign-in be linked."""

    good_seconds: int
    wait_seconds: int
    shown_time: Time
    salt: str


class LinkCode(Value, frozen=True):
    """A code with which a sign-in is linked; `used` names that sign-in."""

    created: Time
    expires: Time
    wait_seconds: int
    used: str = ""


class SignIn(Value, frozen=True):
    """A way to her vault; until `wait_end` nothing leaves by it ("" if it need not wait)."""

    sign_in: str
    means: Means
    linked: Time
    unlinked: Time = Time("")
    wait_end: Time = Time("")


def shown_link_code(
    state: VaultState | None, acting: Acting, wait_seconds: int, shown: Shown
) -> bytes:
    """Return what stands on her page when she is to let another sign-in be linked.

    Raises:
        VaultNotOpenError: if she has no vault.
        CapacityNotAllowedError: if an official acts who does not have her at the counter.
        SignInTooNewError: if she comes by a way that still waits.
        LimitExceededError: if she has too many.
    """
    vault = must_be_sound(state)
    if acting.capacity == "official" and acting.channel != "counter":
        raise CapacityNotAllowedError
    must_have_waited(vault, acting, shown.time)
    _must_have_room(vault)
    return encode(
        ShownLinkCode(
            good_seconds=GOOD_SECONDS,
            wait_seconds=wait_seconds,
            shown_time=shown.time,
            salt=shown.salt,
        )
    )


def create_link_code(
    state: VaultState | None,
    stamp: Stamp,
    acting: Acting,
    *,
    link_code: str,
    wait_seconds: int,
    shown: Shown,
    shown_hash: str,
) -> Draft:
    """Let another sign-in be linked, exactly as it was shown.

    Raises:
        ShownDiffersError: if the digest is not that of what was shown, it was shown in the future
            or too long ago, or a code was made since: one page makes one code.
        See `shown_link_code` for the others.
    """
    page = shown_link_code(state, acting, wait_seconds, shown)
    shown_until = later(shown.time, seconds=SHOWN_FOR_HOURS * 3600)
    made = [code.created for code in state.link_codes.values()] if state else []
    is_late = any(shown.time <= created for created in made)
    if is_late or not shown.time <= stamp.time <= shown_until or digest(page) != shown_hash:
        raise ShownDiffersError("shown")
    facts = LinkCodeCreated(
        time=stamp.time,
        salt=stamp.salt,
        link_code=link_code,
        expires=later(stamp.time, seconds=GOOD_SECONDS),
        wait_seconds=wait_seconds,
    )
    return Draft(facts=facts, shown=page)


def link(state: VaultState | None, stamp: Stamp, sign_in: str, link_code: str) -> Draft:
    """Link a sign-in with a code.

    Raises:
        See `must_be_good`.
    """
    must_be_good(state, link_code, stamp.time)
    facts = SignInLinked(
        time=stamp.time, salt=stamp.salt, sign_in=sign_in, means="provider", link_code=link_code
    )
    return Draft(facts=facts)


def must_be_good(state: VaultState | None, link_code: str, time: Time) -> None:
    """Check that a sign-in may be linked with a code.

    Raises:
        VaultNotOpenError: if there is no vault.
        NotFoundError: if the code was never made.
        LinkCodeEndedError: if it was used or is too old, or she closed a way or signed out since.
        LimitExceededError: if she has too many.
    """
    vault = must_be_sound(state)
    code = vault.link_codes.get(link_code)
    if code is None:
        raise NotFoundError
    stopped = max(vault.signed_out, *(way.unlinked for way in vault.sign_ins.values()))
    if code.used or not stopped < code.created <= time < code.expires:
        raise LinkCodeEndedError
    _must_have_room(vault)


def hand_out(stamp: Stamp, sign_in: str) -> Draft:
    """Open a way by a code on paper, which she gives to an official who helps her."""
    facts = SignInLinked(
        time=stamp.time, salt=stamp.salt, sign_in=sign_in, means="assistance-code", link_code=""
    )
    return Draft(facts=facts)


def unlink(state: VaultState | None, stamp: Stamp, acting: Acting, sign_in: str) -> Draft:
    """Close a way to her vault. As with revoking, a broken history does not stop her.

    Raises:
        NotFoundError: if there is no such way, or none any more.
        SignInTooNewError: if it is another than the one by which she comes, and that still waits:
            a stranger who was let in cannot shut her out.
        LastSignInError: if it is a sign-in, and nothing else is left: nobody could stop anything
            again. A code that somebody else may know is closed whatever is left.
    """
    known = state.sign_ins.get(sign_in) if state else None
    if state is None or known is None or known.unlinked:
        raise NotFoundError
    if sign_in != acting.actor:
        must_have_waited(state, acting, stamp.time)
    others = [way for way in state.sign_ins.values() if not way.unlinked and way != known]
    if known.means == "provider" and not others:
        raise LastSignInError
    return Draft(facts=SignInUnlinked(time=stamp.time, salt=stamp.salt, sign_in=sign_in))


def sign_out(state: VaultState, stamp: Stamp, acting: Acting) -> Draft:
    """Sign her out everywhere.

    Raises:
        SignInTooNewError: if she comes by a way that still waits, and was signed out since it was
            opened: a stranger who was let in could do it each second, and nobody could close it.
    """
    known = state.sign_ins.get(acting.actor)
    if known is not None and state.signed_out >= known.linked:
        must_have_waited(state, acting, stamp.time)
    return Draft(facts=SignedOutEverywhere(time=stamp.time, salt=stamp.salt))


def is_open(state: VaultState, sign_in: str) -> bool:
    """Say whether there is such a way to her vault that was not closed."""
    known = state.sign_ins.get(sign_in)
    return known is not None and not known.unlinked


def must_be_admitted(state: VaultState, acting: Acting, issued: Time) -> None:
    """Check that whoever acts comes by a way that is open, and was not signed out since.

    Args:
        issued: when her access token was issued.

    Raises:
        NotFoundError: if the official's way is closed, or never was.
        VaultNotOpenError: if hers is: her sign-in leads nowhere any more.
        SignedOutError: if she signed out everywhere after her access token was issued.
    """
    if acting.capacity == "official":
        if not is_open(state, acting.mandate):
            raise NotFoundError
        return
    if not is_open(state, acting.actor):
        raise VaultNotOpenError
    if issued < state.signed_out:
        raise SignedOutError


def must_have_waited(state: VaultState, acting: Acting, time: Time) -> None:
    """Check that whoever acts comes by a way that need not wait any more.

    Raises:
        SignInTooNewError: if it still waits.
    """
    known = state.sign_ins.get(acting.mandate if acting.capacity == "official" else acting.actor)
    if known is not None and time < known.wait_end:
        raise SignInTooNewError(known.wait_end)


def _must_have_room(state: VaultState) -> None:
    ways = state.sign_ins.values()
    if sum(way.means == "provider" and not way.unlinked for way in ways) >= MOST_SIGN_INS:
        raise LimitExceededError


def opened_by(state: VaultState, event: Event) -> VaultState:
    """Fold the way by which she opened her vault; an official's is linked in the next event."""
    acting = event.link.acting
    if acting.capacity != "self":
        return state
    first = SignIn(sign_in=acting.actor, means="provider", linked=event.facts.time)
    return replace(state, sign_ins={**state.sign_ins, acting.actor: first})


def link_code_created(state: VaultState, event: Event, facts: LinkCodeCreated) -> VaultState:
    """Fold `LinkCodeCreated`."""
    del event
    code = LinkCode(created=facts.time, expires=facts.expires, wait_seconds=facts.wait_seconds)
    return replace(state, link_codes={**state.link_codes, facts.link_code: code})


def linked(state: VaultState, event: Event, facts: SignInLinked) -> VaultState:
    """Fold `SignInLinked`."""
    del event
    code = state.link_codes.get(facts.link_code)
    way = SignIn(
        sign_in=facts.sign_in,
        means=facts.means,
        linked=facts.time,
        wait_end=later(facts.time, seconds=code.wait_seconds) if code else Time(""),
    )
    after = replace(state, sign_ins={**state.sign_ins, facts.sign_in: way})
    if code is None:
        return after
    used = replace(code, used=facts.sign_in)
    return replace(after, link_codes={**state.link_codes, facts.link_code: used})


def unlinked(state: VaultState, event: Event, facts: SignInUnlinked) -> VaultState:
    """Fold `SignInUnlinked`."""
    del event
    known = state.sign_ins.get(facts.sign_in)
    if known is None:
        return state
    closed = replace(known, unlinked=facts.time)
    return replace(state, sign_ins={**state.sign_ins, facts.sign_in: closed})


def signed_out(state: VaultState, event: Event, facts: SignedOutEverywhere) -> VaultState:
    """Fold `SignedOutEverywhere`."""
    del event
    return replace(state, signed_out=facts.time)
