# SPDX-License-Identifier: Apache-2.0
"""Chapters 9 and 10: Mair shares less with Aber Council, then pauses it for a while and goes on."""

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from clients import approving
from clients.demo.asking import purpose_of
from clients.demo.giving import HERSELF
from clients.demo.recipient import Recipient
from clients.demo.story import Story, new_id
from clients.demo.things import Thing, things_of
from clients.demo.wording import clock, counted, day, moment
from vault.api.v1 import consent_service_pb2 as wire
from vault.api.v1.consent_pb2 import (
    CONSENT_STATE_ACTIVE,
    CONSENT_STATE_PAUSED,
    Consent,
    ConsentDifference,
    RemainingFields,
)
from vault.api.v1.disclosure_service_pb2 import (
    CONSENT_CHANGE_KIND_GRANTED,
    CONSENT_CHANGE_KIND_NARROWED,
    CONSENT_CHANGE_KIND_PAUSED,
    CONSENT_CHANGE_KIND_RESUMED,
)

NO_LONGER: Final = "income"
"""What she shares no longer."""


@dataclass(frozen=True, slots=True)
class Lessened:
    """When she shared less, and what is left and gone."""

    time: dt.datetime
    left: tuple[Thing, ...]
    gone: tuple[Thing, ...]


def share_less(story: Story, council: Recipient, typed: int) -> Lessened:
    """Tell chapter 9: her income is shared no longer, the rest still is."""
    screen, expect = story.screen, story.expect
    who, consent_id = story.council_team.organisation, council.permission.consent_id
    granted = council.news.next(CONSENT_CHANGE_KIND_GRANTED)
    expect.equal("which question of theirs", granted.consent_id, consent_id)
    before = _consent(story, consent_id)
    things = things_of(before.scope)
    gone = tuple(thing for thing in things if thing.evidence_type == NO_LONGER)
    left = tuple(thing for thing in things if thing not in gone)

    screen.begin(f"Mair shares less with {who}")
    screen.say(
        f"{who} has worked out what she would pay. So it need not see her income any longer. "
        "Before she decides, Mair is told what would change:"
    )
    shown = _narrow(story, before, only_shown=True).difference
    expect.equal("what she is told", _removed(shown), gone)
    expect.equal("nothing has changed yet", _consent(story, consent_id), before)
    screen.blank()
    screen.facts(
        [
            ("No longer shared", _listed(story, gone)),
            ("Still shared", _listed(story, left)),
            ("Until", f"{day(moment(before.end_time))}, as before"),
        ]
    )

    screen.blank()
    screen.say("She says yes to that.")
    narrowed = _narrow(story, before)
    expect.equal("what changed is what she was told", narrowed.difference, shown)
    expect.equal("what is shared now", things_of(narrowed.consent.scope), left)
    told = council.news.next(CONSENT_CHANGE_KIND_NARROWED)
    expect.equal("they are told the same", told.difference, shown)
    attempt = council.is_refused(gone, "FIELD_NOT_GRANTED")
    came = council.fetches(left)
    screen.blank()
    screen.facts(
        [
            ("Done", f"at {clock(moment(told.time))}"),
            (f"{who} learns", f"no longer: {_listed(story, _removed(told.difference))}"),
            ("It tries her income", f"refused, and in her list: {clock(moment(attempt.time))}"),
            ("It fetches the rest", f"{counted(len(came.values), 'answer')} come, and no other"),
        ]
    )
    _end(story, typed, len(left))
    return Lessened(time=moment(told.time), left=left, gone=gone)


def pause(story: Story, council: Recipient, typed: int, left: tuple[Thing, ...]) -> None:
    """Tell chapter 10: for a while nothing is sent; then it goes on as it was."""
    screen, expect = story.screen, story.expect
    who, consent_id = story.council_team.organisation, council.permission.consent_id
    screen.begin("Mair pauses, and goes on")
    screen.say(
        f"Her sister comes to stay, and Mair wants nobody else to look. She pauses {who}. "
        "Nothing will have to be shared anew."
    )
    paused = story.mair.consents.PauseConsent(
        wire.PauseConsentRequest(request_id=new_id(), acting=HERSELF, consent_id=consent_id)
    ).consent
    expect.equal("it is paused", paused.state, CONSENT_STATE_PAUSED)
    council.news.next(CONSENT_CHANGE_KIND_PAUSED)
    meanwhile = expect.equal("shared meanwhile", story.counter().shared, 0)
    expect.equal("may they fetch", council.may_fetch(left), (False, "CONSENT_PAUSED"))
    attempt = council.is_refused(left, "CONSENT_PAUSED")

    going_on = wire.ResumeConsentRequest(
        request_id=new_id(), acting=HERSELF, consent_id=consent_id, validate_only=True
    )
    shown = story.mair.consents.ResumeConsent(going_on)
    purpose = purpose_of(story.mair, paused.purpose)
    challenge = approving.to_resume(shown, paused, purpose)
    resumed = story.mair.consents.ResumeConsent(
        wire.ResumeConsentRequest(
            request_id=new_id(),
            acting=HERSELF,
            approval=story.mair.approve(challenge),
            consent_id=consent_id,
            shown=shown.shown,
        )
    ).consent
    expect.equal("it goes on", resumed.state, CONSENT_STATE_ACTIVE)
    expect.equal("as it was", things_of(resumed.scope), left)
    on = council.news.next(CONSENT_CHANGE_KIND_RESUMED)
    expect.equal("may they fetch", council.may_fetch(left), (True, ""))
    came = council.fetches(left)
    screen.blank()
    screen.facts(
        [
            ("Paused", f"at {clock(moment(paused.pause_time))}"),
            ("Shared meanwhile", counted(meanwhile, "thing")),
            (f"{who} asks", "may it fetch now? No. Asking leaves no trace."),
            ("It tries", f"refused, and in her list: {clock(moment(attempt.time))}"),
            ("Goes on", f"at {clock(moment(on.time))}, as it was before"),
            ("It fetches", f"{counted(len(came.values), 'answer')} come"),
            (f"{who} learns", "that it is paused, and that it goes on; not why"),
        ]
    )
    _end(story, typed, len(left))


def _consent(story: Story, consent_id: str) -> Consent:
    asked = wire.GetConsentRequest(acting=HERSELF, consent_id=consent_id)
    consent: Consent = story.mair.consents.GetConsent(asked).consent
    return consent


def _narrow(
    story: Story, consent: Consent, *, only_shown: bool = False
) -> wire.NarrowConsentResponse:
    """Share all but what she shares no longer; or only say what that would change."""
    answer: wire.NarrowConsentResponse = story.mair.consents.NarrowConsent(
        wire.NarrowConsentRequest(
            request_id=new_id(),
            acting=HERSELF,
            consent_id=consent.consent_id,
            items=[
                RemainingFields(item=item.item, names=[*item.required, *item.optional])
                for item in consent.scope
                if item.evidence_type != NO_LONGER
            ],
            validate_only=only_shown,
        )
    )
    return answer


def _removed(difference: ConsentDifference) -> tuple[Thing, ...]:
    return tuple(
        Thing(removed.evidence_type, tuple(sorted(removed.names))) for removed in difference.removed
    )


def _listed(story: Story, things: Iterable[Thing]) -> str:
    words = story.directory.words
    return "\n".join(f"{words.title(thing)}: {words.listed(thing)}" for thing in things)


def _end(story: Story, typed: int, shared: int) -> None:
    story.end_screen(typed=typed, shared=shared, seen=(story.council_team, story.brightcare_team))
