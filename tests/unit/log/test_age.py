# SPDX-License-Identifier: Apache-2.0
"""The age of what no quorum has signed: never less than it is."""

from __future__ import annotations

import random

from tests.faults.campaign import new_seed
from vault.log.age import UnwitnessedAge

SEED = new_seed()


def test_what_is_witnessed_has_no_age() -> None:
    age = UnwitnessedAge()
    assert age.seconds(9.0) == 0

    age.notice(5, 1.0)
    age.witness(5)

    assert age.seconds(9.0) == 0


def test_the_oldest_counts_until_it_is_witnessed() -> None:
    age = UnwitnessedAge()
    age.notice(5, 1.0)
    age.notice(5, 2.0)
    age.notice(7, 3.0)

    assert age.seconds(4.0) == 3
    age.witness(4)
    assert age.seconds(4.0) == 3
    age.witness(5)
    assert age.seconds(4.0) == 1
    age.witness(7)
    assert age.seconds(4.0) == 0


def test_what_is_noticed_after_it_was_witnessed_has_no_age() -> None:
    age = UnwitnessedAge()

    age.witness(7)
    age.notice(7, 1.0)

    assert age.seconds(9.0) == 0
    age.notice(8, 2.0)
    assert age.seconds(9.0) == 7


def test_however_much_is_noticed_no_age_is_told_too_small() -> None:
    """Against a list of all that was noticed."""
    drawn = random.Random(SEED)
    age, noticed, size, witnessed = UnwitnessedAge(), list[tuple[int, float]](), 0, 0
    for now in range(5_000):
        size += drawn.randint(0, 3)
        age.notice(size, float(now))
        noticed.append((size, float(now)))
        if drawn.random() < 0.001:
            witnessed = drawn.randint(witnessed, size)
            age.witness(witnessed)
        oldest = next((at for upto, at in noticed if upto > witnessed), float(now))

        assert age.seconds(float(now)) >= now - oldest, f"seed {SEED}"


def test_what_is_remembered_together_counts_as_the_oldest_of_it() -> None:
    age = UnwitnessedAge()
    for number in range(1, 2_001):
        age.notice(number, float(number))

    age.witness(1_500)

    assert age.seconds(2_000.0) >= 2_000 - 1_501
