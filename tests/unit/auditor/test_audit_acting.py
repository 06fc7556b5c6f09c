# SPDX-License-Identifier: Apache-2.0
"""The auditor's rule for who acted, on forged histories: no official without a way of hers."""

import pytest
from msgspec.structs import replace

from tests.unit.auditor.stories import (
    AGREED,
    HERSELF,
    PROOF,
    WAY,
    Placed,
    Story,
    a_story_of_changes,
    an_assisted_story,
    as_official,
    audited,
    version_of,
)
from tests.unit.auditor.tampering import (
    EditFacts,
    EditLink,
    changed,
    judged,
    numbered,
    relinked,
    replaced_event,
    whys,
    with_acting,
    with_facts,
    with_link,
)
from vault.domain import vault
from vault.domain.amendment import ConsentExtended
from vault.domain.consent import ConsentGranted, ConsentPaused, ConsentResumed, ConsentRevoked
from vault.domain.events import Link
from vault.domain.evidence import EvidenceProvided
from vault.domain.request import ConsentRequested
from vault.domain.sign_in import SignInLinked, SignInUnlinked
from vault.domain.values import NO_APPROVAL, Acting, Approval, ApprovalKind, Channel
from vault.domain.vault import VaultRead

STORY = an_assisted_story()
OPENING, LINKING = 1, 2
PROVISION = version_of(STORY, EvidenceProvided)
CLAIM = version_of(STORY, ConsentRequested)
LOOK = version_of(STORY, VaultRead)
GRANT = version_of(STORY, ConsentGranted)
PAUSE = version_of(STORY, ConsentPaused)
RESUMPTION = version_of(STORY, ConsentResumed)
HER_LINKING = version_of(STORY, SignInLinked, 1)
HER_UNLINKING = version_of(STORY, SignInUnlinked)
STOP = version_of(STORY, ConsentRevoked)
CODES_UNLINKING = version_of(STORY, SignInUnlinked, 1)

NEVER = "an official acted by a way to her vault that was never opened"
CLOSED = f"a way to her vault that was closed at version {HER_UNLINKING}"
NOT_FOLLOWED = "an official opened the vault, and this does not open the way that was named"
NOT_HERS = "nothing shows that the decision is hers"


def approved(kind: ApprovalKind, proof_hash: str = PROOF) -> EditLink:
    return with_link(approval=Approval(kind=kind, proof_hash=proof_hash))


EDITED_LINKS = [
    # By which way: of everything that an official does.
    *(
        (version, with_acting(mandate=mandate), NEVER)
        for version in (PROVISION, CLAIM, LOOK, GRANT, PAUSE, RESUMPTION, STOP)
        for mandate in ("", "none")
    ),
    (PAUSE, with_acting(mandate="another"), NEVER),
    (STOP, with_acting(mandate=WAY), f"an official acted by {CLOSED}"),
    # How an official's way begins.
    (OPENING, with_acting(mandate="none"), NOT_FOLLOWED),
    (LINKING, with_acting(mandate="none"), NEVER),
    (HER_LINKING, with_link(acting=as_official("letter")), "an official opened another way"),
    # Through which channel.
    *(
        (version, with_acting(channel=channel), f"an official acted through channel {channel}")
        for version in (OPENING, LINKING, PROVISION, GRANT, PAUSE, STOP)
        for channel in ("web", "cli", "api")
    ),
    # With which proof.
    *(
        (version, edit, NOT_HERS)
        for version, other in ((GRANT, "staff-assisted"), (RESUMPTION, "paper"))
        for edit in (
            with_link(approval=NO_APPROVAL),
            approved("session", ""),
            approved("session"),
            approved(other),  # type: ignore[arg-type]
            with_link(payloads=()),
            with_link(payloads=(replace(AGREED, kind="command"),)),
        )
    ),
    (GRANT, approved("paper", ""), NOT_HERS),
    (RESUMPTION, approved("staff-assisted", ""), NOT_HERS),
    (GRANT, with_acting(channel="counter"), NOT_HERS),
    (RESUMPTION, with_acting(channel="letter"), NOT_HERS),
]


