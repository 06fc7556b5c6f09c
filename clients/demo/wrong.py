# SPDX-License-Identifier: Apache-2.0
"""Chapter 12: Mair says that something is wrong; it goes out marked, until she puts it right."""

import json
from collections.abc import Iterable
from typing import Final

from clients.demo.giving import HERSELF, list_evidence
from clients.demo.people import HELP_NEEDED, WRONG_BECAUSE
from clients.demo.recipient import Recipient
from clients.demo.story import Story, new_id
from clients.demo.things import Thing
from clients.demo.wording import clock, moment, said
from vault.api.v1.evidence_pb2 import EVIDENCE_SOURCE_SELF_DECLARED, Evidence, EvidenceHolder
from vault.api.v1.evidence_service_pb2 import (
    DisputeEvidenceRequest,
    GetEvidenceRequest,
    GetEvidenceResponse,
    ReplaceEvidenceRequest,
)

_KIND: Final = "care_needs"
_NAME: Final = "helpNeeded"
_FIELD: Final = (_KIND, _NAME)
_THING: Final = Thing(_KIND, (_NAME,))


def put_right(story: Story, council: Recipient, typed: int, shared: int) -> int:
    """Tell the chapter; return how many answers she has typed by now."""
    story.screen.begin("This is wrong")
    before = _get(story)
    _say_so(story, council, before.evidence)
    _correct(story, council, before.evidence)
    typed += story.expect.equal("answers that she typed", story.typing.answers - typed, 1)
    story.end_screen(typed=typed, shared=shared, seen=(story.council_team, story.brightcare_team))
    return typed


def _say_so(story: Story, council: Recipient, piece: Evidence) -> None:
    screen, expect = story.screen, story.expect
    who, label = story.council_team.organisation, story.directory.words.label(*_FIELD)
    screen.say(
        "The hospital's letter says that Mair needs help with meals. She does not. She says so, "
        "and lets her words go along."
    )
    disputed = story.mair.evidence.DisputeEvidence(
        DisputeEvidenceRequest(
            request_id=new_id(),
            acting=HERSELF,
            evidence_id=piece.evidence_id,
            names=[_NAME],
            statement=WRONG_BECAUSE,
            is_shared=True,
        )
    )
    expect.equal("who has it", _who(story, disputed.holders), [(who, 1, True)])
    came = council.fetches((_THING,))
    expect.equal("what is marked as wrong", came.wrong, frozenset({_FIELD}))
    expect.true("her own words go along", came=came.statements == (WRONG_BECAUSE,))
    value = json.loads(piece.values)[_NAME]
    expect.true("what came is what she gave", came=came.values[_FIELD] == value)
    screen.blank()
    screen.facts(
        [
            (f"{who} sees", f"{label}: {said(_NAME, came.values[_FIELD])}"),
            ("", "Mair says that this is wrong:"),
            ("", f"“{came.statements[0]}”"),
        ]
    )


def _correct(story: Story, council: Recipient, piece: Evidence) -> None:
    screen, expect = story.screen, story.expect
    who, label = story.council_team.organisation, story.directory.words.label(*_FIELD)
    screen.blank()
    screen.say("Then she puts it right: one answer typed, the others stay. She is told:")
    values = {**json.loads(piece.values), _NAME: list(HELP_NEEDED)}
    replaced = story.mair.evidence.ReplaceEvidence(
        ReplaceEvidenceRequest(
            request_id=new_id(),
            acting=HERSELF,
            evidence_id=piece.evidence_id,
            values=json.dumps(values, ensure_ascii=False).encode(),
            source=EVIDENCE_SOURCE_SELF_DECLARED,
        )
    )
    expect.equal("who has the old one", _who(story, replaced.holders), [(who, 1, False)])
    old = replaced.holders[0]
    expect.true("with the answer that was wrong", came=_NAME in old.names)
    came = council.fetches((_THING,))
    expect.true("what came is what she put right", came=came.values[_FIELD] == list(HELP_NEEDED))
    expect.equal("what is marked as wrong", came.wrong, frozenset())
    held = _who(story, _get(story).holders)
    expect.equal("who has which", held, [(who, 1, False), (who, 2, True)])
    screen.blank()
    screen.facts(
        [
            ("Who has the old answer", f"{who}, for {story.directory.title(old.purpose)}"),
            ("Last fetched", f"at {clock(moment(old.last_disclosure_time))}"),
        ]
    )
    screen.blank()
    screen.facts(
        [
            (f"{who} sees", f"{label}: {said(_NAME, came.values[_FIELD])}"),
            ("", "No longer marked as wrong"),
        ]
    )


def _get(story: Story) -> GetEvidenceResponse:
    evidence_id = list_evidence(story.mair)[_KIND].evidence_id
    answer: GetEvidenceResponse = story.mair.evidence.GetEvidence(
        GetEvidenceRequest(acting=HERSELF, evidence_id=evidence_id)
    )
    return answer


def _who(story: Story, holders: Iterable[EvidenceHolder]) -> list[tuple[str, int, bool]]:
    """Return who holds which revision, and whether that is the current one."""
    return [
        (story.directory.organisation(holder.service_id), holder.revision, holder.is_current)
        for holder in holders
    ]
