# SPDX-License-Identifier: Apache-2.0
"""Two independent readings of one rule: the domain decides beforehand, the auditor judges after.

Every history that the domain makes is found in order, and both say the same of it after each
record; and what is recorded whatever the domain says is found allowed exactly if the domain would
have allowed it.
"""

from collections.abc import Callable
from dataclasses import asdict
from typing import Any, get_args

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from clients.auditor.canonical import encode as our_encode
from clients.auditor.facts import VAULT_FACTS
from clients.auditor.history import Vault
from clients.auditor.record import read_record
from tests.unit.auditor.stories import (
    ADDRESS_NAMES,
    BEGINNING,
    CARE,
    COUNCIL,
    HERSELF,
    INCOME_NAMES,
    SALT,
    WAY,
    Story,
    as_official,
    asked_terms,
    asks,
    chooses,
    wants,
)
from vault.domain import consent, disclosure, dispute, registry, request
from vault.domain import sign_in as sign_ins
from vault.domain.amendment import Remaining
from vault.domain.canonical import encode
from vault.domain.consent import ReportStatus
from vault.domain.disclosure import EvidenceDisclosed, Opening, Plan
from vault.domain.dispute import DisputeResolved, EvidenceDisputed
from vault.domain.errors import StateError, VaultError
from vault.domain.events import Draft, Facts
from vault.domain.state import VaultState, fold
from vault.domain.values import Acting, Frequency, Item, Mode, Time, later

NAMES = {"postal_address": ADDRESS_NAMES, "income": INCOME_NAMES}
CODES = {COUNCIL: "care-plan", CARE: "home-care"}

kinds = st.sampled_from(sorted(NAMES))
services = st.sampled_from([COUNCIL, CARE])
numbers = st.integers(0, 3)
some_names = st.sets(st.sampled_from([*ADDRESS_NAMES, *INCOME_NAMES]), min_size=1, max_size=3)
dates = st.sampled_from(["", "2026-02-25", "2026-03-02"])
frequencies = st.sampled_from([None, Frequency(count=2, period_seconds=43_200)])


def _nth(mapping: dict[str, Any], number: int) -> str:
    return list(mapping)[number % len(mapping)] if mapping else "none"


def provide(kind: str, date: str) -> Callable[[Story], object]:
    return lambda story: story.provide(f"evidence-{story.positions}", kind, NAMES[kind], date)


def replace(number: int, names: set[str]) -> Callable[[Story], object]:
    def act(story: Story) -> object:
        evidence_id = _nth(story.state.evidence, number)
        kind = story.state.evidence[evidence_id].evidence_type if story.state.evidence else "income"
        kept = tuple(sorted(names & set(NAMES[kind]))) or NAMES[kind]
        return story.replace(evidence_id, kept)

    return act


def share(
    service: str,
    number: int,
    names: set[str],
    *,
    frequency: Frequency | None = None,
    age: int = 0,
    mode: Mode = "following",
) -> Callable[[Story], object]:
    """Ask for what is there and grant it."""

    def act(story: Story) -> object:
        evidence_id = _nth(story.state.evidence, number)
        kind = story.state.evidence[evidence_id].evidence_type if story.state.evidence else "income"
        chosen = sorted(names & set(NAMES[kind])) or [NAMES[kind][0]]
        asked = asked_terms(
            service,
            CODES[service],
            asks(kind, tuple(chosen[:1]), tuple(n for n in NAMES[kind] if n not in chosen[:1])),
            frequency=frequency,
            largest_age_days=age,
        )
        request = f"request-{story.positions}"
        story.ask(request, asked)
        return story.grant(
            request, f"consent-{story.positions}", chooses(evidence_id, *chosen, mode=mode)
        )

    return act


def fetch(number: int, names: set[str]) -> Callable[[Story], object]:
    """Fetch some fields, or all that were granted; a refusal is recorded."""

    def act(story: Story) -> object:
        consent_id = _nth(story.state.consents, number)
        if consent_id == "none":
            return None
        granted = story.state.consents[consent_id].terms.scope[0]
        kind = granted.evidence_type
        selection = wants(kind, *sorted(names & set(NAMES[kind]) or granted.names))
        try:
            return story.disclose(consent_id, selection)
        except StateError as refused:
            return story.refuse(consent_id, refused.reason, selection)

    return act


