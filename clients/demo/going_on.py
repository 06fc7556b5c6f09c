# SPDX-License-Identifier: Apache-2.0
"""The full story's second half, on the first server started again: seven more chapters."""

from dataclasses import dataclass
from typing import Final

from clients.demo import by_json, changing, document, emlyn, looking_back, wrong
from clients.demo.counter import REFUSED, Typing
from clients.demo.fetching import Permission
from clients.demo.news import News
from clients.demo.people import CHECKER, LETTER, OFFICIAL
from clients.demo.recipient import Recipient
from clients.demo.stage import Stage
from clients.demo.story import Story
from clients.demo.wording import megabytes

SCREENS: Final = 7


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of it, also in a few lines, and what must not stand in any file."""

    typed: int
    refused: int
    lines: tuple[tuple[str, str], ...]
    texts: frozenset[bytes]


def go_on(story: Story, stage: Stage, permission: Permission, typed: int) -> Outcome:
    """Tell the chapters.

    Args:
        permission: what Aber Council may fetch from Mair.
        typed: how many answers she has typed by now.
    """
    team = story.council_team
    council = Recipient(story, story.council, permission, News(story.council, story.expect))
    lessened = changing.share_less(story, council, typed)
    shared = len(lessened.left)
    changing.pause(story, council, typed, lessened.left)
    typed += len(LETTER.answers)
    slow = stage.enter_slowly("service", team.service_id, team.organisation)
    sent = document.share_letter(story, council, slow, typed=typed, shared=shared)
    typed = wrong.put_right(story, council, typed, shared)
    typing = Typing()
    official = stage.enter("official", OFFICIAL, OFFICIAL, typing.watch)
    helped = emlyn.help_him(story, official, typing)
    http = stage.enter_http("service", team.service_id, team.organisation)
    by_json.fetch(story, council, http, typed=typed, shared=shared, gone=lessened.gone)
    auditor = stage.enter("auditor", CHECKER, "Checker")
    checked = looking_back.look_back(story, council, auditor, lessened, helped, typed=typed)
    arrived = f"{megabytes(sent.cut_off_bytes)} of {megabytes(sent.size_bytes)}"
    return Outcome(
        typed=typed,
        refused=sum(use.type == REFUSED for use in story.uses()),
        lines=(
            ("Shared less", f"told first to her, then to {team.organisation}: the same"),
            ("The letter", f"once whole, once stopped at {arrived}"),
            ("Emlyn", f"helped by {OFFICIAL}, at the counter; in his list"),
            ("Asked again", f"{checked.decided} of {checked.decided} uses: the same answer"),
            ("Both histories", f"{checked.records} entries, nothing missing or changed"),
        ),
        texts=sent.texts | helped.texts,
    )
