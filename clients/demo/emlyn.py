# SPDX-License-Identifier: Apache-2.0
"""Chapter 13: Emlyn has no sign-in. An official helps him at the library, and his list says so."""

import datetime as dt
from dataclasses import dataclass
from functools import partial
from typing import Final

from google.protobuf.timestamp_pb2 import Timestamp

from clients.connection import Connection
from clients.demo import asking, fetching, helping, provider
from clients.demo.counter import Counter, Typing
from clients.demo.giving import fill_in
from clients.demo.people import BRIGHTCARE_STAFF, EMLYN, EMLYN_CASE, OFFICIAL
from clients.demo.story import Story, count, new_id
from clients.demo.things import things_of
from clients.demo.traces import typed_texts
from clients.demo.wording import counted, day, moment
from vault.api.v1 import consent_service_pb2 as wire
from vault.api.v1.consent_pb2 import Consent, ConsentRequest
from vault.api.v1.vault_pb2 import (
    APPROVAL_KIND_STAFF_ASSISTED,
    CAPACITY_OFFICIAL,
    CHANNEL_COUNTER,
    Acting,
    Approval,
    HistoryEntry,
)
from vault.api.v1.vault_service_pb2 import GetVaultRequest, OpenVaultRequest

_SOONER: Final = dt.timedelta(days=60)
_LONGER: Final = dt.timedelta(days=30)
_NOTE: Final = b"Library, counter 2, note 46"
_NO_CODE: Final = "AAAAA-AAAAA-AAAAA-AAAAA"


@dataclass(frozen=True, slots=True)
class Counterside:
    """The official at the counter, and how she acts for him: with the code that he gives her."""

    official: Connection
    acting: Acting
    typing: Typing


@dataclass(frozen=True, slots=True)
class Helped:
    """What came of it: his history, his list, and what he could be known by."""

    vault_id: str
    uses: tuple[HistoryEntry, ...]
    texts: frozenset[bytes]


def help_him(story: Story, official: Connection, typing: Typing) -> Helped:
    """Tell the chapter."""
    screen = story.screen
    screen.begin("Emlyn, at the library")
    screen.say(
        f"Emlyn is 86 and has no sign-in. At the library's counter {OFFICIAL} helps him. She makes "
        "a place for his information, and prints the letter that he keeps:"
    )
    at_counter = Acting(capacity=CAPACITY_OFFICIAL, channel=CHANNEL_COUNTER)
    opened = official.vaults.OpenVault(OpenVaultRequest(request_id=new_id(), acting=at_counter))
    code = opened.assistance_code
    counter = Counterside(official, _with(at_counter, code), typing)
    fill_in(official, (EMLYN,), counter.acting)
    request, short_code = asking.ask_by_short_code(
        story.brightcare, provider.question(provider.ADDRESS, case_ref=EMLYN_CASE)
    )
    claimed = _claim(story, counter, short_code, request)
    consent = _say_yes(story, counter, claimed)
    came = _fetch(story, request, consent)
    _refused(story, counter, at_counter, consent)
    texts = typed_texts([EMLYN], story.directory.definitions)
    texts |= {code.encode(), code.replace("-", "").encode(), _NOTE}
    found = story.search(texts)
    screen.letter(helping.letter(code))
    screen.facts(
        [
            ("On the disk", f"neither code nor address, in {found.where}"),
            ("BrightCare gave him", f"a slip of paper for the counter: {short_code}"),
            ("She reads to him", _read_aloud(story)),
            ("He says yes", f"until {day(moment(consent.end_time))}; she notes it down"),
            ("BrightCare fetches", f"{counted(len(came), 'answer')}: his address"),
            ("She tries for longer", "refused: that he has to do himself"),
            ("She tries without code", "refused: she sees nothing of his"),
        ]
    )
    screen.blank()
    uses = helping.show_list(story, official, counter.acting)
    _end(story, counter)
    return Helped(vault_id=opened.vault.vault_id, uses=uses, texts=texts)


