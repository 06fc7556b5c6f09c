# SPDX-License-Identifier: Apache-2.0
"""What every consent register promises: what a service's own lists hold."""

from __future__ import annotations

from typing import Any

import pytest

from projections.consent_register import ConsentRegister
from tests import builders
from tests.builders import (
    CONSENT,
    OTHER_CONSENT,
    OTHER_REQUEST,
    OTHER_SERVICE,
    REQUEST,
    SERVICE,
    SUBJECT,
    a_consent,
    asked_terms,
    at,
    consent_extended,
    consent_granted,
    consent_narrowed,
    consent_paused,
    consent_refused,
    consent_request_cancelled,
    consent_resumed,
    consent_revoked,
    evidence_disclosed,
    recipient_reported,
    request_cancelled,
    request_claimed,
    request_made,
    some_terms,
    vault_read,
)
from tests.contracts.views import (
    Followed,
    Story,
    ViewContract,
    request_of_known,
    request_redeemed,
    told,
)
from vault.domain.consent import Report
from vault.domain.events import Draft
from vault.domain.values import Recipient


class ConsentRegisterContract(ViewContract[ConsentRegister]):
    """What a service's own lists hold."""

    projection_class = ConsentRegister

    @staticmethod
    async def all_shown(projection: ConsentRegister) -> list[Any]:
        consents = await projection.consents(SERVICE, 100)
        return [*consents, *await projection.requests(SERVICE, 100)]

    async def test_a_consent_is_shown_whole(
        self, story: Story, followed: Followed[ConsentRegister]
    ) -> None:
        story.happens(request_of_known(), stream=REQUEST)
        story.happens(*a_consent(), evidence_disclosed(time=at(10)), consent_paused(time=at(11)))
        story.happens(evidence_disclosed(time=at(12), repeats=builders.BUNDLE))
        story.happens(consent_revoked(time=at(13)))

        (row,) = await followed.catch_up().consents(SERVICE, 10)

        consent = row.consent
        assert consent.terms == some_terms()
        assert consent.items == ()
        assert (consent.subject, consent.consent_request_id) == (SUBJECT, REQUEST)
        times = (consent.granted, consent.paused, consent.revoked, consent.last_disclosure)
        assert times == (at(3), at(11), at(13), at(12))
        assert consent.disclosures == 1

    async def test_a_consent_has_what_its_service_last_told(
        self, story: Story, followed: Followed[ConsentRegister]
    ) -> None:
        story.happens(request_of_known(), stream=REQUEST)
        story.happens(*a_consent())
        (untold,) = await followed.catch_up().consents(SERVICE, 10)
        story.happens(recipient_reported())
        story.happens(recipient_reported(time=at(14), kind="outcome", status="granted"))

        (row,) = await followed.catch_up().consents(SERVICE, 10)

        assert untold.consent.report is None
        assert row.consent.report == Report(kind="outcome", status="granted", time=at(14))

    async def test_a_resumed_consent_is_not_paused_and_has_its_newest_terms(
        self, story: Story, followed: Followed[ConsentRegister]
    ) -> None:
        story.happens(request_of_known(), stream=REQUEST)
        story.happens(*a_consent(), consent_paused(), consent_narrowed(), consent_resumed())
        story.happens(consent_extended(end=at(days=29)))

        (row,) = await followed.catch_up().consents(SERVICE, 10)

        assert row.consent.paused == ""
        assert row.consent.terms.end == at(days=29)
        assert row.consent.status(at(9)) == "active"

    async def test_a_consent_by_link_is_hidden_until_the_code_is_redeemed(
        self, story: Story, followed: Followed[ConsentRegister]
    ) -> None:
        story.happens(request_made(), request_claimed(), stream=REQUEST)
        story.happens(*a_consent())

        hidden = await followed.catch_up().consents(SERVICE, 10)
        story.happens(request_redeemed(), stream=REQUEST)
        shown = await followed.catch_up().consents(SERVICE, 10)

        assert hidden == ()
        assert [row.consent.consent_request_id for row in shown] == [REQUEST]

    @pytest.mark.parametrize("answer", [consent_granted(), consent_refused()])
    async def test_a_request_by_link_looks_unopened_until_the_code_is_redeemed(
        self, story: Story, followed: Followed[ConsentRegister], answer: Draft
    ) -> None:
        story.happens(request_made(), stream=REQUEST)
        (unopened,) = await followed.catch_up().requests(SERVICE, 10)
        story.happens(request_claimed(), stream=REQUEST)
        story.happens(answer)

        (opened,) = await followed.catch_up().requests(SERVICE, 10)
        pending = await followed.projection.requests(SERVICE, 10, pending_at=at(5))
        story.happens(request_redeemed(), stream=REQUEST)
        (known,) = await followed.catch_up().requests(SERVICE, 10)

        assert opened == unopened
        assert pending == (opened,)
        assert known.request.subject == SUBJECT
        assert known.request.status(at(5)) in ("granted", "refused")
        assert await followed.projection.requests(SERVICE, 10, pending_at=at(5)) == ()

    async def test_a_request_is_shown_as_it_was_asked(
        self, story: Story, followed: Followed[ConsentRegister]
    ) -> None:
        story.happens(request_made(), stream=REQUEST)

        (row,) = await followed.catch_up().requests(SERVICE, 10)

        assert row.request.asked == asked_terms()
        assert (row.request.time, row.request.expires) == (at(), at(days=30))
        assert row.request.status(at(days=29)) == "pending"
        assert row.request.status(at(days=30)) == "expired"

    @pytest.mark.parametrize("in_her_vault", [True, False])
    async def test_a_cancelled_request_says_so(
        self, story: Story, followed: Followed[ConsentRegister], *, in_her_vault: bool
    ) -> None:
        story.happens(request_made(), stream=REQUEST)
        if in_her_vault:
            story.happens(request_claimed(), stream=REQUEST)
            story.happens(consent_request_cancelled(time=at(6)))
        else:
            story.happens(told(request_cancelled(), time=at(6)), stream=REQUEST)

        (row,) = await followed.catch_up().requests(SERVICE, 10)

        assert row.request.cancelled == at(6)
        assert row.request.subject == ""
        assert row.request.status(at(7)) == "cancelled"

    async def test_only_pending_requests_can_be_asked_for(
        self, story: Story, followed: Followed[ConsentRegister]
    ) -> None:
        ids = [f"{REQUEST[:-1]}{n}" for n in range(6)]
        story.happens(request_made(), stream=ids[0])
        story.happens(request_made(), request_cancelled(), stream=ids[1])
        story.happens(told(request_made(), expires=at(50)), stream=ids[2])
        story.happens(request_of_known(), stream=ids[3])
        story.happens(request_of_known(), stream=ids[4])
        story.happens(consent_refused(ids[3]), consent_granted(request_id=ids[4]))
        story.happens(request_of_known(), stream=ids[5])
        register = followed.catch_up()

        rows = await register.requests(SERVICE, 10, pending_at=at(50))

        assert [row.request.consent_request_id for row in rows] == [ids[5], ids[0]]
        everything = await register.requests(SERVICE, 10)
        assert [row.request.consent_request_id for row in everything] == ids[::-1]

    async def test_another_service_sees_nothing(
        self, story: Story, followed: Followed[ConsentRegister]
    ) -> None:
        other = Recipient(service=OTHER_SERVICE, organisation=builders.ORGANISATION)
        story.happens(request_of_known(), stream=REQUEST)
        asks = told(request_of_known("her"), asked=asked_terms(recipient=other))
        story.happens(asks, stream=OTHER_REQUEST)
        theirs = consent_granted(
            request_id=OTHER_REQUEST, recipient=other, consent_id=OTHER_CONSENT
        )
        story.happens(*a_consent(), theirs)
        register = followed.catch_up()

        for service, request in ((SERVICE, REQUEST), (OTHER_SERVICE, OTHER_REQUEST)):
            consents = await register.consents(service, 10)
            requests = await register.requests(service, 10)
            assert [row.consent.consent_request_id for row in consents] == [request]
            assert [row.request.consent_request_id for row in requests] == [request]

    async def test_pages_go_on_below_the_last_row(
        self, story: Story, followed: Followed[ConsentRegister]
    ) -> None:
        ids = [f"{REQUEST[:-1]}{n}" for n in range(5)]
        for number, request in enumerate(ids):
            story.happens(request_of_known(), stream=request)
            consent = f"{CONSENT[:-1]}{number}"
            story.happens(consent_granted(request_id=request, consent_id=consent))
        register = followed.catch_up()

        first = await register.consents(SERVICE, 2)
        second = await register.consents(SERVICE, 9, before=first[-1].key)
        newer = await register.requests(SERVICE, 2)
        older = await register.requests(SERVICE, 2, before=newer[-1].key)

        found = [row.consent.consent_request_id for row in (*first, *second)]
        assert found == ids[::-1]
        assert [row.request.consent_request_id for row in older] == [ids[2], ids[1]]

    async def test_what_happens_beside_it_changes_nothing(
        self, story: Story, followed: Followed[ConsentRegister]
    ) -> None:
        story.happens(request_of_known(), stream=REQUEST)
        story.happens(*a_consent())
        followed.catch_up()
        before = followed.rows()

        story.happens(vault_read(), builders.disclosure_refused(), builders.evidence_replaced())
        followed.catch_up()

        assert followed.rows() == before
        assert followed.follower.seen == story.lane.store.tree_size()
