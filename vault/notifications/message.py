# SPDX-License-Identifier: Apache-2.0
"""Messages, and the port of the channels that carry them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from vault.notifications.notice import Way


@dataclass(frozen=True, slots=True)
class Message:
    """One message to one address. `repr` hides where it goes and what it says.

    Attributes:
        delivery_id: the same each time it is sent again. UUID.
        made: when it was decided, RFC 3339.
        again: it may have been sent before: nobody heard how the attempt ended.
        address: an e-mail address, a telephone number, or the lines of an envelope.
        text: lines, without the subject; an empty line between paragraphs.
    """

    delivery_id: str
    made: str
    again: bool
    way: Way
    language: str
    address: tuple[str, ...] = field(repr=False)
    subject: str = field(repr=False)
    text: str = field(repr=False)


class NotSentError(Exception):
    """A message was not sent. `reason` says why without a word of it or of where it goes.

    `for_good`: the channel will never take it, so that trying again is in vain.
    """

    def __init__(self, reason: str, *, for_good: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.for_good = for_good


class Channel(Protocol):
    """Carries messages by some ways. Called from several threads at once."""

    def send(self, message: Message) -> None:
        """Hand a message over.

        If `message.again`, it is not handed over twice, as far as the channel can tell.

        Raises:
            NotSentError: if that did not succeed, or it is not known whether it did.
        """