def again(number: int) -> Callable[[Story], object]:
    """Repeat an earlier fetch."""

    def act(story: Story) -> object:
        firsts = [
            placed
            for placed in story.vault
            if isinstance(placed.event.facts, EvidenceDisclosed) and not placed.event.facts.repeats
        ]
        if not firsts:
            return None
        first = firsts[number % len(firsts)]
        facts = first.event.facts
        assert isinstance(facts, EvidenceDisclosed)
        granted = story.state.consents[facts.consent_id].terms.scope[0]
        selection = wants(granted.evidence_type, *facts.fields[0].names)
        return story.disclose(facts.consent_id, selection, repeats=first)

    return act


def ask(service: str, number: int, days: int) -> Callable[[Story], object]:
    """Ask again, as another request or as one that was there or taken back."""
    asked = asked_terms(
        service,
        CODES[service],
        asks("income", ("amount",), ("period",)),
        start=later(BEGINNING, days=days),
    )
    return lambda story: story.ask(f"{CODES[service]}-{number}", asked)


def answer(number: int, *, is_yes: bool, days: int) -> Callable[[Story], object]:
    """Say no to a request that waits, or yes with a later start."""

    def act(story: Story) -> object:
        requests = story.state.requests
        name = _nth(
            {n: r for n, r in requests.items() if r.status(story.time) == "pending"}, number
        )
        if not is_yes:
            return story.refuse_request(name)
        pieces = story.state.evidence
        income = _nth({i: p for i, p in pieces.items() if p.evidence_type == "income"}, number)
        start = later(story.time, days=days) if days else None
        return story.grant(
            name, f"consent-{story.positions}", chooses(income, "amount"), start=start
        )

    return act


def take_back(service: str, number: int) -> Callable[[Story], object]:
    return lambda story: story.take_back(f"{CODES[service]}-{number}", service)


def narrow(number: int, names: set[str], days: int, count: int) -> Callable[[Story], object]:
    """Keep some fields, or all; end earlier, or not."""

    def act(story: Story) -> object:
        consent_id = _nth(story.state.consents, number)
        remaining = [
            Remaining(item=granted.item, names=tuple(sorted(names & granted.names)))
            for granted in story.state.consents[consent_id].terms.scope
            if names & granted.names
        ]
        end = later(story.time, days=days) if days else None
        return story.narrow(consent_id, *remaining, end=end, frequency_count=count)

    return act


def extend(number: int, days: int) -> Callable[[Story], object]:
    return lambda story: story.extend(
        _nth(story.state.consents, number), later(story.time, days=days)
    )


def pause(number: int) -> Callable[[Story], object]:
    return lambda story: story.pause(_nth(story.state.consents, number))


def resume(number: int) -> Callable[[Story], object]:
    def act(story: Story) -> object:
        consents = story.state.consents
        return story.resume(_nth({name: c for name, c in consents.items() if c.paused}, number))

    return act


def call_wrong(number: int, names: set[str]) -> Callable[[Story], object]:
    def act(story: Story) -> object:
        evidence_id = _nth(story.state.evidence, number)
        disputed = names & set(NAMES[story.state.evidence[evidence_id].evidence_type])
        return story.dispute(f"dispute-{story.positions}", evidence_id, *sorted(disputed))

    return act


def settle(number: int, which: int) -> Callable[[Story], object]:
    def act(story: Story) -> object:
        evidence_id = _nth(story.state.evidence, number)
        disputes = {known.dispute_id: known for known in story.state.evidence[evidence_id].disputes}
        return story.settle(_nth(disputes, which), evidence_id)

    return act


def go_by(acting: Acting) -> Callable[[Story], object]:
    """Act from now on as herself, or have an official act, if the domain admits one."""

    def act(story: Story) -> None:
        sign_ins.must_be_admitted(story.state, acting, Time(""))
        story.acting = acting

    return act


def change_ways(*, opens: bool) -> Callable[[Story], object]:
    """Open another way to her vault, herself, or close the first, and act herself again."""

    def act(story: Story) -> object:
        go_by(HERSELF)(story)
        return story.link(f"way-{story.positions}") if opens else story.unlink(WAY)

    return act


def come_by_another(wait_seconds: int) -> Callable[[Story], object]:
    """Let another sign-in be linked, and act by it from now on, though it may have to wait."""

    def act(story: Story) -> None:
        another = structs.replace(HERSELF, actor=f"sign-in-{story.positions}")
        story.let_in(another, wait_seconds)
        story.acting = another

    return act


