# SPDX-License-Identifier: Apache-2.0
"""The whole story, chapter after chapter, and what came of it in a few lines at the end."""

import datetime as dt
from dataclasses import dataclass
from typing import Final

from clients.demo import cheating, council, giving, going_on, provider, seen
from clients.demo.counter import REFUSED, Counter, Typing
from clients.demo.deployment import Deployment
from clients.demo.directory import read_directory
from clients.demo.expectations import Expectations
from clients.demo.people import MAIR, OPERATOR
from clients.demo.registration import register
from clients.demo.screen import Screen
from clients.demo.server import running
from clients.demo.stage import Listener, Stage
from clients.demo.story import Story
from vault.api.v1.vault_pb2 import HistoryEntry
from vault.api.v1.vault_service_pb2 import GetVaultRequest

SCREENS: Final = 8
FULL_SCREENS: Final = SCREENS + going_on.SCREENS


@dataclass(frozen=True, slots=True)
class Told:
    """What came of the chapters that were told on the first server."""

    vault_id: str
    counter: Counter
    shared: council.Shared
    came: int
    visited: provider.Visit
    stopped: provider.Stopped
    uses: tuple[HistoryEntry, ...]


def tell(
    deployment: Deployment,
    screen: Screen,
    listener: Listener | None = None,
    *,
    is_full: bool = False,
) -> None:
    """Tell the story on a deployment that holds nothing yet; copies of it lie beside it.

    Args:
        is_full: tell how it goes on, too.

    Raises:
        UnexpectedError: at the first answer that is not what the story expects.
        CallError: if a call is refused that the story needs.
        ServerError, CheckerError: if a program does not do its part.
    """
    deployment.data.mkdir(mode=0o700)
    with running(deployment) as server, Stage(server, listener) as stage:
        register(stage.enter("operator", OPERATOR, "Operator"))
        story = enter(stage, screen, deployment)
        told = _tell_first_chapters(story)
    copies = cheating.Copies(deployment, told.vault_id, listener)
    cheated = cheating.remove_a_use(story, copies, told.uses)
    screen.counter(told.counter)
    used_token = told.visited.fetched.position_token
    honest = cheating.check_honest_copy(story, copies, told.uses, used_token)
    screen.counter(told.counter)
    outcome = going_on.Outcome(
        typed=told.counter.typed,
        refused=sum(use.type == REFUSED for use in told.uses),
        lines=(),
        texts=frozenset(),
    )
    if is_full:
        with running(deployment) as server, Stage(server, listener) as stage:
            again = enter(stage, screen, deployment, story)
            outcome = going_on.go_on(again, stage, told.shared.permission, outcome.typed)
    searched = story.search(outcome.texts)
    screen.end(
        [
            ("Typed once", f"{outcome.typed} answers"),
            (
                "Asked, shared, came",
                f"{len(told.shared.asked)}, {told.counter.shared}, {told.came}",
            ),
            ("Refused attempts", f"{outcome.refused}, all in her list"),
            ("Sent after stopping", str(told.stopped.sent_after)),
            ("Removed entry", f"found: {cheated.verdict}"),
            ("Honest copy", f"{sum(u.allowed for u in honest.uses)} of {len(honest.uses)} allowed"),
            *outcome.lines,
            ("On the disk", f"none of what she typed, in {searched.where}"),
            ("Compared on the way", f"{story.expect.met} answers with what was expected"),
        ]
    )


def enter(
    stage: Stage, screen: Screen, deployment: Deployment, before: Story | None = None
) -> Story:
    """Sign everybody in.

    Args:
        before: the story that goes on, with what was typed and compared in it.
    """
    typing = before.typing if before else Typing()
    mair = stage.enter("citizen", MAIR, "Mair", typing.watch)
    directory = read_directory(mair)
    council_team = directory.asker_for("care-at-home")
    brightcare_team = directory.asker_for("home-visits")
    return Story(
        deployment=deployment,
        # In UTC, where the server would take a letter of her own tomorrow for one of the future.
        today=dt.datetime.now(dt.UTC).date(),
        screen=screen,
        directory=directory,
        mair=mair,
        council=stage.enter("service", council_team.service_id, council_team.organisation),
        brightcare=stage.enter("service", brightcare_team.service_id, brightcare_team.organisation),
        typing=typing,
        expect=before.expect if before else Expectations(),
    )


def _tell_first_chapters(story: Story) -> Told:
    typed = giving.give(story)
    shared = council.be_asked(story, typed)
    came = council.receive(story, shared, typed)
    visited = provider.visit(story, typed, len(shared.things))
    stopped = provider.stop(story, visited, typed, len(shared.things))
    uses = seen.show(story, typed, len(shared.things))
    return Told(
        vault_id=story.mair.vaults.GetVault(GetVaultRequest()).vault.vault_id,
        counter=story.counter(),
        shared=shared,
        came=len(came),
        visited=visited,
        stopped=stopped,
        uses=uses,
    )
