# SPDX-License-Identifier: Apache-2.0
"""Chapters 4 and 5: BrightCare needs her address, wants more, is refused, and is stopped."""

import datetime as dt
from dataclasses import dataclass
from typing import Final

from clients.demo import asking, fetching
from clients.demo.counter import DISCLOSED
from clients.demo.giving import HERSELF
from clients.demo.people import BRIGHTCARE_CASE, BRIGHTCARE_STAFF
from clients.demo.story import Story, new_id
from clients.demo.things import Thing, things_of
from clients.demo.wording import clock, moment
from vault.api.v1 import consent_service_pb2 as wire
from vault.api.v1.consent_pb2 import CONSENT_STATE_REVOKED, Consent, Frequency, RequestedScope

ADDRESS: Final = RequestedScope(
    evidence_type="postal_address",
    required=["addressLocality", "buildingNumber", "postalCode", "streetName"],
)
_BANK_ACCOUNT: Final = RequestedScope(
    evidence_type="bank_account", required=["accountNumber", "sortCode"]
)


@dataclass(frozen=True, slots=True)
class Visit:
    """What BrightCare got: its permission, and its one use of it."""

    permission: fetching.Permission
    address: tuple[Thing, ...]
    fetched: fetching.Fetched


@dataclass(frozen=True, slots=True)
class Stopped:
    """When she stopped BrightCare, and how much was sent to it after that."""

    time: dt.datetime
    sent_after: int


def visit(story: Story, typed: int, shared: int) -> Visit:
    """Tell chapter 4: her address without typing, the bank account not at all."""
    screen, expect, team = story.screen, story.expect, story.brightcare_team
    screen.begin(f"{team.organisation} needs her address")
    screen.say(
        f"{team.organisation} ({team.team}) will come every morning. It would like her bank "
        "account too, so it asks for both."
    )
    _ask_for_too_much(story)

    screen.blank()
    screen.say(f"So {team.organisation} asks for her address alone. Mair reads why, and shares it.")
    typed_before = story.typing.answers
    handed = asking.ask(story.brightcare, question(ADDRESS))
    opened = asking.open_link(story.mair, handed, expect)
    address = things_of(opened.request.scope)
    consent = asking.share(story.mair, opened.request, address, expect)
    expect.equal("things that she shares", things_of(consent.scope), address)
    redeemed = asking.redeem(story.brightcare, handed, opened.code)
    permission = fetching.Permission(
        consent_id=redeemed.consent_id,
        subject_id=redeemed.subject_id,
        purpose_code=story.brightcare_team.purpose.purpose_code,
        case_ref=BRIGHTCARE_CASE,
        staff_ref=BRIGHTCARE_STAFF,
    )
    answer = fetching.fetch(story.brightcare, permission, address)
    fetched = fetching.read(answer, story.directory.receipt_keys, expect)
    expect.equal("the fields that came", set(fetched.values), set(address[0].fields))
    typed_again = expect.equal("answers typed again", story.typing.answers - typed_before, 0)
    screen.blank()
    screen.facts(
        [
            ("Why they need it", team.texts().why),
            ("Received", story.directory.words.listed(address[0])),
            ("Recorded", f"entry {answer.receipt.leaf_index}, at {clock(fetched.recorded)}"),
            ("Typed again", str(typed_again)),
        ]
    )
    screen.blank()
    _fetch_too_much(story, permission)
    story.end_screen(typed=typed, shared=shared + 1, seen=(story.council_team, team))
    return Visit(permission=permission, address=address, fetched=fetched)


