# SPDX-License-Identifier: Apache-2.0
"""Journeys as far as a consent: a service asks, she chooses, grants or says no."""

from __future__ import annotations

from functools import reduce
from typing import Literal, TypeAlias

from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule

from tests.builders import (
    ADDRESS_NAMES,
    CODE,
    ORGANISATION,
    SALT,
    VERIFIER,
    a_purpose,
    evidence_type_published,
    some_bounds,
)
from tests.unit.domain.journey_engine import (
    NAMES,
    PURPOSES,
    indexes,
    kinds,
    must,
    often,
    some_of_each,
    time_at,
)
from tests.unit.domain.journey_evidence import Providing
from tests.unit.domain.journey_model import (
    DAY,
    LONGEST_DAYS,
    SECOND,
    Asked,
    Chosen,
    Every,
    Permission,
)
from vault.domain import choice as her_choice
from vault.domain import consent, registry, request, vault
from vault.domain.canonical import digest
from vault.domain.choice import Choice, ItemChoice, Shown
from vault.domain.events import Draft, Event
from vault.domain.request import Question, RequestState
from vault.domain.values import AskedTerms, Frequency, RequestedFields, TypeFields

MOST_REQUESTS = 8
Limits: TypeAlias = tuple[int, Every, int]
"""For how many days, how often, how many days old."""
Reach: TypeAlias = Literal["link", "short code", "known"]
"""How a request gets to her."""

