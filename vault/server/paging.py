# SPDX-License-Identifier: Apache-2.0
"""Pages of lists (AIP-158): opaque, authenticated tokens, each for one caller, method and filter.

A token names the last entry that was sent, so that what is added meanwhile moves nothing.
"""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, Protocol, TypeVar

from google.protobuf.message import Message

from vault.domain.canonical import b64, encode, unb64
from vault.domain.errors import TokenInvalidError
from vault.server.call import Call

DEFAULT_SIZE: Final = 50
LARGEST_PAGE_BYTES: Final = 224 * 1024
"""Leaves room in a message of 256 KiB."""

_TAG_BYTES: Final = 16
T = TypeVar("T")
M = TypeVar("M", bound=Message)


class ListRequest(Protocol):
    """What every `List` request has."""

    @property
    def page_size(self) -> int:
        """At most so many entries; 0 takes the default."""

    @property
    def page_token(self) -> str:
        """Where the page before ended; empty for the first."""


class Pages:
    """Makes and reads page tokens: HMAC-SHA256 cut to 16 bytes, and the last entry's name."""

    def __init__(self, key: bytes) -> None:
        self._key = hmac.digest(key, b"page/1", "sha256")

    def write(self, last: str, call: Call, kind: str = "") -> str:
        """Return the token of the page after an entry.

        Args:
            kind: what else the list depends on, such as a filter.
        """
        return b64(self._tag(last, call, kind) + last.encode())

    def read(self, token: str, call: Call, kind: str = "", field: str = "page_token") -> str:
        """Return the last entry of the page before; "" without a token.

        Args:
            field: what an error names.

        Raises:
            TokenInvalidError: if it is not one of ours for this caller, method and filter.
        """
        if not token:
            return ""
        try:
            data = unb64(token)
            last = data[_TAG_BYTES:].decode()
        except ValueError:
            raise TokenInvalidError(field) from None
        if not hmac.compare_digest(data[:_TAG_BYTES], self._tag(last, call, kind)):
            raise TokenInvalidError(field)
        return last

    async def rows(
        self,
        rows: Sequence[T],
        name: Callable[[T], str],
        request: ListRequest,
        call: Call,
        build: Callable[[T], M | Awaitable[M]],
        *,
        kind: str = "",
    ) -> tuple[list[M], str]:
        """Return a page of rows that were selected by name, as `page` does of a whole list.

        Args:
            rows: one more than is wanted, if there are more.
            name: a row's name, from which on the next page is selected.
        """
        messages = await _fitting(rows[: request.page_size or DEFAULT_SIZE], build)
        has_more = len(messages) < len(rows)
        last = name(rows[len(messages) - 1]) if has_more else ""
        return messages, self.write(last, call, kind) if has_more else ""

    async def page(
        self,
        entries: Sequence[T],
        name: Callable[[T], str],
        request: ListRequest,
        call: Call,
        build: Callable[[T], M | Awaitable[M]],
    ) -> tuple[list[M], str]:
        """Return a page of messages, and the token of the next page, "" on the last.

        A page has at least one entry, and fewer than were asked for where they would be too large.

        Args:
            entries: the whole list, in order.
            name: an entry's name, unique in the list and never changed.
            build: makes the message of an entry.

        Raises:
            TokenInvalidError: if the token is not ours, or the list no longer has its entry.
        """
        last = self.read(request.page_token, call)
        names = [name(entry) for entry in entries]
        if last and last not in names:
            raise TokenInvalidError("page_token")
        start = names.index(last) + 1 if last else 0
        size = request.page_size or DEFAULT_SIZE
        messages = await _fitting(entries[start : start + size], build)
        end = start + len(messages)
        return messages, self.write(names[end - 1], call) if end < len(names) else ""

    def _tag(self, last: str, call: Call, kind: str) -> bytes:
        caller = call.caller
        who = [caller.role, caller.issuer, caller.sub]
        if caller.staffed_service:
            who.append(caller.staffed_service)
        bound = encode([call.method, *who, kind, last])
        return hmac.digest(self._key, bound, "sha256")[:_TAG_BYTES]


async def _fitting(entries: Sequence[T], build: Callable[[T], M | Awaitable[M]]) -> list[M]:
    """Return the messages of entries, as many as fit into one answer."""
    messages: list[M] = []
    for entry in entries:
        built = build(entry)
        messages.append(await built if isinstance(built, Awaitable) else built)
        if exceeds_page(messages):
            messages.pop()
            break
    return messages


def exceeds_page(messages: Sequence[Message]) -> bool:
    """Say whether the last of several messages is one too many for an answer."""
    total = sum(message.ByteSize() for message in messages)
    return len(messages) > 1 and total > LARGEST_PAGE_BYTES
