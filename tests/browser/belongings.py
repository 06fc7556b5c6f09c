# SPDX-License-Identifier: Apache-2.0
"""The ids of what belongs to somebody, by the names that the wire gives them; and every route."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from google.protobuf.message import Message

from clients.web.app import by_path
from clients.web.room import Route
from tests.browser.site import Person
from vault.api.v1 import consent_service_pb2 as consents
from vault.api.v1.evidence_service_pb2 import ListEvidenceRequest
from vault.api.v1.vault_service_pb2 import GetVaultRequest, ListPasskeysRequest

NOWHERE: Final = "00000000-0000-4000-8000-000000000000"
"""An id of nothing."""
NO_NUMBER: Final = "999999"

ASKED: Final = re.compile(r"\basked\(\s*\"(\w+)\"")
"""How the pages read a parameter of an address."""
TYPED: Final = re.compile(r"\bform\.(?:text|texts|has)\(\s*\"(\w+)\"")
"""How they read a field of a form."""

_SOURCES: Final = Path(__file__).parents[2] / "clients" / "web"
_UUID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_PARAMETER: Final = re.compile(r"\{(\w+)(?::(\w+))?\}")
_PUBLIC: Final = frozenset({"service_id", "organisation_id"})


@dataclass(frozen=True)
class Belongings:
    """What somebody has: the ids of each name, the newest first."""

    ids: Mapping[str, tuple[str, ...]]

    @property
    def all(self) -> frozenset[str]:
        """Return every id."""
        return frozenset(value for values in self.ids.values() for value in values)

    def of(self, name: str) -> str:
        """Return an id by the name of a part of a path, which is that of the wire."""
        return self.all_of(name)[0]

    def all_of(self, name: str) -> tuple[str, ...]:
        """Return every id by the name of a part of a path."""
        assert name in self.ids, f"say in {__file__} what {{{name}}} in a path is an id of"
        return self.ids[name]

    def in_place_of(self, value: str, others: Belongings) -> str:
        """Return somebody else's id of the same name for one of ours; any other value stays."""
        for name, values in self.ids.items():
            for mine in values:
                if mine in value and name in others.ids:
                    return value.replace(mine, others.ids[name][0])
        return value


def belongings_of(person: Person) -> Belongings:
    """Return what the server lists of somebody."""
    mair = person.story.mair
    listed: list[Message] = [
        mair.consents.ListRequests(consents.ListRequestsRequest(page_size=500)),
        mair.consents.ListConsents(consents.ListConsentsRequest(page_size=500)),
        mair.evidence.ListEvidence(ListEvidenceRequest(page_size=500)),
        mair.vaults.GetVault(GetVaultRequest()),
        mair.vaults.ListPasskeys(ListPasskeysRequest()),
    ]
    found: dict[str, dict[str, None]] = {}
    for message in listed:
        for name, value in _ids_in(message):
            found.setdefault(name, {})[value] = None
    return Belongings({name: tuple(values) for name, values in found.items()})


def routes() -> list[Route]:
    """Return every page and form that there is."""
    return [route for pages in by_path().values() for route in pages.values()]


def paths_of(route: Route, belongings: Belongings) -> list[str]:
    """Return the addresses of a route that has one id, for everything of somebody's."""
    (name,) = [match[1] for match in _PARAMETER.finditer(route.path) if match[2] == "uuid"]
    path = _PARAMETER.sub(lambda found: "{}" if found[1] == name else NO_NUMBER, route.path)
    return [path.format(one) for one in belongings.all_of(name)]


def path_of(route: Route, belongings: Belongings | None) -> str:
    """Return an address of a route, its ids those of somebody, or of nothing."""

    def filled(match: re.Match[str]) -> str:
        name, kind = match[1], match[2]
        if kind == "int":
            return NO_NUMBER
        if belongings is None or kind != "uuid":
            return NOWHERE
        return belongings.of(name)

    return _PARAMETER.sub(filled, route.path)


def names_somebody(route: Route) -> bool:
    """Say whether an address of a route has an id of something of hers."""
    return any(match[2] == "uuid" for match in _PARAMETER.finditer(route.path))


def names_in(reading: re.Pattern[str]) -> set[str]:
    """Return every name that the pages read in one of these ways, from their source."""
    texts = (file.read_text(encoding="utf-8") for file in sorted(_SOURCES.rglob("*.py")))
    return {name for text in texts for name in reading.findall(text)}


def _ids_in(message: Message) -> Iterator[tuple[str, str]]:
    for field, value in message.ListFields():
        for one in value if _is_repeated(field) else [value]:
            if isinstance(one, Message):
                yield from _ids_in(one)
            elif _is_id(field.name, one):
                yield field.name, one


def _is_repeated(field: Any) -> bool:
    return bool(field.is_repeated)


def _is_id(name: str, value: object) -> bool:
    is_named = name.endswith("_id") and name not in _PUBLIC
    return is_named and isinstance(value, str) and bool(_UUID.fullmatch(value))
