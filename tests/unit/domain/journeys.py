# SPDX-License-Identifier: Apache-2.0
"""Journeys of one citizen and two services through the domain, each step held against a model.

The domain runs as the application runs it: a verb decides on the folded state, what it decided is
linked, stored, read back and folded. `RuleBrokenError` says where it did other than the model says.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import reduce
from typing import Any, ClassVar, TypeAlias

from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from tests.builders import (
    ADDRESS_NAMES,
    INCOME_NAMES,
    NOTICE,
    ORGANISATION,
    ORIGIN,
    OTHER_SERVICE,
    REGISTRY,
    SALT,
    SERVICE,
    VAULT,
    a_purpose,
    at,
    evidence_type_published,
    some_bounds,
)
from tests.unit.domain.journey_model import (
    DAY,
    LISTED_A_DAY,
    SECOND,
    Asked,
    Chosen,
    Model,
    Permission,
    Piece,
)
from vault.domain import choice as her_choice
from vault.domain import consent, disclosure, evidence, registry, request, state, vault
from vault.domain.canonical import digest, encode
from vault.domain.choice import Choice, ItemChoice, Shown
from vault.domain.disclosure import Attempt, EvidenceDisclosed, Plan, Selection
from vault.domain.errors import VaultError
from vault.domain.events import Draft, Event, Link, StreamState
from vault.domain.evidence import Content
from vault.domain.registry import RegistryState
from vault.domain.request import Question, RequestMade
from vault.domain.state import VaultState
from vault.domain.values import (
    NO_APPROVAL,
    NO_REGISTRY,
    Acting,
    Frequency,
    PayloadMark,
    RequestedFields,
    Stamp,
    Time,
    TypeFields,
    later,
    moment_of,
)
from vault.store.record import first_leaf, link_event, read_event

NAMES: Mapping[str, tuple[str, ...]] = {"postal_address": ADDRESS_NAMES, "income": INCOME_NAMES}
PURPOSES: Mapping[str, str] = {SERVICE: "care", OTHER_SERVICE: "loan"}
LONGEST_DAYS = 30
MOST_REQUESTS = 8
Decide: TypeAlias = Callable[..., Plan]
Limits: TypeAlias = tuple[int, tuple[int, int] | None, int]
"""For how many days, how often, how many days old."""


class RuleBrokenError(AssertionError):
    """The domain did other than the model says."""


def must(claim: bool, says: str) -> None:  # noqa: FBT001 - it reads as a sentence
    if not claim:
        raise RuleBrokenError(says)


def time_at(microseconds: int) -> Time:
    return later(at(), microseconds=microseconds)


def day_of(microseconds: int) -> int:
    return moment_of(time_at(microseconds)).toordinal()


indexes = st.integers(0, 5)
kinds = st.sampled_from(sorted(NAMES))
services = st.sampled_from(sorted(PURPOSES))
some_of_each = st.fixed_dictionaries(
    {kind: st.sets(st.sampled_from(names), min_size=1) for kind, names in NAMES.items()}
)
often = st.sampled_from([True, True, True, False])
waits = st.sampled_from([1, 2 * 3600 * SECOND, DAY // 2, DAY - 1, DAY, 2 * DAY + 1, 6 * DAY])
ages = st.sampled_from([0, 0, 2])
frequencies = st.sampled_from([None, (1, DAY), (2, DAY), (2, DAY // 2), (3, DAY // 2), (9, DAY)])
limits = st.tuples(st.sampled_from([8, LONGEST_DAYS]), frequencies, ages)


class Journeys(RuleBasedStateMachine):
    """One citizen, two services, and everything that they may do."""

    steps: ClassVar[int] = 0
    outcomes: ClassVar[Counter[str]] = Counter()
    decide: ClassVar[Decide] = staticmethod(disclosure.plan)

    def __init__(self) -> None:
        super().__init__()
        self.now = 0
        self.model = Model()
        self.events: list[Event] = []
        self.state: VaultState | None = None
        self.registered: list[Event] = []
        self.registry = RegistryState(stream=REGISTRY)
        self.firsts: list[tuple[Event, int, Attempt, dict[int, frozenset[str]]]] = []

    # --- How the application runs the domain -----------------------------------------------------

    @property
    def stamp(self) -> Stamp:
        return Stamp(time=time_at(self.now), salt=SALT)

    def link(self, draft: Draft, before: StreamState | None, stream: str) -> Event:
        mark = PayloadMark(kind="texts", hash=NOTICE, key_id="", commitment="")
        link = Link(
            origin=ORIGIN,
            stream=stream,
            version=before.version + 1 if before else 1,
            previous_leaf=before.last_leaf
            if before and before.version
            else first_leaf(ORIGIN, stream),
            request_key="",
            acting=Acting(actor="", capacity="self", mandate="", channel="api"),
            approval=NO_APPROVAL,
            items=draft.items,
            registry=NO_REGISTRY,
            payloads=(mark,),
            salt=SALT,
        )
        event = link_event(link, draft.facts)
        stored = encode(link) + b"\n" + encode(draft.facts)
        must(read_event(stored) == event, "what was stored reads back otherwise")
        self.now += 1
        return event

    def append(self, draft: Draft) -> Event:
        event = self.link(draft, self.state, VAULT)
        is_later = self.state is None or event.facts.time > self.state.last_time
        must(is_later, "two events have one time, or time went back")
        self.events.append(event)
        self.state = state.fold(self.state, event)
        return event

    def register(self, draft: Draft) -> None:
        event = self.link(draft, self.registry, REGISTRY)
        self.registered.append(event)
        self.registry = registry.fold(self.registry, event)

    @contextmanager
    def expected(self, reason: str) -> Iterator[None]:
        """Hold what the domain does against what the model says."""
        told = ""
        try:
            yield
        except VaultError as error:
            told = error.reason
        self.outcomes[told] += 1
        must(told == reason, f"told {told or 'yes'} instead of {reason or 'yes'}")

    @staticmethod
    def pick(things: list[Any], index: int) -> int:
        return index % len(things)

    # --- Beginning and time ----------------------------------------------------------------------

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
        self.shares(0, SERVICE, limits, some, pins=pins)

    @rule(wait=waits)
    def time_passes(self, wait: int) -> None:
        self.now += wait

    # --- Evidence --------------------------------------------------------------------------------

    def provides(self, kind: str, names: frozenset[str], issued_days_ago: int | None) -> None:
        content, since = self.content(names, issued_days_ago)
        draft = evidence.provide(
            self.state, self.stamp, f"evidence-{len(self.model.pieces)}", kind, content
        )
        self.append(draft)
        self.model.pieces.append(Piece(kind, [(names, since)]))

    def content(self, names: frozenset[str], issued_days_ago: int | None) -> tuple[Content, int]:
        since, date = self.now, ""
        if issued_days_ago is not None:
            date = time_at(self.now - issued_days_ago * DAY)[:10]
            midnight = moment_of(f"{date}T00:00:00.000000Z")
            since = round((midnight - moment_of(at())).total_seconds()) * SECOND
        content = Content(
            schema_version=1, names=tuple(names), issued_date=date, source="self-declared"
        )
        return content, since

    @rule(kind=kinds, names=some_of_each, issued=st.sampled_from([None, 0, 3]))
    @precondition(lambda self: len(self.model.pieces) < 5)
    def she_provides(self, kind: str, names: dict[str, set[str]], issued: int | None) -> None:
        self.provides(kind, frozenset(names[kind]), issued)

    @rule(index=indexes, names=some_of_each, issued=st.sampled_from([None, 0, 3]))
    def she_replaces(self, index: int, names: dict[str, set[str]], issued: int | None) -> None:
        number = self.pick(self.model.pieces, index)
        self.replaces(number, frozenset(names[self.model.pieces[number].kind]), issued)

    def replaces(self, number: int, names: frozenset[str], issued_days_ago: int | None) -> None:
        content, since = self.content(names, issued_days_ago)
        self.append(
            evidence.replace_by(self.state, self.stamp, f"evidence-{number}", content, names)
        )
        self.model.pieces[number].revisions.append((names, since))

    # --- Asking and granting ---------------------------------------------------------------------

    @rule(
        service=services,
        wants=st.dictionaries(
            kinds, st.tuples(some_of_each, st.booleans()), min_size=1, max_size=2
        ),
        limits=limits,
        days=st.sampled_from([1, LONGEST_DAYS, LONGEST_DAYS + 1]),
    )
    @precondition(lambda self: len(self.model.requests) < MOST_REQUESTS)
    def service_asks(
        self,
        *,
        service: str,
        wants: dict[str, tuple[dict[str, set[str]], bool]],
        limits: Limits,
        days: int,
    ) -> None:
        fields = {
            kind: self.split(frozenset(names[kind]), requires=requires)
            for kind, (names, requires) in wants.items()
        }
        self.asks(self.asked(service, (days, *limits[1:]), fields))

    def asked(
        self, service: str, limits: Limits, fields: dict[str, tuple[frozenset[str], frozenset[str]]]
    ) -> Asked:
        days, every, largest_age = limits
        return Asked(
            service=service,
            purpose=PURPOSES[service],
            wants=fields,
            made=self.now,
            end=self.now + days * DAY,
            lapses=self.now + min(days, 30) * DAY,
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
    ) -> None:
        number = self.pick(self.model.pieces, index)
        self.shares(number, service, limits, names, pins=pins, reads_for=reads_for)

    def shares(
        self,
        number: int,
        service: str,
        limits: Limits,
        some: dict[str, set[str]],
        *,
        pins: bool,
        reads_for: int = 1,
    ) -> None:
        """Ask for what is there and grant it: what most journeys begin with."""
        piece = self.model.pieces[number]
        names = frozenset(some[piece.kind]) & piece.names - {"payer"}
        if not names:
            return
        asked = self.asked(service, limits, {piece.kind: self.split(names, requires=True)})
        self.asks(asked)
        if self.model.requests and self.model.requests[-1] is asked:
            revision = len(piece.revisions) - 1 if pins else None
            last = len(self.model.requests) - 1
            self.grants(last, [Chosen(number, names, revision)], end=None, reads_for=reads_for)

    def asks(self, asked: Asked) -> None:
        """Ask within or beyond the bounds; what is asked is claimed into her vault at once."""
        every = asked.every
        beyond = any("payer" in must | may for must, may in asked.wants.values())
        too_often = every is not None and every[0] * (DAY // every[1]) > 4
        too_much = beyond or too_often or asked.end > asked.made + LONGEST_DAYS * DAY
        expected = self.model.barred(asked) or ("PURPOSE_EXCEEDED" if too_much else "")
        with self.expected(expected):
            question = self.question(asked)
            self.take(request.make(self.registry, self.stamp, asked.service, question))
            self.model.requests.append(asked)

    @staticmethod
    def split(names: frozenset[str], *, requires: bool) -> tuple[frozenset[str], frozenset[str]]:
        required = frozenset(sorted(names)[:1]) if requires else frozenset()
        return required, names - required

    def question(self, asked: Asked) -> Question:
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
            end=time_at(asked.end),
            frequency=Frequency(count=every[0], period_seconds=every[1] // SECOND)
            if every
            else None,
            largest_age_days=asked.largest_age // DAY,
            retention_days=1,
            expires=None,
            code_challenge=NOTICE,
        )

    def take(self, made: Draft) -> None:
        """Claim a request into her vault at once."""
        stream = f"request-{len(self.model.requests)}"
        event = self.link(made, None, stream)
        asked = request.fold(None, event)
        must(asked is not None and isinstance(event.facts, RequestMade), "no request was made")
        if asked is None:
            return
        subject = f"subject-of-{asked.asked.recipient.service}"
        request.claim(asked, self.stamp, subject, NOTICE)
        self.append(
            request.receive(
                self.state,
                self.stamp,
                consent_request_id=stream,
                subject=subject,
                asked=asked.asked,
                expires=asked.expires,
            )
        )

    @rule(
        index=indexes,
        pieces=st.lists(indexes, min_size=1, max_size=2),
        names=some_of_each,
        fits=often,
        pins=st.booleans(),
        ends_early=st.sampled_from([None, None, -1, DAY]),
        reads_for=st.sampled_from([1, 1, 3600 * SECOND, DAY, DAY + 1]),
    )
    @precondition(lambda self: self.model.requests)
    def she_grants(
        self,
        *,
        index: int,
        pieces: list[int],
        names: dict[str, set[str]],
        fits: bool,
        pins: bool,
        ends_early: int | None,
        reads_for: int,
    ) -> None:
        number = self.pick(self.model.requests, index)
        asked = self.model.requests[number]
        end = None if ends_early is None else asked.end - ends_early
        chosen = [self.choose(asked, piece, names, fits=fits, pins=pins) for piece in pieces]
        self.grants(number, chosen, end, reads_for)

    def grants(self, number: int, chosen: list[Chosen], end: int | None, reads_for: int) -> None:
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
            end=None if end is None else time_at(end),
            language="en",
        )
        shown = Shown(time=time_at(self.now), salt=SALT)
        ids = {"consent_request_id": f"request-{number}", "consent_id": f"consent-{number}"}
        expected = self.model.of_choice(asked, chosen, end, self.now)
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
            self.append(draft)
            asked.is_granted = True
            self.model.permissions.append(Permission(asked, shown_at, granted_end, chosen))

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

    @rule(index=indexes)
    @precondition(lambda self: self.model.permissions)
    def she_stops(self, index: int) -> None:
        permission = self.permission(index)
        with self.expected(self.model.of_stop(permission, self.now)):
            self.append(consent.revoke(self.state, self.stamp, self.consent_id(permission)))
            permission.is_stopped = True

    # --- Fetching --------------------------------------------------------------------------------

    def permission(self, index: int) -> Permission:
        return self.model.permissions[self.pick(self.model.permissions, index)]

    def consent_id(self, permission: Permission) -> str:
        number = next(n for n, a in enumerate(self.model.requests) if a is permission.asked)
        return f"consent-{number}"

    def attempt(
        self, permission: Permission, service: str, purpose: str, wanted: dict[int, frozenset[str]]
    ) -> Attempt:
        return Attempt(
            service=service,
            subject=f"subject-of-{service}",
            consent_id=self.consent_id(permission),
            purpose_code=purpose,
            selections=tuple(
                Selection(
                    item=number + 1,
                    evidence_type=self.model.pieces[permission.items[number].piece].kind,
                    names=tuple(sorted(names)),
                )
                for number, names in wanted.items()
            ),
        )

    @rule(
        index=indexes,
        service=st.sampled_from([None, None, None, SERVICE, OTHER_SERVICE]),
        purpose=st.sampled_from([None, None, None, "care", "loan"]),
        names=some_of_each,
        fits=often,
        both=st.booleans(),
        wait=st.sampled_from([1, 1, 1, 1, DAY // 2]),
    )
    @precondition(lambda self: self.model.permissions)
    def service_fetches(
        self,
        *,
        index: int,
        service: str | None,
        purpose: str | None,
        names: dict[str, set[str]],
        fits: bool,
        both: bool,
        wait: int,
    ) -> None:
        self.now += wait
        permission = self.permission(index)
        service = service or permission.asked.service
        purpose = purpose or permission.asked.purpose
        wanted = {
            number: item.names if fits else frozenset(names[self.model.pieces[item.piece].kind])
            for number, item in enumerate(permission.items[: 2 if both else 1])
        }
        attempt = self.attempt(permission, service, purpose, wanted)
        is_own = service == permission.asked.service
        expected = (
            self.model.of_first_fetch(permission, purpose, wanted, self.now)
            if is_own
            else "NOT_FOUND"
        )
        with self.expected(expected):
            plan = type(self).decide(self.state, self.registry, self.stamp.time, attempt)
            event = self.release(permission, plan, wanted)
            permission.uses.append(self.now - 1)
            self.firsts.append((event, self.model.permissions.index(permission), attempt, wanted))
        if is_own and expected:
            self.refuse(permission, attempt, expected)

    @rule(index=indexes, moves=st.booleans())
    @precondition(lambda self: self.firsts)
    def service_fetches_again(self, *, index: int, moves: bool) -> None:
        """Fetch what left before; perhaps she replaces it just now."""
        event, number, attempt, wanted = self.firsts[self.pick(self.firsts, index)]
        if moves:
            piece = self.model.permissions[number].items[min(wanted)].piece
            self.replaces(piece, self.model.pieces[piece].names, None)
        permission = self.model.permissions[number]
        expected = self.model.of_fetch(permission, attempt.purpose_code, wanted, self.now)
        if not expected:
            left = [item.revision - 1 for item in event.link.items]
            now = [
                len(self.model.pieces[item.piece].revisions) - 1
                if item.revision is None
                else item.revision
                for item in (permission.items[number] for number in sorted(wanted))
            ]
            is_too_old = self.model.is_too_old(permission, wanted, self.now)
            expected = "EVIDENCE_CHANGED" if left != now else "EVIDENCE_TOO_OLD" * is_too_old
        with self.expected(expected):
            plan = type(self).decide(
                self.state, self.registry, self.stamp.time, attempt, first=event
            )
            self.release(permission, plan, wanted, repeats=event.leaf)
        if expected:
            self.refuse(permission, attempt, expected)

    def release(
        self,
        permission: Permission,
        plan: Plan,
        wanted: dict[int, frozenset[str]],
        repeats: str = "",
    ) -> Event:
        """Record what leaves, and judge it by the record alone."""
        at_time = self.now
        event = self.append(disclosure.disclose(self.stamp, plan, NOTICE, repeats))
        facts = event.facts
        must(isinstance(facts, EvidenceDisclosed), "what left was not recorded")
        if isinstance(facts, EvidenceDisclosed):
            for fields in facts.fields:
                granted = permission.items[fields.item - 1].names
                must(granted.issuperset(fields.names), "more was released than granted")
            asked_for = {number + 1: tuple(sorted(names)) for number, names in wanted.items()}
            released = {fields.item: fields.names for fields in facts.fields}
            must(released == asked_for, "something else was released than asked for")
        must(not permission.is_stopped, "something was released after she stopped it")
        must(permission.start <= at_time < permission.end, "something was released too late")
        return event

    def refuse(self, permission: Permission, attempt: Attempt, reason: str) -> None:
        draft = disclosure.refuse(self.state, self.stamp, attempt, reason)
        listed = permission.refusals[reason, day_of(self.now)]
        must((draft is None) == (listed >= LISTED_A_DAY), "too few or too many refusals are listed")
        if draft is not None:
            permission.refusals[reason, day_of(self.now)] += 1
            self.append(draft)

    # --- The registry ----------------------------------------------------------------------------

    @rule(service=services, act=st.sampled_from(["suspends", "reinstates", "reinstates"]))
    def operator_acts(self, service: str, act: str) -> None:
        is_suspended = service in self.model.suspended
        fits = is_suspended is (act == "reinstates")
        with self.expected("" if fits else "REGISTRY_CONFLICT"):
            if act == "suspends":
                self.register(registry.suspend_service(self.registry, self.stamp, service))
                self.model.suspended.add(service)
            else:
                self.register(registry.reinstate_service(self.registry, self.stamp, service))
                self.model.suspended.discard(service)

    @rule(code=st.sampled_from(["loan", "loan", "care"]))
    @precondition(lambda self: len(self.events) > 15)
    def operator_withdraws(self, code: str) -> None:
        is_withdrawn = code in self.model.withdrawn
        with self.expected("REGISTRY_CONFLICT" if is_withdrawn else ""):
            self.register(registry.withdraw_purpose(self.registry, self.stamp, code))
            self.model.withdrawn.add(code)

    # --- What holds after every step -------------------------------------------------------------

    @invariant()
    def the_history_is_whole(self) -> None:
        if self.state is not None:
            type(self).steps += 1
            must(self.state.version == len(self.events), "a version is missing")
            must(self.state.broken_at == 0, "an honest history is called broken")

    def teardown(self) -> None:
        stored = [encode(event.link) + b"\n" + encode(event.facts) for event in self.events]
        replayed = reduce(state.fold, map(read_event, stored), None)
        must(replayed == self.state, "a replay comes to another state")
