# SPDX-License-Identifier: Apache-2.0
"""What somebody who was helped has of it: his letter, and the list of who did what for him."""

from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Final

from clients.connection import Connection
from clients.demo.counter import DISCLOSED
from clients.demo.people import BRIGHTCARE_STAFF, OFFICIAL
from clients.demo.story import Story
from clients.demo.wording import clock, moment, numeral
from vault.api.v1.vault_pb2 import (
    APPROVAL_KIND_STAFF_ASSISTED,
    APPROVAL_KIND_UNSPECIFIED,
    CAPACITY_OFFICIAL,
    CAPACITY_SERVICE,
    CHANNEL_API,
    CHANNEL_COUNTER,
    Acting,
    HistoryEntry,
)
from vault.api.v1.vault_service_pb2 import ListHistoryRequest

_ALL: Final = 500
_LOOKED: Final = "vault-read.1"
_SHARED: Final = "consent-granted.1"
_WHAT: Final = {
    "vault-opened.1": "A place made for him",
    "sign-in-linked.2": "His code was made",
    "evidence-provided.1": "He gave his address",
    _LOOKED: "His things looked at",
    "consent-requested.2": "BrightCare's question opened",
    _SHARED: "He said yes to BrightCare",
    DISCLOSED: "His address was fetched",
}
_BY_OFFICIAL: Final = (CAPACITY_OFFICIAL, CHANNEL_COUNTER, OFFICIAL)
_BY_BRIGHTCARE: Final = (CAPACITY_SERVICE, CHANNEL_API, BRIGHTCARE_STAFF)


def show_list(story: Story, official: Connection, acting: Acting) -> tuple[HistoryEntry, ...]:
    """Show everything that happened, once it is what it should be; return the uses among it."""
    listed = official.vaults.ListHistory(ListHistoryRequest(acting=acting, page_size=_ALL))
    entries = tuple(reversed(listed.entries))
    happened = [entry for entry in entries if entry.type != _LOOKED and not entry.repeated]
    story.expect.equal(
        "what happened, and who did it for him",
        [(entry.type, *_who(entry)) for entry in happened],
        [
            (name, *(_BY_BRIGHTCARE if name == DISCLOSED else _BY_OFFICIAL))
            for name in _WHAT
            if name != _LOOKED
        ],
    )
    looks = [entry for entry in entries if entry.type == _LOOKED]
    story.expect.equal("who looked", {_who(entry) for entry in looks}, {_BY_OFFICIAL})
    story.expect.equal(
        "what he agreed to",
        [entry.type for entry in entries if entry.approval_kind != APPROVAL_KIND_UNSPECIFIED],
        [_SHARED],
    )
    agreed = next(entry for entry in entries if entry.type == _SHARED)
    story.expect.equal("how", agreed.approval_kind, APPROVAL_KIND_STAFF_ASSISTED)
    story.screen.say("His own list, which anybody at a counter reads to him when he asks:")
    story.screen.table(("When", "What", "Who, and how"), _rows(entries))
    return tuple(entry for entry in entries if entry.type == DISCLOSED)


def letter(code: str) -> tuple[str, ...]:
    """Return the lines of the letter that somebody keeps: his code, in both languages."""
    return (
        "Eich cod / Your code",
        "",
        f"    {code}",
        "",
        "Rhowch ef i swyddog sy'n eich helpu gyda'ch gwybodaeth.",
        "Give it to an official who helps you with your information.",
        "Bob tro cofnodir pwy wnaeth beth ar eich rhan.",
        "Each time it is written down who did what for you.",
    )


def _rows(entries: Iterable[HistoryEntry]) -> Iterator[tuple[str, str, str]]:
    """Yield a line for each thing that happened; the same many times is one line."""
    for (what, who), group in groupby(entries, key=lambda entry: (_WHAT[entry.type], _said(entry))):
        same = list(group)
        yield clock(moment(same[0].time)), f"{what}{_often(len(same))}", who


def _often(times: int) -> str:
    if times == 1:
        return ""
    return " twice" if times == 2 else f" {numeral(times)} times"


def _who(entry: HistoryEntry) -> tuple[int, int, str]:
    return entry.acting.capacity, entry.acting.channel, entry.staff_ref


def _said(entry: HistoryEntry) -> str:
    if entry.acting.capacity != CAPACITY_OFFICIAL:
        return f"BrightCare, {entry.staff_ref}"
    agreed = ", with his agreement" if entry.approval_kind == APPROVAL_KIND_STAFF_ASSISTED else ""
    return f"{entry.staff_ref}, at the counter{agreed}"
