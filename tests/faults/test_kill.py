# SPDX-License-Identifier: Apache-2.0
"""Killed 150 times under load: nothing acknowledged is lost, nothing unknown happens twice.

A killed process leaves the machine's own memory of the files intact: this shows that nothing is
answered before it is written, not that it survives a loss of power.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults import crash
from tests.faults.books import KINDS, Books
from tests.faults.campaign import new_seed
from tests.faults.prefork import ForkedServer, forks
from tests.server import Server

CYCLES = 150
SEED = new_seed()

# Whichever test comes first waits for all the killing.
pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def books(tmp_path_factory: pytest.TempPathFactory) -> Books:
    with forks() as forked:
        server = ForkedServer(tmp_path_factory.mktemp("kill"), forks=forked)
        return crash.run(server, CYCLES, seed=SEED)


def test_it_was_killed_under_load(books: Books) -> None:
    """Else the other tests say nothing."""
    unknown = [write for write in books.writes if write.was_unknown]

    assert len(books.writes) > CYCLES * 10
    assert len(unknown) > CYCLES
    assert {write.method for write in books.writes} == KINDS.keys()


def test_what_was_acknowledged_stands_where_it_was_acknowledged(books: Books) -> None:
    assert not books.lost(), f"seed {SEED!r}"


def test_every_write_has_an_answer_in_the_end(books: Books) -> None:
    assert not books.unknown(), f"seed {SEED!r}"


def test_every_write_happened_once(books: Books) -> None:
    assert not books.miscounted(), f"seed {SEED!r}"


def test_positions_are_dense(books: Books) -> None:
    assert not books.holes(), f"seed {SEED!r}"
    assert len(books.positions) == len(set(books.positions))


def test_no_database_is_damaged(books: Books) -> None:
    assert not books.damage, f"seed {SEED!r}"


def test_the_auditors_program_finds_nothing(books: Books, tmp_path: Path) -> None:
    for report in books.judged(tmp_path):
        assert report["findings"] == []
        assert all(receipt["holds"] for receipt in report["receipts"])
        assert report["receipts"]


def test_a_server_that_answers_before_it_writes_is_found_out(tmp_path: Path) -> None:
    program = ("-m", "tests.faults.mutant", "hasty-acknowledgement")

    books = crash.run(Server(tmp_path / "kill", program=program), 3, seed=SEED)

    assert books.lost()
    assert books.miscounted()["evidence-disclosed.1"] < 0
