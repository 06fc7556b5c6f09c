# SPDX-License-Identifier: Apache-2.0
"""`citizen-vault seen` and `history`: who saw what, who tried, and all that happened."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final

import typer

from clients.cli.command import command, noun
from clients.cli.published import whole_list
from clients.cli.session import Session
from clients.cli.times import exact, moment

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vault.api.v1.vault_pb2 import HistoryEntry
    from vault.api.v1.vault_service_pb2 import ListHistoryResponse

app = noun("Who saw your information, and who tried.")
history_app = noun("Everything that happened with your information.")

DEFAULT_LIMIT: Final = 50
WIDE: Final = 110
_ACTORS: Final = {
    0: "SELF",
    1: "SELF",
    2: "HELPER",
    7: "OFFICIAL",
    8: "SERVICE",
    9: "OPERATOR",
    10: "AUDITOR",
}

Limit = Annotated[int, typer.Option("--limit", min=0, help="At most this many; 0 is all.")]


@command(app, "list", for_citizens=True)
def list_seen(session: Session, *, limit: Limit = DEFAULT_LIMIT) -> None:
    """Show who saw what of yours, when and why, and who tried and was refused."""
    whole = history(session, limit, only_disclosures=True)
    words, output = session.words, session.output
    if output.is_json:
        output.message(whole)
        return
    if not whole.entries:
        output.say(words("nobody.saw"))
        return
    output.say(words("seen"), "bold")
    if output.width >= WIDE:
        _say_seen_wide(session, whole.entries)
    else:
        _say_seen_narrow(session, whole.entries)
    _say_more(session, whole)


@command(history_app, "list", for_citizens=True)
def list_history(session: Session, *, limit: Limit = DEFAULT_LIMIT) -> None:
    """Show everything that happened, newest first."""
    whole = history(session, limit, only_disclosures=False)
    words, output = session.words, session.output
    if output.is_json:
        output.message(whole)
        return
    if not whole.entries:
        output.say(words("history.nothing"))
        return
    output.say(words("history"), "bold")
    output.table(
        [
            words("column.when"),
            words("confirmation.what"),
            words("column.who"),
            words("column.what"),
            words("column.entry"),
        ],
        [
            (
                _lines(*moment(entry.time, words).rsplit(maxsplit=1)),
                happened(session, entry),
                who(session, entry),
                what(session, entry),
                str(entry.receipt.leaf_index),
            )
            for entry in whole.entries
        ],
        unbroken=(0,),
        right=(4,),
        is_spaced=True,
    )
    _say_more(session, whole)


def history(session: Session, limit: int, *, only_disclosures: bool) -> ListHistoryResponse:
    """Return lines of her history, newest first."""
    from vault.api.v1.vault_service_pb2 import ListHistoryRequest  # noqa: PLC0415

    request = ListHistoryRequest(acting=session.acting, only_disclosures=only_disclosures)
    whole: ListHistoryResponse = whole_list(
        session.connection.vaults.ListHistory, request, "entries", limit
    )
    return whole


def who(session: Session, entry: HistoryEntry) -> str:
    """Return whom a line is about: the service, or whoever acted."""
    if entry.service_id:
        return session.published.who(entry.service_id)
    return session.words.one_of("actor", _ACTORS.get(entry.acting.capacity, ""))


def what(session: Session, entry: HistoryEntry) -> str:
    """Return the information concerned, by its labels."""
    return _lines(*(_what(session, item.evidence_type, item.names) for item in entry.items))


def happened(session: Session, entry: HistoryEntry) -> str:
    """Return what happened in a line of history."""
    return session.words.one_of("happened", entry.type.partition(".")[0])


def outcome(session: Session, entry: HistoryEntry) -> str:
    """Return what came of an attempt to see something."""
    words = session.words
    if entry.reason:
        return words("outcome.refused", why=words.one_of("refused", entry.reason))
    return words("outcome.again") if entry.repeated else words("outcome.seen")


def _say_seen_wide(session: Session, entries: Sequence[HistoryEntry]) -> None:
    words = session.words
    session.output.table(
        [
            words("column.when"),
            words("column.who"),
            words("column.what"),
            words("column.why"),
            words("column.outcome"),
            words("column.entry"),
        ],
        [
            (
                exact(entry.time, words),
                _lines(who(session, entry), *_references(session, entry)),
                what(session, entry),
                _why(session, entry),
                outcome(session, entry),
                str(entry.receipt.leaf_index),
            )
            for entry in entries
        ],
        right=(5,),
        is_spaced=True,
    )


def _say_seen_narrow(session: Session, entries: Sequence[HistoryEntry]) -> None:
    """Print the same in three columns: six would leave a word or two for each."""
    words = session.words
    session.output.table(
        [
            words("column.when"),
            words("column.who.why"),
            words("column.what.outcome"),
        ],
        [
            (
                _lines(
                    *exact(entry.time, words).rsplit(maxsplit=1),
                    words("entry.short", entry=entry.receipt.leaf_index),
                ),
                _lines(who(session, entry), _why(session, entry), *_references(session, entry)),
                _lines(what(session, entry), outcome(session, entry)),
            )
            for entry in entries
        ],
        is_spaced=True,
    )


def _why(session: Session, entry: HistoryEntry) -> str:
    return session.published.purpose_title(entry.purpose) if entry.purpose else ""


def _what(session: Session, evidence_type: str, names: Sequence[str]) -> str:
    kind = session.published.kind(evidence_type)
    parts = ", ".join(kind.label(name) for name in kind.in_order(names))
    return f"{kind.title}: {parts}" if parts else kind.title


def _references(session: Session, entry: HistoryEntry) -> tuple[str, ...]:
    words = session.words
    return (
        words("their.case", ref=entry.case_ref) if entry.case_ref else "",
        words("their.staff", ref=entry.staff_ref) if entry.staff_ref else "",
    )


def _lines(*texts: str) -> str:
    return "\n".join(text for text in texts if text)


def _say_more(session: Session, whole: ListHistoryResponse) -> None:
    if whole.next_page_token:
        session.output.say(session.words("more"))
