# SPDX-License-Identifier: Apache-2.0
"""One sharing as a page shows it: its state in plain words, how often it was used, what it told.

The record is read backwards to the day on which it began, and no further.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
from typing import TYPE_CHECKING, Final

from clients.wording.published import PAGE_SIZE
from clients.wording.terms import has_begun, state_key
from clients.wording.times import date_of, moment

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from clients.web.here import Here
    from vault.api.v1.consent_pb2 import Consent
    from vault.api.v1.registry_pb2 import PurposeTexts
    from vault.api.v1.vault_pb2 import HistoryEntry

UNUSED_DAYS: Final = 60
"""After how many days without a look she is asked whether she still wants to share."""

MOST_LOOKED_THROUGH: Final = 20
"""Pages of the record that are read for one sharing."""

_LIVE: Final = frozenset({"ACTIVE", "PAUSED"})
_USES: Final = ("evidence-disclosed.", "disclosure-refused.")


@dataclasses.dataclass(frozen=True)
class Story:
    """What happened under one sharing, newest first.

    Attributes:
        uses: who saw what, and who was refused.
        changes: what she decided, and what they told her.
        is_whole: the record was read back to the beginning.
    """

    uses: tuple[HistoryEntry, ...]
    changes: tuple[HistoryEntry, ...]
    is_whole: bool

    @property
    def seen(self) -> Mapping[str, frozenset[str]]:
        """Return the parts that they have seen, by the kind of information."""
        found: dict[str, frozenset[str]] = {}
        for use in self.uses:
            if not use.reason:
                for item in use.items:
                    before = found.get(item.evidence_type, frozenset())
                    found[item.evidence_type] = before | frozenset(item.names)
        return found


def sharing_here(here: Here) -> Consent:
    """Return the sharing that the path of a visit names."""
    from vault.api.v1.consent_service_pb2 import GetConsentRequest  # noqa: PLC0415

    request = GetConsentRequest(acting=here.acting, consent_id=here.path("consent_id"))
    return here.vault.consents.GetConsent(request).consent


def address(sharing: Consent, page: str = "") -> str:
    """Return the path of the pages of one sharing."""
    return f"/sharing/{sharing.consent_id}" + (f"/{page}" if page else "")


def state(sharing: Consent) -> str:
    """Return the name of its state; LATER before its start."""
    name = state_key(sharing)
    return "LATER" if name == "ACTIVE" and not has_begun(sharing) else name


def is_live(sharing: Consent) -> bool:
    """Say whether something can be seen by it, now or when it goes on."""
    return state_key(sharing) in _LIVE


def is_used_up(sharing: Consent) -> bool:
    """Say whether it was for one look, which they have had."""
    return sharing.one_time and sharing.disclosure_count > 0


def used(here: Here, sharing: Consent) -> str:
    """Return how often they saw something by it, and when last."""
    count = sharing.disclosure_count
    if not count:
        return here.words("used.never")
    last = moment(sharing.last_disclosure_time, here.words)
    return here.words("seen.times", count=count, time=last)


def is_unused(sharing: Consent, now: dt.datetime) -> bool:
    """Say whether nobody has looked for so long that it may be of no use any more."""
    if state(sharing) != "ACTIVE":
        return False
    if sharing.HasField("last_disclosure_time"):
        last = sharing.last_disclosure_time
    else:
        last = max(sharing.grant_time, sharing.start_time, key=lambda one: one.ToNanoseconds())
    return now - last.ToDatetime(tzinfo=dt.UTC) >= dt.timedelta(days=UNUSED_DAYS)


def may_keep_until(here: Here, sharing: Consent) -> str:
    """Return the day until which they may keep what they saw last; "" if they keep nothing."""
    if not sharing.retention_days or not sharing.HasField("last_disclosure_time"):
        return ""
    from google.protobuf.timestamp_pb2 import Timestamp  # noqa: PLC0415

    last = sharing.last_disclosure_time.ToDatetime(tzinfo=dt.UTC)
    until = Timestamp()
    until.FromDatetime(last + dt.timedelta(days=sharing.retention_days))
    return date_of(until, here.words)


def texts_of(here: Here, sharing: Consent) -> PurposeTexts | None:
    """Return what they say of what it is for, and of what happens when it stops."""
    purpose = here.published.purpose(sharing.purpose)
    return here.published.purpose_texts(purpose) if purpose else None


def story_of(here: Here, sharing: Consent) -> Story:
    """Return what happened under a sharing."""
    lines, is_whole = _lines(here, sharing)
    uses = tuple(line for line in lines if line.type.startswith(_USES))
    changes = tuple(line for line in lines if not line.type.startswith(_USES))
    return Story(uses, changes, is_whole)


def _lines(here: Here, sharing: Consent) -> tuple[list[HistoryEntry], bool]:
    from vault.api.v1.vault_service_pb2 import ListHistoryRequest  # noqa: PLC0415

    request = ListHistoryRequest(acting=here.acting, page_size=PAGE_SIZE)
    began = sharing.grant_time.ToNanoseconds()
    found: list[HistoryEntry] = []
    for _ in range(MOST_LOOKED_THROUGH):
        page = here.vault.vaults.ListHistory(request)
        found.extend(_of(sharing, page.entries))
        is_back = any(entry.time.ToNanoseconds() < began for entry in page.entries)
        if is_back or not page.next_page_token:
            return found, True
        request.page_token = page.next_page_token
    return found, False


def _of(sharing: Consent, entries: Iterable[HistoryEntry]) -> Iterable[HistoryEntry]:
    return (entry for entry in entries if entry.consent_id == sharing.consent_id)
