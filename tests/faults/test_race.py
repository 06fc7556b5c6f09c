# SPDX-License-Identifier: Apache-2.0
"""Decisions against disclosures on the real server: 300 random histories, one process, SQLite."""

from __future__ import annotations

import pytest

from tests.faults.histories import inversions
from tests.faults.races import Races

# Whichever test comes first waits for the race.
pytestmark = pytest.mark.timeout(300)


class TestOneProcessOnSQLite(Races):
    processes = 1


def test_positions_in_the_other_order_than_calls_are_found() -> None:
    assert inversions([(0, 1, 7), (2, 3, 6)]) == [(7, 6)]
    assert not inversions([(0, 1, 6), (2, 3, 7)])
    assert not inversions([(0, 5, 7), (2, 3, 6)])
