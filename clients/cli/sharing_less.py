# SPDX-License-Identifier: Apache-2.0
"""`citizen-vault sharing less`: fewer parts, an earlier end, fewer times; the difference is shown.

What is left out is never shared again under the same agreement: they would have to ask anew.
"""

from __future__ import annotations

import dataclasses
import re
import uuid
from typing import TYPE_CHECKING, Annotated, Final

import typer

from clients.cli.command import command
from clients.cli.errors import UsageError
from clients.cli.numbers import short
from clients.cli.session import Session
from clients.cli.sharings import Number, sharing_of
from clients.cli.times import end_of
from clients.wording.terms import difference_rows, often, parts_of
from clients.wording.times import is_past, last_day

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from vault.api.v1.consent_pb2 import Consent, ItemScope
    from vault.api.v1.consent_service_pb2 import NarrowConsentRequest, NarrowConsentResponse

top = typer.Typer()

MOST_TIMES: Final = 1_000_000


@dataclasses.dataclass(frozen=True)
class Less:
    """What she leaves out: parts by the number of their item, an earlier end, fewer times."""

    dropped: Mapping[int, frozenset[str]]
    until: str = ""
    times: int = 0


@command(top, "less", for_citizens=True)
def less(
    session: Session,
    number: Number,
    *,
    leave_out: Annotated[
        list[str] | None,
        typer.Option(
            "--leave-out",
            metavar="KIND:PART,PART",
            help="What they no longer see; repeat it for more. KIND alone is all of it.",
        ),
    ] = None,
    until: Annotated[
        str, typer.Option("--until", metavar="YYYY-MM-DD", help="Until the end of an earlier day.")
    ] = "",
    times: Annotated[
        int, typer.Option("--times", min=0, max=MOST_TIMES, help="Fewer times in the same period.")
    ] = 0,
    only_show: Annotated[
        bool, typer.Option("--only-show", help="Show what would change, and change nothing.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do it without asking again.")] = False,
) -> None:
    """Share less: fewer parts, an earlier end, fewer times. You see the difference first.

    Without an option you are asked, part by part.
    """
    words, output = session.words, session.output
    sharing = sharing_of(session, number)
    if leave_out or until or times:
        wanted = Less(_typed(session, sharing, leave_out or ()), until, times)
    elif output.is_interactive:
        wanted = _asked_for(session, sharing)
    else:
        raise UsageError(words("less.something"))
    request = _request(session, sharing, _really_less(session, sharing, wanted))
    response = _narrowed(session, request, only_say=True)
    if output.is_json and only_show:
        output.message(response)
    if not output.is_json:
        _show_difference(session, response)
    if only_show:
        return
    if not yes and not session.agrees(words("less.ask")):
        output.tell(words("nothing.changed"))
        return
    response = _narrowed(session, request, only_say=False)
    if output.is_json:
        output.message(response)
        return
    output.say(words("less.done", who=session.published.who(sharing.service_id)), "bold")
    output.say(words("entry", entry=response.receipt.leaf_index) + ".")
    output.say(words("to.stop", id=short(sharing.consent_id)))


def _show_difference(session: Session, response: NarrowConsentResponse) -> None:
    words, output, sharing = session.words, session.output, response.consent
    output.say(words("less.with", who=session.published.who(sharing.service_id)), "bold")
    output.facts(difference_rows(session, response.difference))
    output.heading(words("still.seen"))
    output.facts(parts_of(session, sharing))
    output.say()


def _narrowed(
    session: Session, request: NarrowConsentRequest, *, only_say: bool
) -> NarrowConsentResponse:
    request.request_id = str(uuid.uuid4()) if only_say else session.request_id
    request.validate_only = only_say
    return session.connection.consents.NarrowConsent(request)


