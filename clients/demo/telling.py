# SPDX-License-Identifier: Apache-2.0
"""The whole story, chapter after chapter, and what came of it in a few lines at the end."""

import datetime as dt
import json
from dataclasses import dataclass
from typing import Final

from clients.connection import development_keys
from clients.demo import (
    cheating,
    checker,
    council,
    giving,
    going_on,
    honest_copy,
    provider,
    seen,
)
from clients.demo.checker import Report
from clients.demo.counter import REFUSED, Counter, Typing
from clients.demo.deployment import Deployment
from clients.demo.directory import read_directory
from clients.demo.expectations import Expectations
from clients.demo.people import CHECKER, MAIR, OPERATOR, PROVIDER_CLIENT
from clients.demo.registration import register
from clients.demo.screen import Screen
from clients.demo.server import running
from clients.demo.stage import Listener, Stage
from clients.demo.story import Story
from clients.demo.witness import witnessing
from vault.api.v1.vault_pb2 import HistoryEntry
from vault.api.v1.vault_service_pb2 import GetVaultRequest

SCREENS: Final = 10
FULL_SCREENS: Final = SCREENS + going_on.SCREENS


@dataclass(frozen=True, slots=True)
class Begun:
    """What came of the chapters before the provider's."""

    typed: int
    shared: council.Shared
    came: int


@dataclass(frozen=True, slots=True)
class Told:
    """What came of the chapters until the last of them."""

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
    folder = deployment.data.parent
    with running(deployment) as server, Stage(server, listener) as stage:
        register(stage.enter("operator", OPERATOR, "Operator"))
        log_key = checker.log_key_of(stage.enter("auditor", CHECKER, "Checker"))
    with witnessing(folder / "witness", log_key) as trust:
        with running(deployment, trust.policy) as server, Stage(server, listener) as stage:
            story = enter(stage, screen, deployment)
            begun = _tell_of_the_council(story)
        earlier = deployment.copy("earlier")
        with running(deployment, trust.policy) as server, Stage(server, listener) as stage:
            story = enter(stage, screen, deployment, story)
            told = _tell_of_the_provider(story, begun)
            nia = stage.enter("auditor", CHECKER, "Checker")
            kept = checker.keep(nia, [use.receipt for use in told.uses], folder / "kept")
            provider_keys = folder / "provider-keys.json"
            provider_keys.write_bytes(_her_provider(development_keys(server.issuer)))
        copies = cheating.Copies(
            deployment, earlier, told.vault_id, kept, trust, provider_keys, listener
        )
        cheated = cheating.remove_a_use(story, copies, told.uses)
        screen.counter(told.counter)
        rewritten = cheating.sign_another_history(story, copies)
        screen.counter(told.counter)
        invented = cheating.invent_a_permission(story, copies)
        screen.counter(told.counter)
        used_token = told.visited.fetched.position_token
        honest = honest_copy.check(story, copies, told.uses, used_token)
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
            ("Another history", f"found: {rewritten.verdict}, contradicts the witness"),
            ("Invented permission", f"found: {invented.verdict}"),
            ("Honest copy", f"{honest.verdict}: {_allowed(honest)} allowed"),
            *outcome.lines,
            ("On the disk", f"none of what she typed, in {searched.where}"),
            ("Compared on the way", f"{story.expect.met} answers with what was expected"),
        ]
    )


def _her_provider(keys: bytes) -> bytes:
    """Return the provider's keys, and beside them which sign-in is hers, as she knows it herself.

    Without that, her provider could have signed for anybody, and the checker says so.
    """
    hers = {"client_id": PROVIDER_CLIENT, "sub": MAIR}
    return json.dumps({**json.loads(keys), **hers}).encode()


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


def _tell_of_the_council(story: Story) -> Begun:
    typed = giving.give(story)
    shared = council.be_asked(story, typed)
    came = council.receive(story, shared, typed)
    return Begun(typed=typed, shared=shared, came=len(came))


def _tell_of_the_provider(story: Story, begun: Begun) -> Told:
    typed, things = begun.typed, len(begun.shared.things)
    visited = provider.visit(story, typed, things)
    stopped = provider.stop(story, visited, typed, things)
    uses = seen.show(story, typed, things)
    return Told(
        vault_id=story.mair.vaults.GetVault(GetVaultRequest()).vault.vault_id,
        counter=story.counter(),
        shared=begun.shared,
        came=begun.came,
        visited=visited,
        stopped=stopped,
        uses=uses,
    )


def _allowed(report: Report) -> str:
    return f"{sum(use.allowed for use in report.uses)} of {len(report.uses)}"
