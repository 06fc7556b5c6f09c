# SPDX-License-Identifier: Apache-2.0
"""What every change feed promises: what a service is told, when, and in which order."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from projections.change_feed import START, Change, ChangeFeed
from tests.builders import (
    CONSENT,
    OTHER_REQUEST,
    OTHER_SERVICE,
    REQUEST,
    SERVICE,
    SUBJECT,
    a_consent,
    at,
    consent_extended,
    consent_granted,
    consent_narrowed,
    consent_paused,
    consent_refused,
    consent_request_cancelled,
    consent_resumed,
    consent_revoked,
    granted_fields,
    request_cancelled,
    request_claimed,
    request_made,
    some_terms,
)
from tests.contracts.views import (
    Followed,
    Story,
    ViewContract,
    request_by_code,
    request_of_known,
    request_redeemed,
)
from vault.domain.amendment import FieldsDifference
from vault.domain.events import Draft


class ChangeFeedContract(ViewContract[ChangeFeed]):
    """What a service is told, when, and in which order."""

    projection_class = ChangeFeed

    @staticmethod
    async def all_shown(projection: ChangeFeed) -> list[Any]:
        return list((await projection.changes(SERVICE, START, 100)).changes)

    @staticmethod
    async def told(followed: Followed[ChangeFeed], service: str = SERVICE) -> list[Change]:
        feed = followed.catch_up()
        return list((await feed.changes(service, START, 100)).changes)

    @staticmethod
    async def kinds(followed: Followed[ChangeFeed], service: str = SERVICE) -> list[str]:
        feed = followed.catch_up()
        return [c.kind for c in (await feed.changes(service, START, 100)).changes]

    async def test_a_whole_consent_is_told_oldest_first(
        self, story: Story, followed: Followed[ChangeFeed]
    ) -> None:
        story.happens(request_made(), request_claimed(), request_redeemed(), stream=REQUEST)
        story.happens(*a_consent(), consent_paused(time=at(5)), consent_resumed(time=at(6)))
        story.happens(consent_narrowed(time=at(7)), consent_extended(time=at(8)))
        story.happens(consent_revoked(time=at(9)))

        changes = await self.told(followed)

        kinds = ["granted", "paused", "resumed", "narrowed", "extended", "revoked"]
        assert [change.kind for change in changes] == kinds
        assert [change.time for change in changes] == [at(n) for n in (3, 5, 6, 7, 8, 9)]
        assert {change.consent_request_id for change in changes} == {REQUEST}
        assert {change.consent_id for change in changes} == {CONSENT}
        assert {change.subject for change in changes} == {SUBJECT}

    async def test_what_changed_is_told_where_the_terms_did(
        self, story: Story, followed: Followed[ChangeFeed]
    ) -> None:
        first, then = at(days=19), at(days=29)
        narrowed = {"scope": (granted_fields(optional=()),), "end": first}
        story.happens(request_of_known(), stream=REQUEST)
        story.happens(*a_consent(), consent_narrowed(**narrowed), consent_paused())
        story.happens(consent_extended(**{**narrowed, "end": then}))

        granted, narrower, paused, longer = await self.told(followed)

        assert granted.difference is None
        assert paused.difference is None
        assert narrower.difference is not None
        removed = FieldsDifference(item=1, evidence_type="postal_address", names=("streetName",))
        assert narrower.difference.removed == (removed,)
        assert narrower.difference.end == (some_terms().end, first)
        assert longer.difference is not None
        assert longer.difference.removed == ()
        assert longer.difference.end == (first, then)

    async def test_a_refusal_names_no_consent(
        self, story: Story, followed: Followed[ChangeFeed]
    ) -> None:
        story.happens(request_of_known(), stream=REQUEST)
        story.happens(consent_refused())

        (change,) = await self.told(followed)

        assert (change.kind, change.consent_id, change.subject) == ("refused", "", SUBJECT)

    @pytest.mark.parametrize("answer", ["granted", "refused"])
    async def test_an_answer_to_a_link_is_hidden_until_the_code_is_redeemed(
        self, story: Story, followed: Followed[ChangeFeed], answer: str
    ) -> None:
        story.happens(request_made(), request_claimed(), stream=REQUEST)
        story.happens(consent_granted() if answer == "granted" else consent_refused())

        before = await self.kinds(followed)
        story.happens(request_redeemed(), stream=REQUEST)
        after = await self.kinds(followed)

        assert before == []
        assert after == [answer]

    async def test_a_cursor_that_went_past_meets_what_was_hidden(
        self, story: Story, followed: Followed[ChangeFeed]
    ) -> None:
        story.happens(request_made(), request_claimed(), stream=REQUEST)
        story.happens(consent_granted(), consent_paused())
        story.happens(request_of_known(), stream=OTHER_REQUEST)
        story.happens(consent_refused(OTHER_REQUEST))
        feed = followed.catch_up()
        first = await feed.changes(SERVICE, START, 10)
        nothing = await feed.changes(SERVICE, first.cursor, 10)
        story.happens(consent_resumed())
        story.happens(request_redeemed(), stream=REQUEST)
        story.happens(consent_revoked())

        second = await followed.catch_up().changes(SERVICE, nothing.cursor, 10)

        assert [change.kind for change in first.changes] == ["refused"]
        assert nothing.changes == ()
        kinds = ["granted", "paused", "resumed", "revoked"]
        assert [change.kind for change in second.changes] == kinds

    async def test_an_answer_by_short_code_or_to_a_known_subject_is_told_at_once(
        self, story: Story, followed: Followed[ChangeFeed]
    ) -> None:
        story.happens(request_by_code(), request_claimed(), stream=REQUEST)
        story.happens(consent_granted())
        story.happens(request_of_known(), stream=OTHER_REQUEST)
        story.happens(consent_refused(OTHER_REQUEST))

        assert await self.kinds(followed) == ["granted", "refused"]

    @pytest.mark.parametrize("made", [request_made(), request_by_code(), request_of_known()])
    async def test_a_request_cancelled_before_it_reached_anyone_is_told(
        self, story: Story, followed: Followed[ChangeFeed], made: Draft
    ) -> None:
        story.happens(made, request_cancelled(), stream=REQUEST)

        (change,) = await self.told(followed)

        assert change.kind == "cancelled"
        assert change.subject == made.facts.subject  # type: ignore[attr-defined]

    async def test_cancelling_a_link_tells_not_whether_somebody_opened_it(
        self, story: Story, followed: Followed[ChangeFeed]
    ) -> None:
        story.happens(request_made(), request_cancelled(), stream=OTHER_REQUEST)
        story.happens(request_made(), request_claimed(), stream=REQUEST)
        story.happens(consent_request_cancelled())
        story.happens(request_cancelled(), stream=REQUEST)

        unopened, opened = await self.told(followed)

        same = {"cursor": START, "consent_request_id": ""}
        assert replace(unopened, **same) == replace(opened, **same)

    async def test_a_request_cancelled_in_both_streams_is_told_once(
        self, story: Story, followed: Followed[ChangeFeed]
    ) -> None:
        story.happens(request_of_known(), stream=REQUEST)
        story.happens(consent_request_cancelled())
        before = await self.kinds(followed)
        story.happens(request_cancelled(), stream=REQUEST)

        assert before == []
        assert await self.kinds(followed) == ["cancelled"]

    async def test_another_service_is_told_nothing(
        self, story: Story, followed: Followed[ChangeFeed]
    ) -> None:
        story.happens(request_of_known(), stream=REQUEST)
        story.happens(*a_consent(), consent_narrowed(), consent_revoked())
        story.happens(request_made(), request_cancelled(), stream=OTHER_REQUEST)

        assert await self.kinds(followed, OTHER_SERVICE) == []
        assert len(await self.kinds(followed, SERVICE)) == 4

    async def test_pages_go_on_where_they_ended(
        self, story: Story, followed: Followed[ChangeFeed]
    ) -> None:
        story.happens(request_made(), request_claimed(), stream=REQUEST)
        story.happens(consent_granted(), consent_paused(), consent_resumed(), consent_revoked())
        story.happens(request_redeemed(), stream=REQUEST)
        feed = followed.catch_up()
        cursor, kinds, more = START, list[str](), list[bool]()

        for _ in range(3):
            page = await feed.changes(SERVICE, cursor, 2)
            cursor = page.cursor
            kinds += [change.kind for change in page.changes]
            more.append(page.has_more)

        assert kinds == ["granted", "paused", "resumed", "revoked"]
        assert more == [True, False, False]

    async def test_each_change_says_where_to_go_on(
        self, story: Story, followed: Followed[ChangeFeed]
    ) -> None:
        story.happens(request_made(), request_claimed(), stream=REQUEST)
        story.happens(consent_granted(), consent_paused(), consent_revoked())
        story.happens(request_redeemed(), stream=REQUEST)
        feed = followed.catch_up()
        first = (await feed.changes(SERVICE, START, 9)).changes[0]

        rest = await feed.changes(SERVICE, first.cursor, 9)

        assert [change.kind for change in rest.changes] == ["paused", "revoked"]
