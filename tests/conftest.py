# SPDX-License-Identifier: Apache-2.0
"""What tests of every folder may need: one PostgreSQL server, started by the first that asks."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.postgres import Cluster, running


def pytest_xdist_auto_num_workers() -> int:
    """Return how many workers `make test` has: one more than processors, for each waits a lot."""
    return (os.cpu_count() or 1) + 1


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """A PostgreSQL server; each test makes databases of its own in it."""
    with running() as started:
        yield started
