# SPDX-License-Identifier: Apache-2.0
"""Salts, nonces and names of calls, drawn from the system's randomness in larger portions.

Each draw from the system lets go of the interpreter's lock, which under a busy event loop takes far
longer to get back than the draw. Keys are not drawn here, but one by one.
"""

from __future__ import annotations

import os
import threading
from typing import Final

_PORTION_BYTES: Final = 4096


class _Store(threading.local):
    """What was drawn and not yet given out; each thread has its own, so that none waits."""

    def __init__(self) -> None:
        self.drawn = b""
        self.given = 0


_store = _Store()


def draw(size: int) -> bytes:
    """Return random bytes, at most a few dozen, that were given to nobody before."""
    store = _store
    end = store.given + size
    if end > len(store.drawn):
        store.drawn, store.given, end = os.urandom(_PORTION_BYTES), 0, size
    drawn = store.drawn[store.given : end]
    store.given = end
    return drawn


def _forget() -> None:
    # A process that was forked would give out the same once more.
    _store.drawn, _store.given = b"", 0


os.register_at_fork(after_in_child=_forget)
