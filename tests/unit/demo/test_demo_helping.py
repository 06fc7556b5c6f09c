# SPDX-License-Identifier: Apache-2.0
"""What somebody who was helped has of it: his letter, and a list that names who helped him."""

from types import SimpleNamespace
from typing import Any

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from clients.demo import helping
from clients.demo.expectations import Expectations, UnexpectedError
from clients.demo.people import BRIGHTCARE_STAFF, OFFICIAL
from vault.api.v1 import vault_pb2 as pb
from vault.api.v1.vault_service_pb2 import ListHistoryRequest, ListHistoryResponse

_AT_COUNTER = pb.Acting(capacity=pb.CAPACITY_OFFICIAL, channel=pb.CHANNEL_COUNTER)
_BY_PHONE = pb.Acting(capacity=pb.CAPACITY_OFFICIAL, channel=pb.CHANNEL_PHONE)
_SERVICE = pb.Acting(capacity=pb.CAPACITY_SERVICE, channel=pb.CHANNEL_API)
_TYPES = (
    "vault-opened.1",
    "sign-in-linked.2",
    "evidence-provided.1",
    "vault-read.1",
    "vault-read.1",
    "consent-requested.2",
    "consent-granted.1",
    "evidence-disclosed.1",
    "vault-read.1",
)


def _entry(name: str) -> pb.HistoryEntry:
    is_fetched = name == "evidence-disclosed.1"
    agreed = name == "consent-granted.1"
    return pb.HistoryEntry(
        type=name,
        time=Timestamp(seconds=1),
        acting=_SERVICE if is_fetched else _AT_COUNTER,
        staff_ref=BRIGHTCARE_STAFF if is_fetched else OFFICIAL,
        approval_kind=pb.APPROVAL_KIND_STAFF_ASSISTED if agreed else 0,
    )


class _Told:
    """A screen that keeps its table."""

    def __init__(self) -> None:
        self.rows: list[tuple[str, ...]] = []

    def say(self, sentence: str) -> None:
        pass

    def table(self, headings: Any, rows: Any) -> None:
        del headings
        self.rows = [row[1:] for row in rows]


@pytest.fixture
def entries() -> list[pb.HistoryEntry]:
    return [_entry(name) for name in _TYPES]


def _show(entries: list[pb.HistoryEntry]) -> tuple[tuple[pb.HistoryEntry, ...], _Told]:
    def list_history(asked: ListHistoryRequest) -> ListHistoryResponse:
        assert asked.acting == _AT_COUNTER
        return ListHistoryResponse(entries=entries[::-1])

    screen = _Told()
    story: Any = SimpleNamespace(screen=screen, expect=Expectations())
    official: Any = SimpleNamespace(vaults=SimpleNamespace(ListHistory=list_history))
    return helping.show_list(story, official, _AT_COUNTER), screen


def test_each_line_says_who_did_it_and_through_which_channel(
    entries: list[pb.HistoryEntry],
) -> None:
    _, screen = _show(entries)

    assert screen.rows == [
        ("A place made for him", "Eleri Jones, at the counter"),
        ("His code was made", "Eleri Jones, at the counter"),
        ("He gave his address", "Eleri Jones, at the counter"),
        ("His things looked at twice", "Eleri Jones, at the counter"),
        ("BrightCare's question opened", "Eleri Jones, at the counter"),
        ("He said yes to BrightCare", "Eleri Jones, at the counter, with his agreement"),
        ("His address was fetched", "BrightCare, Sara Pugh"),
        ("His things looked at", "Eleri Jones, at the counter"),
    ]


def test_the_uses_among_them_are_returned(entries: list[pb.HistoryEntry]) -> None:
    uses, _ = _show(entries)

    assert [use.type for use in uses] == ["evidence-disclosed.1"]


@pytest.mark.parametrize("at", [0, 3, 6])
def test_another_channel_ends_the_story(entries: list[pb.HistoryEntry], at: int) -> None:
    entries[at].acting.CopyFrom(_BY_PHONE)

    with pytest.raises(UnexpectedError):
        _show(entries)


@pytest.mark.parametrize("at", [0, 3, 7])
def test_somebody_else_ends_the_story(entries: list[pb.HistoryEntry], at: int) -> None:
    entries[at].staff_ref = "Nobody"

    with pytest.raises(UnexpectedError):
        _show(entries)


def test_an_answer_without_his_agreement_ends_the_story(entries: list[pb.HistoryEntry]) -> None:
    entries[6].approval_kind = pb.APPROVAL_KIND_SESSION

    with pytest.raises(UnexpectedError):
        _show(entries)


def test_a_line_that_is_missing_ends_the_story(entries: list[pb.HistoryEntry]) -> None:
    del entries[5]

    with pytest.raises(UnexpectedError):
        _show(entries)


def test_the_letter_has_his_code_in_both_languages() -> None:
    lines = helping.letter("ABCDE-FGHJK")

    assert lines[0] == "Eich cod / Your code"
    assert lines[2].strip() == "ABCDE-FGHJK"