def _with(at_counter: Acting, code: str) -> Acting:
    acting = Acting(assistance_code=code)
    acting.MergeFrom(at_counter)
    return acting


def _claim(
    story: Story, counter: Counterside, short_code: str, request: ConsentRequest
) -> ConsentRequest:
    """Find the question by its short code."""
    answer = counter.official.consents.ClaimRequest(
        wire.ClaimRequestRequest(request_id=new_id(), acting=counter.acting, short_code=short_code)
    )
    expect, claimed = story.expect, answer.consent_request
    expect.equal("whose question", claimed.service_id, story.brightcare_team.service_id)
    expect.equal("which question", claimed.consent_request_id, request.consent_request_id)
    expect.equal("a code for nobody's browser", answer.code, "")
    found: ConsentRequest = claimed
    return found


def _say_yes(story: Story, counter: Counterside, request: ConsentRequest) -> Consent:
    """Share his address with his agreement, for less long than they would like."""
    sooner = Timestamp()
    sooner.FromDatetime(moment(request.end_time) - _SOONER)
    things = things_of(request.scope)
    consent = asking.share(
        counter.official,
        request,
        things,
        story.expect,
        sooner,
        acting=counter.acting,
        approval=Approval(kind=APPROVAL_KIND_STAFF_ASSISTED, proof=_NOTE),
        language="cy",
    )
    story.expect.equal("things that he shares", things_of(consent.scope), things)
    story.expect.equal("in which language", consent.language, "cy")
    return consent


def _fetch(story: Story, request: ConsentRequest, consent: Consent) -> dict[str, object]:
    """Have BrightCare fetch: the official has seen him, so it knows at once who he is."""
    subject_id, consent_id = asking.known(story.brightcare, request)
    story.expect.equal("what BrightCare is told of", consent_id, consent.consent_id)
    permission = fetching.Permission(
        consent_id=consent_id,
        subject_id=subject_id,
        purpose_code=story.brightcare_team.purpose.purpose_code,
        case_ref=EMLYN_CASE,
        staff_ref=BRIGHTCARE_STAFF,
    )
    answer = fetching.fetch(story.brightcare, permission, things_of(request.scope))
    fetched = fetching.read(answer, story.directory.receipt_keys, story.expect)
    came = {name: value for (_, name), value in fetched.values.items()}
    given = {name: EMLYN.answers[name] for name in provider.ADDRESS.required}
    story.expect.true("what came is his address", came=came == given)
    return came


def _refused(story: Story, counter: Counterside, at_counter: Acting, consent: Consent) -> None:
    longer = Timestamp()
    longer.FromDatetime(moment(consent.end_time) + _LONGER)
    story.expect.refused(
        "an official may not share for longer",
        "CAPACITY_NOT_ALLOWED",
        lambda: counter.official.consents.ExtendConsent(
            wire.ExtendConsentRequest(
                request_id=new_id(),
                acting=counter.acting,
                consent_id=consent.consent_id,
                end_time=longer,
                validate_only=True,
            )
        ),
    )
    for code in ("", _NO_CODE):
        without = GetVaultRequest(acting=_with(at_counter, code))
        story.expect.refused(
            "without his code she sees nothing",
            "NOT_FOUND",
            partial(counter.official.vaults.GetVault, without),
        )


def _read_aloud(story: Story) -> str:
    welsh = story.brightcare_team.texts("cy")
    asked = story.directory.welsh.title(things_of([provider.ADDRESS])[0])
    return f"{welsh.title}: {asked}. {welsh.why}"


def _end(story: Story, counter: Counterside) -> None:
    counted_now = count(
        counter.official,
        story.directory,
        counter.typing.answers,
        acting=counter.acting,
        whose="Emlyn",
    )
    expected = Counter(len(EMLYN.answers), 1, (story.brightcare_team.organisation,), "Emlyn")
    story.expect.equal("the counter", counted_now, expected)
    story.screen.counter(counted_now)
