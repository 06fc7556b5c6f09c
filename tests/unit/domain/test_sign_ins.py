# SPDX-License-Identifier: Apache-2.0
"""The ways to her vault: opened, closed, and no way in but by an open one that has waited."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from tests.builders import (
    ABSENT,
    OTHER_SIGN_IN,
    SALT,
    SIGN_IN,
    a_stamp,
    at,
    drafted,
    happened,
    sign_in_linked,
    sign_in_unlinked,
    vault_opened,
)
from vault.domain import sign_in
from vault.domain.canonical import digest
from vault.domain.choice import Shown
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
from vault.domain.events import Draft
from vault.domain.sign_in import (
    GOOD_SECONDS,
    MOST_SIGN_INS,
    LinkCodeCreated,
    SignedOutEverywhere,
    SignIn,
    SignInLinked,
    SignInLinked1,
    SignInUnlinked,
)
from vault.domain.state import VaultState
from vault.domain.values import Acting, Capacity, Channel, Time, later

FIRST = ""
"""The sign-in with which builders open a vault."""
NEW = "new-sign-in"
CODE = "link-code"
WAIT = 3600
NEVER = Time("")

OPENED = (vault_opened(),)
LINKED = (vault_opened(), sign_in_linked())
UNLINKED = (*LINKED, sign_in_unlinked())


def by(
    actor: str = FIRST, capacity: Capacity = "self", channel: Channel = "web", mandate: str = ""
) -> Acting:
    return Acting(actor=actor, capacity=capacity, mandate=mandate, channel=channel)


def official(mandate: str = SIGN_IN, channel: Channel = "counter") -> Acting:
    return by(ABSENT, "official", channel, mandate)


def unlink(state: VaultState | None, which: str = SIGN_IN, acting: Acting | None = None) -> Draft:
    return sign_in.unlink(state, a_stamp(at(7)), acting or by(), which)


def code_made(time: Time | None = None, wait_seconds: int = WAIT, code: str = CODE) -> Draft:
    made = time or at(2)
    facts = LinkCodeCreated(
        time=made,
        salt=SALT,
        link_code=code,
        expires=later(made, seconds=GOOD_SECONDS),
        wait_seconds=wait_seconds,
    )
    return drafted(facts)


def let_in(time: Time | None = None, who: str = NEW, code: str = CODE) -> Draft:
    facts = SignInLinked(
        time=time or later(at(2), seconds=60),
        salt=SALT,
        sign_in=who,
        means="provider",
        link_code=code,
    )
    return drafted(facts)


def signed_out(time: Time) -> Draft:
    return drafted(SignedOutEverywhere(time=time, salt=SALT))


# --- Opening and closing a way -------------------------------------------------------------------


def test_handing_out_a_code_names_the_way() -> None:
    draft = sign_in.hand_out(a_stamp(at(1)), SIGN_IN)

    assert draft.facts == SignInLinked(
        time=at(1), salt=SALT, sign_in=SIGN_IN, means="assistance-code", link_code=""
    )
    assert draft.items == ()


def test_the_form_before_link_codes_is_read_as_today_s() -> None:
    before = SignInLinked1(time=at(1), salt=SALT, sign_in=SIGN_IN, means="assistance-code")

    assert before.upcast() == sign_in_linked().facts
    assert happened(*OPENED, drafted(before)).sign_ins == happened(*LINKED).sign_ins


def test_unlinking_names_the_way() -> None:
    draft = unlink(happened(*LINKED))

    assert draft.facts == SignInUnlinked(time=at(7), salt=SALT, sign_in=SIGN_IN)
    assert draft.items == ()


@pytest.mark.parametrize("given", [OPENED, (*OPENED, sign_in_linked(OTHER_SIGN_IN)), UNLINKED])
def test_what_is_not_open_cannot_be_closed(given: tuple[Draft, ...]) -> None:
    with pytest.raises(NotFoundError):
        unlink(happened(*given))


def test_nothing_is_closed_without_a_vault() -> None:
    with pytest.raises(NotFoundError):
        unlink(None)


def test_a_broken_history_does_not_stop_her_from_closing_a_way() -> None:
    draft = unlink(replace(happened(*LINKED), broken_at=1))

    assert isinstance(draft.facts, SignInUnlinked)


def test_a_way_knows_since_when_it_is_open_and_closed() -> None:
    first = SignIn(sign_in=FIRST, means="provider", linked=vault_opened().facts.time)
    way = SignIn(sign_in=SIGN_IN, means="assistance-code", linked=at(1))

    assert happened(*LINKED).sign_ins == {FIRST: first, SIGN_IN: way}
    assert happened(*UNLINKED).sign_ins == {FIRST: first, SIGN_IN: replace(way, unlinked=at(7))}


def test_closing_a_way_that_a_history_lost_is_folded_over() -> None:
    assert SIGN_IN not in happened(*OPENED, sign_in_unlinked()).sign_ins


def test_the_way_by_which_she_opened_it_is_closed_like_any_other() -> None:
    draft = unlink(happened(*LINKED), FIRST)

    assert draft.facts == SignInUnlinked(time=at(7), salt=SALT, sign_in=FIRST)


@pytest.mark.parametrize("given", [OPENED, UNLINKED])
def test_the_only_way_that_is_left_stays_open(given: tuple[Draft, ...]) -> None:
    with pytest.raises(LastSignInError):
        unlink(happened(*given), FIRST)


def test_a_code_is_closed_whatever_is_left() -> None:
    given = happened(*LINKED, sign_in_unlinked(FIRST))

    assert unlink(given, SIGN_IN, official())


# --- Coming by it --------------------------------------------------------------------------------


@pytest.mark.parametrize("channel", ["counter", "phone", "letter"])
def test_an_official_comes_by_an_open_way(channel: Channel) -> None:
    sign_in.must_be_admitted(happened(*LINKED), official(channel=channel), NEVER)


@pytest.mark.parametrize("given", [OPENED, (*OPENED, sign_in_linked(OTHER_SIGN_IN)), UNLINKED])
def test_an_official_does_not_come_by_any_other(given: tuple[Draft, ...]) -> None:
    with pytest.raises(NotFoundError):
        sign_in.must_be_admitted(happened(*given), official(), NEVER)


def test_an_official_who_names_no_way_of_hers_is_not_admitted() -> None:
    with pytest.raises(NotFoundError):
        sign_in.must_be_admitted(happened(*LINKED), official(ABSENT), NEVER)


def test_closing_one_way_leaves_the_other_open() -> None:
    given = happened(*LINKED, sign_in_linked(OTHER_SIGN_IN), sign_in_unlinked())

    sign_in.must_be_admitted(given, official(OTHER_SIGN_IN), NEVER)
    with pytest.raises(NotFoundError):
        sign_in.must_be_admitted(given, official(SIGN_IN), NEVER)


def test_she_comes_by_the_way_by_which_she_opened_it() -> None:
    sign_in.must_be_admitted(happened(*LINKED), by(), NEVER)


@pytest.mark.parametrize(
    "given",
    [
        pytest.param(OPENED, id="never linked"),
        pytest.param((*OPENED, code_made(), let_in(), sign_in_unlinked(NEW)), id="closed"),
    ],
)
def test_no_other_sign_in_of_hers_comes_in(given: tuple[Draft, ...]) -> None:
    with pytest.raises(VaultNotOpenError):
        sign_in.must_be_admitted(happened(*given), by(NEW), NEVER)


# --- Letting another sign-in in ------------------------------------------------------------------


def create(
    state: VaultState | None,
    acting: Acting | None = None,
    *,
    shown_at: Time | None = None,
    time: Time | None = None,
    shown_hash: str = "",
    wait_seconds: int = WAIT,
) -> Draft:
    shown = Shown(time=shown_at or at(3), salt=SALT)
    page = sign_in.shown_link_code(state, acting or by(), WAIT, shown)
    return sign_in.create_link_code(
        state,
        a_stamp(time or at(3)),
        acting or by(),
        link_code=CODE,
        wait_seconds=wait_seconds,
        shown=shown,
        shown_hash=shown_hash or digest(page),
    )


def test_a_code_says_how_long_it_is_good_and_how_long_what_it_lets_in_waits() -> None:
    draft = create(happened(*OPENED))

    assert draft.facts == LinkCodeCreated(
        time=at(3),
        salt=SALT,
        link_code=CODE,
        expires=later(at(3), seconds=900),
        wait_seconds=WAIT,
    )
    assert digest(draft.shown) == digest(
        sign_in.shown_link_code(happened(*OPENED), by(), WAIT, Shown(time=at(3), salt=SALT))
    )


def test_an_official_makes_one_where_she_stands_before_them() -> None:
    assert create(happened(*LINKED), official(channel="counter"))


@pytest.mark.parametrize("channel", ["phone", "letter"])
def test_an_official_makes_none_elsewhere(channel: Channel) -> None:
    with pytest.raises(CapacityNotAllowedError):
        create(happened(*LINKED), official(channel=channel))


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"shown_hash": digest(b"another")}, id="another page"),
        pytest.param({"wait_seconds": 1}, id="another wait"),
        pytest.param({"shown_at": at(4)}, id="in the future"),
        pytest.param({"shown_at": at(3), "time": at(4, days=1)}, id="long ago"),
    ],
)
def test_nothing_is_made_but_what_was_shown(change: dict[str, object]) -> None:
    with pytest.raises(ShownDiffersError):
        create(happened(*OPENED), **change)  # type: ignore[arg-type]


def test_one_page_makes_one_code() -> None:
    with pytest.raises(ShownDiffersError):
        create(happened(*OPENED, code_made(at(3))))


def test_there_is_an_end_of_sign_ins() -> None:
    codes = [code_made(code=str(number)) for number in range(MOST_SIGN_INS - 1)]
    ways = [let_in(who=f"w{number}", code=str(number)) for number in range(MOST_SIGN_INS - 1)]
    full = happened(*OPENED, *codes, *ways)

    assert create(happened(*OPENED, *codes, *ways[:-1]))
    with pytest.raises(LimitExceededError):
        create(full)
    with pytest.raises(LimitExceededError):
        sign_in.link(
            replace(full, link_codes=happened(*OPENED, code_made()).link_codes),
            a_stamp(at(2)),
            NEW,
            CODE,
        )


def test_a_code_lets_one_sign_in_in() -> None:
    draft = sign_in.link(happened(*OPENED, code_made()), a_stamp(at(2)), NEW, CODE)

    assert draft.facts == SignInLinked(
        time=at(2), salt=SALT, sign_in=NEW, means="provider", link_code=CODE
    )


@pytest.mark.parametrize(
    "given",
    [
        pytest.param((code_made(), let_in()), id="it was used"),
        pytest.param((code_made(later(at(2), seconds=-GOOD_SECONDS)),), id="it is too old"),
        pytest.param((code_made(at(3)),), id="it is not made yet"),
        pytest.param((code_made(), signed_out(at(2))), id="she signed out everywhere"),
        pytest.param(
            (sign_in_linked(), code_made(), sign_in_unlinked(time=at(2))), id="she closed a way"
        ),
    ],
)
def test_a_code_that_has_ended_lets_nobody_in(given: tuple[Draft, ...]) -> None:
    with pytest.raises(LinkCodeEndedError):
        sign_in.link(happened(*OPENED, *given), a_stamp(at(2)), OTHER_SIGN_IN, CODE)


def test_a_code_is_good_to_the_last_moment() -> None:
    end = later(at(2), seconds=GOOD_SECONDS)
    given = happened(*OPENED, code_made())

    assert sign_in.link(given, a_stamp(later(end, microseconds=-1)), NEW, CODE)
    with pytest.raises(LinkCodeEndedError):
        sign_in.link(given, a_stamp(end), NEW, CODE)


@pytest.mark.parametrize("code", ["", ABSENT])
def test_a_code_that_was_never_made_lets_nobody_in(code: str) -> None:
    with pytest.raises(NotFoundError):
        sign_in.link(happened(*LINKED, code_made()), a_stamp(at(2)), NEW, code)


# --- Waiting -------------------------------------------------------------------------------------

LET_IN = (*OPENED, code_made(), let_in(at(2)))
WAITS_UNTIL = later(at(2), seconds=WAIT)
BEFORE = later(WAITS_UNTIL, microseconds=-1)


def test_a_sign_in_waits_as_long_as_its_code_says() -> None:
    assert happened(*LET_IN).sign_ins[NEW].wait_end == WAITS_UNTIL
    assert happened(*LET_IN).link_codes[CODE].used == NEW
    assert not happened(*LET_IN).sign_ins[FIRST].wait_end


def test_a_sign_in_that_waits_is_told_until_when() -> None:
    sign_in.must_have_waited(happened(*LET_IN), by(NEW), WAITS_UNTIL)
    with pytest.raises(SignInTooNewError) as refused:
        sign_in.must_have_waited(happened(*LET_IN), by(NEW), BEFORE)

    assert refused.value.until == WAITS_UNTIL
    assert WAITS_UNTIL in str(refused.value)


@pytest.mark.parametrize("acting", [by(), official(), by(ABSENT)])
def test_nobody_else_waits(acting: Acting) -> None:
    sign_in.must_have_waited(happened(*LET_IN, sign_in_linked()), acting, BEFORE)


def test_a_sign_in_that_waits_lets_nobody_else_in() -> None:
    with pytest.raises(SignInTooNewError):
        sign_in.shown_link_code(happened(*LET_IN), by(NEW), WAIT, Shown(time=BEFORE, salt=SALT))


def test_a_sign_in_that_waits_shuts_nobody_out_but_itself() -> None:
    given, stamp = happened(*LET_IN), a_stamp(BEFORE)

    assert sign_in.unlink(given, stamp, by(NEW), NEW)
    assert sign_in.unlink(given, stamp, by(), NEW)
    assert sign_in.unlink(given, a_stamp(WAITS_UNTIL), by(NEW), FIRST)
    with pytest.raises(SignInTooNewError):
        sign_in.unlink(given, stamp, by(NEW), FIRST)


# --- Signing out everywhere ----------------------------------------------------------------------


def test_what_was_issued_before_she_signed_out_is_good_no_more() -> None:
    given = happened(*LINKED, signed_out(at(5)))

    sign_in.must_be_admitted(given, by(), at(5))
    for issued in (later(at(5), microseconds=-1), NEVER):
        with pytest.raises(SignedOutError):
            sign_in.must_be_admitted(given, by(), issued)


def test_the_last_time_counts() -> None:
    given = happened(*LINKED, signed_out(at(5)), signed_out(at(6)))

    with pytest.raises(SignedOutError):
        sign_in.must_be_admitted(given, by(), at(5))


def test_a_code_on_paper_stays_good() -> None:
    given = happened(*LINKED, signed_out(at(5)))

    sign_in.must_be_admitted(given, official(), NEVER)
