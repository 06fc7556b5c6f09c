# SPDX-License-Identifier: Apache-2.0
"""Random histories of requests and consents, and what views must make of them.

The model is the domain's own fold of each stream, and a list sorted in memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from hypothesis import strategies as st
from msgspec.structs import replace

from projections.change_feed import Change, ChangeKind, Cursor
from tests import builders
from tests.builders import OTHER_SERVICE, SERVICE, at
from tests.contracts.views import Story, request_redeemed, told
from vault.domain import request as requests
from vault.domain import state as vaults
from vault.domain.amendment import difference
from vault.domain.consent import Consent, ConsentGranted
from vault.domain.events import Draft
from vault.domain.lane import in_lane
from vault.domain.request import ConsentRequestCancelled, Request, RequestMade, RequestState
from vault.domain.state import VaultState
from vault.domain.values import Recipient, Terms, Time
from vault.store.record import read_event

WAYS: Final = ("link", "code", "known")
SERVICES: Final = (SERVICE, OTHER_SERVICE)
ASKED: Final = 6

ACTS: Final = (
    "make",
    "claim",
    "grant",
    "redeem",
    "narrow",
    "extend",
    "pause",
    "resume",
    "disclose",
    "repeat",
    "refuse",
    "cancel",
    "cancel in vault",
    "revoke",
    "read",
)
LOOK: Final = len(ACTS)
Step: TypeAlias = tuple[int, int]
steps: st.SearchStrategy[list[Step]] = st.lists(
    st.tuples(st.integers(0, ASKED - 1), st.integers(0, LOOK)), min_size=15, max_size=60
)
"""Which request, and which of the acts that make sense for it; or that somebody looks."""

_TO_REQUEST: Final[dict[str, Callable[[], Draft]]] = {
    "cancel in vault": builders.consent_request_cancelled,
    "refuse": builders.consent_refused,
}
_TO_CONSENT: Final[dict[str, Callable[[], Draft]]] = {
    "narrow": builders.consent_narrowed,
    "extend": builders.consent_extended,
    "pause": builders.consent_paused,
    "resume": builders.consent_resumed,
    "revoke": builders.consent_revoked,
    "disclose": builders.evidence_disclosed,
    "repeat": lambda: builders.evidence_disclosed(repeats=builders.BUNDLE),
}


@dataclass
class Asking:
    """One request: who asks, how it reaches her, and how far it came."""

    number: int
    lanes: int = 1
    done: set[str] = field(default_factory=set)
    terms: Terms | None = None
    lengthened: int = 0

    @property
    def way(self) -> str:
        return WAYS[self.number % 3]

    @property
    def service(self) -> str:
        return SERVICES[self.number // 3 % 2]

    @property
    def request(self) -> str:
        return f"{builders.REQUEST[:-2]}{self.number:02}"

    @property
    def consent(self) -> str:
        return f"{builders.CONSENT[:-2]}{self.number:02}"

    @property
    def vault(self) -> str:
        """One of two citizens; with several lanes, neither is where requests are."""
        citizen = self.number % 2
        lane = 1 + citizen if self.lanes > 1 else 0
        return in_lane(f"{builders.VAULT[:-2]}a{citizen}", lane)

    @property
    def subject(self) -> str:
        return f"{builders.SUBJECT[:-1]}{self.number % 2}"

    def acts(self) -> list[str]:
        """Return the acts that make sense now: whatever the application could append."""
        done = self.done
        reached = "claim" in done or (self.way == "known" and "make" in done)
        waits = reached and not done & {"refuse", "grant", "cancel in vault"}
        shares = "grant" in done and "revoke" not in done
        may = {
            "make": "make" not in done,
            "claim": "make" in done and not reached and "cancel" not in done,
            "redeem": self.way == "link" and "claim" in done and "redeem" not in done,
            "cancel": "make" in done and "cancel" not in done,
            "cancel in vault": waits,
            "refuse": waits,
            "grant": waits,
            "pause": shares and "pause" not in done,
            "resume": shares and "pause" in done,
            "read": True,
        }
        return [act for act in ACTS if may.get(act, shares)]

    def does(self, act: str) -> tuple[Draft, str]:
        """Return what an act appends, and to which stream."""
        self.done.add(act)
        if act == "resume":
            self.done.remove("pause")
        hers: dict[str, Any] = {"service": self.service, "subject": self.subject}
        if act in _TO_REQUEST:
            draft = told(_TO_REQUEST[act](), **hers, consent_request_id=self.request)
            return draft, self.vault
        if act in _TO_CONSENT:
            changes = {"terms": self._amended(act)} if act in ("narrow", "extend") else {}
            draft = told(_TO_CONSENT[act](), **hers, consent_id=self.consent, **changes)
            return draft, self.vault
        match act:
            case "grant":
                self.terms = builders.some_terms(consent_id=self.consent, recipient=self._recipient)
                granted = builders.consent_granted(request_id=self.request)
                changes = {"consent_id": self.consent, "terms": self.terms}
                return told(granted, **hers, **changes), self.vault
            case "read":
                return builders.vault_read(), self.vault
        to_stream = {
            "make": self._made(),
            "claim": told(builders.request_claimed(), subject=self.subject),
            "redeem": request_redeemed(),
            "cancel": builders.request_cancelled(),
        }
        return to_stream[act], self.request

    @property
    def _recipient(self) -> Recipient:
        return Recipient(service=self.service, organisation=builders.ORGANISATION)

    def _made(self) -> Draft:
        asked = builders.asked_terms(recipient=self._recipient)
        made = told(builders.request_made(), asked=asked)
        if self.way != "link":
            made = told(made, code_challenge="")
        return told(made, subject=self.subject) if self.way == "known" else made

    def _amended(self, act: str) -> Terms:
        assert self.terms is not None
        scope = (builders.granted_fields(optional=()),)
        self.lengthened += 1
        end = at(days=20 + self.lengthened)
        self.terms = replace(self.terms, **({"scope": scope} if act == "narrow" else {"end": end}))
        return self.terms


def play(story: Story, history: Sequence[Step]) -> Iterator[int]:
    """Let a history happen; yield whenever somebody looks, and which of several looks it is."""
    lanes = len(story.vaults.lanes)
    askings = [Asking(number, lanes) for number in range(ASKED)]
    for number, (which, pick) in enumerate(history, start=1):
        if pick == LOOK:
            story.flush()
            yield which
            continue
        acts = askings[which].acts()
        draft, stream = askings[which].does(acts[pick % len(acts)])
        story.comes(told(draft, time=at(number)), stream)
    story.flush()
    yield 0


class Model:
    """What a service may know, from the folds of all streams."""

    def __init__(self, story: Story) -> None:
        records = [
            record
            for lane in story.vaults.lanes.values()
            for record in lane.store.select_notifications(1, 1000)
        ]
        events = [(record.id, read_event(record.state)) for record in records]
        # In these histories all that happens has a time of its own.
        self._events = sorted(events, key=lambda found: found[1].facts.time)
        self._asked: dict[str, RequestState] = {}
        self._known: dict[str, Time] = {}
        """When the service might first know what became of a request."""
        self._known_at: dict[str, int] = {}
        """The size of lane 0 from then on."""
        self._vaults: dict[str, VaultState] = {}
        for position, event in self._events:
            stream = event.link.stream
            asked = requests.fold(self._asked.get(stream), event)
            if asked is None:
                self._vaults[stream] = vaults.fold(self._vaults.get(stream), event)
            else:
                self._asked[stream] = asked
                if asked.is_known:
                    self._known.setdefault(stream, event.facts.time)
                    self._known_at.setdefault(stream, position)

    def consents(self, service: str) -> list[Consent]:
        """Return the consents that a service may know, newest first."""
        granted = [
            self._vaults[event.link.stream].consents[event.facts.consent_id]
            for _, event in reversed(self._events)
            if isinstance(event.facts, ConsentGranted) and event.facts.service == service
        ]
        return [
            replace(consent, items=(), window=0, window_count=0, releases={})
            for consent in granted
            if consent.consent_request_id in self._known
        ]

    def requests(self, service: str) -> list[Request]:
        """Return the requests of a service, newest first."""
        made = [
            self._asked[event.link.stream]
            for _, event in reversed(self._events)
            if isinstance(event.facts, RequestMade)
        ]
        return [self._seen(asked) for asked in made if asked.asked.recipient.service == service]

    def changes(self, service: str) -> list[Change]:
        """Return all that a service may be told, in order."""
        told: list[Change] = []
        terms: dict[str, Terms] = {}
        answers: dict[str, str] = {}
        for position, event in self._events:
            facts: Any = event.facts
            kind = KINDS.get(type(facts).__name__)
            if kind is None:
                continue
            consent = getattr(facts, "consent_id", "")
            if kind == "granted":
                answers[consent] = facts.consent_request_id
            request = answers.get(consent) or getattr(
                facts, "consent_request_id", event.link.stream
            )
            before, after = terms.get(consent), getattr(facts, "terms", None)
            if after is not None:
                terms[consent] = after
            known = self._known.get(request)
            is_known = known is not None and known <= event.facts.time
            asked = self._asked[request]
            is_told = known is not None or kind == "cancelled"
            if is_told and asked.asked.recipient.service == service:
                is_late = known is not None and not is_known and kind != "cancelled"
                change = Change(
                    cursor=Cursor(self._known_at[request] if is_late else position, 0, position),
                    kind=kind,
                    time=facts.time,
                    consent_request_id=request,
                    consent_id=consent,
                    subject=asked.subject if is_known or kind != "cancelled" else "",
                    difference=difference(before, after) if before and after else None,
                )
                told.append(change)
        return sorted(told, key=lambda change: change.cursor)

    def _seen(self, asked: RequestState) -> Request:
        answers: dict[str, Any] = {"cancelled": asked.cancelled}
        for _, event in reversed(self._events):
            facts: Any = event.facts
            if getattr(facts, "consent_request_id", "") != asked.stream:
                continue
            match KINDS.get(type(facts).__name__):
                case None:
                    # A request is cancelled in its own stream, in her vault, or in both.
                    if isinstance(facts, ConsentRequestCancelled):
                        answers["cancelled"] = min(asked.cancelled or facts.time, facts.time)
                case "refused" if asked.is_known:
                    answers["refused"] = facts.time
                case "granted" if asked.is_known:
                    answers["consent_id"] = facts.consent_id
        return Request(
            consent_request_id=asked.stream,
            subject=asked.subject if asked.is_known else "",
            asked=asked.asked,
            time=asked.made,
            expires=asked.expires,
            **answers,
        )


KINDS: Final[dict[str, ChangeKind]] = {
    "ConsentGranted": "granted",
    "ConsentRefused": "refused",
    "RequestCancelled": "cancelled",
    "ConsentNarrowed": "narrowed",
    "ConsentExtended": "extended",
    "ConsentPaused": "paused",
    "ConsentResumed": "resumed",
    "ConsentRevoked": "revoked",
}
