# SPDX-License-Identifier: Apache-2.0
"""`citizen-vault request answer`: all who wait for an answer, one after the other, in one visit."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from clients.cli.asked import all_requests, show_request
from clients.cli.command import command
from clients.cli.deciding import NothingChosenError, Wishes, granted, offer_of, refused
from clients.cli.errors import CommandError, UsageError, exit_code_of, told_to_citizen
from clients.cli.session import Session
from clients.connection import CallError

if TYPE_CHECKING:
    from vault.api.v1.consent_pb2 import ConsentRequest

top = typer.Typer()


@command(top, "answer", for_citizens=True)
def answer(session: Session) -> None:
    """Answer all who wait, one after the other: share, say no, or leave it for later.

    Nothing is chosen for you, and an answer that is not yours is never sent.
    """
    words, output = session.words, session.output
    waiting = list(reversed(all_requests(session, only_waiting=True).consent_requests))
    if not waiting:
        output.say(words("nobody.waits")) if not output.is_json else output.json([])
        return
    if not output.is_interactive:
        raise UsageError(words("nobody.to.ask"), words("answer.nobody.next"))
    decided: dict[str, str] = {}
    failures: list[CallError] = []
    for place, asked in enumerate(waiting, 1):
        if not output.is_json:
            output.heading(words("place", place=place, all=len(waiting)))
            show_request(session, asked, tells_how=False)
        try:
            decided[asked.consent_request_id] = _answered(session, asked)
        except CallError as error:
            failures.append(error)
            decided[asked.consent_request_id] = "later"
            output.tell("\n".join(told_to_citizen(error, words)))
    if output.is_json:
        output.json([{"consent_request_id": one, "answer": how} for one, how in decided.items()])
    else:
        _say_sum(session, list(decided.values()))
    if failures:
        message = words("place.failed", failed=len(failures), all=len(waiting))
        raise CommandError(message, exit_code=exit_code_of(failures[0]))


def _answered(session: Session, asked: ConsentRequest) -> str:
    """Ask what she answers, and do it; "shared", "refused" or "later"."""
    words = session.words
    typed = session.output.ask(words("answer.ask")).lower()
    if typed in words("answer.no").split():
        refused(session, asked.consent_request_id)
        return "refused"
    if typed in words("answer.share").split():
        try:
            offer = offer_of(session, asked, Wishes())
        except NothingChosenError as error:
            session.output.tell(error.message)
            return "later"
        return "shared" if granted(session, offer, is_agreed=False) else "later"
    session.output.tell(words("answer.later"))
    return "later"


def _say_sum(session: Session, answers: list[str]) -> None:
    words = session.words
    session.output.say()
    session.output.say(
        words(
            "answer.sum",
            shared=answers.count("shared"),
            refused=answers.count("refused"),
            later=answers.count("later"),
        ),
        "bold",
    )
