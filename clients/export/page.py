# SPDX-License-Identifier: Apache-2.0
"""The page that a citizen reads in what she takes away: one HTML file that needs nothing else.

Who saw what, when and why; with whom she shares; what she added; everything that happened. It loads
nothing, runs nothing, reads aloud in order and prints (WCAG 2.2 AA: language, headings, captions,
scopes, contrast, focus).
"""

from __future__ import annotations

import dataclasses
import datetime as dt
from html import escape
from importlib.resources import files
from typing import TYPE_CHECKING

from clients.wording.entries import attempts, happened, lines, what, who
from clients.wording.terms import parts_of, state_key, state_of, terms_of
from clients.wording.times import day, exact, moment
from clients.wording.values import shown

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from clients.export.copy import Copy, Piece
    from clients.wording.reader import Reader
    from clients.wording.words import Words
    from vault.api.v1.consent_pb2 import Consent

_ATTEMPTS = ("evidence-disclosed.", "disclosure-refused.")
_MOST_TOUCHED = 100
_SOURCES = {"self-declared": "self", "document": "document", "issuer": "issuer"}


def page_of(reader: Reader, copy: Copy) -> str:
    """Return the page. The reader names things as they were published, in a language."""
    words = reader.words
    sections = [
        _Section("seen", words("seen"), _seen(reader, copy)),
        _Section("sharing", words("sharing"), _sharings(reader, copy)),
        _Section("information", words("export.information"), _pieces(reader, copy)),
        _Section("history", words("history"), _history(reader, copy)),
        _Section("check", words("export.check"), _check(words, copy)),
    ]
    if copy.faults:
        sections.insert(0, _Section("faults", words("export.faults"), _faults(reader, copy)))
    style = files(__package__).joinpath("page.css").read_text("ascii")
    contents = "".join(
        f'<li><a href="#{one.anchor}">{escape(one.title)}</a></li>' for one in sections
    )
    title = escape(words("export.title"))
    return (
        f'<!doctype html>\n<html lang="{words.language}">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; '
        "style-src 'unsafe-inline'; form-action 'none'; base-uri 'none'\">\n"
        f"<title>{title}</title>\n<style>\n{style}</style>\n</head>\n<body>\n"
        f'<a class="skip" href="#seen">{escape(words("export.skip"))}</a>\n'
        f"<header>\n<h1>{title}</h1>\n"
        f"<p>{escape(words('export.taken', time=_moment(copy.description['time'], words)))}</p>\n"
        f'<p class="care">{escape(words("export.private"))}</p>\n</header>\n'
        f'<nav aria-label="{escape(words("export.contents"))}"><ul>{contents}</ul></nav>\n<main>\n'
        + "".join(one.html for one in sections)
        + "</main>\n</body>\n</html>\n"
    )


@dataclasses.dataclass(frozen=True)
class _Section:
    anchor: str
    title: str
    content: str

    @property
    def html(self) -> str:
        heading = f'<h2 id="{self.anchor}-title">{escape(self.title)}</h2>'
        return (
            f'<section id="{self.anchor}" aria-labelledby="{self.anchor}-title">\n{heading}\n'
            f"{self.content}</section>\n"
        )


def _seen(reader: Reader, copy: Copy) -> str:
    words = reader.words
    tried = [line for line in copy.lines if line.type.startswith(_ATTEMPTS)]
    if not tried:
        return _paragraphs(words("nobody.saw"))
    return _table(words("seen"), *attempts(reader, tried))


def _sharings(reader: Reader, copy: Copy) -> str:
    found = "".join(_sharing(reader, one) for one in copy.sharings)
    return found or _paragraphs(reader.words("no.sharing"))


def _sharing(reader: Reader, sharing: Consent) -> str:
    words, published = reader.words, reader.published
    state = state_key(sharing)
    stopped = exact(sharing.revoke_time, words) if state == "REVOKED" else ""
    paused = exact(sharing.pause_time, words) if state == "PAUSED" else ""
    facts = [
        (words("column.state"), state_of(reader, sharing)),
        (words("stopped.on"), stopped),
        (words("paused.on"), paused),
        (words("for"), published.purpose_title(sharing.purpose)),
        *terms_of(reader, sharing),
        (words("used"), str(sharing.disclosure_count)),
        *parts_of(reader, sharing),
    ]
    title = escape(published.who(sharing.service_id))
    return f"<article>\n<h3>{title}</h3>\n{_list(facts)}</article>\n"