def stop(story: Story, visited: Visit, typed: int, shared: int) -> Stopped:
    """Tell chapter 5: she stops BrightCare, and nothing is sent to it any more."""
    screen, expect, team = story.screen, story.expect, story.brightcare_team
    screen.begin(f"Mair stops {team.organisation}")
    answer = story.mair.consents.RevokeConsent(
        wire.RevokeConsentRequest(
            request_id=new_id(), acting=HERSELF, consent_id=visited.permission.consent_id
        )
    )
    stopped: Consent = answer.consent
    expect.equal("what she shares with them is stopped", stopped.state, CONSENT_STATE_REVOKED)
    time = moment(stopped.revoke_time)
    expect.refused(
        "their next fetch is refused",
        "CONSENT_REVOKED",
        lambda: fetching.fetch(story.brightcare, visited.permission, visited.address),
    )
    attempt = story.attempt("CONSENT_REVOKED")
    expect.true("they tried after she stopped them", came=moment(attempt.time) > time)
    sent_after = sum(
        moment(entry.time) > time
        for entry in story.uses()
        if entry.type == DISCLOSED and entry.service_id == team.service_id
    )
    expect.equal("sent after stopping", sent_after, 0)
    screen.facts(
        [
            ("Stopped", f"{team.organisation}, at {clock(time)}"),
            ("They tried", f"at {clock(moment(attempt.time))}, and were refused"),
            ("Sent after stopping", str(sent_after)),
            ("If you stop", team.texts().if_stopped),
        ]
    )
    story.end_screen(typed=typed, shared=shared, seen=(story.council_team, team))
    return Stopped(time=time, sent_after=sent_after)


def _ask_for_too_much(story: Story) -> None:
    screen, expect, team = story.screen, story.expect, story.brightcare_team
    waiting = _questions(story)
    refusal = expect.refused(
        "its purpose does not allow a bank account",
        "PURPOSE_EXCEEDED",
        lambda: asking.ask(story.brightcare, question(ADDRESS, _BANK_ACCOUNT)),
    )
    expect.equal("where it goes too far", refusal.fields[0][0].partition("]")[0], "scope[1")
    expect.equal("questions that reached her", _questions(story), waiting)
    screen.blank()
    screen.facts(
        [
            ("What for", team.texts().title),
            ("Its purpose allows", _allowed(story)),
            ("Outcome", "turned away; Mair was not disturbed"),
        ]
    )


def _fetch_too_much(story: Story, permission: fetching.Permission) -> None:
    screen, expect, team = story.screen, story.expect, story.brightcare_team
    uses = sum(entry.type == DISCLOSED for entry in story.uses())
    screen.say(
        f"{team.organisation} tries to fetch the bank account all the same, with the "
        "permission that it has."
    )
    expect.refused(
        "a bank account was not shared with them",
        "FIELD_NOT_GRANTED",
        lambda: fetching.fetch(story.brightcare, permission, things_of([_BANK_ACCOUNT])),
    )
    attempt = story.attempt("FIELD_NOT_GRANTED")
    sent = sum(entry.type == DISCLOSED for entry in story.uses()) - uses
    expect.equal("uses that came of it", sent, 0)
    expect.equal("who tried", attempt.service_id, team.service_id)
    wanted = [Thing(item.evidence_type, tuple(sorted(item.names))) for item in attempt.items]
    expect.equal("what they tried to see", tuple(wanted), things_of([_BANK_ACCOUNT]))
    words = story.directory.words
    screen.blank()
    screen.facts(
        [
            ("Outcome", f"refused; sent: {sent}"),
            ("In Mair's list", f"{clock(moment(attempt.time))}  They tried and were refused:"),
            ("", f"{words.title(wanted[0])}: {words.listed(wanted[0])}"),
        ]
    )


def question(*scope: RequestedScope, case_ref: str = BRIGHTCARE_CASE) -> asking.Question:
    """Return what BrightCare asks."""
    return asking.Question(
        purpose_code="home-visits",
        scope=scope,
        frequency=Frequency(count=4, period_seconds=86_400),
        retention_days=30,
        case_ref=case_ref,
        staff_ref=BRIGHTCARE_STAFF,
    )


def _questions(story: Story) -> int:
    listed = story.mair.consents.ListRequests(wire.ListRequestsRequest(page_size=500))
    return len(listed.consent_requests)


def _allowed(story: Story) -> str:
    bounds = story.brightcare_team.purpose.bounds
    titles = [story.directory.words.title(Thing(e.evidence_type, ())) for e in bounds.evidence]
    return ", ".join(titles) + ", and nothing else"
