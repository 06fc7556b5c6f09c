# SPDX-License-Identifier: Apache-2.0
"""The same on PostgreSQL: 300 random histories, two server processes on one database."""

from __future__ import annotations

import os

import pytest

from tests import postgres
from tests.faults.races import Races, Settings
from tests.postgres import Cluster

# Now and then the race itself does not end; until it is known why, it runs where it is asked for.
pytestmark = [
    # Whichever test comes first waits for the race.
    pytest.mark.timeout(300),
    pytest.mark.skipif("FAULTS_POSTGRES" not in os.environ, reason="set FAULTS_POSTGRES to run it"),
]


class TestTwoProcessesOnPostgreSQL(Races):
    processes = 2

    @pytest.fixture(scope="class")
    @classmethod
    def settings(cls, cluster: Cluster) -> Settings:
        return postgres.new_settings(cluster)
