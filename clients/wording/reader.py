# SPDX-License-Identifier: Apache-2.0
"""Who reads: in which language, and what the registry publishes in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from clients.wording.published import Published
    from clients.wording.words import Words


class Reader(Protocol):
    """A session of the command line, or a visit to the pages."""

    @property
    def words(self) -> Words:
        """Our texts in the reader's language."""

    @property
    def published(self) -> Published:
        """The registry's texts in the reader's language."""
