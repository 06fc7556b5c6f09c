# SPDX-License-Identifier: Apache-2.0
"""`citizen-vault seen` and `history`: who saw what, who tried, and all that happened."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final

import typer

from clients.cli import why
from clients.cli.command import command, noun
from clients.cli.entries import history
from clients.cli.session import Session
from clients.wording.entries import (
    attempts,
    happened,
    lines,
    outcome,
    reason_for,
    references,
    what,
    who,
)
from clients.wording.times import date_of, exact, moment

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vault.api.v1.vault_pb2 import HistoryEntry
    from vault.api.v1.vault_service_pb2 import ListHistoryResponse

app = noun("Who saw your information, who tried, and why they could.")
app.add_typer(why.top)
history_app = noun("Everything that happened with your information.")

DEFAULT_LIMIT: Final = 50
WIDE: Final = 110

Limit = Annotated[int, typer.Option("--limit", min=0, help="At most this many; 0 is all.")]


@command(app, "list", for_citizens=True)
def list_seen(session: Session, *, limit: Limit = DEFAULT_LIMIT) -> None:
    """Show who saw what of yours, when and why, and who tried and was refused."""
    whole = history(session, limit, only_disclosures=True)
    words, output = session.words, session.output
    if output.is_json:
        output.message(whole)
        return
    say_faults(session, whole.entries)
    attempts = [entry for entry in whole.entries if not entry.HasField("known_fault")]
    if not attempts:
        output.say(words("nobody.saw"))
        return
    output.say(words("seen"), "bold")
    if output.width >= WIDE:
        _say_seen_wide(session, attempts)
    else:
        _say_seen_narrow(session, attempts)
    if session.assistance is None:
        output.say(words("to.why", entry=attempts[0].receipt.leaf_index))
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
    say_faults(session, whole.entries)
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
                lines(*moment(entry.time, words).rsplit(maxsplit=1)),
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


def say_faults(session: Session, entries: Sequence[HistoryEntry]) -> None:
    """Print what went wrong with entries of hers, newest first; nothing if nothing did."""
    words, output = session.words, session.output
    for entry in entries:
        if not entry.HasField("known_fault"):
            continue
        fault = entry.known_fault
        notice = session.published.notice(fault.notices)
        touched = ", ".join(map(str, fault.leaf_indexes))
        output.say(words("fault", title=notice.title, date=date_of(entry.time, words)), "bold")
        output.say(notice.text)
        output.say(words("fault.more" if fault.has_more else "fault.entries", entries=touched))
        output.say(words("fault.ask", help=notice.help_line))
        output.say()


def _say_seen_wide(session: Session, entries: Sequence[HistoryEntry]) -> None:
    session.output.table(*attempts(session, entries), right=(5,), is_spaced=True)


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
                lines(
                    *exact(entry.time, words).rsplit(maxsplit=1),
                    words("entry.short", entry=entry.receipt.leaf_index),
                ),
                lines(who(session, entry), reason_for(session, entry), *references(session, entry)),
                lines(what(session, entry), outcome(session, entry)),
            )
            for entry in entries
        ],
        is_spaced=True,
    )


def _say_more(session: Session, whole: ListHistoryResponse) -> None:
    if whole.next_page_token:
        session.output.say(session.words("more"))
