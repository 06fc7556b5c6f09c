# SPDX-License-Identifier: Apache-2.0
"""One timeline of all that happened; one line of it, and what she can do about it."""

from __future__ import annotations

import functools
import urllib.parse
from typing import TYPE_CHECKING, Any, Final

from clients.receipts import listed_keys
from clients.web.confirmations.records import checked, is_genuine
from clients.web.room import Room
from clients.web.seen.letters import Letter, Writer, facts, to_authority, to_organisation
from clients.web.seen.timeline import KINDS, Wanted, known_services, line_of, name_of, stretch
from clients.web.templates import sentence
from clients.wording import entries
from clients.wording.terms import parts_of, terms_of, texts_read
from clients.wording.words import LANGUAGES

if TYPE_CHECKING:
    from starlette.responses import Response

    from clients.web.here import Here
    from vault.api.v1.audit_pb2 import Explanation
    from vault.api.v1.vault_pb2 import HistoryEntry

room = Room(__name__)

_EXPLAINED: Final = frozenset({"evidence-disclosed", "disclosure-refused"})
_AGAIN: Final = {1: "SAME", 2: "DIFFERENT", 3: "NOT_DECIDED"}


@room.get("/seen")
def seen(here: Here) -> Response:
    """Return who saw what, who tried, and all else that happened, as far as she looks for it."""
    wanted = Wanted.of(here)
    errors = {f"{name}-day": here.words("page.date.wrong") for name in wanted.wrong_days()}
    found = stretch(here, wanted, here.asked("page")[:1024])
    return here.page(
        "seen/seen.html",
        errors=errors,
        entries=found.entries,
        kind_of=_kind_of,
        is_genuine=functools.partial(is_genuine, known=listed_keys(here.vault)),
        headline=functools.partial(headline, here),
        details=functools.partial(details, here),
        wanted=wanted,
        services=known_services(here),
        kinds=tuple(KINDS),
        is_first=not here.asked("page"),
        first_page=_address(wanted, ""),
        next_page=_address(wanted, found.next_page) if found.next_page else "",
    )


@room.get("/seen/{version:int}")
def line(here: Here) -> Response:
    """Return one line: what happened, whether it verifies, and why it was allowed."""
    entry = line_of(here, int(here.path("version")))
    is_explained = name_of(entry) in _EXPLAINED and not here.is_assisted
    explanation = _explained(here, entry) if is_explained else None
    return here.page(
        "seen/line.html",
        entry=entry,
        kind=_kind_of(entry),
        headline=headline(here, entry),
        rows=[(name, sentence(text)) for name, text in _facts(here, entry)],
        checked=checked(here, entry),
        explanation=explanation,
        agreed=_agreed(here, explanation),
        read=_read(here, explanation),
        again=_AGAIN.get(explanation.decision_again, "NOT_DECIDED") if explanation else "",
    )


@room.get("/seen/{version:int}/wrong")
def wrong(here: Here) -> Response:
    """Return a complaint to whoever a line is about, for her to send."""
    entry = line_of(here, int(here.path("version")))
    letter = to_organisation(here, Writer.of(here), entry)
    return _letter_page(here, entry, letter, is_report=False)


@room.get("/seen/{version:int}/report")
def report(here: Here) -> Response:
    """Return a report to the data protection authority, for her to send."""
    entry = line_of(here, int(here.path("version")))
    letter = to_authority(here, Writer.of(here), entry)
    return _letter_page(here, entry, letter, is_report=True)


def headline(here: Here, entry: HistoryEntry) -> str:
    """Return in one line what happened, and with whom or to what."""
    words, who = here.words, entries.who(here, entry)
    kinds = dict.fromkeys(item.evidence_type for item in entry.items)
    what = ", ".join(here.published.kind(one).title for one in kinds)
    text = words.maybe(f"headline.{name_of(entry)}")
    if text and (entry.service_id or what):
        return text.format(who=who, what=what)
    happened = entries.happened(here, entry).partition("\n")[0]
    if not entry.service_id:
        return happened
    return words("headline.with", what=happened, who=who)


def details(here: Here, entry: HistoryEntry) -> list[str]:
    """Return what else is to be known of a line: what it was about, why, and what came of it."""
    kind = _kind_of(entry)
    found = [
        entries.outcome(here, entry) if entry.reason or entry.repeated else "",
        entries.who(here, entry) if kind == "looked" else "",
        entries.reason_for(here, entry),
        entries.what(here, entry),
        " · ".join(filter(None, entries.references(here, entry))),
        *entries.happened(here, entry).split("\n")[1:],
    ]
    return [text for text in found if text]


def _letter_page(here: Here, entry: HistoryEntry, letter: Letter, *, is_report: bool) -> Response:
    return here.page(
        "seen/letter.html",
        entry=entry,
        letter=letter,
        is_report=is_report,
        others=[one for one in LANGUAGES if one != letter.language],
    )


def _kind_of(entry: HistoryEntry) -> str:
    return next((kind for kind, names in KINDS.items() if name_of(entry) in names), "other")


def _explained(here: Here, entry: HistoryEntry) -> Explanation:
    from vault.api.v1.audit_service_pb2 import ExplainDisclosureRequest  # noqa: PLC0415
    from vault.api.v1.vault_service_pb2 import GetVaultRequest  # noqa: PLC0415

    hers = here.vault.vaults.GetVault(GetVaultRequest(acting=here.acting)).vault
    request = ExplainDisclosureRequest(vault_id=hers.vault_id, version=entry.version)
    explanation: Explanation = here.vault.audits.ExplainDisclosure(request).explanation
    return explanation


def _facts(here: Here, entry: HistoryEntry) -> list[tuple[str, str]]:
    return facts(Writer(here.words, here.published), entry)


def _agreed(here: Here, found: Explanation | None) -> list[tuple[str, str]]:
    """Return what she had agreed, as it stood then."""
    from vault.api.v1 import consent_pb2  # noqa: PLC0415

    if found is None:
        return []
    words, sharing = here.words, found.consent
    state = consent_pb2.ConsentState.Name(sharing.state).removeprefix("CONSENT_STATE_")
    return [
        (words("column.state"), words.maybe(f"sharing.{state}")),
        *[(words("they.saw.kind", kind=kind), parts) for kind, parts in parts_of(here, sharing)],
        *((name, sentence(text)) for name, text in terms_of(here, sharing)),
    ]


def _read(here: Here, found: Explanation | None) -> dict[str, Any]:
    """Return the texts that she was shown before she agreed, in the language they were in."""
    words = here.words
    rows = texts_read(found, words) if found else []
    if found is None or not rows:
        return {}
    return {
        "language": found.consent.language,
        "are_same": found.texts_hash == found.consent.notice_hash,
        "rows": rows,
    }


def _address(wanted: Wanted, page: str) -> str:
    pairs = [*wanted.pairs, *([("page", page)] if page else [])]
    return f"/seen?{urllib.parse.urlencode(pairs)}" if pairs else "/seen"