def _really_less(session: Session, sharing: Consent, wanted: Less) -> Less:
    """Return what changes something; an end that has come already would leave nothing."""
    times = 0 if wanted.times == sharing.frequency.count else wanted.times
    if not wanted.until:
        return dataclasses.replace(wanted, times=times)
    end = end_of(wanted.until, session.words)
    if is_past(end) or end.ToNanoseconds() <= sharing.start_time.ToNanoseconds():
        raise _nothing_left(session, sharing)
    until = "" if end == sharing.end_time else wanted.until
    return dataclasses.replace(wanted, until=until, times=times)


def _nothing_left(session: Session, sharing: Consent) -> UsageError:
    step = f"citizen-vault sharing stop {short(sharing.consent_id)}"
    return UsageError(session.words("less.all"), step)


def _request(session: Session, sharing: Consent, wanted: Less) -> NarrowConsentRequest:
    """Return what asks for it: where parts are left out, each item that stays names the others."""
    from vault.api.v1.consent_pb2 import RemainingFields  # noqa: PLC0415
    from vault.api.v1.consent_service_pb2 import NarrowConsentRequest  # noqa: PLC0415

    words = session.words
    if not (any(wanted.dropped.values()) or wanted.until or wanted.times):
        raise UsageError(words("less.nothing"))
    request = NarrowConsentRequest(
        acting=session.acting, consent_id=sharing.consent_id, frequency_count=wanted.times
    )
    if wanted.until:
        request.end_time.CopyFrom(end_of(wanted.until, words))
    if any(wanted.dropped.values()):
        for item in sharing.scope:
            dropped = wanted.dropped.get(item.item, frozenset())
            names = [name for name in _names(item) if name not in dropped]
            if names:
                request.items.append(RemainingFields(item=item.item, names=names))
        if not request.items:
            raise _nothing_left(session, sharing)
    return request


def _typed(
    session: Session, sharing: Consent, typed: Sequence[str]
) -> Mapping[int, frozenset[str]]:
    """Return what `--leave-out WHAT:PART,PART` names; WHAT alone is all of it."""
    words, published = session.words, session.published
    dropped: dict[int, frozenset[str]] = {}
    for text in typed:
        what, colon, parts = text.partition(":")
        found = [item for item in sharing.scope if item.evidence_type == what] or [
            item for item in sharing.scope if what and item.evidence_id.startswith(what.lower())
        ]
        if not found:
            raise UsageError(words("not.shared.at.all", part=what))
        if len(found) > 1:
            numbers = ", ".join(short(item.evidence_id) for item in found)
            raise UsageError(words("two.of.them", what=numbers, option="--leave-out"))
        item = found[0]
        kind = published.kind(item.evidence_type)
        names = [name.strip() for name in parts.split(",") if name.strip()]
        if colon and not names:
            raise UsageError(words("less.something"))
        for name in names:
            if name not in _names(item):
                part = f"{kind.title}: {kind.label(name)}"
                raise UsageError(words("not.shared.at.all", part=part))
        before = dropped.get(item.item, frozenset())
        dropped[item.item] = before | frozenset(names or _names(item))
    return dropped


def _asked_for(session: Session, sharing: Consent) -> Less:
    """Return what she answers to a question for each part; Enter alone keeps everything."""
    words, published, output = session.words, session.published, session.output
    dropped: dict[int, frozenset[str]] = {}
    for item in sharing.scope:
        kind = published.kind(item.evidence_type)
        dropped[item.item] = frozenset(
            name
            for name in kind.in_order(_names(item))
            if output.ask(words("less.part", what=kind.title, part=kind.label(name))).lower()
            in words.yes_letters
        )
    until = output.ask(words("less.until", time=last_day(sharing.end_time, words)))
    times = ""
    if sharing.frequency.count > 1:
        times = output.ask(words("less.times", often=often(sharing.frequency, words)))
    if times and not re.fullmatch(r"[0-9]{1,6}", times):
        raise UsageError(words("type.again", why=words("type.number")))
    return Less(dropped, until, int(times or 0))


def _names(item: ItemScope) -> tuple[str, ...]:
    return (*item.required, *item.optional)
