# SPDX-License-Identifier: Apache-2.0
"""What the pages are tried on: a real server, the web client beside it, and people who use it.

Both are processes, as `make run` starts them; what has happened before is what `make run` lets
happen. Whoever needs a person for herself takes a new one, which costs a third of a second.
"""

from __future__ import annotations

import io
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from rich.console import Console

from clients.demo import beforehand, doors
from clients.demo.deployment import OnSQLite
from clients.demo.pages import Pages, serving
from clients.demo.people import OPERATOR
from clients.demo.registration import register
from clients.demo.screen import Screen
from clients.demo.server import Server, running
from clients.demo.stage import Stage
from clients.demo.story import Story
from clients.demo.telling import enter


@dataclass(frozen=True)
class Person:
    """Somebody with information of her own.

    Attributes:
        sub: what she types where she signs in.
        story: her connection and those of the services that know her; what happens behind the
            pages' back is done by it.
    """

    sub: str
    story: Story
    vault_id: str


@dataclass(frozen=True)
class Site:
    """A server and the web client beside it.

    Attributes:
        url: where the pages are, without a slash at the end.
        stage: signs anybody in, past the pages.
    """

    url: str
    server: Server
    pages: Pages
    stage: Stage
    story: Story
    folder: Path

    def person(self, name: str = "mair") -> Person:
        """Return a new person, with what Mair has when a newcomer first signs in as her."""
        sub = self.newcomer(name)
        story = replace(self.story, mair=self.stage.enter("citizen", sub, "Mair"))
        return Person(sub, story, beforehand.live(story))

    def newcomer(self, name: str = "newcomer") -> str:
        """Return the sign-in of somebody who has never been here."""
        return f"{name}-{uuid.uuid4().hex[:12]}"


@contextmanager
def opened(folder: Path) -> Iterator[Site]:
    """Run a site in a folder; both programs are stopped on the way out."""
    deployment = OnSQLite(folder / "data")
    deployment.data.mkdir(mode=0o700)
    with running(deployment) as server, Stage(server) as stage:
        register(stage.enter("operator", OPERATOR, "Operator"))
        story = enter(stage, Screen(Console(file=io.StringIO()), screens=0), deployment)
        beforehand.live(story)
        doors.offer(story)
        with serving(deployment.data, usual_port=0) as pages:
            yield Site(pages.url, server, pages, stage, story, folder)