@pytest.mark.parametrize(("version", "edit", "why"), EDITED_LINKS, ids=numbered(EDITED_LINKS))
def test_an_official_without_her_way_or_word_is_found(
    version: int, edit: EditLink, why: str
) -> None:
    report = judged(relinked(changed(STORY.vault, version, link=edit)), STORY)

    assert why in whys(report, LINKING if why == NOT_FOLLOWED else version)


EDITED_FACTS = [
    (LINKING, with_facts(sign_in="other"), NOT_FOLLOWED),
    (HER_LINKING, with_facts(sign_in=WAY), "the way to her vault was opened already"),
    (HER_UNLINKING, with_facts(sign_in="other"), "it closes a way to her vault that was never"),
    (CODES_UNLINKING, with_facts(sign_in=WAY), f"it closes {CLOSED}"),
]


@pytest.mark.parametrize(("version", "edit", "why"), EDITED_FACTS, ids=numbered(EDITED_FACTS))
def test_a_way_that_does_not_fit_is_found(version: int, edit: EditFacts, why: str) -> None:
    report = judged(relinked(changed(STORY.vault, version, facts=edit)), STORY)

    assert why in whys(report, version)


def test_a_vault_that_an_official_opened_without_a_way_is_found() -> None:
    placed = [p for p in STORY.vault if p.event.link.version != LINKING]

    report = judged(relinked(placed), STORY)

    assert whys(report, 2) == f"{NOT_FOLLOWED}; {NEVER}"


def test_an_opening_by_an_official_is_not_held_against_what_is_not_shown_yet() -> None:
    report = judged(STORY.vault[:1], STORY)

    assert report.findings == ()


def test_a_look_between_an_opening_and_its_way_is_no_fault() -> None:
    auditor = Acting(actor="auditor", capacity="auditor", mandate="", channel="api")
    story = Story(acting=as_official("counter"))
    story.found()
    linking = story.vault.pop()
    story.record(vault.read(story.stamp, "history"), acting=auditor)
    late = replace(linking.event.facts, time=story.time)
    placed = [*story.vault, Placed(replaced_event(linking.event, late), story.positions + 1)]

    assert judged(relinked(placed), story).findings == ()


def test_an_official_opens_no_way_to_a_vault_that_she_opened() -> None:
    placed = changed(STORY.vault, OPENING, link=with_link(acting=HERSELF))

    report = judged(relinked(placed), STORY)

    assert whys(report, LINKING) == f"{NEVER}; an official opened another way to her vault"


@pytest.mark.parametrize("kind", [ConsentGranted, ConsentResumed, ConsentExtended])
def test_what_she_decides_herself_names_its_approval(
    kind: type[ConsentGranted | ConsentResumed | ConsentExtended],
) -> None:
    story = a_story_of_changes()
    version = version_of(story, kind)

    edited = changed(story.vault, version, link=with_link(approval=NO_APPROVAL))

    assert story.vault[version - 1].event.link.approval.kind == "session"
    assert whys(judged(relinked(edited), story), version) == NOT_HERS


@pytest.mark.parametrize(
    ("channel", "kind"),
    [("counter", "staff-assisted"), ("phone", "staff-assisted"), ("letter", "paper")],
)
def test_each_channel_has_its_proof(channel: Channel, kind: ApprovalKind) -> None:
    def edit(link: Link) -> Link:
        return replace(
            link,
            acting=replace(link.acting, channel=channel),
            approval=Approval(kind=kind, proof_hash=PROOF),
        )

    report = judged(relinked(changed(STORY.vault, GRANT, link=edit)), STORY)

    assert report.findings == ()


def test_a_withheld_linking_leaves_officials_unjudged_and_fails_nothing() -> None:
    lines = [placed.line for placed in STORY.vault]
    lines[0] = STORY.vault[0].line_with(link="", facts="")
    lines[1] = STORY.vault[1].line_with(link="", facts="")

    report = audited(lines, [placed.line for placed in STORY.registry])

    assert (report.findings, report.withheld) == ((), 2)
