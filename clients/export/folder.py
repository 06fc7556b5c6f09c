# SPDX-License-Identifier: Apache-2.0
"""The files of an exported folder, line by line."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING, Any, Protocol

from clients.export import form
from clients.export.sealed import Sealed, SealedError
from clients.receipts import unb64

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


class File(Protocol):
    """A file that was written, wherever it lies."""

    def read_bytes(self) -> bytes:
        """Return what it holds."""

    def is_file(self) -> bool:
        """Say whether it is there."""


class Folder(Protocol):
    """The files by their names: a `Path`, or what holds them in memory."""

    def __truediv__(self, name: str, /) -> File:
        """Return a file."""


@dataclasses.dataclass(frozen=True)
class Entry:
    """A record: its link and facts, empty if it was deleted, and what lay sealed beside it."""

    leaf_index: int
    version: int
    link: Mapping[str, Any]
    facts: Mapping[str, Any]
    opened: Mapping[str, bytes]
    files: tuple[str, ...]

    @property
    def kind(self) -> str:
        """Return the stored name without its number; "" if the record was deleted."""
        return str(self.facts.get("type", "")).partition(".")[0]


def lines_of(file: File) -> Iterator[dict[str, Any]]:
    """Yield what the lines of a file say."""
    yield from map(json.loads, file.read_bytes().splitlines())


def entries_of(folder: Folder) -> Iterator[Entry]:
    """Yield the records of her history, oldest first."""
    beside: dict[int, list[dict[str, Any]]] = {}
    for line in lines_of(folder / form.PAYLOADS):
        beside.setdefault(line["leaf_index"], []).append(line)
    for line in lines_of(folder / form.HISTORY):
        payloads = beside.get(line["leaf_index"], [])
        yield Entry(
            leaf_index=line["leaf_index"],
            version=line["version"],
            link=json.loads(line["link"] or "{}"),
            facts=json.loads(line["facts"] or "{}"),
            opened={one["kind"]: _opened(one) for one in payloads},
            files=tuple(one["file"] for one in payloads if one["file"]),
        )


def published_in(folder: Folder) -> Iterator[tuple[Mapping[str, Any], bytes]]:
    """Yield the facts of every record of the registry, and its texts or definition."""
    payloads = {
        line["leaf_index"]: unb64(line["sealed"])
        for line in lines_of(folder / form.PUBLIC_PAYLOADS)
        if line["kind"] in {"texts", "definition"}
    }
    for line in lines_of(folder / form.REGISTRY):
        yield json.loads(line["facts"] or "{}"), payloads.get(line["leaf_index"], b"")


def faults_in(folder: Folder) -> Iterator[tuple[Mapping[str, Any], bytes]]:
    """Yield the facts of every known fault, and its notices."""
    file = folder / form.OPERATIONS
    if not file.is_file():
        return
    notices = {
        (line["stream"], line["leaf_index"]): unb64(line["sealed"])
        for line in lines_of(folder / form.PUBLIC_PAYLOADS)
        if line["kind"] == "notice"
    }
    for line in lines_of(file):
        facts = json.loads(line["facts"] or "{}")
        if str(facts.get("type", "")).startswith("known-fault-published."):
            yield facts, notices.get((line["stream_id"], line["leaf_index"]), b"[]")


def _opened(line: Mapping[str, Any]) -> bytes:
    try:
        return Sealed(unb64(line["sealed"]), unb64(line["key"]), line["context"]).open()
    except SealedError:
        # The auditor's program names it; here it is as if it were not there.
        return b""
