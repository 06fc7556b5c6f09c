# SPDX-License-Identifier: Apache-2.0
"""`citizen-vault seen why`: what let somebody see something, or kept them from it.

It shows the agreement as it stood then and the texts that she read then, and tells what the same
rules say to the same record now.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final

import typer

from clients.cli.command import command
from clients.cli.entries import entry_of
from clients.cli.past import place_of
from clients.cli.session import Session
from clients.wording.entries import lines, outcome, references, what, who
from clients.wording.terms import parts_of, state_of, terms_of, texts_read
from clients.wording.times import exact

if TYPE_CHECKING:
    from vault.api.v1.audit_pb2 import Explanation
    from vault.api.v1.vault_pb2 import HistoryEntry

top = typer.Typer()

_AGAIN: Final = {1: "SAME", 2: "DIFFERENT", 3: "NOT_DECIDED"}


@command(top, "why", for_citizens=True)
def why(
    session: Session,
    entry: Annotated[int, typer.Argument(metavar="ENTRY", min=0, help="As in seen list.")],
) -> None:
    """Show why somebody could see something, or why they could not."""
    from vault.api.v1.audit_service_pb2 import ExplainDisclosureRequest  # noqa: PLC0415

    found = entry_of(session, entry, only_disclosures=True)
    request = ExplainDisclosureRequest(vault_id=place_of(session), version=found.version)
    response = session.connection.audits.ExplainDisclosure(request)
    if session.output.is_json:
        session.output.message(response)
        return
    _say_what_happened(session, found)
    _say_agreement(session, response.explanation)
    _say_texts(session, response.explanation)
    _say_checked(session, response.explanation)


def _say_what_happened(session: Session, found: HistoryEntry) -> None:
    words, output = session.words, session.output
    output.say(words("why.entry", entry=found.receipt.leaf_index), "bold")
    output.facts(
        [
            (words("column.when"), exact(found.time, words)),
            (words("column.who"), lines(who(session, found), *references(session, found))),
            (words("column.what"), what(session, found)),
            (words("column.outcome"), outcome(session, found)),
        ]
    )


def _say_agreement(session: Session, found: Explanation) -> None:
    words, output, sharing = session.words, session.output, found.consent
    output.heading(words("why.agreed"))
    output.facts(
        [
            (words("column.state"), state_of(session, sharing)),
            (words("agreed.on"), exact(sharing.grant_time, words)),
            *terms_of(session, sharing),
        ]
    )
    output.heading(words("they.saw"))
    output.facts(parts_of(session, sharing))


def _say_texts(session: Session, found: Explanation) -> None:
    words, output = session.words, session.output
    read = texts_read(found, words)
    if not read:
        return
    output.heading(words("why.read"))
    output.facts(read)
    are_same = found.texts_hash == found.consent.notice_hash
    output.say(words("texts.same" if are_same else "texts.differ"))


def _say_checked(session: Session, found: Explanation) -> None:
    words, output = session.words, session.output
    output.heading(words("why.checked"))
    if found.HasField("registry_confirmed_time"):
        time = exact(found.registry_confirmed_time, words)
        output.say(words("list.checked", time=time))
    output.say(words(f"again.{_AGAIN.get(found.decision_again, 'NOT_DECIDED')}"))
