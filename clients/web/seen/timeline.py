# SPDX-License-Identifier: Apache-2.0
"""Lines of her history, newest first: all of them, or those that she looks for."""

from __future__ import annotations

import dataclasses
import datetime as dt
from typing import TYPE_CHECKING, Any, Final

from clients.web.dates import TypedDay, end_of, start_of
from clients.web.failure import NotThereError
from clients.web.forms import Form
from clients.wording.published import PAGE_SIZE, whole_list

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from clients.web.here import Here
    from vault.api.v1.vault_pb2 import HistoryEntry

KINDS: Final = {
    "seen": frozenset({"evidence-disclosed"}),
    "refused": frozenset({"disclosure-refused"}),
    "asked": frozenset({"consent-requested", "consent-request-cancelled"}),
    "decided": frozenset(
        {
            "consent-granted",
            "consent-refused",
            "consent-narrowed",
            "consent-extended",
            "consent-paused",
            "consent-resumed",
            "consent-revoked",
        }
    ),
    "looked": frozenset({"vault-read", "lane-replayed"}),
    "told": frozenset({"recipient-reported"}),
    "given": frozenset(
        {
            "vault-opened",
            "vault-imported",
            "evidence-provided",
            "evidence-replaced",
            "evidence-disputed",
            "dispute-resolved",
            "evidence-protected",
            "protection-lifted",
        }
    ),
    "ways": frozenset(
        {
            "link-code-created",
            "sign-in-linked",
            "sign-in-unlinked",
            "signed-out-everywhere",
            "passkey-added",
            "passkey-removed",
            "contact-set",
        }
    ),
    "fault": frozenset({"known-fault-published"}),
}
"""What happenings are alike to a reader, by the names of their events."""

_ATTEMPTS: Final = frozenset({"seen", "refused"})
_ON_A_PAGE: Final = 25
_LOOKED_THROUGH: Final = 200
_MOST_CALLS: Final = 20


@dataclasses.dataclass(frozen=True)
class Wanted:
    """What she looks for.

    Attributes:
        since: the first day, and
        until: the last.
    """

    service_id: str = ""
    kind: str = ""
    since: TypedDay = dataclasses.field(default_factory=TypedDay)
    until: TypedDay = dataclasses.field(default_factory=TypedDay)

    @classmethod
    def of(cls, here: Here) -> Wanted:
        """Return it from the address of a visit."""
        asked = Form({name: (text,) for name, text in here.request.query_params.items()})
        kind = asked.text("kind")
        return cls(
            service_id=asked.text("service"),
            kind=kind if kind in KINDS else "",
            since=TypedDay.of(asked, "since"),
            until=TypedDay.of(asked, "until"),
        )

    @property
    def is_all(self) -> bool:
        """Say whether she looks for nothing in particular."""
        return not (self.service_id or self.kind) and self.since.is_empty and self.until.is_empty

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """Return it as parameters of an address."""
        days = [("since", self.since), ("until", self.until)]
        typed = [
            (f"{name}-{part}", text)
            for name, day in days
            for part, text in zip(("day", "month", "year"), day.texts, strict=True)
        ]
        found = [("service", self.service_id), ("kind", self.kind), *typed]
        return [(name, text) for name, text in found if text]

    def wrong_days(self) -> tuple[str, ...]:
        """Return which of the two is no day."""
        days = {"since": self.since, "until": self.until}
        return tuple(name for name, day in days.items() if not day.is_empty and day.day is None)

    def has(self, entry: HistoryEntry) -> bool:
        """Say whether she looks for a line."""
        if self.service_id and entry.service_id != self.service_id:
            return False
        if self.kind and name_of(entry) not in KINDS[self.kind]:
            return False
        return not (self.is_before(entry) or self._is_after(entry))

    def is_before(self, entry: HistoryEntry) -> bool:
        """Say whether a line, and so all that follow, is older than what she looks for."""
        day = self.since.day
        return day is not None and entry.time.ToNanoseconds() < start_of(day).ToNanoseconds()

    def _is_after(self, entry: HistoryEntry) -> bool:
        day = self.until.day
        # After the last day of the calendar comes nothing.
        if day is None or day == dt.date.max:
            return False
        return entry.time.ToNanoseconds() >= end_of(day).ToNanoseconds()


@dataclasses.dataclass(frozen=True)
class Stretch:
    """A page of lines.

    Attributes:
        next_page: where the next one begins, "" at the end.
    """

    entries: list[HistoryEntry]
    next_page: str


def stretch(here: Here, wanted: Wanted, page: str) -> Stretch:
    """Return the next lines that she looks for; few or none where they lie far apart."""
    from vault.api.v1.vault_service_pb2 import ListHistoryRequest  # noqa: PLC0415

    request = ListHistoryRequest(
        acting=here.acting,
        page_size=_ON_A_PAGE if wanted.is_all else _LOOKED_THROUGH,
        page_token=page,
        only_disclosures=wanted.kind in _ATTEMPTS,
    )
    found: list[HistoryEntry] = []
    for _ in range(_MOST_CALLS):
        response = here.vault.vaults.ListHistory(request)
        found += [entry for entry in response.entries if wanted.has(entry)]
        request.page_token = response.next_page_token
        if any(wanted.is_before(entry) for entry in response.entries):
            request.page_token = ""
        if len(found) >= _ON_A_PAGE or not request.page_token:
            break
    return Stretch(found, request.page_token)


def line_of(here: Here, version: int) -> HistoryEntry:
    """Return one line of hers.

    Raises:
        NotThereError: if there is none.
    """
    found = next((entry for entry in _all(here) if 0 < entry.version <= version), None)
    if found is None or found.version != version:
        raise NotThereError
    return found


def known_services(here: Here) -> list[tuple[str, str]]:
    """Return who ever asked her, or shares with her, by their names."""
    from vault.api.v1 import consent_service_pb2  # noqa: PLC0415

    asked = whole_list(
        here.vault.consents.ListRequests,
        consent_service_pb2.ListRequestsRequest(acting=here.acting),
        "consent_requests",
    )
    shared = whole_list(
        here.vault.consents.ListConsents,
        consent_service_pb2.ListConsentsRequest(acting=here.acting),
        "consents",
    )
    every: Iterable[Any] = (*asked.consent_requests, *shared.consents)
    names = {one.service_id: here.published.who(one.service_id) for one in every}
    return sorted(names.items(), key=lambda one: one[1].casefold())


def name_of(entry: HistoryEntry) -> str:
    """Return what happened, by the name of its event without its number."""
    return str(entry.type.partition(".")[0])


def _all(here: Here) -> Iterator[HistoryEntry]:
    from vault.api.v1.vault_service_pb2 import ListHistoryRequest  # noqa: PLC0415

    request = ListHistoryRequest(acting=here.acting, page_size=PAGE_SIZE)
    while True:
        page = here.vault.vaults.ListHistory(request)
        yield from page.entries
        if not page.next_page_token:
            return
        request.page_token = page.next_page_token
