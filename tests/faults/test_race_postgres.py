# SPDX-License-Identifier: Apache-2.0
"""The same on PostgreSQL: 300 random histories, two server processes on one database."""

from __future__ import annotations

import pytest

from tests import postgres
from tests.faults.races import Races, Settings
from tests.postgres import Cluster

# Whichever test comes first waits for the race.
pytestmark = pytest.mark.timeout(300)


class TestTwoProcessesOnPostgreSQL(Races):
    processes = 2

    @pytest.fixture(scope="class")
    @classmethod
    def settings(cls, cluster: Cluster) -> Settings:
        return postgres.new_settings(cluster)
