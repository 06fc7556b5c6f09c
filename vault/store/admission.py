# SPDX-License-Identifier: Apache-2.0
"""What streams admit next: the one rule of the store, decided before anything is written.

A stream is contiguous from its first version, and a request key names one record in it, once. The
database's unique keys say the same; here it is decided for each append of a batch, so that one
refusal leaves the others alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from vault.store.append import Append


class Admission:
    """What streams admit, starting from their committed heads.

    Args:
        heads: the last version of each stream that is asked about, None if it has none.
        taken: (stream, request key) of those asked about that are taken already.
    """

    def __init__(
        self, heads: Mapping[str, int | None], taken: Iterable[tuple[str, str]] = ()
    ) -> None:
        self._heads = dict(heads)
        self._taken = set(taken)

    def admits(self, append: Append) -> bool:
        """Decide on an append; what it takes, if it is admitted, is taken for those after it."""
        named = (str(append.events[0].originator_id), append.request_key)
        if append.request_key and named in self._taken:
            return False
        heads: dict[str, int | None] = {}
        for event in append.events:
            stream, version = str(event.originator_id), event.originator_version
            head = heads.get(stream, self._heads[stream])
            # Ours begin at 1; the library's own tests begin at 0 as well.
            if version not in ((0, 1) if head is None else (head + 1,)):
                return False
            heads[stream] = version
        self._heads.update(heads)
        self._taken.add(named)
        return True


def questions(batch: Sequence[Append]) -> list[tuple[str, str]]:
    """Return whom to ask about for a batch: pairs of a stream and a request key for it, or ""."""
    found: dict[tuple[str, str], None] = {}
    for append in batch:
        request_key = append.request_key
        for event in append.events:
            found[str(event.originator_id), request_key] = None
            # The key names the first event of an append.
            request_key = ""
    return list(found)
