# SPDX-License-Identifier: Apache-2.0
"""Chapter 1: Mair gives her information once, and nobody can see it."""

from clients.connection import Connection
from clients.demo.people import Form, forms, friday
from clients.demo.story import Story, new_id
from clients.demo.things import Thing
from clients.demo.wording import counted, day
from vault.api.v1.evidence_pb2 import EVIDENCE_SOURCE_DOCUMENT, Evidence
from vault.api.v1.evidence_service_pb2 import (
    GetEvidenceRequest,
    ListEvidenceRequest,
    ProvideEvidenceRequest,
)
from vault.api.v1.vault_pb2 import CHANNEL_CLI, Acting
from vault.api.v1.vault_service_pb2 import OpenVaultRequest

HERSELF = Acting(channel=CHANNEL_CLI)


def begin(mair: Connection) -> str:
    """Open Mair's vault, or find it open; return its id."""
    answer = mair.vaults.OpenVault(OpenVaultRequest(request_id=new_id(), acting=HERSELF))
    return str(answer.vault.vault_id)


def fill_in(mair: Connection, filled_in: tuple[Form, ...], acting: Acting = HERSELF) -> None:
    """Send what Mair filled in, or what somebody did for her."""
    for form in filled_in:
        mair.evidence.ProvideEvidence(
            ProvideEvidenceRequest(
                request_id=new_id(),
                acting=acting,
                evidence_type=form.evidence_type,
                values=form.values,
                issued_date=form.issued_date,
                source=form.source,
            )
        )


def list_evidence(mair: Connection, acting: Acting = HERSELF) -> dict[str, Evidence]:
    """Return what Mair has given, by its type."""
    listed = mair.evidence.ListEvidence(ListEvidenceRequest(acting=acting, page_size=500))
    return {piece.evidence_type: piece for piece in listed.evidence}


def give(story: Story) -> int:
    """Tell the chapter; return how many answers Mair typed."""
    screen, expect, words = story.screen, story.expect, story.directory.words
    filled_in = forms(story.today)

    screen.begin("Mair comes home")
    screen.say(
        f"Mair is 81. On {day(friday(story.today))} she comes home from hospital. Her daughter Nia "
        "sits beside her. Together they fill in three pages, once."
    )
    begin(story.mair)
    fill_in(story.mair, filled_in)
    pieces = list_evidence(story.mair)
    expect.equal("the pages that are kept", set(pieces), {form.evidence_type for form in filled_in})
    for form in filled_in:
        kept = story.mair.evidence.GetEvidence(
            GetEvidenceRequest(evidence_id=pieces[form.evidence_type].evidence_id)
        ).evidence
        expect.equal("the fields that are kept", {f.name for f in kept.fields}, set(form.answers))
        expect.true("she reads what she typed", came=form.is_kept_as(kept.values))
    typed = sum(len(piece.fields) for piece in pieces.values())
    expect.equal("answers that were sent", story.typing.answers, typed)
    screen.table(
        ("What she gives", "Answers", "Where she has it from"),
        [
            (
                words.title(Thing(piece.evidence_type, ())),
                counted(len(piece.fields), "answer"),
                "the hospital's letter" if piece.source == EVIDENCE_SOURCE_DOCUMENT else "herself",
            )
            for piece in pieces.values()
        ],
    )
    expect.equal("uses before she shared anything", len(story.uses()), 0)
    found = story.search()
    screen.say(
        "Nobody can see them yet. They are locked: none of what she typed can be read in any of "
        f"the {found.where} that were written."
    )
    story.end_screen(typed=typed, shared=0, seen=())
    return typed
