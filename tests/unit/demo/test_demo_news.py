# SPDX-License-Identifier: Apache-2.0
"""News: a service reads each line of its list once, in order, and goes on from its place."""

from types import SimpleNamespace
from typing import Any

import pytest

from clients.demo import story
from clients.demo.expectations import Expectations, UnexpectedError
from clients.demo.news import News
from vault.api.v1.disclosure_service_pb2 import (
    CONSENT_CHANGE_KIND_GRANTED,
    CONSENT_CHANGE_KIND_NARROWED,
    CONSENT_CHANGE_KIND_PAUSED,
    ConsentChange,
    ListChangesRequest,
    ListChangesResponse,
)


def _change(kind: Any) -> ConsentChange:
    return ConsentChange(kind=kind, consent_id="1")


class _Server:
    """Has a list that grows only when it is said so."""

    def __init__(self, *changes: ConsentChange) -> None:
        self.changes = list(changes)
        self.cursors: list[str] = []
        self.disclosures = SimpleNamespace(ListChanges=self.list_changes)

    def list_changes(self, asked: ListChangesRequest) -> ListChangesResponse:
        self.cursors.append(asked.cursor)
        seen = int(asked.cursor or "0")
        return ListChangesResponse(changes=self.changes[seen:], cursor=str(len(self.changes)))


def _news(server: Any) -> News:
    return News(server, Expectations())


def test_each_line_is_read_once() -> None:
    server = _Server(_change(CONSENT_CHANGE_KIND_GRANTED), _change(CONSENT_CHANGE_KIND_NARROWED))
    news = _news(server)

    news.next(CONSENT_CHANGE_KIND_GRANTED)
    news.next(CONSENT_CHANGE_KIND_NARROWED)

    assert server.cursors == [""]


def test_it_goes_on_where_it_ended() -> None:
    server = _Server(_change(CONSENT_CHANGE_KIND_GRANTED))
    news = _news(server)
    news.next(CONSENT_CHANGE_KIND_GRANTED)
    server.changes.append(_change(CONSENT_CHANGE_KIND_PAUSED))

    change = news.next(CONSENT_CHANGE_KIND_PAUSED)

    assert change.kind == CONSENT_CHANGE_KIND_PAUSED
    assert server.cursors == ["", "1"]


def test_another_line_than_was_expected_ends_the_story() -> None:
    news = _news(_Server(_change(CONSENT_CHANGE_KIND_GRANTED)))

    with pytest.raises(UnexpectedError) as caught:
        news.next(CONSENT_CHANGE_KIND_PAUSED)

    assert caught.value.came == "CONSENT_CHANGE_KIND_GRANTED"


def test_a_line_that_never_comes_ends_the_story(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(story, "_PATIENCE_SECONDS", 0.1)

    with pytest.raises(UnexpectedError) as caught:
        _news(_Server()).next(CONSENT_CHANGE_KIND_GRANTED)

    assert caught.value.claim == "they are told"
