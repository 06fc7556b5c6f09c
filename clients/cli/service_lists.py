# SPDX-License-Identifier: Apache-2.0
"""`citizen-vault service requests`, `consents` and `changes`: a service looks across its citizens.

A cursor is kept when what stands before it was printed: whoever is interrupted sees something
twice, and misses nothing.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from clients.cli.command import command
from clients.cli.errors import CommandError, ExitCode, UsageError, exit_code_of
from clients.cli.files import write_whole
from clients.cli.service_views import difference_rows, spoken
from clients.cli.session import Session
from clients.connection import CallError
from clients.wording.published import PAGE_SIZE, whole_list
from clients.wording.times import exact, last_day, moment

if TYPE_CHECKING:
    from vault.api.v1.disclosure_service_pb2 import ConsentChange, ListChangesResponse

top = typer.Typer()

DEFAULT_LIMIT: Final = 50
POLL_SECONDS: Final = 1.0

Limit = Annotated[int, typer.Option("--limit", min=0, help="At most this many; 0 is all.")]


@command(top, "requests")
def list_requests(
    session: Session,
    *,
    only_pending: Annotated[
        bool, typer.Option("--pending", help="Only those that wait for an answer.")
    ] = False,
    limit: Limit = DEFAULT_LIMIT,
) -> None:
    """List your requests, newest first."""
    from vault.api.v1.consent_pb2 import ConsentRequestState  # noqa: PLC0415
    from vault.api.v1.consent_service_pb2 import ListRequestsRequest  # noqa: PLC0415

    wanted = ListRequestsRequest(only_pending=only_pending)
    whole = whole_list(session.connection.consents.ListRequests, wanted, "consent_requests", limit)
    if session.output.is_json:
        session.output.message(whole)
        return
    if not whole.consent_requests:
        session.output.say("There is no request.")
        return
    session.output.table(
        ["Request, your reference", "State", "Purpose, asked"],
        [
            (
                f"{one.consent_request_id}\n{one.external_reference}".rstrip(),
                spoken(ConsentRequestState.Name(one.state), "CONSENT_REQUEST_STATE_"),
                f"{one.purpose}\n{moment(one.request_time, session.words)}",
            )
            for one in whole.consent_requests
        ],
        unbroken=(1,),
        is_spaced=True,
    )
    _say_more(session, whole.next_page_token)


@command(top, "consents")
def list_consents(session: Session, *, limit: Limit = DEFAULT_LIMIT) -> None:
    """List the consents that were given to you, newest first, each with its subject."""
    from vault.api.v1.consent_pb2 import ConsentState  # noqa: PLC0415
    from vault.api.v1.consent_service_pb2 import ListConsentsRequest  # noqa: PLC0415

    wanted = ListConsentsRequest()
    whole = whole_list(session.connection.consents.ListConsents, wanted, "consents", limit)
    if session.output.is_json:
        session.output.message(whole)
        return
    if not whole.consents:
        session.output.say("There is no consent.")
        return
    session.output.table(
        ["Consent, subject", "State", "Purpose, until", "Fetched"],
        [
            (
                f"{one.consent_id}\n{one.subject_id}",
                spoken(ConsentState.Name(one.state), "CONSENT_STATE_"),
                f"{one.purpose}\n{last_day(one.end_time, session.words)}",
                str(one.disclosure_count),
            )
            for one in whole.consents
        ],
        unbroken=(0, 1),
        right=(3,),
        is_spaced=True,
    )
    _say_more(session, whole.next_page_token)


@command(top, "changes")
def changes(
    session: Session,
    *,
    cursor: Annotated[
        str,
        typer.Option("--cursor", metavar="CURSOR", help="Where you ended; else from the first."),
    ] = "",
    cursor_file: Annotated[
        str,
        typer.Option(
            "--cursor-file",
            metavar="FILE",
            help="Read the cursor from this file, and keep it there.",
        ),
    ] = "",
    follow: Annotated[
        bool, typer.Option("--follow", help="Ask again every second until Ctrl-C.")
    ] = False,
) -> None:
    """Tell what became of your requests and consents, oldest first.

    With --json each line is one answer, with the cursor after it.
    """
    if cursor and cursor_file:
        raise UsageError("The cursor comes from one place.", "--cursor, or --cursor-file")
    begin = cursor or _kept(cursor_file)
    # Whoever follows ends it with Ctrl-C: that is no error.
    with contextlib.suppress(KeyboardInterrupt) if follow else contextlib.nullcontext():
        for page in _pages(session, begin, is_following=follow):
            _show_page(session, page, is_following=follow)
            if page.cursor != begin:
                begin = page.cursor
                _keep(cursor_file, begin)
    if not cursor_file:
        session.output.tell(f"To go on from here: --cursor {begin}")


def _pages(session: Session, cursor: str, *, is_following: bool) -> Iterator[ListChangesResponse]:
    """Yield what came since a cursor, page by page: until now, or for ever."""
    page = _page(session, cursor)
    while is_following or page.has_more:
        yield page
        if not page.has_more:
            time.sleep(POLL_SECONDS)
        page = _patiently(session, page.cursor) if is_following else _page(session, page.cursor)
    yield page


def _page(session: Session, cursor: str) -> ListChangesResponse:
    from vault.api.v1.disclosure_service_pb2 import ListChangesRequest  # noqa: PLC0415

    request = ListChangesRequest(cursor=cursor, page_size=PAGE_SIZE)
    return session.connection.disclosures.ListChanges(request)


def _patiently(session: Session, cursor: str) -> ListChangesResponse:
    """Return the next page, and wait for a server that is away."""
    is_told = False
    while True:
        try:
            return _page(session, cursor)
        except CallError as error:
            if exit_code_of(error) is not ExitCode.UNREACHABLE:
                raise
            if not is_told:
                session.output.tell(f"{error.message} Asking again every second.")
            is_told = True
            time.sleep(POLL_SECONDS)


def _show_page(session: Session, page: ListChangesResponse, *, is_following: bool) -> None:
    if not session.output.is_json:
        for change in page.changes:
            _show(session, change)
        if not page.changes and not is_following:
            session.output.tell("Nothing new.")
    elif page.changes or not is_following:
        session.output.json_line(page)


def _show(session: Session, change: ConsentChange) -> None:
    from vault.api.v1.disclosure_service_pb2 import ConsentChangeKind  # noqa: PLC0415

    kind = spoken(ConsentChangeKind.Name(change.kind), "CONSENT_CHANGE_KIND_")
    session.output.say(f"{exact(change.time, session.words)}  {kind}", "bold")
    session.output.facts(
        [
            ("  Request", change.consent_request_id),
            ("  Consent", change.consent_id),
            ("  Subject", change.subject_id),
            ("  Reference", change.external_reference),
            *((f"  {name}", text) for name, text in difference_rows(session, change.difference)),
        ]
    )


def _kept(file: str) -> str:
    """Return the cursor that a file holds; a file that is not there yet begins with the first."""
    if not file:
        return ""
    try:
        return Path(file).read_text("utf-8").strip()
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError):
        raise UsageError(f"{file} cannot be read.", "Name another file.") from None


def _keep(file: str, cursor: str) -> None:
    if not file:
        return
    try:
        write_whole(Path(file), f"{cursor}\n".encode())
    except OSError as error:
        raise CommandError(f"{file} cannot be written: {error.strerror}.") from None


def _say_more(session: Session, next_page_token: str) -> None:
    if next_page_token:
        session.output.say("There are more. See them all with --limit 0.")
