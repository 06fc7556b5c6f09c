# SPDX-License-Identifier: Apache-2.0
"""Chapter 6: who saw Mair's information, and who tried: each time, with when, who and why."""

from typing import Final

from clients.demo import receipts
from clients.demo.counter import DISCLOSED, REFUSED
from clients.demo.people import BRIGHTCARE_STAFF, COUNCIL_STAFF
from clients.demo.story import Story
from clients.demo.things import Thing
from clients.demo.wording import clock, moment
from vault.api.v1.vault_pb2 import HistoryEntry

_REFUSED_BECAUSE: Final = {
    "FIELD_NOT_GRANTED": "not shared with them",
    "CONSENT_REVOKED": "she had stopped them",
}


def show(story: Story, typed: int, shared: int) -> tuple[HistoryEntry, ...]:
    """Tell the chapter; return what stands in her list, oldest first."""
    screen, expect = story.screen, story.expect
    council, brightcare = story.council_team, story.brightcare_team
    screen.begin("Who saw Mair's information")
    screen.say(
        "Her own list: every use, and every try that was refused. Nia keeps the confirmation of "
        "each line."
    )
    entries = story.uses()[::-1]
    for entry in entries:
        facts = receipts.check(expect, entry.receipt, story.directory.receipt_keys)
        expect.equal("what the confirmation is of", facts["type"], entry.type)
    expect.equal(
        "every use and every refusal",
        [
            (entry.service_id, entry.type, entry.reason, entry.staff_ref)
            for entry in entries
            if not entry.repeated
        ],
        [
            (council.service_id, DISCLOSED, "", COUNCIL_STAFF),
            (brightcare.service_id, DISCLOSED, "", BRIGHTCARE_STAFF),
            (brightcare.service_id, REFUSED, "FIELD_NOT_GRANTED", BRIGHTCARE_STAFF),
            (brightcare.service_id, REFUSED, "CONSENT_REVOKED", BRIGHTCARE_STAFF),
        ],
    )
    screen.table(
        ("When", "Who, and why", "What they saw"),
        [
            (clock(moment(entry.time)), _who_and_why(story, entry), _what(story, entry))
            for entry in entries
        ],
    )
    story.end_screen(typed=typed, shared=shared, seen=(council, brightcare))
    return entries


def _who_and_why(story: Story, entry: HistoryEntry) -> str:
    organisation = story.directory.organisation(entry.service_id)
    return f"{organisation}\n{entry.staff_ref}\n{story.directory.title(entry.purpose)}"


def _what(story: Story, entry: HistoryEntry) -> str:
    words = story.directory.words
    things = [Thing(item.evidence_type, tuple(sorted(item.names))) for item in entry.items]
    lines = [f"{words.title(thing)}: {words.listed(thing)}" for thing in things]
    if entry.type == REFUSED:
        lines = ["They tried and were refused:", *lines, f"({_REFUSED_BECAUSE[entry.reason]})"]
    if entry.repeated:
        # A slow disk: the first answer would have been too late, so it was dropped and asked again.
        lines.append("(the same once more)")
    return "\n".join(lines)