def protect(number: int, *, lifts: bool) -> Callable[[Story], object]:
    def act(story: Story) -> object:
        evidence_id = _nth(story.state.evidence, number)
        return story.lift(evidence_id) if lifts else story.protect(evidence_id)

    return act


def tell(number: int, status: ReportStatus) -> Callable[[Story], object]:
    return lambda story: story.tell(_nth(story.state.consents, number), status)


def stop(number: int) -> Callable[[Story], object]:
    return lambda story: story.revoke(_nth(story.state.consents, number))


def wait(days: int, seconds: int) -> Callable[[Story], object]:
    return lambda story: story.wait(days=days, seconds=seconds)


def suspend(service: str) -> Callable[[Story], object]:
    return lambda story: story.register(
        registry.suspend_service(story.registered, story.stamp, service)
    )


def reinstate(service: str) -> Callable[[Story], object]:
    return lambda story: story.register(
        registry.reinstate_service(story.registered, story.stamp, service)
    )


def withdraw(service: str) -> Callable[[Story], object]:
    return lambda story: story.register(
        registry.withdraw_purpose(story.registered, story.stamp, CODES[service])
    )


modes = st.sampled_from(["pinned", "following"])
shares = st.builds(
    share,
    services,
    numbers,
    some_names,
    frequency=frequencies,
    age=st.sampled_from([0, 5]),
    mode=modes,
)
fetches = st.builds(fetch, numbers, st.just(set()) | st.just({"line1"}) | some_names)
days = st.sampled_from([0, 1, 10, 40])
actings = st.sampled_from([HERSELF, as_official("counter"), as_official("letter")])
changes = st.one_of(
    st.builds(come_by_another, st.sampled_from([1, 3, 86_400])),
    st.builds(protect, numbers, lifts=st.booleans()),
    st.just(Story.sign_out),
    st.builds(narrow, numbers, st.just(set()) | some_names, days, st.integers(0, 2)),
    st.builds(extend, numbers, st.sampled_from([1, 45, 58, 60, 61])),
    st.builds(pause, numbers),
    st.builds(resume, numbers),
    st.builds(resume, numbers),
    st.builds(go_by, actings),
)
acts = st.one_of(
    changes,
    changes,
    st.builds(ask, services, numbers, st.sampled_from([0, 2])),
    st.builds(answer, numbers, is_yes=st.booleans(), days=st.sampled_from([0, 0, 3])),
    st.builds(take_back, services, numbers),
    st.builds(call_wrong, numbers, some_names),
    st.builds(settle, numbers, numbers),
    st.builds(change_ways, opens=st.booleans()),
    st.builds(provide, kinds, dates),
    st.builds(replace, numbers, some_names),
    shares,
    shares,
    fetches,
    fetches,
    st.builds(again, numbers),
    st.builds(tell, numbers, st.sampled_from(get_args(ReportStatus))),
    st.builds(stop, numbers),
    st.builds(wait, st.sampled_from([0, 0, 1, 30]), st.integers(1, 50_000)),
    st.builds(suspend, services),
    st.builds(reinstate, services),
    st.builds(withdraw, services),
)
stories = st.lists(acts, min_size=8, max_size=24)


def told(acts: list[Callable[[Story], object]]) -> Story:
    """Return the history of what could be done, beginning with evidence and one consent.

    An official opened the vault and let her sign-in in; half of the rest begins with an official.
    """
    story = Story(acting=as_official("counter"))
    story.found()
    story.let_in()
    story.wait()
    story.acting = story.acting if len(acts) % 2 else HERSELF
    first = [
        provide("postal_address", ""),
        provide("income", ""),
        share(CARE, 0, {"line1", "town"}, frequency=Frequency(count=2, period_seconds=43_200)),
    ]
    for act in first + acts:
        try:
            act(story)
        except VaultError:
            continue
    return story


@settings(max_examples=60, deadline=None)
@given(acts=stories)
def test_every_history_that_the_domain_makes_is_in_order(
    acts: list[Callable[[Story], object]],
) -> None:
    report = told(acts).audit()

    assert report.findings == ()
    assert all(use.allowed for use in report.uses)