def _pieces(reader: Reader, copy: Copy) -> str:
    by_id: dict[str, list[Piece]] = {}
    for piece in copy.pieces:
        by_id.setdefault(piece.evidence_id, []).append(piece)
    found = [
        _piece(reader, piece)
        for revisions in by_id.values()
        for piece in sorted(revisions, key=lambda one: -one.revision)
    ]
    return "".join(found) or _paragraphs(reader.words("export.nothing"))


def _piece(reader: Reader, piece: Piece) -> str:
    words = reader.words
    kind = reader.published.kind(piece.evidence_type)
    title = f"{kind.title} ({words('version.number', number=piece.revision)})"
    facts = [
        (words("column.when"), _moment(piece.time, words)),
        (words("column.source"), words(f"source.{_SOURCES.get(piece.source, 'self')}")),
        (words("export.issued"), _day(piece.issued_date, words)),
    ]
    values = piece.values or {}
    facts += [
        (kind.label(name), shown(kind, name, values[name], words)) for name in kind.in_order(values)
    ]
    link = ""
    if piece.file:
        link = f'<p><a href="{escape(piece.file)}">{escape(words("export.document"))}</a></p>\n'
    gone = "" if piece.values is not None else _paragraphs(words("export.gone"))
    return f"<article>\n<h3>{escape(title)}</h3>\n{_list(facts)}{link}{gone}</article>\n"


def _history(reader: Reader, copy: Copy) -> str:
    words = reader.words
    said = {place: words("quoted", text=text) for place, text in copy.statements.items()}
    return _table(
        words("history"),
        [
            words("column.when"),
            words("confirmation.what"),
            words("column.who"),
            words("column.what"),
            words("column.entry"),
        ],
        [
            (
                exact(line.time, words),
                happened(reader, line),
                who(reader, line),
                lines(what(reader, line), said.get(line.receipt.leaf_index, "")),
                str(line.receipt.leaf_index),
            )
            for line in copy.lines
        ],
    )


def _faults(reader: Reader, copy: Copy) -> str:
    words = reader.words
    found = ""
    for fault in copy.faults:
        notice = reader.published.notice(fault.notices)
        title = words("fault", title=notice.title, date=_moment(fault.time, words))
        named = ", ".join(map(str, fault.leaf_indexes[:_MOST_TOUCHED]))
        has_more = len(fault.leaf_indexes) > _MOST_TOUCHED
        said = (
            notice.text,
            words("fault.more" if has_more else "fault.entries", entries=named),
            words("fault.ask", help=notice.help_line),
        )
        found += f"<article>\n<h3>{escape(title)}</h3>\n"
        found += "".join(map(_paragraphs, said)) + "</article>\n"
    return found


def _check(words: Words, copy: Copy) -> str:
    """Say who signed besides the operator before how to check it: much hangs on whether anybody."""
    if copy.cosigners is None:
        signed = words("export.unsigned")
    elif copy.cosigners:
        signed = words("export.signed", names=", ".join(sorted(copy.cosigners)))
    else:
        signed = words("export.signed.alone")
    care = "" if copy.cosigners else ' class="care"'
    return f"<p{care}>{escape(signed)}</p>\n" + _paragraphs(words("export.check.how"))


def _table(caption: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    head = "".join(f'<th scope="col">{escape(column)}</th>' for column in columns)
    body = "".join(
        f'<tr><th scope="row">{_text(row[0])}</th>'
        + "".join(f"<td>{_text(cell)}</td>" for cell in row[1:])
        + "</tr>\n"
        for row in rows
    )
    # It scrolls by itself where it is too wide, and keys reach it.
    return (
        f'<div class="wide" role="region" tabindex="0" aria-label="{escape(caption)}">\n<table>\n'
        f'<caption class="unseen">{escape(caption)}</caption>\n<thead><tr>{head}</tr></thead>\n'
        f"<tbody>\n{body}</tbody>\n</table>\n</div>\n"
    )


def _list(facts: Iterable[tuple[str, str]]) -> str:
    rows = "".join(
        f"<div><dt>{escape(name)}</dt><dd>{_text(text)}</dd></div>\n"
        for name, text in facts
        if text
    )
    return f"<dl>\n{rows}</dl>\n"


def _paragraphs(text: str) -> str:
    return "".join(f"<p>{escape(one)}</p>\n" for one in text.splitlines())


def _text(text: str) -> str:
    return "<br>".join(escape(text).splitlines())


def _moment(time: str, words: Words) -> str:
    from google.protobuf.timestamp_pb2 import Timestamp  # noqa: PLC0415

    stamp = Timestamp()
    stamp.FromJsonString(time)
    return moment(stamp, words)


def _day(date: str, words: Words) -> str:
    return day(dt.date.fromisoformat(date), words) if date else ""
