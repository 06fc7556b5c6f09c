# SPDX-License-Identifier: Apache-2.0
"""Views over several lanes, each followed for itself: what lags, and what must not be lost by it.

Requests lie in lane 0, two citizens' vaults in lanes 1 and 2.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from projections.change_feed import START, ChangeFeed, Cursor
from projections.consent_register import ConsentRegister
from projections.tracking import SQLiteView
from tests.builders import (
    CONSENT,
    OTHER_REQUEST,
    REQUEST,
    SERVICE,
    SUBJECT,
    VAULT,
    at,
    consent_granted,
    consent_paused,
    consent_refused,
    consent_resumed,
    consent_revoked,
    request_cancelled,
    request_claimed,
    request_made,
)
from tests.contracts.views import Followed, Story, request_of_known, request_redeemed, told
from vault.domain.lane import in_lane
from vault.store.command import Sizes

HERS = in_lane(VAULT, 1)
HIS = in_lane(VAULT, 2)
THIRD_REQUEST = f"{REQUEST[:-1]}d"


@dataclass
class Feed:
    """A process of its own, with a view of its own."""

    followed: Followed[ChangeFeed]

    def follows(self, *lanes: int) -> Feed:
        """Follow some lanes to their end."""
        self.followed.catch_up(lanes)
        return self

    async def tells(self, after: Cursor, limit: int = 10) -> tuple[list[str], Cursor]:
        """Return which kinds of changes are told after a cursor, and where to go on."""
        told = await self.followed.projection.changes(SERVICE, after, limit)
        return [change.kind for change in told.changes], told.cursor


@pytest.fixture
def story(tmp_path: Path) -> Iterator[Story]:
    """A store of three lanes in which nothing happened yet."""
    story = Story(tmp_path, lanes=3)
    yield story
    story.close()


@pytest.fixture
def feeds(story: Story, tmp_path: Path) -> Iterator[Callable[[str], Feed]]:
    """Opens the feeds of processes."""
    views: list[SQLiteView] = []

    def open_feed(name: str) -> Feed:
        views.append(SQLiteView(tmp_path / f"{name}.db", ChangeFeed.schema))
        return Feed(Followed(ChangeFeed(views[-1]), story.vaults))

    yield open_feed
    for view in views:
        view.close()


@pytest.fixture
def register(story: Story, tmp_path: Path) -> Iterator[Followed[ConsentRegister]]:
    """A register that has seen nothing yet."""
    view = SQLiteView(tmp_path / "register.db", ConsentRegister.schema)
    yield Followed(ConsentRegister(view), story.vaults)
    view.close()


def asked_by_link(story: Story, *drafts: object) -> None:
    """Have a request by link claimed by her, and answered; the code is not redeemed."""
    story.happens(request_made(), request_claimed(), stream=REQUEST)
    story.happens(*drafts, stream=HERS)  # type: ignore[arg-type]


def refused(story: Story, request: str, vault: str) -> None:
    """Have somebody whom the service knows refuse."""
    story.happens(request_of_known(), stream=request)
    story.happens(consent_refused(request), stream=vault)


# --- The change feed


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
async def test_a_change_is_told_once_both_lanes_are_followed(
    story: Story, feeds: Callable[[str], Feed], order: Collection[int]
) -> None:
    asked_by_link(story, consent_granted())
    story.happens(request_redeemed(), stream=REQUEST)
    feed, (first, second) = feeds("a"), order

    before, cursor = await feed.follows(first).tells(START)
    after, cursor = await feed.follows(second).tells(cursor)
    again, _ = await feed.tells(cursor)

    assert (before, after, again) == ([], ["granted"], [])


async def test_a_lane_that_stands_still_stops_no_other(
    story: Story, feeds: Callable[[str], Feed]
) -> None:
    refused(story, REQUEST, HERS)
    refused(story, OTHER_REQUEST, HIS)
    feed = feeds("a").follows(0, 2)

    his, cursor = await feed.tells(START)
    hers, cursor = await feed.follows(1).tells(cursor)
    nothing, _ = await feed.tells(cursor)

    assert (his, hers, nothing) == (["refused"], ["refused"], [])


async def test_a_cursor_that_went_past_in_another_lane_meets_what_was_hidden(
    story: Story, feeds: Callable[[str], Feed]
) -> None:
    asked_by_link(story, consent_granted(), consent_paused())
    refused(story, OTHER_REQUEST, HERS)
    feed = feeds("a").follows(0, 1, 2)
    first, cursor = await feed.tells(START)
    story.happens(consent_resumed(), stream=HERS)
    story.happens(request_redeemed(), stream=REQUEST)
    story.happens(consent_revoked(), stream=HERS)

    second, cursor = await feed.follows(0, 1).tells(cursor)
    nothing, _ = await feed.tells(cursor)

    assert first == ["refused"]
    assert second == ["granted", "paused", "resumed", "revoked"]
    assert nothing == []


async def test_pages_across_lanes_tell_everything_once(
    story: Story, feeds: Callable[[str], Feed]
) -> None:
    asked_by_link(story, consent_granted(), consent_paused(), consent_resumed())
    story.happens(request_redeemed(), stream=REQUEST)
    refused(story, OTHER_REQUEST, HIS)
    story.happens(request_of_known(), request_cancelled(), stream=THIRD_REQUEST)
    feed, cursor = feeds("a").follows(0, 1, 2), START
    pages: list[list[str]] = []

    while not pages or pages[-1]:
        kinds, cursor = await feed.tells(cursor, limit=2)
        pages.append(kinds)

    assert pages == [["cancelled", "granted"], ["paused", "resumed"], ["refused"], []]


async def test_a_view_that_lags_behind_a_cursor_skips_nothing(
    story: Story, feeds: Callable[[str], Feed]
) -> None:
    """Her grant is revealed where the other view knows nothing of it yet."""
    asked_by_link(story, consent_granted())
    refused(story, OTHER_REQUEST, HERS)
    story.happens(request_of_known(), stream=THIRD_REQUEST)
    one, other = feeds("one").follows(0, 1, 2), feeds("other")
    first, cursor = await one.tells(START)
    story.happens(request_redeemed(), stream=REQUEST)
    story.happens(consent_refused(THIRD_REQUEST), stream=HIS)

    his, cursor = await other.follows(0, 2).tells(cursor)
    hers, cursor = await other.follows(1).tells(cursor)

    assert (first, his, hers) == (["refused"], ["refused"], ["granted"])


async def test_a_view_that_lags_behind_a_cursor_between_changes_tells_nothing(
    story: Story, feeds: Callable[[str], Feed]
) -> None:
    asked_by_link(story, consent_granted(), consent_paused())
    refused(story, OTHER_REQUEST, HERS)
    story.happens(request_of_known(), stream=THIRD_REQUEST)
    one, other = feeds("one").follows(0, 1, 2), feeds("other")
    _, cursor = await one.tells(START)
    story.happens(request_redeemed(), stream=REQUEST)
    story.happens(consent_refused(THIRD_REQUEST), stream=HIS)
    granted, cursor = await one.follows(0).tells(cursor, limit=1)

    nothing, same = await other.follows(0, 2).tells(cursor)
    rest, _ = await other.follows(1).tells(same)

    assert (granted, nothing, rest) == (["granted"], [], ["paused", "refused"])
    assert same == cursor


async def test_a_view_whose_lane_0_lags_behind_a_cursor_tells_nothing(
    story: Story, feeds: Callable[[str], Feed]
) -> None:
    """Or the cursor would go back there, and what it had passed would be told again."""
    one, other = feeds("one"), feeds("other")
    story.happens(request_of_known(), stream=REQUEST)
    other.follows(0)
    refused(story, OTHER_REQUEST, HERS)
    story.happens(consent_refused(REQUEST), stream=HIS)
    hers, cursor = await one.follows(0, 1).tells(START)

    nothing, same = await other.follows(1, 2).tells(cursor)
    his, after_his = await other.follows(0).tells(same)
    again, _ = await other.tells(after_his)

    assert (hers, nothing, his, again) == (["refused"], [], ["refused"], [])
    assert same == cursor


async def test_what_is_revealed_while_it_is_asked_is_told_the_next_time(
    story: Story, feeds: Callable[[str], Feed], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked_by_link(story, consent_granted())
    refused(story, OTHER_REQUEST, HERS)
    feed = feeds("a").follows(0, 1, 2)
    before = await feed.followed.view.sizes()

    async def sizes() -> Sizes:
        return before

    with monkeypatch.context() as patched:
        patched.setattr(feed.followed.view, "sizes", sizes)
        story.happens(request_redeemed(), stream=REQUEST)
        first, cursor = await feed.follows(0).tells(START)
    second, cursor = await feed.tells(cursor)
    nothing, _ = await feed.tells(cursor)

    assert (first, second, nothing) == (["refused"], ["granted"], [])


async def test_a_cursor_from_before_there_were_lanes_goes_on(
    story: Story, feeds: Callable[[str], Feed]
) -> None:
    story.happens(request_of_known(), stream=REQUEST)
    story.happens(consent_granted())
    refused(story, OTHER_REQUEST, HERS)
    story.happens(consent_revoked())
    feed = feeds("a").follows(0, 1, 2)

    kinds, _ = await feed.tells(Cursor(2, 0, 2))

    assert kinds == ["revoked", "refused"]


# --- The register


async def test_rows_of_all_lanes_are_listed_newest_first(
    story: Story, register: Followed[ConsentRegister]
) -> None:
    requests = [f"{REQUEST[:-1]}{n}" for n in range(6)]
    for number, request in enumerate(requests):
        story.happens(told(request_of_known(), time=at(number)), stream=request)
        consent = f"{CONSENT[:-1]}{number}"
        granted = consent_granted(request_id=request, consent_id=consent)
        story.happens(told(granted, time=at(10 + number)), stream=in_lane(VAULT, 2 - number % 3))
    shown = register.catch_up()

    first = await shown.consents(SERVICE, 4)
    second = await shown.consents(SERVICE, 4, first[-1].key)

    found = [row.consent.consent_request_id for row in (*first, *second)]
    assert found == requests[::-1]


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
async def test_a_consent_is_shown_whichever_lane_is_followed_first(
    story: Story, register: Followed[ConsentRegister], order: Collection[int]
) -> None:
    asked_by_link(story, consent_granted(), consent_paused(time=at(5)))
    story.happens(request_redeemed(), stream=REQUEST)
    for lane in order:
        register.catch_up([lane])

    (row,) = await register.projection.consents(SERVICE, 10)
    (asked,) = await register.projection.requests(SERVICE, 10)

    assert (row.consent.subject, row.consent.paused) == (SUBJECT, at(5))
    assert asked.request.consent_id == CONSENT
