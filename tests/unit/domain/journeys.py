# SPDX-License-Identifier: Apache-2.0
"""Journeys of one citizen and two services through the domain, each step held against a model."""

from __future__ import annotations

from typing import Literal, TypeAlias

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from tests.builders import NOTICE, OTHER_SERVICE, SALT, SERVICE
from tests.unit.domain.journey_asking import Asking, services
from tests.unit.domain.journey_engine import (
    day_of,
    indexes,
    must,
    often,
    some_of_each,
    time_at,
)
from tests.unit.domain.journey_model import DAY, LISTED_A_DAY, SECOND, Permission
from vault.domain import amendment, consent, disclosure, registry, vault
from vault.domain import sign_in as sign_ins
from vault.domain.amendment import Narrowing, Remaining
from vault.domain.canonical import digest
from vault.domain.choice import Shown, shown_bytes
from vault.domain.disclosure import Attempt, EvidenceDisclosed, Plan, Selection
from vault.domain.events import Event
from vault.domain.values import Acting, Time

MOST_CODES = 2
When: TypeAlias = Literal["now", "soon", "later", "start", "end"]

moments: st.SearchStrategy[When] = st.sampled_from(
    ["now", "now", "now", "soon", "later", "start", "end"]
)


class Journeys(Asking):
    """One citizen, two services, and everything that they may do."""

    def __init__(self) -> None:
        super().__init__()
        self.firsts: list[tuple[Event, int, Attempt, dict[int, frozenset[str]]]] = []

    # --- Changing a consent ----------------------------------------------------------------------

    @rule(index=indexes)
    @precondition(lambda self: len(self.events) > 8 and self.model.permissions)
    def she_stops(self, index: int) -> None:
        permission = self.permission(index)
        with self.expected(permission.has_ended(self.now)):
            self.append(consent.revoke(self.state, self.stamp, self.consent_id(permission)))
            permission.is_stopped = True

    @rule(index=indexes, pauses=st.booleans())
    @precondition(lambda self: self.model.permissions)
    def she_pauses_or_resumes(self, *, index: int, pauses: bool) -> None:
        permission = self.permission(index)
        consent_id = self.consent_id(permission)
        if pauses:
            with self.expected(self.model.of_pause(permission, self.now)):
                self.append(consent.pause(self.state, self.stamp, consent_id))
                permission.is_paused = True
        else:
            with self.expected(self.model.of_resume(permission, self.now)):
                self.append(consent.resume(self.state, self.registry, self.stamp, consent_id))
                permission.is_paused = False

    @rule(
        index=indexes,
        names=st.none() | some_of_each,
        fits=often,
        earlier=st.sampled_from([None, None, 0, 1, DAY, 7 * DAY, -1]),
        less=st.sampled_from([0, 0, 1, 2]),
    )
    @precondition(lambda self: self.model.permissions)
    def she_narrows(
        self,
        *,
        index: int,
        names: dict[str, set[str]] | None,
        fits: bool,
        earlier: int | None,
        less: int,
    ) -> None:
        """Keep some fields, or all; end so much earlier; allow it so often.

        The service tries at once what it could have before.
        """
        permission = self.permission(index)
        granted = {number: item.names for number, item in permission.items.items()}
        left: dict[int, frozenset[str]] = {}
        for number, item in permission.items.items() if names else ():
            wanted = frozenset((names or {})[self.model.pieces[item.piece].kind])
            kept = wanted & item.names if fits else wanted
            if kept:
                left[number] = kept
        end = None if earlier is None else permission.end - earlier
        expected = self.model.of_narrow(permission, left, end, less, self.now)
        narrowing = Narrowing(
            items=tuple(Remaining(item=number, names=tuple(kept)) for number, kept in left.items())
            or None,
            end=None if end is None else time_at(end),
            frequency_count=less,
        )
        with self.expected(expected):
            self.append(
                amendment.narrow(self.state, self.stamp, self.consent_id(permission), narrowing)
            )
            for number in list(permission.items) if left else ():
                item = permission.items.pop(number)
                if number in left:
                    item.names = left[number]
                    permission.items[number] = item
            permission.end = permission.end if end is None else end
            if permission.every and less:
                permission.every = (less, permission.every[1])
        if not expected:
            self.fetches(permission, permission.asked.service, permission.asked.purpose, granted)

    @rule(
        index=indexes,
        longer=st.sampled_from([1, DAY, 7 * DAY, 31 * DAY, 0]),
        reads_for=st.sampled_from([0, 0, DAY, DAY + 1]),
        herself=often,
    )
    @precondition(lambda self: self.model.permissions)
    def she_extends(self, *, index: int, longer: int, reads_for: int, herself: bool) -> None:
        """Look at the page of a later end for a while, and decide; or somebody else does."""
        permission = self.permission(index)
        found = self.state and self.state.consents[self.consent_id(permission)]
        if not found:
            return
        end = permission.end + longer
        shown = Shown(time=time_at(self.now), salt=SALT)
        page = shown_bytes(amendment.extended_terms(found, time_at(end), shown), found.items)
        self.now += reads_for
        expected = self.model.of_extend(permission, end, self.now, herself=herself)
        if not expected and reads_for > DAY:
            expected = "SHOWN_DIFFERS"
        with self.expected(expected):
            draft = amendment.extend(
                self.state,
                self.registry,
                self.stamp,
                consent_id=self.consent_id(permission),
                end=time_at(end),
                shown=shown,
                shown_hash=digest(page),
                capacity="self" if herself else "official",
            )
            self.append(draft)
            permission.end = end

    # --- Fetching --------------------------------------------------------------------------------

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
                    item=number,
                    evidence_type=self.model.pieces[permission.pieces[number]].kind,
                    names=tuple(sorted(names)),
                )
                for number, names in wanted.items()
            ),
        )

    @rule(
        index=indexes,
        both=st.booleans(),
        when=moments,
        times=st.sampled_from([1, 2, 1, 4]),
        retries=st.lists(st.booleans(), max_size=2),
    )
    @precondition(lambda self: self.model.permissions)
    def service_fetches_what_is_granted(
        self, *, index: int, both: bool, when: When, times: int, retries: list[bool]
    ) -> None:
        """Fetch now or later, perhaps at the very instant when it starts or ends, and again."""
        permission = self.permission(index)
        match when:
            case "soon":
                self.now += 7 * 3600 * SECOND
            case "later":
                self.now += 3 * DAY
            case "start":
                self.now = max(self.now, permission.start)
            case "end":
                self.now = max(self.now, permission.end)
        for _ in range(times):
            self.fetches_all(permission, 2 if both else 1)
        for moves in retries if self.firsts else ():
            self.fetches_again(*self.firsts[-1], moves=moves)

    def fetches_all(self, permission: Permission, count: int = 2) -> None:
        """Fetch all that is granted of so many items."""
        numbers = sorted(permission.items)[:count]
        wanted = {number: permission.items[number].names for number in numbers}
        self.fetches(permission, permission.asked.service, permission.asked.purpose, wanted)

    @rule(
        index=indexes,
        service=st.sampled_from([None, None, None, SERVICE, OTHER_SERVICE]),
        purpose=st.sampled_from([None, None, None, "care", "loan"]),
        names=some_of_each,
        both=st.booleans(),
    )
    @precondition(lambda self: self.model.permissions)
    def service_fetches_anything(
        self,
        *,
        index: int,
        service: str | None,
        purpose: str | None,
        names: dict[str, set[str]],
        both: bool,
    ) -> None:
        """Fetch fields that may be granted or not, of items that may be taken back by now."""
        permission = self.permission(index)
        wanted = {
            number: frozenset(names[self.model.pieces[permission.pieces[number]].kind])
            for number in sorted(permission.pieces)[: 2 if both else 1]
        }
        self.fetches(
            permission,
            service or permission.asked.service,
            purpose or permission.asked.purpose,
            wanted,
        )

    def fetches(
        self, permission: Permission, service: str, purpose: str, wanted: dict[int, frozenset[str]]
    ) -> None:
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

    @rule(index=indexes, moves=st.lists(st.booleans(), min_size=1, max_size=3))
    @precondition(lambda self: self.firsts)
    def service_fetches_again(self, *, index: int, moves: list[bool]) -> None:
        """Fetch what left before, again and again; perhaps she replaces it just now."""
        first = self.firsts[-1 - self.pick(self.firsts, index)]
        for each in moves:
            self.fetches_again(*first, moves=each)

    def fetches_again(
        self,
        event: Event,
        number: int,
        attempt: Attempt,
        wanted: dict[int, frozenset[str]],
        *,
        moves: bool,
    ) -> None:
        permission = self.model.permissions[number]
        if moves:
            piece = permission.pieces[min(wanted)]
            names = self.model.pieces[piece].names
            self.replaces(piece, names, None, names)
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
            repeat = self.release(permission, plan, wanted, repeats=event.leaf)
            self.repeated[repeat.link.version] = event
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
                item = permission.items.get(fields.item)
                is_granted = item is not None and item.names.issuperset(fields.names)
                must(is_granted, "more was released than granted")
            asked_for = {number: tuple(sorted(names)) for number, names in wanted.items()}
            released = {fields.item: fields.names for fields in facts.fields}
            must(released == asked_for, "something else was released than asked for")
        must(not permission.is_stopped, "something was released after she stopped it")
        must(not permission.is_paused, "something was released while it was paused")
        must(permission.start <= at_time < permission.end, "it was released too early or too late")
        return event

    def refuse(self, permission: Permission, attempt: Attempt, reason: str) -> None:
        draft = disclosure.refuse(self.state, self.stamp, attempt, reason)
        listed = permission.refusals[reason, day_of(self.now)]
        must((draft is None) == (listed >= LISTED_A_DAY), "too few or too many refusals are listed")
        if draft is not None:
            permission.refusals[reason, day_of(self.now)] += 1
            self.append(draft)

    # --- Who may act for her ---------------------------------------------------------------------

    @rule()
    @precondition(lambda self: len(self.model.codes) < MOST_CODES)
    def she_makes_a_code(self) -> None:
        sign_in = f"code-{len(self.model.codes)}"
        self.append(sign_ins.hand_out(self.stamp, sign_in))
        self.model.codes.append(True)

    @rule(index=indexes)
    @precondition(lambda self: self.model.codes)
    def she_closes_a_code(self, index: int) -> None:
        number = self.pick(self.model.codes, index)
        with self.expected("" if self.model.codes[number] else "NOT_FOUND"):
            acting = Acting(actor="", capacity="self", mandate="", channel="web")
            self.append(sign_ins.unlink(self.state, self.stamp, acting, f"code-{number}"))
            self.model.codes[number] = False

    @rule(number=st.integers(0, MOST_CODES))
    @precondition(lambda self: self.model.codes)
    def an_official_comes(self, number: int) -> None:
        is_open = number < len(self.model.codes) and self.model.codes[number]
        acting = Acting(actor="", capacity="official", mandate=f"code-{number}", channel="phone")
        with self.expected("" if is_open else "NOT_FOUND"):
            sign_ins.must_be_admitted(vault.must_be_open(self.state), acting, Time(""))

    # --- The registry ----------------------------------------------------------------------------

    @rule(service=services, fits=often)
    @precondition(lambda self: len(self.events) > 8)
    def operator_acts(self, service: str, *, fits: bool) -> None:
        """Suspend a service or let it go on, whichever fits, or does not; then it tries."""
        suspends = (service not in self.model.suspended) is fits
        with self.expected("" if fits else "REGISTRY_CONFLICT"):
            if suspends:
                self.register(registry.suspend_service(self.registry, self.stamp, service))
                self.model.suspended.add(service)
            else:
                self.register(registry.reinstate_service(self.registry, self.stamp, service))
                self.model.suspended.discard(service)
        for permission in self.model.permissions[-1:]:
            self.fetches_all(permission)

    @rule(code=st.sampled_from(["loan", "loan", "care"]))
    @precondition(lambda self: len(self.events) > 15)
    def operator_withdraws(self, code: str) -> None:
        is_withdrawn = code in self.model.withdrawn
        with self.expected("REGISTRY_CONFLICT" if is_withdrawn else ""):
            self.register(registry.withdraw_purpose(self.registry, self.stamp, code))
            self.model.withdrawn.add(code)
