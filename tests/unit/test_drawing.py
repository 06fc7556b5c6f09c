# SPDX-License-Identifier: Apache-2.0
"""What is drawn is given out once: in a process, its threads, and a process it was forked to."""

from __future__ import annotations

import os
import warnings
from concurrent.futures import ThreadPoolExecutor

from vault import drawing
from vault.drawing import draw


def test_as_much_is_drawn_as_was_asked_for() -> None:
    assert [len(draw(size)) for size in (0, 1, 12, 16, 64)] == [0, 1, 12, 16, 64]


def test_nothing_is_given_out_twice_across_portions_and_threads() -> None:
    with ThreadPoolExecutor(4) as threads:
        drawn = list(threads.map(lambda _: draw(16), range(4_000)))

    assert len(set(drawn)) == 4_000


def test_a_forked_process_draws_anew() -> None:
    draw(16)
    end, begin = os.pipe()
    with warnings.catch_warnings():
        # Later versions of Python warn of forks beside threads; none of those is used here.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        os.write(begin, draw(16))
        os._exit(0)
    os.waitpid(child, 0)

    theirs = os.read(end, 16)
    os.close(end)
    os.close(begin)

    assert len(theirs) == 16
    assert theirs != draw(16)


def test_a_portion_serves_many_draws() -> None:
    """Else each would let go of the interpreter's lock."""
    draw(16)
    before = drawing._store.drawn  # noqa: SLF001

    draw(16)

    assert drawing._store.drawn is before or drawing._store.given == 16  # noqa: SLF001