services = st.sampled_from(sorted(PURPOSES))
ages = st.sampled_from([0, 2])
frequencies: st.SearchStrategy[Every] = st.sampled_from([None, (1, DAY), (2, DAY), (2, DAY // 2)])
limits = st.tuples(st.sampled_from([8, LONGEST_DAYS]), frequencies, ages)
too_often: st.SearchStrategy[Every] = st.sampled_from([(3, DAY // 2), (9, DAY)])
any_limits = st.tuples(
    st.sampled_from([1, LONGEST_DAYS, LONGEST_DAYS + 1]), frequencies | too_often, ages
)
reaches: st.SearchStrategy[Reach] = st.sampled_from(["link", "short code", "known"])


class Asking(Providing):
    """What comes before a consent."""

    # --- Beginning -------------------------------------------------------------------------------

    @initialize(limits=limits, some=some_of_each, pins=st.booleans())
    def begins(self, *, limits: Limits, some: dict[str, set[str]], pins: bool) -> None:
        """Begin with a registry, and one piece that is shared."""
        self.register(registry.register_organisation(self.registry, self.stamp, ORGANISATION))
        for kind, names in NAMES.items():
            self.register(evidence_type_published(kind, names))
        for service, code in PURPOSES.items():
            draft = registry.register_service(self.registry, self.stamp, service, ORGANISATION)
            self.register(draft)
            fields = tuple(
                TypeFields(evidence_type=kind, names=tuple(sorted(set(names) - {"payer"})))
                for kind, names in sorted(NAMES.items())
            )
            bounds = some_bounds(services=(service,), evidence=fields, longest_days=LONGEST_DAYS)
            self.register(
                registry.publish_purpose(self.registry, self.stamp, a_purpose(code), bounds)
            )
        self.append(vault.open_vault(self.stamp))
        self.provides("postal_address", frozenset(ADDRESS_NAMES), issued_days_ago=None)
        self.shares(0, min(PURPOSES), limits, some, pins=pins)

    # --- Asking ----------------------------------------------------------------------------------

    @rule(
        service=services,
        wants=st.dictionaries(
            kinds, st.tuples(some_of_each, st.booleans()), min_size=1, max_size=2
        ),
        limits=any_limits,
        reach=reaches,
        returns=often,
    )
    @precondition(lambda self: len(self.model.requests) < MOST_REQUESTS)
    def service_asks(
        self,
        *,
        service: str,
        wants: dict[str, tuple[dict[str, set[str]], bool]],
        limits: Limits,
        reach: Reach,
        returns: bool,
    ) -> None:
        """Ask for anything; perhaps it is taken back before it gets to her."""
        fields = {
            kind: self.split(frozenset(names[kind]), requires=requires)
            for kind, (names, requires) in wants.items()
        }
        asked = self.asked(service, limits, fields, starts_in=0, waits_for=DAY)
        self.asks(asked, reach, arrives=returns)

    def asked(
        self,
        service: str,
        limits: Limits,
        fields: dict[str, tuple[frozenset[str], frozenset[str]]],
        starts_in: int,
        waits_for: int = 30 * DAY,
    ) -> Asked:
        days, every, largest_age = limits
        return Asked(
            service=service,
            purpose=PURPOSES[service],
            wants=fields,
            made=self.now,
            start=self.now + starts_in,
            end=self.now + days * DAY,
            lapses=self.now + min(days * DAY, waits_for),
            every=every,
            largest_age=largest_age * DAY,
        )

    @rule(
        index=indexes,
        service=services,
        limits=limits,
        names=some_of_each,
        pins=st.booleans(),
        reads_for=st.sampled_from([1, 1, 1, DAY + 1]),
        starts_in=st.sampled_from([0, DAY, 3 * DAY, 8 * DAY]),
    )
    @precondition(lambda self: len(self.model.requests) < MOST_REQUESTS)
    def she_shares_a_piece(
        self,
        *,
        index: int,
        service: str,
        limits: Limits,
        names: dict[str, set[str]],
        pins: bool,
        reads_for: int,
        starts_in: int,
    ) -> None:
        number = self.pick(self.model.pieces, index)
        self.shares(
            number, service, limits, names, pins=pins, reads_for=reads_for, starts_in=starts_in
        )

    def shares(
        self,
        number: int,
        service: str,
        limits: Limits,
        some: dict[str, set[str]],
        *,
        pins: bool,
        reads_for: int = 1,
        starts_in: int = 0,
    ) -> None:
        """Ask for what is there; nothing is no answer; grant it. Most journeys begin with this."""
        piece = self.model.pieces[number]
        names = frozenset(some[piece.kind]) & piece.names - {"payer"}
        if not names:
            return
        fields = {piece.kind: self.split(names, requires=True)}
        asked = self.asked(service, limits, fields, starts_in)
        self.asks(asked, "link", arrives=True)
        if self.model.requests and self.model.requests[-1] is asked:
            revision = len(piece.revisions) - 1 if pins else None
            last = len(self.model.requests) - 1
            self.grants(last, [], reads_for=1)
            self.grants(last, [Chosen(number, names, revision)], reads_for=reads_for)

    def asks(self, asked: Asked, reach: Reach, *, arrives: bool) -> None:
        """Ask within or beyond the bounds; what is asked gets to her at once, or never."""
        every = asked.every
        beyond = any("payer" in must | may for must, may in asked.wants.values())
        too_often = every is not None and every[0] * (DAY // every[1]) > 4
        too_late = asked.end > asked.made + LONGEST_DAYS * DAY
        expected = self.model.barred(asked)
        if not expected and (beyond or too_late):
            expected = "PURPOSE_EXCEEDED"
        if not expected and asked.start >= asked.end:
            expected = "FIELD_INVALID"
        if not expected and too_often:
            expected = "PURPOSE_EXCEEDED"
        with self.expected(expected):
            question = self.question(asked, reach)
            made = request.make(self.registry, self.stamp, asked.service, question)
            number = len(self.model.requests)
            terms = self.take(self.link(made, None, f"request-{number}"), asked, reach)
            self.model.requests.append(asked)
            if not arrives:
                self.takes_back(number)
            with self.expected("" if arrives else "REQUEST_CANCELLED"):
                self.receives(number, terms)

    @staticmethod
    def split(names: frozenset[str], *, requires: bool) -> tuple[frozenset[str], frozenset[str]]:
        required = frozenset(sorted(names)[:1]) if requires else frozenset()
        return required, names - required

    def question(self, asked: Asked, reach: Reach) -> Question:
        every = asked.every
        return Question(
            purpose_code=asked.purpose,
            scope=tuple(
                RequestedFields(
                    evidence_type=kind,
                    required=tuple(sorted(required)),
                    optional=tuple(sorted(optional)),
                )
                for kind, (required, optional) in sorted(asked.wants.items())
            ),
            start=time_at(asked.start) if asked.start > asked.made else None,
            end=time_at(asked.end),
            frequency=Frequency(count=every[0], period_seconds=every[1] // SECOND)
            if every
            else None,
            largest_age_days=asked.largest_age // DAY,
            retention_days=1,
            expires=None if asked.lapses == asked.end else time_at(asked.lapses),
            subject=subject_of(asked) if reach == "known" else "",
            code_challenge=digest(VERIFIER.encode()) if reach == "link" else "",
        )

    def take(self, made: Event, asked: Asked, reach: Reach) -> AskedTerms:
        """Claim a request in its own stream; the service knows her when the code came back."""
        events = [made]
        code_hash = digest(CODE.encode()) if reach == "link" else ""

        def so_far() -> RequestState:
            state = reduce(request.fold, events, None)
            assert state is not None
            return state

        def happens(draft: Draft) -> None:
            events.append(self.link(draft, so_far(), made.link.stream))

        def claim() -> Draft:
            return request.claim(so_far(), self.stamp, subject_of(asked), code_hash)

        if reach != "known":
            happens(claim())
        must(so_far().subject == subject_of(asked), "somebody else was reached")
        must(so_far().is_known == (reach != "link"), "the service knows her too early or too late")
        with self.expected("REQUEST_ALREADY_CLAIMED"):
            claim()
        if reach == "link":
            happens(request.redeem(so_far(), self.stamp, asked.service, CODE, VERIFIER))
            must(so_far().is_known, "the code came back for nothing")
        return so_far().asked

    def receives(self, number: int, terms: AskedTerms) -> None:
        asked = self.model.requests[number]
        draft = request.receive(
            self.state,
            self.stamp,
            consent_request_id=f"request-{number}",
            subject=subject_of(asked),
            asked=terms,
            expires=time_at(asked.lapses),
        )
        self.append(draft)
        asked.has_arrived = True

    def takes_back(self, number: int) -> None:
        asked = self.model.requests[number]
        draft = request.cancel(
            self.state,
            self.stamp,
            consent_request_id=f"request-{number}",
            service_id=asked.service,
            subject=subject_of(asked),
        )
        self.append(draft)
        asked.answer = "cancelled"

    def request_number(self, index: int, *, waits: bool, in_time: bool = True) -> int:
        """Return a request: one that waits, if it should and one does; perhaps it lapses now."""
        numbers = list(range(len(self.model.requests)))
        waiting = [number for number in numbers if not self.model.requests[number].answer]
        among = waiting if waits and waiting else numbers
        number = among[self.pick(among, index)]
        if not in_time:
            self.now = max(self.now, self.model.requests[number].lapses)
        return number

    @rule(index=indexes, waits=often, in_time=often)
    @precondition(lambda self: self.model.requests)
    def service_takes_back(self, index: int, *, waits: bool, in_time: bool) -> None:
        number = self.request_number(index, waits=waits, in_time=in_time)
        with self.expected(self.model.requests[number].waits(self.now)):
            self.takes_back(number)

    @rule(index=indexes, waits=often, in_time=often)
    @precondition(lambda self: self.model.requests)
    def she_says_no(self, index: int, *, waits: bool, in_time: bool) -> None:
        number = self.request_number(index, waits=waits, in_time=in_time)
        asked = self.model.requests[number]
        with self.expected(self.model.of_answer(asked, self.now)):
            self.append(request.refuse(self.state, self.stamp, f"request-{number}"))
            asked.answer = "refused"

    # --- Granting --------------------------------------------------------------------------------

    @rule(
        index=indexes,
        pieces=st.lists(indexes, min_size=1, max_size=2),
        names=some_of_each,
        fits=often,
        pins=st.booleans(),
        within=st.sampled_from([(None, None), (None, -1), (None, DAY), (DAY, None), (-1, DAY)]),
        reads_for=st.sampled_from([1, 1, 3600 * SECOND, DAY, DAY + 1]),
    )
    @precondition(lambda self: any(not asked.answer for asked in self.model.requests))
    def she_grants(
        self,
        *,
        index: int,
        pieces: list[int],
        names: dict[str, set[str]],
        fits: bool,
        pins: bool,
        within: tuple[int | None, int | None],
        reads_for: int,
    ) -> None:
        """Choose; perhaps for a shorter time: from so much later until so much earlier."""
        number = self.request_number(index, waits=fits)
        asked = self.model.requests[number]
        late, early = within
        start = None if late is None else asked.start + late
        end = None if early is None else asked.end - early
        chosen = [self.choose(asked, piece, names, fits=fits, pins=pins) for piece in pieces]
        self.grants(number, chosen, start=start, end=end, reads_for=reads_for)

    def grants(
        self,
        number: int,
        chosen: list[Chosen],
        *,
        start: int | None = None,
        end: int | None = None,
        reads_for: int,
    ) -> None:
        """Look at the page of a choice for a while, and grant it."""
        asked = self.model.requests[number]
        choice = Choice(
            items=tuple(
                ItemChoice(
                    evidence_id=f"evidence-{one.piece}",
                    names=tuple(sorted(one.names)),
                    mode="following" if one.revision is None else "pinned",
                )
                for one in chosen
            ),
            start=None if start is None else time_at(start),
            end=None if end is None else time_at(end),
            language="en",
        )
        shown = Shown(time=time_at(self.now), salt=SALT)
        ids = {"consent_request_id": f"request-{number}", "consent_id": f"consent-{number}"}
        expected = self.model.of_choice(asked, chosen, start, end, self.now)
        with self.expected(expected):
            page = her_choice.terms_of(
                self.state, time_at(self.now), choice=choice, shown=shown, **ids
            )
        if expected:
            return
        shown_at, granted_end = self.now, asked.end if end is None else end
        self.now += reads_for
        with self.expected(self.model.of_grant(asked, granted_end, shown_at, self.now)):
            draft = consent.grant(
                self.state,
                self.registry,
                self.stamp,
                choice=choice,
                shown=shown,
                shown_hash=digest(her_choice.shown_bytes(*page)),
                **ids,
            )
            granted = self.now
            self.append(draft)
            asked.answer = "granted"
            self.model.permissions.append(
                Permission(
                    asked=asked,
                    granted=granted,
                    start=max(asked.start if start is None else start, shown_at),
                    end=granted_end,
                    every=asked.every,
                    items=dict(enumerate(chosen, start=1)),
                    pieces={number: one.piece for number, one in enumerate(chosen, start=1)},
                )
            )

    def choose(
        self,
        asked: Asked,
        piece: int,
        names: dict[str, set[str]],
        *,
        fits: bool,
        pins: bool,
    ) -> Chosen:
        """Choose names of a piece: those that were asked and are there, or any."""
        number = self.pick(self.model.pieces, piece)
        found = self.model.pieces[number]
        required, optional = asked.wants.get(found.kind, (frozenset(), frozenset()))
        fitting = (required | optional) & found.names
        wanted = fitting if fits and fitting else frozenset(names[found.kind])
        return Chosen(number, wanted, len(found.revisions) - 1 if pins else None)


def subject_of(asked: Asked) -> str:
    return f"subject-of-{asked.service}"
