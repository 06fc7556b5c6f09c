# SPDX-License-Identifier: Apache-2.0
"""What the story expects of each answer. The first that comes out otherwise ends it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from clients.connection import CallError

T = TypeVar("T")


class UnexpectedError(Exception):
    """Something came out otherwise than the story expects."""

    def __init__(self, claim: str, expected: object, came: object) -> None:
        super().__init__(claim)
        self.claim = claim
        self.expected = str(expected)
        self.came = str(came)


@dataclass(slots=True)
class Expectations:
    """Compares what came with what was expected, and counts how often it did."""

    met: int = 0

    def equal(self, claim: str, came: T, expected: T) -> T:
        """Expect one value; return it.

        Raises:
            UnexpectedError: if another one came.
        """
        if came != expected:
            raise UnexpectedError(claim, expected, came)
        self.met += 1
        return came

    def true(self, claim: str, *, came: bool) -> None:
        """Expect that a claim holds; for values that are nobody's to read in an error.

        Raises:
            UnexpectedError: if it does not.
        """
        self.equal(claim, came, expected=True)

    def refused(self, claim: str, reason: str, call: Callable[[], object]) -> CallError:
        """Expect that a call is refused for a reason; return the refusal.

        Raises:
            UnexpectedError: if it is answered, or refused for another reason.
        """
        try:
            call()
        except CallError as error:
            self.equal(claim, error.reason, reason)
            return error
        raise UnexpectedError(claim, f"refused: {reason}", "answered")
