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

from projections import runner
from projections.change_feed import START, Change, ChangeFeed
from projections.consent_register import ConsentRegister, ConsentRow, RequestRow
from projections.tracking import SQLiteView, VersionedProjection
from tests.contracts.view_histories import ASKED, KINDS, LOOK, SERVICES, Model, Step, play, steps
from tests.contracts.views import Followed, Story

P = TypeVar("P", bound=VersionedProjection)

_often = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))


@contextmanager
def places() -> Iterator[tuple[Story, Path]]:
    with TemporaryDirectory() as folder, ExitStack() as stack:
        story = Story(Path(folder))
        stack.callback(story.close)
        yield story, Path(folder)


@contextmanager
def following(projection_class: type[P], story: Story, file: Path) -> Iterator[Followed[P]]:
    view = SQLiteView(file, projection_class.schema)
    try:
        yield Followed(projection_class(view), story.vaults)
    finally:
        view.close()


@_often
@given(steps)
def test_a_view_rebuilt_equals_one_followed(history: list[Step]) -> None:
    for projection_class in (ChangeFeed, ConsentRegister):
        with (
            places() as (story, folder),
            following(projection_class, story, folder / "followed.db") as followed,
            following(projection_class, story, folder / "rebuilt.db") as rebuilt,
        ):
            for _ in play(story, history):
                followed.catch_up()
            with pytest.MonkeyPatch.context() as patched:
                patched.setattr(runner, "PAGE", 7)
                rebuilt.catch_up()

            assert followed.rows() == rebuilt.rows()
            assert followed.follower.seen == rebuilt.follower.seen


@_often
@given(steps)
def test_the_register_shows_what_the_folds_say(history: list[Step]) -> None:
    with (
        places() as (story, folder),
        following(ConsentRegister, story, folder / "view.db") as followed,
    ):
        for _ in play(story, history):
            register = followed.catch_up()
            model = Model(story.vaults.store.select_notifications(1, 1000))
            for service in SERVICES:
                consents, requests = asyncio.run(paged(register, service))

                assert [row.consent for row in consents] == model.consents(service)
                assert [row.request for row in requests] == model.requests(service)


async def paged(
    register: ConsentRegister, service: str
) -> tuple[list[ConsentRow], list[RequestRow]]:
    consents = list(await register.consents(service, 2))
    while more := await register.consents(
        service, 2, before=consents[-1].position if consents else 1
    ):
        consents += more
    requests = list(await register.requests(service, 2))
    while found := await register.requests(service, 2, requests[-1].position if requests else 1):
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
            model = Model(story.vaults.store.select_notifications(1, 1000))
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


def test_histories_reach_everything() -> None:
    """What is drawn tells every kind of change, at once and late; or the rest shows nothing."""
    drawn = random.Random(7)
    reached: set[tuple[str, bool]] = set()
    for _ in range(40):
        history = [(drawn.randrange(ASKED), drawn.randrange(LOOK)) for _ in range(60)]
        with places() as (story, _):
            list(play(story, history))
            model = Model(story.vaults.store.select_notifications(1, 1000))
            for change in (change for service in SERVICES for change in model.changes(service)):
                is_late = change.cursor.shown > change.cursor.position
                reached.add((change.kind, is_late))

    always = {(kind, False) for kind in KINDS.values()}
    assert reached == always | {(kind, True) for kind in KINDS.values() if kind != "cancelled"}
