# SPDX-License-Identifier: Apache-2.0
"""What a service is told of what became of its questions: a list with a place to go on from."""

from clients.connection import Connection
from clients.demo.expectations import Expectations
from clients.demo.story import wait_for
from vault.api.v1.disclosure_service_pb2 import ConsentChange, ConsentChangeKind, ListChangesRequest


class News:
    """Reads a service's list, from its beginning, each line once."""

    def __init__(self, asker: Connection, expect: Expectations) -> None:
        self._asker = asker
        self._expect = expect
        self._cursor = ""
        self._unread: list[ConsentChange] = []

    def next(self, kind: ConsentChangeKind.ValueType) -> ConsentChange:
        """Expect that the next line is of a kind; return it as soon as it is there."""

        def come() -> ConsentChange | None:
            if not self._unread:
                answer = self._asker.disclosures.ListChanges(
                    ListChangesRequest(cursor=self._cursor)
                )
                self._cursor = answer.cursor
                self._unread += answer.changes
            return self._unread.pop(0) if self._unread else None

        change = wait_for(come)
        self._expect.true("they are told", came=change is not None)
        assert change is not None  # noqa: S101 - what the line above made sure
        named = ConsentChangeKind.Name(change.kind)
        self._expect.equal("what they are told of", named, ConsentChangeKind.Name(kind))
        return change
