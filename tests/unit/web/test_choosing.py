# SPDX-License-Identifier: Apache-2.0
"""What a form of a request comes to: nothing is chosen that she did not choose."""

from __future__ import annotations

import datetime as dt
from types import SimpleNamespace
from typing import cast

import pytest

from clients.web.dates import TypedDay, end_of
from clients.web.forms import Form
from clients.web.here import Here
from clients.web.requests.asked import Asking, Part, Piece
from clients.web.requests.choosing import LONGEST_KEPT, Chosen, chosen_in, keep_typed, typed_before
from clients.web.words import PageWords
from vault.api.v1.consent_pb2 import (
    EVIDENCE_MODE_FOLLOWING,
    EVIDENCE_MODE_PINNED,
    ConsentRequest,
)

HERE = cast("Here", SimpleNamespace(words=PageWords("en", "requests"), language="en"))
LATEST = dt.date.today() + dt.timedelta(days=40)  # noqa: DTZ011 - far from any midnight


def piece(number: str, *, lacks: bool = False) -> Piece:
    needed = (Part("street", "Street", "Heol yr Afon", not lacks),)
    return Piece(number, needed, (Part("flat", "Flat", "2", is_there=True),), is_hidden=False)


def address(*pieces: Piece) -> Asking:
    return Asking(0, "postal_address", "Your address", ("Street",), (("flat", "Flat"),), pieces)


def diary(*pieces: Piece) -> Asking:
    """Return something that they ask for and need none of."""
    return Asking(1, "diary", "Your diary", (), (("flat", "Flat"),), pieces)


DIARY = Piece("d", (), (Part("flat", "Flat", "2", is_there=True),), is_hidden=False)


def come_to(asking: list[Asking], end: dt.datetime | None = None, **typed: str) -> Chosen:
    asked = ConsentRequest()
    asked.end_time.CopyFrom(end_of(LATEST))
    if end is not None:
        asked.end_time.FromDatetime(end)
    fields = {name.replace("_", "-"): (value,) for name, value in typed.items()}
    return chosen_in(HERE, asked, asking, Form({"versions": ("follow",), **fields}))


def until(day: dt.date) -> dict[str, str]:
    parts = zip(("day", "month", "year"), TypedDay.showing(day).texts, strict=True)
    return {f"end_{part}": text for part, text in parts}


def test_what_they_need_is_enough_and_what_she_may_leave_out_is_left_out() -> None:
    choice = come_to([address(piece("a"))]).choice

    assert choice is not None
    (item,) = choice.items
    assert (item.evidence_id, list(item.names)) == ("a", ["street"])
    assert item.mode == EVIDENCE_MODE_FOLLOWING
    assert not choice.HasField("end_time")
    assert choice.language == "en"


def test_what_she_ticks_goes_along_and_what_is_not_asked_for_does_not() -> None:
    form = Form({"versions": ("this",), "part-0": ("flat", "bank")})
    asked = ConsentRequest()
    asked.end_time.CopyFrom(end_of(LATEST))
    choice = chosen_in(HERE, asked, [address(piece("a"))], form).choice

    assert choice is not None
    assert list(choice.items[0].names) == ["street", "flat"]
    assert choice.items[0].mode == EVIDENCE_MODE_PINNED


def test_of_two_she_has_to_say_which() -> None:
    two = [address(piece("a"), piece("b"))]

    assert list(come_to(two).errors) == ["piece-0"]
    assert list(come_to(two, piece_0="somebody's").errors) == ["piece-0"]
    choice = come_to(two, piece_0="b").choice
    assert choice is not None
    assert choice.items[0].evidence_id == "b"


@pytest.mark.parametrize("pieces", [(), (piece("a", lacks=True),)], ids=["nothing", "half of it"])
def test_what_they_need_and_is_not_there_is_said(pieces: tuple[Piece, ...]) -> None:
    found = come_to([address(*pieces)])

    assert found.choice is None
    assert list(found.errors) == ["asking-0"]


def test_what_they_need_none_of_may_be_left_out_whole() -> None:
    both = [address(piece("a")), diary(DIARY)]
    left, taken = come_to(both), come_to(both, part_1="flat")

    assert left.choice is not None
    assert taken.choice is not None
    assert [item.evidence_id for item in left.choice.items] == ["a"]
    assert [item.evidence_id for item in taken.choice.items] == ["a", "d"]


def test_nothing_at_all_is_no_choice() -> None:
    assert list(come_to([diary(DIARY)]).errors) == ["asking-1"]
    assert list(come_to([diary()]).errors) == ["asking-1"]


@pytest.mark.parametrize("versions", ["", "both"])
def test_she_has_to_say_what_they_see_later(versions: str) -> None:
    assert list(come_to([address(piece("a"))], versions=versions).errors) == ["versions"]


def test_an_earlier_day_ends_with_that_day() -> None:
    earlier = LATEST - dt.timedelta(days=3)
    choice = come_to([address(piece("a"))], **until(earlier)).choice

    assert choice is not None
    assert choice.end_time == end_of(earlier)


def test_on_the_last_day_it_ends_when_they_said() -> None:
    noon = dt.datetime.combine(LATEST, dt.time(12))
    choice = come_to([address(piece("a"))], noon, **until(LATEST)).choice

    assert choice is not None
    assert not choice.HasField("end_time")


@pytest.mark.parametrize(
    "day",
    [LATEST + dt.timedelta(days=1), dt.date(2020, 1, 1), dt.date.max],
    ids=["later than they ask", "over", "the last day of the calendar"],
)
def test_any_other_day_is_refused(day: dt.date) -> None:
    found = come_to([address(piece("a"))], **until(day))

    assert found.choice is None
    assert list(found.errors) == ["end-day"]


def test_no_such_day_is_refused() -> None:
    typed = {"end_day": "31", "end_month": "2", "end_year": str(LATEST.year)}

    assert list(come_to([address(piece("a"))], **typed).errors) == ["end-day"]


def test_nothing_is_kept_but_what_she_chose() -> None:
    chosen = {"part-0": ("flat", "room"), "piece-12": ("a",), "versions": ("this",)}
    typed = Form({**chosen, "end-day": ("3" * 200_000,), "filling": ("x" * 200_000,)})
    here = cast("Here", SimpleNamespace(form=typed, session=SimpleNamespace(notes={})))

    keep_typed(here, "a-request")

    kept = typed_before(here, "a-request").values
    assert kept == {**chosen, "end-day": ("3" * LONGEST_KEPT,)}
