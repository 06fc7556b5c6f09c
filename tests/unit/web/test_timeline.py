# SPDX-License-Identifier: Apache-2.0
"""Her history, looked through: by whom, by what, by when; nothing is left out unseen."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from starlette.datastructures import QueryParams

from clients.web.failure import NotThereError
from clients.web.seen.timeline import KINDS, Wanted, line_of, stretch
from clients.web.settings import PREFIX, USUAL_AUTHORITY, read_settings
from clients.wording.entries import WAYS
from clients.wording.words import catalogue
from vault.api.v1.vault_pb2 import HistoryEntry
from vault.api.v1.vault_service_pb2 import ListHistoryRequest, ListHistoryResponse

DAY = 86_400
NOON = DAY // 2


def history(count: int) -> list[HistoryEntry]:
    """Return lines, newest first: one for each day of 2020, every tenth a refused attempt."""
    start = 1_577_836_800
    return [
        HistoryEntry(
            version=number,
            time=Timestamp(seconds=start + (number - 1) * DAY + NOON),
            type="evidence-disclosed.1" if number % 10 else "disclosure-refused.1",
            service_id="even" if number % 2 == 0 else "odd",
        )
        for number in range(count, 0, -1)
    ]


def here(count: int, query: str = "") -> Any:
    """Return a visit to somebody with so many lines."""
    every = history(count)

    def list_history(request: ListHistoryRequest) -> ListHistoryResponse:
        begin = int(request.page_token or 0)
        end = begin + request.page_size
        after = str(end) if end < len(every) else ""
        return ListHistoryResponse(entries=every[begin:end], next_page_token=after)

    return SimpleNamespace(
        acting=None,
        request=SimpleNamespace(query_params=QueryParams(query)),
        vault=SimpleNamespace(vaults=SimpleNamespace(ListHistory=list_history)),
    )


def found(count: int, query: str) -> list[int]:
    """Return the versions that somebody finds who goes through all pages."""
    visit, page, versions = here(count, query), "", []
    while True:
        part = stretch(visit, Wanted.of(visit), page)
        versions += [entry.version for entry in part.entries]
        page = part.next_page
        if not page:
            return versions


def test_every_happening_that_has_words_is_of_one_kind() -> None:
    told = {key.split(".")[1] for key in catalogue() if key.startswith("happened.")}
    ways = {f"{way}-{what}" for way in WAYS.values() for what in ("linked", "unlinked")}
    names = [name for kind in KINDS.values() for name in kind]

    assert ways < told
    assert set(names) == told - ways - {"other", "read"}
    assert len(names) == len(set(names))


def test_all_pages_together_are_all_of_it() -> None:
    assert found(130, "") == list(range(130, 0, -1))


def test_a_page_is_no_longer_than_can_be_read() -> None:
    visit = here(130)

    assert len(stretch(visit, Wanted.of(visit), "").entries) == 25


@pytest.mark.parametrize(
    ("query", "versions"),
    [
        ("kind=refused", range(360, 0, -10)),
        ("service=odd", range(365, 0, -2)),
        ("service=odd&kind=refused", []),
        ("since-day=30&since-month=12&since-year=2020", [366, 365]),
        ("until-day=2&until-month=1&until-year=2020", [2, 1]),
        (
            "since-day=2&since-month=1&since-year=2020&until-day=3&until-month=1&until-year=2020",
            [3, 2],
        ),
        ("kind=of-no-kind", range(366, 0, -1)),
    ],
    ids=[
        "refused",
        "one service",
        "nothing",
        "since",
        "until",
        "since and until",
        "a kind that is none",
    ],
)
def test_what_she_looks_for_is_found_and_nothing_else(query: str, versions: Any) -> None:
    expected = [one for one in versions if one <= 366]
    assert found(366, query) == expected


def test_a_day_that_is_none_is_said_to_be_none() -> None:
    visit = here(1, "since-day=31&since-month=2&since-year=2020")

    assert Wanted.of(visit).wrong_days() == ("since",)


def test_what_she_looks_for_goes_along_to_the_next_page() -> None:
    query = "service=odd&kind=seen&since-day=1&since-month=2&since-year=2020"

    assert "&".join(f"{name}={text}" for name, text in Wanted.of(here(1, query)).pairs) == query


def test_a_line_is_found_by_its_version() -> None:
    assert line_of(here(1200), 3).version == 3


@pytest.mark.parametrize("version", [0, 13, 10**30])
def test_a_line_that_is_not_hers_is_not_there(version: int) -> None:
    with pytest.raises(NotThereError):
        line_of(here(12), version)


def test_the_authority_is_the_operators_to_name() -> None:
    needed = {
        "ORIGIN": "https://pages.example",
        "TARGET": "vault:443",
        "ISSUER": "https://issuer.example",
        "CLIENT_ID": "pages",
        "DATA": "/data",
    }
    named = {"AUTHORITY_EMAIL": "post@authority.example", "AUTHORITY_EN": "The authority"}

    usual = read_settings({PREFIX + name: text for name, text in needed.items()})
    other = read_settings({PREFIX + name: text for name, text in (needed | named).items()})

    assert usual.authority == USUAL_AUTHORITY
    assert other.authority["en"].name == "The authority"
    assert {one.email for one in other.authority.values()} == {"post@authority.example"}
