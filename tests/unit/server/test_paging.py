# SPDX-License-Identifier: Apache-2.0
"""Pages: every entry once, and tokens that nobody else can use or make."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace

import pytest
from google.protobuf.wrappers_pb2 import StringValue
from hypothesis import given
from hypothesis import strategies as st

from vault.application.caller import Caller
from vault.domain.errors import TokenInvalidError
from vault.server.call import Call
from vault.server.paging import LARGEST_PAGE_BYTES, Pages

PAGES = Pages(b"k" * 32)
CALLER = Caller(role="citizen", issuer="i", sub="mair")
CALL = Call(call_id="1", method="/m", caller=CALLER, deadline=0.0)


@dataclass
class Request:
    page_size: int = 0
    page_token: str = ""


def cut(entries: list[str], request: Request, call: Call = CALL) -> tuple[list[str], str]:
    def build(entry: str) -> StringValue:
        return StringValue(value=entry)

    messages, token = asyncio.run(PAGES.page(entries, lambda entry: entry, request, call, build))
    return [message.value for message in messages], token


@given(st.lists(st.text(max_size=5), unique=True), st.integers(1, 7))
def test_pages_together_are_the_list(entries: list[str], size: int) -> None:
    entries = [entry for entry in entries if entry]
    found: list[str] = []
    request = Request(page_size=size)

    while True:
        page, token = cut(entries, request)
        found += page
        if not token:
            break
        request = Request(page_size=size, page_token=token)

    assert found == entries


def test_a_page_has_fifty_entries_unless_said() -> None:
    page, token = cut([str(number) for number in range(51)], Request())

    assert len(page) == 50
    assert token


def test_a_page_ends_before_it_is_too_large_for_a_message() -> None:
    half = LARGEST_PAGE_BYTES // 2 + 1
    entries = [letter * half for letter in "abc"]

    page, token = cut(entries, Request())

    assert page == entries[:1]
    assert token


def test_what_is_added_before_moves_nothing() -> None:
    _, token = cut(["c", "b", "a"], Request(page_size=1))

    assert cut(["d", "c", "b", "a"], Request(page_token=token)) == (["b", "a"], "")


@pytest.mark.parametrize(
    "call",
    [
        replace(CALL, method="/other"),
        replace(CALL, caller=replace(CALLER, sub="nia")),
        replace(CALL, caller=replace(CALLER, issuer="j")),
        replace(CALL, caller=replace(CALLER, role="service")),
    ],
)
def test_a_token_is_for_one_caller_and_method(call: Call) -> None:
    _, token = cut(["a", "b"], Request(page_size=1))

    with pytest.raises(TokenInvalidError):
        cut(["a", "b"], Request(page_token=token), call)


def test_a_token_is_for_one_filter() -> None:
    token = PAGES.write("a", CALL, "only")

    with pytest.raises(TokenInvalidError):
        PAGES.read(token, CALL)


@pytest.mark.parametrize("token", ["a", "AAAA", "====", "é", "A" * 24, "_w" * 20])
def test_a_made_up_token_is_refused(token: str) -> None:
    with pytest.raises(TokenInvalidError):
        cut(["a", "b"], Request(page_token=token))


def test_a_token_whose_entry_is_gone_is_refused() -> None:
    _, token = cut(["a", "b"], Request(page_size=1))

    with pytest.raises(TokenInvalidError):
        cut(["b"], Request(page_token=token))


def test_a_token_of_another_server_is_refused() -> None:
    token = Pages(b"other" * 7).write("a", CALL)

    with pytest.raises(TokenInvalidError):
        cut(["a", "b"], Request(page_token=token))
