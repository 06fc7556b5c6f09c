# SPDX-License-Identifier: Apache-2.0
"""Letters about a line of her history: filled in, in either language, sent by herself alone."""

from __future__ import annotations

import dataclasses
import urllib.parse
from typing import TYPE_CHECKING, Final

from clients.receipts import b64
from clients.web.words import PageWords
from clients.wording import entries
from clients.wording.published import Published
from clients.wording.times import exact
from clients.wording.words import LANGUAGES

if TYPE_CHECKING:
    from clients.web.here import Here
    from clients.wording.words import Words
    from vault.api.v1.vault_pb2 import HistoryEntry

_ROOM: Final = "seen"


@dataclasses.dataclass(frozen=True)
class Writer:
    """Somebody who writes in a language, whatever the page is in."""

    words: Words
    published: Published

    @classmethod
    def of(cls, here: Here) -> Writer:
        """Return who writes in the language that was asked for, or else in that of the page."""
        asked = here.asked("letter")
        words = PageWords(asked if asked in LANGUAGES else here.language, _ROOM)
        return cls(words, Published(here.vault, words))


@dataclasses.dataclass(frozen=True)
class Letter:
    """A letter.

    Attributes:
        to: the name of whom it is for.
        where: how they are reached: an address, a telephone number; "" if that is not known.
        email: their e-mail address, "" if that is not known.
    """

    language: str
    to: str
    where: str
    email: str
    subject: str
    text: str

    @property
    def mailto(self) -> str:
        """Return what opens it in her own program for e-mail (RFC 6068)."""
        said = urllib.parse.urlencode(
            {"subject": self.subject, "body": self.text.replace("\n", "\r\n")},
            quote_via=urllib.parse.quote,
        )
        return f"mailto:{urllib.parse.quote(self.email, safe='@')}?{said}"


def to_authority(here: Here, writer: Writer, entry: HistoryEntry) -> Letter:
    """Return a report to the authority that watches over personal data."""
    words = writer.words
    authority = here.house.settings.authority[words.language]
    return Letter(
        language=words.language,
        to=authority.name,
        where=authority.address,
        email=authority.email,
        subject=words("letter.report.subject"),
        text=_text(here, writer, entry, authority.name, "report"),
    )


def to_organisation(here: Here, writer: Writer, entry: HistoryEntry) -> Letter:
    """Return a complaint to whoever a line is about; without one, to the people who run this."""
    words, published = writer.words, writer.published
    organisation = published.organisation_of(entry.service_id)
    to, where = words("letter.us", house=here.house.settings.names[words.language]), ""
    if organisation is not None:
        to = published.text(organisation.name)
        where = published.text(organisation.contact)
    return Letter(
        language=words.language,
        to=to,
        where=where,
        email=_email_in(where),
        subject=words("letter.wrong.subject"),
        text=_text(here, writer, entry, to, "wrong"),
    )


def facts(writer: Writer, entry: HistoryEntry) -> list[tuple[str, str]]:
    """Return the facts of a line, as names and texts."""
    words = writer.words
    say = entries.outcome if entry.reason or entry.repeated else entries.happened
    return [
        (words("confirmation.what"), say(writer, entry)),
        (words("column.when"), exact(entry.time, words)),
        (words("column.who"), entries.who(writer, entry)),
        (words("fact.references"), ", ".join(filter(None, entries.references(writer, entry)))),
        (words("column.why"), entries.reason_for(writer, entry)),
        (words("column.what"), entries.what(writer, entry)),
    ]


def _text(here: Here, writer: Writer, entry: HistoryEntry, to: str, kind: str) -> str:
    words = writer.words
    receipt = entry.receipt
    lines = [
        words("letter.to", to=to),
        words(f"letter.{kind}.opening"),
        "\n".join(f"{name}: {_in_line(text)}" for name, text in facts(writer, entry) if text),
        "\n".join(
            (
                words("letter.kept.by", house=here.house.settings.names[words.language]),
                words("letter.entry", entry=receipt.leaf_index, origin=receipt.origin),
                f"{words('confirmation.digest')}: {b64(receipt.leaf_hash)}",
            )
        ),
        words("letter.confirmation"),
        words(f"letter.{kind}.wrong"),
        words(f"letter.{kind}.ask"),
        words("letter.from"),
    ]
    return "\n\n".join(lines)


def _in_line(text: str) -> str:
    return text.replace("\n", "; ")


def _email_in(contact: str) -> str:
    """Return the e-mail address within a contact, "" if there is none."""
    return next((part.strip("<>,.;") for part in contact.split() if "@" in part), "")
