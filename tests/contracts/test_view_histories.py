# SPDX-License-Identifier: Apache-2.0
"""Whatever happens, in whichever order: views say what the folds of the streams say."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

import pytest
from hypothesis import HealthCheck, given, note, settings
from msgspec.structs import replace

from projections import follower as followers
from projections.change_feed import START, Change, ChangeFeed
from projections.consent_register import ConsentRegister, ConsentRow, RequestRow
from projections.tracking import SQLiteView, VersionedProjection
from tests.contracts.view_histories import ASKED, KINDS, LOOK, SERVICES, Model, Step, play, steps
from tests.contracts.views import Followed, Story

P = TypeVar("P", bound=VersionedProjection)

_often = settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))


_in_lanes = pytest.mark.parametrize("lanes", [1, 3])


@contextmanager
def places(lanes: int = 1) -> Iterator[tuple[Story, Path]]:
    with TemporaryDirectory() as folder, ExitStack() as stack:
        story = Story(Path(folder), lanes)
        stack.callback(story.close)
        yield story, Path(folder)


@contextmanager
def following(projection_class: type[P], story: Story, file: Path) -> Iterator[Followed[P]]:
    view = SQLiteView(file, projection_class.schema)
    try:
        yield Followed(projection_class(view), story.vaults)
    finally:
        view.close()


def some(look: int) -> set[int]:
    """Return some of three lanes, which ones depends on the look."""
    return {lane for lane in range(3) if look + 1 >> lane & 1}


@_in_lanes
@_often
@given(history=steps)
def test_a_view_rebuilt_equals_one_followed(lanes: int, history: list[Step]) -> None:
    for projection_class in (ChangeFeed, ConsentRegister):
        with (
            places(lanes) as (story, folder),
            following(projection_class, story, folder / "followed.db") as followed,
            following(projection_class, story, folder / "rebuilt.db") as rebuilt,
        ):
            for look in play(story, history):
                followed.catch_up(some(look))
            followed.catch_up()
            with pytest.MonkeyPatch.context() as patched:
                patched.setattr(followers, "PAGE", 7)
                rebuilt.catch_up()

            assert followed.rows() == rebuilt.rows()
            assert [f.seen for f in followed.followers] == [f.seen for f in rebuilt.followers]


@_in_lanes
@_often
@given(history=steps)
def test_the_register_shows_what_the_folds_say(lanes: int, history: list[Step]) -> None:
    with (
        places(lanes) as (story, folder),
        following(ConsentRegister, story, folder / "view.db") as followed,
    ):
        for _ in play(story, history):
            register = followed.catch_up()
            model = Model(story)
            for service in SERVICES:
                consents, requests = asyncio.run(paged(register, service))

                assert [row.consent for row in consents] == model.consents(service)
                assert [row.request for row in requests] == model.requests(service)


async def paged(
    register: ConsentRegister, service: str
) -> tuple[list[ConsentRow], list[RequestRow]]:
    consents = list(await register.consents(service, 2))
    while consents and (more := await register.consents(service, 2, consents[-1].key)):
        consents += more
    requests = list(await register.requests(service, 2))
    while requests and (found := await register.requests(service, 2, requests[-1].key)):
        requests += found
    return consents, requests


@_often
@given(steps)
def test_a_service_that_polls_is_told_everything_once_and_in_order(history: list[Step]) -> None:
    with places() as (story, folder), following(ChangeFeed, story, folder / "view.db") as followed:
        cursors = dict.fromkeys(SERVICES, START)
        told: dict[str, list[Change]] = {service: [] for service in SERVICES}
        for _ in play(story, history):
            feed = followed.catch_up()
            model = Model(story)
            for service in SERVICES:
                # Two changes a look; the last look takes the rest.
                page = asyncio.run(feed.changes(service, cursors[service], 2))
                told[service] += page.changes
                cursors[service] = page.cursor
                expected = model.changes(service)
                note(f"{[c.kind for c in told[service]]} of {[c.kind for c in expected]}")
                assert told[service] == expected[: len(told[service])]
                assert page.has_more == (len(told[service]) < len(expected))
        for service in SERVICES:
            rest = asyncio.run(feed.changes(service, cursors[service], 1000))
            assert told[service] + list(rest.changes) == model.changes(service)


@_often
@given(steps)
def test_whoever_polls_views_that_lag_is_told_everything_once(history: list[Step]) -> None:
    """Two views, as of two processes; each follows some lanes for a while, and not the others."""
    with (
        places(lanes=3) as (story, folder),
        following(ChangeFeed, story, folder / "one.db") as one,
        following(ChangeFeed, story, folder / "other.db") as other,
    ):
        cursors = dict.fromkeys(SERVICES, START)
        told: dict[str, list[Change]] = {service: [] for service in SERVICES}
        for number, look in enumerate(play(story, history)):
            asked = one if number % 3 else other
            feed = asked.catch_up(some(look))
            for service in SERVICES:
                page = asyncio.run(feed.changes(service, cursors[service], 2))
                told[service] += page.changes
                cursors[service] = page.cursor
        one.catch_up()
        model = Model(story)
        for service in SERVICES:
            rest = asyncio.run(one.projection.changes(service, cursors[service], 1000))
            told[service] += rest.changes
            nothing = asyncio.run(one.projection.changes(service, rest.cursor, 1000))
            note(f"{[c.kind for c in told[service]]}")

            assert nothing.changes == ()
            expected = sorted(model.changes(service), key=lambda change: change.time)
            assert by_request(told[service]) == by_request(expected)


def by_request(changes: list[Change]) -> dict[str, list[Change]]:
    """Return changes by request; what its service did itself, cancelling, is told in any order."""
    found: dict[str, list[Change]] = {}
    for change in sorted(changes, key=lambda change: change.kind == "cancelled"):
        found.setdefault(change.consent_request_id, []).append(replace(change, cursor=START))
    return found


def test_histories_reach_everything() -> None:
    """What is drawn tells every kind of change, at once and late; or the rest shows nothing."""
    drawn = random.Random(7)
    reached: set[tuple[str, bool]] = set()
    for _ in range(40):
        history = [(drawn.randrange(ASKED), drawn.randrange(LOOK)) for _ in range(60)]
        with places() as (story, _):
            list(play(story, history))
            model = Model(story)
            for change in (change for service in SERVICES for change in model.changes(service)):
                is_late = change.cursor.shown > change.cursor.position
                reached.add((change.kind, is_late))

    always = {(kind, False) for kind in KINDS.values()}
    assert reached == always | {(kind, True) for kind in KINDS.values() if kind != "cancelled"}
