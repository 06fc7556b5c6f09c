# SPDX-License-Identifier: Apache-2.0
"""Chapter 15: what was so before she shared less, why something left, and both lists checked."""

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from google.protobuf.timestamp_pb2 import Timestamp

from clients.connection import Connection
from clients.demo import checker
from clients.demo.changing import Lessened
from clients.demo.counter import DISCLOSED
from clients.demo.emlyn import Helped
from clients.demo.recipient import Recipient
from clients.demo.story import Story
from clients.demo.things import Thing, things_of
from clients.demo.wording import clock, day, moment
from vault.api.v1.audit_pb2 import (
    DECISION_AGAIN_NOT_DECIDED,
    DECISION_AGAIN_SAME,
    DecisionAgain,
    Explanation,
)
from vault.api.v1.audit_service_pb2 import ExplainDisclosureRequest, GetVaultStateRequest
from vault.api.v1.vault_pb2 import HistoryEntry
from vault.api.v1.vault_service_pb2 import GetVaultRequest

_JUST_BEFORE: Final = dt.timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Checked:
    """How many uses were decided again, and how many records of both people were replayed."""

    decided: int
    records: int


def look_back(
    story: Story,
    council: Recipient,
    auditor: Connection,
    lessened: Lessened,
    helped: Helped,
    *,
    typed: int,
) -> Checked:
    """Tell the chapter."""
    vault_id = story.mair.vaults.GetVault(GetVaultRequest()).vault.vault_id
    story.screen.begin("As it was")
    _show_then_and_now(story, council, lessened, vault_id)
    decided = _explain(story, vault_id, lessened)
    records = _check(story, auditor, vault_id, helped)
    seen = (story.council_team, story.brightcare_team)
    story.end_screen(typed=typed, shared=len(lessened.left), seen=seen)
    return Checked(decided=decided, records=records)


def _show_then_and_now(story: Story, council: Recipient, lessened: Lessened, vault_id: str) -> None:
    screen, expect, words = story.screen, story.expect, story.directory.words
    consent_id = council.permission.consent_id
    before = lessened.time - _JUST_BEFORE
    then = _shared(story, vault_id, consent_id, before)
    now = _shared(story, vault_id, consent_id, None)
    expect.equal("what she shared before", set(then), {*lessened.left, *lessened.gone})
    expect.equal("what she shares now", now, lessened.left)
    screen.say(
        f"What did Mair share with {story.council_team.organisation} at {clock(before)}, just "
        "before she shared less? Her history still knows."
    )
    screen.table(
        ("What", f"At {clock(before)}", "Now"),
        [
            (words.title(thing), "shared", "shared" if thing in now else "not shared")
            for thing in then
        ],
    )


def _explain(story: Story, vault_id: str, lessened: Lessened) -> int:
    """Show why her income left; have every use decided again, and return how many those were."""
    screen, expect = story.screen, story.expect
    uses = story.uses()
    explained = {use.version: _explanation(story, vault_id, use) for use in uses}
    expect.equal(
        "every use, decided again",
        [DecisionAgain.Name(explained[use.version].decision_again) for use in uses],
        [DecisionAgain.Name(_expected(use)) for use in uses],
    )
    kind = lessened.gone[0].evidence_type
    use = next(
        use
        for use in reversed(uses)
        if use.type == DISCLOSED and kind in {item.evidence_type for item in use.items}
    )
    why = explained[use.version]
    left = [Thing(item.evidence_type, tuple(item.names)) for item in why.items]
    expect.true("her income left then", came=lessened.gone[0] in left)
    expect.true("it was shared then", came=lessened.gone[0] in things_of(why.consent.scope))
    expect.equal("the texts that she was shown", why.texts_hash, why.consent.notice_hash)
    texts = next(texts for texts in why.purpose.texts if texts.language == why.consent.language)
    decided = sum(use.type == DISCLOSED and not use.repeated for use in uses)
    screen.say(f"Why could {use.staff_ref} see her income at {clock(moment(use.time))}?")
    screen.blank()
    screen.facts(
        [
            ("Because", f"she shared it then, until {day(moment(why.consent.end_time))}"),
            ("What for", f"{texts.title}. {texts.why}"),
            ("What she was shown", "word for word this; its fingerprint is the same today"),
            ("Asked again", "the same rules, the same history: the same answer"),
            ("Every use of hers", f"asked again: {decided} of {decided} the same"),
        ]
    )
    return decided


def _check(story: Story, auditor: Connection, vault_id: str, helped: Helped) -> int:
    """Have the checker go through both histories; return how many records those are."""
    screen, expect = story.screen, story.expect
    people = (
        ("Mair", vault_id, story.uses(), checker.HONEST),
        ("Emlyn", helped.vault_id, helped.uses, checker.ASSISTED),
    )
    rows = []
    records = 0
    for name, whose, uses, verdict in people:
        folder = story.folder / f"{name.lower()}-replay"
        replayed = checker.replay(auditor, whose, folder)
        report = checker.judge(replayed, [use.receipt for use in uses])
        expect.equal("what is wrong", report.findings, ())
        expect.equal("the checker's verdict", report.verdict, verdict)
        expect.true("every confirmation holds", came=all(held.holds for held in report.receipts))
        expect.equal("the uses that it judged", _places(report.uses), _uses(uses))
        allowed = sum(use.allowed for use in report.uses)
        expect.equal("uses that were allowed", allowed, len(report.uses))
        records += replayed.records
        rows.append((name, str(replayed.records), f"{allowed} of {allowed}", "nothing"))
    screen.blank()
    screen.say("The independent checker goes through what was written about both of them.")
    screen.table(("Whose", "Entries", "Uses that were allowed", "Missing or changed"), rows)
    return records


def _shared(
    story: Story, vault_id: str, consent_id: str, time: dt.datetime | None
) -> tuple[Thing, ...]:
    """Return what was shared at a time, or is now."""
    asked = GetVaultStateRequest(vault_id=vault_id)
    if time is not None:
        moment_ = Timestamp()
        moment_.FromDatetime(time)
        asked.as_of_time.CopyFrom(moment_)
    state = story.mair.audits.GetVaultState(asked).state
    return next(things_of(c.scope) for c in state.consents if c.consent_id == consent_id)


def _explanation(story: Story, vault_id: str, use: HistoryEntry) -> Explanation:
    asked = ExplainDisclosureRequest(vault_id=vault_id, version=use.version)
    explanation: Explanation = story.mair.audits.ExplainDisclosure(asked).explanation
    return explanation


def _expected(use: HistoryEntry) -> DecisionAgain.ValueType:
    return DECISION_AGAIN_SAME if use.type == DISCLOSED else DECISION_AGAIN_NOT_DECIDED


def _places(uses: Iterable[checker.Use]) -> list[int]:
    return [use.leaf_index for use in uses]


def _uses(entries: Iterable[HistoryEntry]) -> list[int]:
    used = [entry.receipt.leaf_index for entry in entries if entry.type == DISCLOSED]
    return sorted(used)
