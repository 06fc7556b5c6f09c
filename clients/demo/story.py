# SPDX-License-Identifier: Apache-2.0
"""What all chapters of the story share: the people's connections, the screen, what is expected."""

import datetime as dt
import secrets
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TypeVar

from clients.connection import Connection
from clients.demo.counter import REFUSED, Counter, Typing, seen_by, shared_things
from clients.demo.deployment import Deployment
from clients.demo.directory import Asker, Directory
from clients.demo.expectations import Expectations
from clients.demo.people import forms
from clients.demo.screen import Screen
from clients.demo.traces import Search, search, typed_texts
from vault.api.v1.consent_service_pb2 import ListConsentsRequest
from vault.api.v1.vault_pb2 import Acting, HistoryEntry
from vault.api.v1.vault_service_pb2 import ListHistoryRequest

T = TypeVar("T")

_PATIENCE_SECONDS: Final = 5.0
_ALL: Final = 500


@dataclass(frozen=True, slots=True)
class Story:
    """One telling of the story: everything that it writes lies in one folder."""

    deployment: Deployment
    today: dt.date
    screen: Screen
    directory: Directory
    mair: Connection
    council: Connection
    brightcare: Connection
    typing: Typing
    expect: Expectations = field(default_factory=Expectations)

    @property
    def folder(self) -> Path:
        """Return the folder of the story."""
        return self.deployment.data.parent

    @property
    def council_team(self) -> Asker:
        """Return the council's team."""
        return self.directory.asker_for("care-at-home")

    @property
    def brightcare_team(self) -> Asker:
        """Return BrightCare's team."""
        return self.directory.asker_for("home-visits")

    def uses(self) -> tuple[HistoryEntry, ...]:
        """Return every use and every refused attempt in her list, newest first."""
        return uses_of(self.mair)

    def counter(self) -> Counter:
        """Count what she typed, what she shares now, and who has seen any of it."""
        return count(self.mair, self.directory, self.typing.answers)

    def attempt(self, reason: str, after_version: int = 0) -> HistoryEntry:
        """Return the refused attempt in her list, as soon as it is there; the newest if several."""

        def newest() -> HistoryEntry | None:
            tried = (e for e in self.uses() if e.type == REFUSED and e.reason == reason)
            return next((entry for entry in tried if entry.version > after_version), None)

        attempt = wait_for(newest)
        self.expect.true("she can see that they tried", came=attempt is not None)
        assert attempt is not None  # noqa: S101 - what the line above made sure
        return attempt

    def search(self, more: frozenset[bytes] = frozenset()) -> Search:
        """Look everywhere for what she and the others typed; expect not to find it."""
        texts = typed_texts(forms(self.today), self.directory.definitions) | more
        found = search(self.folder, texts, self.deployment.tables())
        self.expect.true("texts are looked for in files", came=bool(found.texts and found.files))
        self.expect.equal("files in which they stand", found.found_in, ())
        return found

    def end_screen(self, *, typed: int, shared: int, seen: tuple[Asker, ...]) -> None:
        """Print the counter, once it is what it should be."""
        counter = self.counter()
        organisations = tuple(asker.organisation for asker in seen)
        self.expect.equal("the counter", counter, Counter(typed, shared, organisations))
        self.screen.counter(counter)


def uses_of(mair: Connection, acting: Acting | None = None) -> tuple[HistoryEntry, ...]:
    """Return every use and every refused attempt in her list, newest first."""
    listed = mair.vaults.ListHistory(
        ListHistoryRequest(acting=acting, page_size=_ALL, only_disclosures=True)
    )
    return tuple(listed.entries)


def count(
    mair: Connection,
    directory: Directory,
    typed: int,
    *,
    acting: Acting | None = None,
    whose: str = "",
) -> Counter:
    """Count what is shared now and who has seen any of it, as a server answers her.

    Args:
        acting: how somebody else asks for her.
    """
    asked = ListConsentsRequest(acting=acting, page_size=_ALL)
    consents = mair.consents.ListConsents(asked).consents
    services = seen_by(uses_of(mair, acting))
    return Counter(
        typed=typed,
        shared=shared_things(consents),
        seen_by=tuple(directory.organisation(service) for service in services),
        whose=whose,
    )


def new_id() -> str:
    """Return a new `request_id`."""
    return str(uuid.uuid4())


def new_secret() -> str:
    """Return a new secret of 43 characters."""
    return secrets.token_urlsafe(32)


def wait_for(ask: Callable[[], T | None]) -> T | None:
    """Ask again and again until there is an answer; give up after a few seconds.

    For what is recorded after the reply, as a refused attempt is.
    """
    give_up = time.monotonic() + _PATIENCE_SECONDS
    while (answer := ask()) is None and time.monotonic() < give_up:
        time.sleep(0.02)
    return answer