@settings(max_examples=100, deadline=None)
@given(acts=stories)
def test_both_folds_say_the_same_after_every_record(acts: list[Callable[[Story], object]]) -> None:
    ours, theirs = Vault(), None

    for placed in told(acts).vault:
        ours.take(read_record(placed.line, VAULT_FACTS))
        theirs = fold(theirs, placed.event)

        assert _as_we_say(ours, placed.event.facts.time) == _as_they_say(
            theirs, placed.event.facts.time
        )


def _as_we_say(vault: Vault, time: Time) -> object:
    """Return what is true of a vault after an event of that time, as the auditor's fold says."""
    return {
        "ways": {name: not way.closed_version for name, way in vault.ways.items()},
        "taken back": set(vault.taken_back),
        "evidence": {
            evidence_id: (
                piece.evidence_type,
                piece.current,
                [(sorted(r.names), r.issued_time) for r in piece.revisions.values()],
                {name: not known.settled_version for name, known in piece.disputes.items()},
            )
            for evidence_id, piece in vault.evidence.items()
        },
        "requests": {
            name: (
                our_encode(asdict(asked.facts.asked)),
                asked.facts.subject,
                asked.answer or ("pending" if asked.is_pending(time) else "expired"),
            )
            for name, asked in vault.requests.items()
        },
        "consents": {
            consent_id: (
                our_encode(asdict(found.terms)),
                our_encode([asdict(item) for item in found.items.values()]),
                found.facts.subject,
                bool(found.revoked),
                found.paused.time if found.paused else "",
                found.uses.total(),
                found.uses_left(time),
            )
            for consent_id, found in vault.consents.items()
        },
    }


def _as_they_say(state: VaultState, time: Time) -> object:
    """Return the same as the server's fold says."""
    answers = {"cancelled": "taken back"}
    return {
        "ways": {name: not way.unlinked for name, way in state.sign_ins.items()},
        "taken back": set(state.cancelled),
        "evidence": {
            evidence_id: (
                piece.evidence_type,
                piece.current.revision,
                [(sorted(r.updated), r.issued_time) for r in piece.revisions],
                {known.dispute_id: known.is_open for known in piece.disputes},
            )
            for evidence_id, piece in state.evidence.items()
        },
        "requests": {
            name: (
                encode(asked.asked).decode(),
                asked.subject,
                answers.get(asked.status(time), asked.status(time)),
            )
            for name, asked in state.requests.items()
        },
        "consents": {
            consent_id: (
                encode(found.terms).decode(),
                encode(found.items).decode(),
                found.subject,
                bool(found.revoked),
                found.paused,
                found.disclosures,
                _left(found, time),
            )
            for consent_id, found in state.consents.items()
        },
    }


def _left(found: consent.Consent, time: Time) -> int:
    if found.terms.one_time:
        return 1 - found.disclosures
    used = found.window_count if found.window == disclosure.window_of(found, time) else 0
    return found.terms.frequency.count - used


@settings(max_examples=100, deadline=None)
@given(acts=stories, number=numbers, names=some_names, days=st.sampled_from([0, 0, 1, 29]))
def test_a_use_is_found_allowed_exactly_if_the_domain_allows_it(
    acts: list[Callable[[Story], object]], number: int, names: set[str], days: int
) -> None:
    story = told(acts)
    story.wait(days=days)
    state = story.state
    consent_id = _nth(state.consents, number)
    found = state.consents[consent_id]
    kind = found.terms.scope[0].evidence_type
    wanted = tuple(sorted(names & set(NAMES[kind])))
    attempt = story.attempt(consent_id, wants(kind, *wanted))
    piece = state.evidence[found.items[0].evidence_id]
    revision = piece.revision(found.items[0].revision)
    opening = Opening(item=1, evidence=piece, revision=revision, names=wanted)
    try:
        disclosure.plan(state, story.registered, story.time, attempt)
        is_allowed = True
    except VaultError:
        is_allowed = False

    story.record_use(Plan(consent=found, consent_id=consent_id, openings=(opening,)))

    report = story.audit()
    assert report.uses[-1].allowed == is_allowed
    assert (report.findings == ()) == is_allowed


# --- Recorded whatever the domain says ------------------------------------------------------------

Verb = Callable[[], Draft]
Forgery = Callable[[Story, int, set[str]], tuple[Facts, tuple[Item, ...], Verb]]


