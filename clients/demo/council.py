# SPDX-License-Identifier: Apache-2.0
"""Chapters 2 and 3: Aber Council asks for four things, she shares three, exactly three come."""

import datetime as dt
from dataclasses import dataclass
from typing import Final

from google.protobuf.timestamp_pb2 import Timestamp

from clients.demo import asking, fetching
from clients.demo.people import COUNCIL_CASE, COUNCIL_STAFF
from clients.demo.story import Story
from clients.demo.things import Thing, fields_of, things_of
from clients.demo.wording import clock, day, moment, numeral, said
from vault.api.v1.consent_pb2 import (
    CONSENT_REQUEST_STATE_GRANTED,
    CONSENT_REQUEST_STATE_PENDING,
    ConsentRequest,
    Frequency,
    RequestedScope,
)

_DAY_SECONDS: Final = 86_400
_LONGEST_DAYS: Final = 42
_SOONER: Final = dt.timedelta(days=14)

QUESTION: Final = asking.Question(
    purpose_code="care-at-home",
    scope=(
        RequestedScope(
            evidence_type="postal_address",
            required=["addressLocality", "buildingNumber", "postalCode", "streetName"],
        ),
        RequestedScope(
            evidence_type="income", required=["amountPence", "frequency", "kind", "payer"]
        ),
        RequestedScope(
            evidence_type="care_needs",
            required=["dischargeDate", "helpNeeded", "mobility"],
            optional=["diagnoses", "medication"],
        ),
    ),
    frequency=Frequency(count=12, period_seconds=_LONGEST_DAYS * _DAY_SECONDS),
    retention_days=_LONGEST_DAYS,
    case_ref=COUNCIL_CASE,
    staff_ref=COUNCIL_STAFF,
)


@dataclass(frozen=True, slots=True)
class Shared:
    """What she was asked for, what she shared of it, and under what it may be fetched."""

    asked: tuple[Thing, ...]
    things: tuple[Thing, ...]
    permission: fetching.Permission


def be_asked(story: Story, typed: int) -> Shared:
    """Tell chapter 2: the council asks, she says yes to three of four."""
    screen, expect, team = story.screen, story.expect, story.council_team
    screen.begin(f"{team.organisation} asks")
    handed = asking.ask(story.council, QUESTION)
    opened = asking.open_link(story.mair, handed, expect)
    request = opened.request
    expect.equal("who asks", request.service_id, team.service_id)
    expect.equal("the question's state", request.state, CONSENT_REQUEST_STATE_PENDING)
    asked = things_of(request.scope)
    expect.equal("things that are asked for", len(asked), 4)
    expect.equal("things that she may leave out", sum(t.is_optional for t in asked), 1)
    _show_question(story, request, asked)

    things = tuple(thing for thing in asked if not thing.is_optional)
    sooner = Timestamp()
    sooner.FromDatetime(moment(request.end_time) - _SOONER)
    consent = asking.share(story.mair, request, things, expect, sooner)
    expect.equal("things that she shares", things_of(consent.scope), things)
    expect.equal("until when she shares", moment(consent.end_time), moment(sooner))
    known = asking.known(story.council, handed.request)
    expect.equal("what they know before the code", known, ("", ""))
    redeemed = asking.redeem(story.council, handed, opened.code)
    expect.equal("the question's state", redeemed.state, CONSENT_REQUEST_STATE_GRANTED)
    expect.equal("what the asker is told of", redeemed.consent_id, consent.consent_id)

    screen.blank()
    screen.facts(
        [
            ("She shares", _numbered(asked, things)),
            ("Until", f"{day(moment(consent.end_time))}; she chose {_SOONER.days} days sooner"),
            ("She does not share", _numbered(asked, tuple(t for t in asked if t not in things))),
            ("Back to them", "a code, with her browser: only now do they know that it is she"),
        ]
    )
    story.end_screen(typed=typed, shared=3, seen=())
    permission = fetching.Permission(
        consent_id=redeemed.consent_id,
        subject_id=redeemed.subject_id,
        purpose_code=QUESTION.purpose_code,
        case_ref=COUNCIL_CASE,
        staff_ref=COUNCIL_STAFF,
    )
    return Shared(asked=asked, things=things, permission=permission)


def receive(story: Story, shared: Shared, typed: int) -> tuple[Thing, ...]:
    """Tell chapter 3: the council fetches, and exactly three things come; return them."""
    screen, expect, team, words = (
        story.screen,
        story.expect,
        story.council_team,
        story.directory.words,
    )
    screen.begin(f"{team.organisation} receives exactly {numeral(len(shared.things))}")
    answer = fetching.fetch(story.council, shared.permission, shared.things)
    fetched = fetching.read(answer, story.directory.receipt_keys, expect)
    screen.say(f"{team.organisation} fetches what she shares.")
    expect.equal("the fields that came", set(fetched.values), set(fields_of(shared.things)))
    came = tuple(t for t in shared.asked if t.fields <= fetched.values.keys())
    expect.equal("things that came", came, shared.things)
    listed = story.uses()
    expect.equal("uses in her list", sum(not entry.repeated for entry in listed), 1)
    leaves = [entry.receipt.leaf_hash for entry in listed]
    expect.true("her list has the same entry", came=answer.receipt.leaf_hash in leaves)
    screen.table(
        ("", "What came", "What it says"),
        [
            (
                str(shared.asked.index(thing) + 1),
                words.title(thing),
                "\n".join(
                    f"{words.label(*field)}: {said(field[1], fetched.values[field])}"
                    for field in words.in_order(thing)
                ),
            )
            for thing in came
        ],
    )
    kept_back = [thing for thing in shared.asked if thing not in came]
    screen.facts(
        [
            ("Did not come", "; ".join(words.listed(thing) for thing in kept_back)),
            ("Recorded", f"entry {answer.receipt.leaf_index}, at {clock(fetched.recorded)}"),
            ("Received", f"at {clock(fetched.arrived)}, after it was recorded"),
            ("Confirmation", "signed; it names exactly what came, and its place in the record"),
        ]
    )
    story.end_screen(typed=typed, shared=3, seen=(team,))
    return came


def _show_question(story: Story, request: ConsentRequest, asked: tuple[Thing, ...]) -> None:
    screen, team, words = story.screen, story.council_team, story.directory.words
    texts, welsh = team.texts(), team.texts("cy")
    screen.say(f"{team.organisation} ({team.team}) is asking to see {numeral(len(asked))} things:")
    screen.table(
        ("", "What", "Which answers", ""),
        [
            (
                str(number),
                words.title(thing),
                words.listed(thing),
                "if you like" if thing.is_optional else "needed",
            )
            for number, thing in enumerate(asked, start=1)
        ],
    )
    screen.facts(
        [
            ("Why they need it", texts.why),
            ("Until when at most", day(moment(request.end_time))),
            ("How often at most", _how_often(request.frequency)),
            ("If you say no", texts.if_refused),
            ("Other ways", f"{texts.other_ways} {texts.help_line}"),
            ("Yn Gymraeg", f"{welsh.title}. {welsh.if_refused}"),
        ]
    )


def _numbered(asked: tuple[Thing, ...], things: tuple[Thing, ...]) -> str:
    return ", ".join(str(asked.index(thing) + 1) for thing in things)


def _how_often(frequency: Frequency) -> str:
    times = "once" if frequency.count == 1 else f"{numeral(frequency.count)} times"
    days = frequency.period_seconds // _DAY_SECONDS
    return f"{times} a day" if days == 1 else f"{times} in {days} days"