def of_consent(kind: type[Facts], decide: Callable[[Story, str], Draft]) -> Forgery:
    def forge(story: Story, number: int, _: set[str]) -> tuple[Facts, tuple[Item, ...], Verb]:
        consent_id = _nth(story.state.consents, number)
        found = story.state.consents[consent_id]
        known_as: Any = {"service": found.service, "subject": found.subject}
        facts = kind(time=story.time, salt=SALT, consent_id=consent_id, **known_as)
        return facts, (), lambda: decide(story, consent_id)

    return forge


def of_request(kind: type[Facts], decide: Callable[[Story, str, Any], Draft]) -> Forgery:
    def forge(story: Story, number: int, _: set[str]) -> tuple[Facts, tuple[Item, ...], Verb]:
        name = _nth(story.state.requests, number)
        asked = story.state.requests[name]
        known_as: Any = {"service": asked.asked.recipient.service, "subject": asked.subject}
        facts = kind(time=story.time, salt=SALT, consent_request_id=name, **known_as)
        return facts, (), lambda: decide(story, name, asked)

    return forge


def a_dispute(story: Story, number: int, names: set[str]) -> tuple[Facts, tuple[Item, ...], Verb]:
    evidence_id, item = _piece(story, number)
    said: Any = {"dispute_id": "forged", "names": tuple(sorted(names)), "is_shared": False}
    kind = story.state.evidence[evidence_id].evidence_type
    facts = EvidenceDisputed(time=story.time, salt=SALT, evidence_type=kind, **said)
    return (
        facts,
        (item,),
        lambda: dispute.dispute(story.state, story.stamp, evidence_id=evidence_id, **said),
    )


def a_settlement(story: Story, number: int, _: set[str]) -> tuple[Facts, tuple[Item, ...], Verb]:
    evidence_id, item = _piece(story, number)
    piece = story.state.evidence[evidence_id]
    said: Any = {
        "dispute_id": _nth({known.dispute_id: known for known in piece.disputes}, number),
        "outcome": "withdrawn",
    }
    facts = DisputeResolved(time=story.time, salt=SALT, evidence_type=piece.evidence_type, **said)
    return (
        facts,
        (item,),
        lambda: dispute.resolve(story.state, story.stamp, evidence_id=evidence_id, **said),
    )


def _piece(story: Story, number: int) -> tuple[str, Item]:
    evidence_id = _nth(story.state.evidence, number)
    revision = story.state.evidence[evidence_id].current.revision
    return evidence_id, Item(item=0, evidence_id=evidence_id, revision=revision)


def _cancel(story: Story, name: str, asked: Any) -> Draft:
    return request.cancel(
        story.state,
        story.stamp,
        consent_request_id=name,
        service_id=asked.asked.recipient.service,
        subject=asked.subject,
    )


FORGERIES: dict[str, Forgery] = {
    "revoke": of_consent(
        consent.ConsentRevoked, lambda story, name: consent.revoke(story.state, story.stamp, name)
    ),
    "pause": of_consent(
        consent.ConsentPaused, lambda story, name: consent.pause(story.state, story.stamp, name)
    ),
    "resume": of_consent(
        consent.ConsentResumed,
        lambda story, name: consent.resume(story.state, story.registered, story.stamp, name),
    ),
    "refuse": of_request(
        request.ConsentRefused,
        lambda story, name, _: request.refuse(story.state, story.stamp, name),
    ),
    "cancel": of_request(request.ConsentRequestCancelled, _cancel),
    "dispute": a_dispute,
    "settle": a_settlement,
}


@settings(max_examples=150, deadline=None)
@given(
    verb=st.sampled_from(sorted(FORGERIES)),
    acts=stories,
    number=numbers,
    names=some_names,
    days=st.sampled_from([0, 0, 1, 29]),
)
def test_what_is_recorded_anyway_is_found_exactly_if_the_domain_forbids_it(
    verb: str, acts: list[Callable[[Story], object]], number: int, names: set[str], days: int
) -> None:
    story = told(acts)
    story.acting = HERSELF
    story.wait(days=days)
    facts, items, decide = FORGERIES[verb](story, number, names)
    try:
        decide()
        is_allowed = True
    except VaultError:
        is_allowed = False

    story.decide(Draft(facts=facts, items=items), story.mark)

    assert (not story.audit().findings) == is_allowed
